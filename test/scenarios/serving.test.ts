/**
 * The server towards its askers: odd packets, TCP, limits, rulings.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buildZone,
  createAuthority,
  decodeMessage,
  encodeMessage,
  type Message,
  parseName,
  printName,
  type Ruling,
} from '#resolver';
import type { Connection } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import {
  type Internet,
  openInternet,
  type Quirk,
  queryFor,
  RESOLVER,
  recordOf,
} from './internet.ts';
import { EXAMPLE, SECOND, WORLD } from './world.ts';

const parsedName = (text: string) => {
  const name = parseName(text);
  if (name === undefined) throw new Error(`${text} is no name`);
  return name;
};

const octetsOf = (hex: string) =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

describe('packets that are no good query', () => {
  test.each([
    { octets: '', reply: undefined, why: 'empty' },
    { octets: '1234', reply: undefined, why: 'no header' },
    {
      octets: '123401000001000000000000',
      reply: { id: 0x1234, rcode: 1 },
      why: 'a question is announced and missing',
    },
    { octets: '123401000000000000000000', reply: { id: 0x1234, rcode: 1 }, why: 'no question' },
    {
      octets: '1234010000020000000000000000010001',
      reply: { id: 0x1234, rcode: 1 },
      why: 'two questions announced, one there',
    },
    { octets: '12340100ffffffffffffffff', reply: { id: 0x1234, rcode: 1 }, why: 'counts of 65535' },
    {
      octets: '123481800001000000000000000001000100',
      reply: undefined,
      why: 'a response, and broken',
    },
    {
      octets: '1234818000010000000000000000010001',
      reply: undefined,
      why: 'a response',
    },
    {
      octets: '1234100000010000000000000000010001',
      reply: { id: 0x1234, rcode: 4, opcode: 2 },
      why: 'STATUS is not implemented',
    },
    {
      octets: '1234280000010000000000000000060001',
      reply: { id: 0x1234, rcode: 4, opcode: 5 },
      why: 'UPDATE is not implemented',
    },
    {
      octets: '1234010000010000000000000000ff00ff',
      reply: { id: 0x1234, rcode: 1 },
      why: 'class ANY',
    },
    {
      octets: '1234010000010000000000000000fa0001',
      reply: { id: 0x1234, rcode: 1 },
      why: 'type TSIG is no question',
    },
    {
      octets: '1234010000010000000000000000010003',
      reply: { id: 0x1234, rcode: 5 },
      why: 'class CH',
    },
    {
      octets: '1234010000010000000000000000fc0001',
      reply: { id: 0x1234, rcode: 5 },
      why: 'AXFR of the root',
    },
    {
      octets: '12340100000100000000000100000100010000291000000100000000',
      reply: { id: 0x1234, rcode: 16 },
      why: 'EDNS version 1 (RFC 6891 §6.1.3)',
    },
    {
      octets: '123401000001000000000000c00c00010001',
      reply: { id: 0x1234, rcode: 1 },
      why: 'a name that points at itself',
    },
  ])('$why', async ({ octets, reply }) => {
    await using internet = await openInternet(WORLD);
    const answer = await internet.exchange(octetsOf(octets));
    if (reply === undefined) {
      expect(answer).toBeUndefined();
      return;
    }
    const decoded = decodeMessage(answer ?? new Uint8Array(0));
    expect(decoded).toMatchObject({ ok: true, message: { response: true, ...reply } });
    expect((await internet.ask('www.example.com.', 'A')).lines).toHaveLength(1);
  });
});

test('random octets never stop the server', async () => {
  await using internet = await openInternet(WORLD);
  const query = encodeMessage(queryFor('www.example.com.', 'A'));
  const mutated = fc
    .array(fc.tuple(fc.nat(query.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const octets = query.slice();
      for (const [at, value] of changes) octets[at] = value;
      return octets;
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 80 }), mutated), async (octets) => {
      const sent = octets.slice();
      const reply = await internet.exchange(octets);
      if (reply === undefined) return;
      expect([...reply.slice(0, 2)]).toEqual([...sent.slice(0, 2)]);
      expect((reply[2] ?? 0) & 0x80).toBe(0x80);
    }),
    { numRuns: 60 },
  );
  expect((await internet.ask('www.example.com.', 'A')).lines).toHaveLength(1);
});

describe('size over UDP', () => {
  test.each([
    { name: 'small', udpSize: undefined, whole: true, why: 'up to 512 octets without EDNS' },
    { name: 'medium', udpSize: undefined, whole: false, why: 'and no more (RFC 1035 §4.2.1)' },
    {
      name: 'small',
      udpSize: 100,
      whole: true,
      why: 'less than 512 counts as 512 (RFC 6891 §6.2.5)',
    },
    { name: 'medium', udpSize: 4096, whole: false, why: 'never more than is not fragmented' },
  ])('$name, asker takes $udpSize: $why', async ({ name, udpSize, whole }) => {
    await using internet = await openInternet(WORLD);
    const edns =
      udpSize === undefined ? undefined : { udpSize, version: 0, dnssecOk: false, options: [] };
    const query = { ...queryFor(`${name}.example.com.`, 'TXT'), edns };
    const reply = await internet.exchange(encodeMessage(query));
    expect(decodeMessage(reply ?? new Uint8Array(0))).toMatchObject({
      message: { truncated: !whole },
    });
  });
});

/** A TCP asker that collects whole messages. */
async function connectTo(internet: Internet) {
  const host = internet.network.join('203.0.113.9');
  const connection: Connection = await host.tcp.connect(RESOLVER);
  const messages: Message[] = [];
  let isOver = false;
  const read = async () => {
    let held = new Uint8Array(0);
    for await (const chunk of connection.received()) {
      held = new Uint8Array([...held, ...chunk]);
      for (let size = lengthOf(held); held.length >= size; size = lengthOf(held)) {
        const decoded = decodeMessage(held.slice(2, size));
        if (decoded.ok) messages.push(decoded.message);
        held = held.slice(size);
      }
    }
    isOver = true;
  };
  void read();
  return { connection, messages, isOver: () => isOver };
}

