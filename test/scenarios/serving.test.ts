/**
 * The server towards its askers: odd packets, TCP, limits.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage, encodeMessage, type Message, type Ruling } from '#resolver';
import type { Connection } from '#runtime';
import { type Internet, openInternet, type Quirk, queryFor, RESOLVER } from './internet.ts';
import { EXAMPLE, SECOND, WORLD } from './world.ts';

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
      octets: '1234010000010000000000000000800001',
      reply: { id: 0x1234, rcode: 1 },
      why: 'type NXNAME stands in NSEC records only (RFC 9824 §3.5)',
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
