/** What is decided about a question before it is answered: rulings, aliases, local names. */

import { describe, expect, test } from 'vitest';
import {
  buildZone,
  createAuthority,
  type Message,
  parseName,
  printName,
  type Ruling,
} from '#resolver';
import { nodeRuntime } from '#runtime/node';
import { openInternet, recordOf } from './internet.ts';
import { WORLD } from './world.ts';

const parsedName = (text: string) => {
  const name = parseName(text);
  if (name === undefined) throw new Error(`${text} is no name`);
  return name;
};

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

describe('DS at the apex of a zone here', () => {
  const apex = parsedName('home.example.com.');
  const zone = {
    answer: (query: Message): Message => ({
      ...query,
      ...{ response: true, authoritative: true, edns: undefined },
      authorities: [recordOf('home.example.com. 60 SOA a. b. 1 1 1 1 60')],
    }),
  };
  const delegated = WORLD.map((each) =>
    each.apex === 'example.com.'
      ? { ...each, lines: [...each.lines, 'home.example.com. NS ns.other.net.'] }
      : each,
  );
  test.each([
    { world: delegated, isOfParent: true, rd: true, says: 'example.com.', why: 'its parent says' },
    { world: WORLD, isOfParent: true, rd: true, says: 'home.example.com.', why: 'no parent knows' },
    { world: delegated, isOfParent: true, rd: false, says: 'home.example.com.', why: 'unwanted' },
    { world: delegated, isOfParent: false, rd: true, says: 'home.example.com.', why: 'forbidden' },
  ])('is what $says says: $why', async ({ world, isOfParent, rd, says }) => {
    await using internet = await openInternet(world, {
      before: ({ name }) =>
        name.key === apex.key ? { kind: 'zone', authority: zone, isOfParent } : { kind: 'recurse' },
    });
    const flags = rd ? {} : { recursionDesired: false };
    const { message } = await internet.ask('home.example.com.', 'DS', flags);
    expect(message.rcode).toBe(0);
    expect(message.authorities.map(({ owner }) => printName(owner))).toEqual([says]);
  });
});

describe('local names', () => {
  test.each([
    { name: '168.192.in-addr.arpa.', why: 'RFC 6303 §7' },
    { name: 'Home.arpa.', why: 'RFC 8375 §7' },
  ])(
    'the DS of $name is in the tree, which shows that it is not signed: $why',
    async ({ name }) => {
      await using internet = await openInternet(WORLD, { localZones: true });
      await internet.ask(name, 'DS');
      expect(internet.asked).not.toEqual([]);
    },
  );

  test.each([
    { name: 'localhost.', type: 'A', rcode: 0, lines: 1, ede: undefined },
    { name: 'printer.localhost.', type: 'AAAA', rcode: 0, lines: 1, ede: undefined },
    { name: '1.0.0.127.in-addr.arpa.', type: 'PTR', rcode: 0, lines: 1, ede: undefined },
    { name: '4.3.2.10.in-addr.arpa.', type: 'PTR', rcode: 3, lines: 0, ede: 29 },
    { name: 'x.onion.', type: 'A', rcode: 3, lines: 0, ede: 29 },
    { name: 'desktop.bob.nymote.', type: 'A', rcode: 3, lines: 0, ede: 29 },
    { name: '_dns.resolver.arpa.', type: 'SVCB', rcode: 0, lines: 0, ede: 29 },
    { name: 'x.resolver.arpa.', type: 'A', rcode: 0, lines: 0, ede: 29 },
    { name: 'home.arpa.', type: 'SOA', rcode: 0, lines: 1, ede: undefined },
    { name: 'home.arpa.', type: 'NS', rcode: 0, lines: 1, ede: undefined },
    { name: 'x.home.arpa.', type: 'DS', rcode: 3, lines: 0, ede: 29 },
    { name: 'alice.nymote.', type: 'DS', rcode: 3, lines: 0, ede: 29 },
  ])('$name $type is answered here', async ({ name, type, rcode, lines, ede }) => {
    await using internet = await openInternet(WORLD, { localZones: true });
    const answer = await internet.ask(name, type);
    expect(answer).toMatchObject({ rcode, ede });
    expect(answer.lines).toHaveLength(lines);
    expect(internet.asked).toEqual([]);
  });
});