const lengthOf = (held: Uint8Array) =>
  held.length < 2 ? Number.POSITIVE_INFINITY : 2 + ((held[0] ?? 0) << 8) + (held[1] ?? 0);

function framed(name: string, type: string, id: number): Uint8Array {
  const octets = encodeMessage({ ...queryFor(name, type), id });
  return new Uint8Array([octets.length >> 8, octets.length & 255, ...octets]);
}

describe('TCP', () => {
  test('large answers whole, many questions in one write, answers as they are ready', async () => {
    const { promise: slow, resolve: release } = Promise.withResolvers<Ruling>();
    await using internet = await openInternet(WORLD, {
      before: ({ name }) => (name.key.startsWith('\x03www') ? slow : { kind: 'recurse' }),
    });
    const { connection, messages } = await connectTo(internet);
    const questions = [framed('www.example.com.', 'A', 1), framed('big.example.com.', 'TXT', 2)];
    await connection.write(Uint8Array.from(questions.flatMap((question) => [...question])));
    await internet.clock.advance(100);
    expect(messages.map(({ id, answers }) => [id, answers.length])).toEqual([[2, 60]]);
    release({ kind: 'recurse' });
    await internet.clock.advance(100);
    expect(messages.map(({ id }) => id)).toEqual([2, 1]);
  });

  test('a question in single octets is a question', async () => {
    await using internet = await openInternet(WORLD);
    const { connection, messages } = await connectTo(internet);
    for (const octet of framed('www.example.com.', 'A', 7))
      await connection.write(new Uint8Array([octet]));
    await internet.clock.advance(100);
    expect(messages).toMatchObject([{ id: 7 }]);
  });

  test('a silent connection is closed', async () => {
    await using internet = await openInternet(WORLD);
    const { connection, isOver } = await connectTo(internet);
    await connection.write(new Uint8Array([0]));
    await internet.clock.advance(11_000);
    expect(isOver()).toBe(true);
  });

  test('what is no DNS message ends the connection', async () => {
    await using internet = await openInternet(WORLD);
    const { connection, isOver } = await connectTo(internet);
    await connection.write(new Uint8Array([0, 3, 1, 2, 3]));
    await internet.clock.advance(3_000);
    expect(isOver()).toBe(true);
  });

  test('one address cannot hold all connections', async () => {
    await using internet = await openInternet(WORLD);
    const all = [];
    for (let i = 0; i < 40; i++) all.push(await connectTo(internet));
    await internet.clock.advance(10);
    expect(all.filter(({ isOver }) => !isOver()).length).toBe(32);
    expect((await internet.ask('www.example.com.', 'A')).lines).toHaveLength(1);
  });
});

describe('rulings', () => {
  const zone = {
    answer: (query: Message): Message => ({
      ...query,
      response: true,
      authoritative: true,
      answers: [recordOf('me.home. 30 CNAME www.example.com.')],
      edns: undefined,
    }),
  };
  test.each<{
    ruling: Ruling;
    rcode: number;
    ede: number | undefined;
    from: string;
    lines?: string[];
    why: string;
  }>([
    {
      ruling: { kind: 'refuse', ede: 18, text: 'not yours' },
      rcode: 5,
      ede: 18,
      from: 'policy',
      why: 'refused',
    },
    {
      ruling: { kind: 'nxdomain', ede: 15, text: 'blocked' },
      rcode: 3,
      ede: 15,
      from: 'policy',
      why: 'blocked',
    },
    {
      ruling: { kind: 'servfail', ede: 14, text: 'no tunnel yet' },
      rcode: 2,
      ede: 14,
      from: 'policy',
      why: 'not ready',
    },
  ])('$why', async ({ ruling, rcode, ede, from }) => {
    await using internet = await openInternet(WORLD, { before: async () => ruling });
    expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode, ede });
    expect(internet.events).toMatchObject([{ from, name: 'www.example.com.', type: 'A' }]);
    expect(internet.asked).toEqual([]);
  });

  test('an alias out of our zone is followed, and ruled on again', async () => {
    const ruled: string[] = [];
    await using internet = await openInternet(WORLD, {
      before: ({ name }) => {
        ruled.push(name.key);
        return name.key.startsWith('\x02me')
          ? { kind: 'zone', authority: zone }
          : { kind: 'recurse' };
      },
    });
    const answer = await internet.ask('me.home.', 'A');
    expect(answer.lines).toEqual([
      'me.home. 30 IN CNAME www.example.com.',
      'www.example.com. 300 IN A 198.51.100.1',
    ]);
    expect(answer.message.authoritative).toBe(true);
    expect(ruled).toHaveLength(2);
  });

  test('an alias inside our zone is ruled on name by name, with and without RD (I10)', async () => {
    const { crypto } = nodeRuntime();
    const { publicKey, privateKey } = await crypto.generateSigningKey('ed25519');
    const apex = parsedName('home.');
    const records = ['me.home. 30 IN CNAME nas.home.', 'nas.home. 30 IN A 192.0.2.7'].map(recordOf);
    const built = buildZone({
      apex,
      serial: 1,
      ttl: 60,
      nameServers: [parsedName('ns.home.')],
      records,
    });
    if (!built.ok) throw new Error('the sample zone is wrong');
    const keys = [{ algorithm: 'ed25519' as const, publicKey, privateKey }];
    const authority = createAuthority({ zone: built.zone, keys, crypto });
    await using internet = await openInternet(WORLD, {
      before: ({ name }) =>
        printName(name) === 'nas.home.'
          ? { kind: 'refuse', ede: 18, text: 'not for you' }
          : { kind: 'zone', authority },
    });
    for (const recursionDesired of [true, false]) {
      const answer = await internet.ask('me.home.', 'A', { recursionDesired });
      expect(answer).toMatchObject({ rcode: 5, ede: 18 });
      expect(answer.lines).toEqual(['me.home. 30 IN CNAME nas.home.']);
    }
  });

  test('what is denied is not reached through an alias (I10)', async () => {
    await using internet = await openInternet(WORLD, {
      before: ({ name }) =>
        name.key.startsWith('\x03www\x05other')
          ? { kind: 'nxdomain', ede: 15, text: 'blocked' }
          : { kind: 'recurse' },
    });
    const answer = await internet.ask('outside.example.com.', 'A');
    expect(answer).toMatchObject({ rcode: 3, ede: 15 });
    expect(answer.lines).toHaveLength(1);
  });

  test('a hook that never decides ends in SERVFAIL, and holds nobody else up', async () => {
    await using internet = await openInternet(WORLD, {
      before: ({ name }) =>
        name.key.startsWith('\x03www') ? new Promise<Ruling>(() => undefined) : { kind: 'recurse' },
    });
    const stuck = internet.ask('www.example.com.', 'A');
    expect(await internet.ask('inside.example.com.', 'CNAME')).toMatchObject({ rcode: 0 });
    expect(await stuck).toMatchObject({ rcode: 2, ede: 14 });
  });

  test('a hook that fails ends in SERVFAIL, not in silence', async () => {
    await using internet = await openInternet(WORLD, {
      before: () => Promise.reject(new Error('broken')),
    });
    expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 2 });
  });
});

describe('local names', () => {
  test.each([
    { name: 'localhost.', type: 'A', rcode: 0, lines: 1, ede: undefined },
    { name: 'printer.localhost.', type: 'AAAA', rcode: 0, lines: 1, ede: undefined },
    { name: '1.0.0.127.in-addr.arpa.', type: 'PTR', rcode: 0, lines: 1, ede: undefined },
    { name: '4.3.2.10.in-addr.arpa.', type: 'PTR', rcode: 3, lines: 0, ede: 29 },
    { name: 'x.onion.', type: 'A', rcode: 3, lines: 0, ede: 29 },
    { name: 'desktop.bob.nymote.', type: 'A', rcode: 3, lines: 0, ede: 29 },
    { name: '_dns.resolver.arpa.', type: 'SVCB', rcode: 3, lines: 0, ede: 29 },
    { name: 'home.arpa.', type: 'SOA', rcode: 0, lines: 1, ede: undefined },
  ])('$name $type is answered here', async ({ name, type, rcode, lines, ede }) => {
    await using internet = await openInternet(WORLD, { localZones: true });
    const answer = await internet.ask(name, type);
    expect(answer).toMatchObject({ rcode, ede });
    expect(answer.lines).toHaveLength(lines);
    expect(internet.asked).toEqual([]);
  });
});

/** Client subnet (RFC 7871): whatever askers send, nobody is told where they are. */
test.each([
  { subnet: '0001180051c8d9', why: 'a /24' },
  { subnet: '00010000', why: 'a /0, which asks not to be told of (§7.1.2)' },
  { subnet: '0002380020010db8000001', why: 'IPv6' },
  { subnet: '00', why: 'nonsense' },
])('a client subnet is neither passed on nor answered: $why', async ({ subnet }) => {
  const SUBNET = 8;
  const options: number[] = [];
  const note: Quirk = (query, right) => {
    options.push(...(query.edns?.options.map(({ code }) => code) ?? []));
    return right;
  };
  const quirks = { [EXAMPLE]: note, [SECOND]: note };
  await using internet = await openInternet(WORLD, { quirks });
  const edns = { udpSize: 1232, version: 0, dnssecOk: false };
  const asked = { edns: { ...edns, options: [{ code: SUBNET, data: octetsOf(subnet) }] } };
  const answer = await internet.ask('www.example.com.', 'A', asked);
  expect(answer.rcode).toBe(0);
  expect(answer.message.edns?.options.map(({ code }) => code)).not.toContain(SUBNET);
  // One answer for all: it is in the cache for who is elsewhere.
  await internet.ask('www.example.com.', 'A');
  expect(internet.events.at(-1)?.from).toBe('cache');
  expect(options.length).toBeGreaterThan(0);
  expect(options).not.toContain(SUBNET);
});

describe('forwarding', () => {
  const upstream = '198.51.100.53';
  const forward = [
    { address: '198.51.100.54', port: 53 },
    { address: upstream, port: 53 },
  ];
  test('fails over to the next forwarder, caches, follows aliases', async () => {
    await using internet = await openInternet([], {
      forward,
      quirks: {
        '198.51.100.54': (_query, right) => ({ ...right, rcode: 2 }),
        [upstream]: (query, right) => ({
          ...right,
          rcode: 0,
          recursionAvailable: true,
          answers: [
            recordOf('www.example.com. 300 CNAME a.net.'),
            recordOf('a.net. 300 A 198.51.100.1'),
          ].filter(({ owner }, index) => index === 1 || owner.key === query.questions[0]?.name.key),
        }),
      },
    });
    for (let round = 0; round < 2; round++) {
      const answer = await internet.ask('www.example.com.', 'A');
      expect(answer.lines).toEqual([
        'www.example.com. 300 IN CNAME a.net.',
        'a.net. 300 IN A 198.51.100.1',
      ]);
    }
    expect(internet.asked.length).toBeLessThanOrEqual(4);
    expect(internet.events.at(-1)).toMatchObject({ from: 'cache' });
  });

  const routes = [{ zone: '.', kind: 'forward', servers: forward, fallback: true }] as const;
  const failing: Quirk = (query) => ({ ...query, response: true, rcode: 2 });

  test.each([
    { quirk: failing, why: 'both say SERVFAIL' },
    { quirk: () => undefined, why: 'both are silent' },
  ])('with a fallback the tree is asked when $why', async ({ quirk }) => {
    const quirks = { [upstream]: quirk, '198.51.100.54': quirk };
    await using internet = await openInternet(WORLD, { routes, quirks });
    expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 0 });
    expect(internet.events[0]?.from).toBe('recursion');
  });

  test('forwarders that are silent are not waited for each time, but tried again', async () => {
    const quirks = { [upstream]: () => undefined, '198.51.100.54': () => undefined };
    await using internet = await openInternet(WORLD, { routes, quirks });
    const toForwarders = () =>
      internet.asked.filter(({ server }) => Object.keys(quirks).includes(server)).length;
    await internet.ask('www.example.com.', 'A');
    const first = toForwarders();
    expect((await internet.ask('nothing.example.com.', 'A')).rcode).toBe(3);
    expect(toForwarders()).toBe(first);
    await internet.clock.advance(61_000);
    await internet.ask('other.example.com.', 'A');
    expect(toForwarders()).toBeGreaterThan(first);
  });

  test('an answer is an answer: what forwarders deny is not looked for in the tree', async () => {
    const deny: Quirk = (query) => ({
      ...{ ...query, response: true, rcode: 3, recursionAvailable: true },
      authorities: [recordOf('com. SOA a. b. 1 2 3 4 60')],
    });
    const quirks = { [upstream]: deny, '198.51.100.54': deny };
    await using internet = await openInternet(WORLD, { routes, quirks });
    expect((await internet.ask('www.example.com.', 'A')).rcode).toBe(3);
  });

  test('no forwarder works: SERVFAIL', async () => {
    await using internet = await openInternet([], { forward });
    expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 2, ede: 22 });
  });
});

test('stats count, flush forgets, resolve follows aliases without the hook', async () => {
  await using internet = await openInternet(WORLD, {
    before: () => ({ kind: 'refuse', ede: 18, text: '' }),
  });
  const { resolver } = internet;
  const [question] = queryFor('outside.example.com.', 'A').questions;
  if (question === undefined) throw new Error('a query has a question');
  const answer = await resolver.resolve(question.name, question.type);
  expect(answer.answers).toHaveLength(2);
  expect(resolver.stats()).toMatchObject({ questions: 0, inFlight: 0 });
  expect(resolver.stats().upstreamSends).toBeGreaterThan(2);
  expect(resolver.stats().cacheEntries).toBeGreaterThan(2);
  resolver.flush();
  expect(resolver.stats()).toMatchObject({ cacheEntries: 0, cacheBytes: 0 });
});

test('a port that is taken is an error with a code, and leaves nothing open', async () => {
  const twice = openInternet(WORLD, { listen: [RESOLVER, RESOLVER] });
  await expect(twice).rejects.toMatchObject({ code: 'address-in-use' });
});
