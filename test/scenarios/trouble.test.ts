/**
 * Servers that fail, lie or attack: the answer stays right or becomes SERVFAIL, the work bounded (I6).
 */

import { describe, expect, test } from 'vitest';
import { encodeMessage, type Message, type Name } from '#resolver';
import {
  type Internet,
  openInternet,
  type Quirk,
  RESOLVER,
  ROOT_ADDRESS,
  recordOf,
  type ZoneSpec,
} from './internet.ts';
import { COM, EXAMPLE, OTHER, SECOND, WORLD } from './world.ts';

const SERVFAIL = 2;
const WWW = ['www.example.com. 300 IN A 198.51.100.1'];

const silent: Quirk = () => undefined;
const refusing: Quirk = (_query, right) => ({
  ...right,
  rcode: 5,
  authoritative: false,
  answers: [],
  authorities: [],
  additionals: [],
});
const failing: Quirk = (_query, right) => ({ ...right, rcode: SERVFAIL, answers: [] });
const withoutEdns: Quirk = (query, right) =>
  query.edns === undefined
    ? right
    : { ...right, rcode: 1, edns: undefined, answers: [], authorities: [] };
const lame: Quirk = (_query, right) => ({
  ...right,
  authoritative: false,
  answers: [],
  additionals: [],
  authorities: [recordOf('. NS a.root-servers.net.')],
});
const lowerCasing: Quirk = (query, right) => ({
  ...right,
  questions: query.questions.map((question) => ({ ...question, name: lowered(question.name) })),
});
const lowered = ({ key }: Name): Name => ({
  wire: Uint8Array.from(key, (letter) => letter.charCodeAt(0)),
  key,
});
const garbling: Quirk = (_query, right) => [
  encodeMessage(right).slice(0, 20),
  encodeMessage(right),
];
const wrongId: Quirk = (query, right, transport) =>
  transport === 'tcp'
    ? right
    : { ...right, id: query.id ^ 1, answers: [recordOf('www.example.com. A 203.0.113.66')] };
const denyingMinimised: Quirk = (query, right) =>
  query.questions[0]?.name.key.startsWith('\x05there') ? { ...right, rcode: 3 } : right;

/** Of what is asked for on the way to a name. */
const whenMinimised =
  (quirk: Quirk): Quirk =>
  (query, right, transport) =>
    query.questions[0]?.name.key.startsWith('\x04deep') ? right : quirk(query, right, transport);
const referringToItself: Quirk = (query, right) => ({
  ...(lame(query, right, 'udp') as Message),
  authorities: [recordOf('example.com. NS ns1.example.com.')],
});

test.each<{ quirks: Record<string, Quirk>; name?: string; lines?: string[]; why: string }>([
  { quirks: { [EXAMPLE]: silent }, why: 'one server is silent, the other answers' },
  { quirks: { [SECOND]: refusing }, why: 'one server refuses' },
  { quirks: { [EXAMPLE]: failing }, why: 'one server fails' },
  { quirks: { [EXAMPLE]: lame }, why: 'one server refers upwards' },
  {
    quirks: { [EXAMPLE]: withoutEdns, [SECOND]: withoutEdns },
    why: 'servers without EDNS are asked plainly',
  },
  {
    quirks: { [EXAMPLE]: lowerCasing, [SECOND]: lowerCasing },
    why: 'servers that change case are asked over TCP',
  },
  {
    quirks: { [EXAMPLE]: garbling, [SECOND]: garbling },
    why: 'a broken reply is ignored, the valid one awaited (TuDoor)',
  },
  {
    quirks: { [EXAMPLE]: wrongId, [SECOND]: wrongId },
    why: 'a reply with a wrong id is not believed; TCP decides',
  },
  {
    quirks: { [EXAMPLE]: denyingMinimised, [SECOND]: denyingMinimised },
    name: 'deep.under.there.example.com.',
    lines: ['deep.under.there.example.com. 300 IN A 198.51.100.2'],
    why: 'a server denies empty non-terminals; the whole name is asked',
  },
  {
    quirks: { [EXAMPLE]: whenMinimised(silent), [SECOND]: whenMinimised(silent) },
    name: 'deep.under.there.example.com.',
    lines: ['deep.under.there.example.com. 300 IN A 198.51.100.2'],
    why: 'a server says nothing about them',
  },
  {
    quirks: {
      [EXAMPLE]: whenMinimised(referringToItself),
      [SECOND]: whenMinimised(referringToItself),
    },
    name: 'deep.under.there.example.com.',
    lines: ['deep.under.there.example.com. 300 IN A 198.51.100.2'],
    why: 'a server refers us to itself for them',
  },
  {
    quirks: { [EXAMPLE]: whenMinimised(lame), [SECOND]: whenMinimised(lame) },
    name: 'deep.under.there.example.com.',
    lines: ['deep.under.there.example.com. 300 IN A 198.51.100.2'],
    why: 'a server refers us upwards for them',
  },
  {
    quirks: { [EXAMPLE]: whenMinimised(refusing), [SECOND]: whenMinimised(refusing) },
    name: 'deep.under.there.example.com.',
    lines: ['deep.under.there.example.com. 300 IN A 198.51.100.2'],
    why: 'a server refuses them',
  },
])('$why', async ({ quirks, name = 'www.example.com.', lines = WWW }) => {
  await using internet = await openInternet(WORLD, { quirks });
  expect(await internet.ask(name, 'A')).toMatchObject({ rcode: 0, lines });
});

/* Servers that put the question off for ever, each in its way */

const BADCOOKIE = 23;
const BADVERS = 16;
const empty = { answers: [], authorities: [], additionals: [] };
const offCookies: Quirk = (query, right) => ({
  ...right,
  ...empty,
  rcode: BADCOOKIE,
  edns: query.edns,
});
const offTruncated: Quirk = (_query, right) => ({ ...right, ...empty, truncated: true });
const offOverTcp =
  (lie: Quirk): Quirk =>
  (query, right, transport) =>
    transport === 'udp' ? { ...right, ...empty, truncated: true } : lie(query, right, transport);
const always =
  (rcode: number): Quirk =>
  (query, right) => ({ ...right, ...empty, rcode, edns: query.edns });
const otherName: Quirk = (_query, right) => ({
  ...right,
  questions: right.questions.map((question) => ({ ...question, type: 16 })),
});

const otherId: Quirk = (query, right) => ({ ...right, id: query.id ^ 1 });

describe.each<{ quirk: Quirk; most: number; why: string }>([
  { quirk: offCookies, most: 3, why: 'BADCOOKIE for each cookie, and over TCP (RFC 7873 §5.3)' },
  { quirk: always(1), most: 3, why: 'FORMERR for anything' },
  { quirk: always(4), most: 3, why: 'NOTIMP for anything' },
  { quirk: always(BADVERS), most: 3, why: 'BADVERS for anything' },
  { quirk: offTruncated, most: 2, why: 'TC over UDP and TCP' },
  { quirk: offOverTcp(silent), most: 2, why: 'TC, and nothing over TCP' },
  { quirk: offOverTcp(otherName), most: 2, why: 'TC, and something else over TCP' },
  { quirk: offOverTcp(otherId), most: 2, why: 'TC, and a wrong id over TCP' },
  { quirk: otherName, most: 2, why: 'another question, over UDP and TCP' },
])('$why', ({ quirk, most }) => {
  const toServer = (internet: Internet, address: string) =>
    internet.asked.filter(({ server }) => server === address);

  test('of one server: the other answers', async () => {
    await using internet = await openInternet(WORLD, {
      quirks: { [EXAMPLE]: quirk },
      minimise: false,
    });
    expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 0, lines: WWW });
    expect(toServer(internet, EXAMPLE).length).toBeLessThanOrEqual(most);
  });

  test('of both: SERVFAIL soon', async () => {
    const quirks = { [EXAMPLE]: quirk, [SECOND]: quirk };
    await using internet = await openInternet(WORLD, { quirks, minimise: false });
    const began = internet.clock.monotonic();
    expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: SERVFAIL, ede: 22 });
    expect(internet.clock.monotonic() - began).toBeLessThan(11_000);
    for (const address of [EXAMPLE, SECOND])
      expect(toServer(internet, address).length).toBeLessThanOrEqual(2 * most);
  });
});

test('a lame server is not asked again for its zone', async () => {
  await using internet = await openInternet(WORLD, { quirks: { [EXAMPLE]: lame } });
  for (const name of ['www', 'a', 'b', 'c', 'd', 'e'])
    await internet.ask(`${name}.example.com.`, 'A');
  expect(internet.asked.filter(({ server }) => server === EXAMPLE).length).toBeLessThanOrEqual(1);
});

test('EDNS is given up for a server only after several plain answers (CVE-2026-52690)', async () => {
  const quirks = { [EXAMPLE]: withoutEdns, [SECOND]: withoutEdns };
  await using internet = await openInternet(WORLD, { quirks, minimise: false });
  for (let i = 0; i < 12; i++) await internet.ask(`n${i}.example.com.`, 'A');
  const leaf = internet.asked.filter(({ server }) => server === EXAMPLE || server === SECOND);
  // The second one comes without a cookie: that may be what was refused.
  expect(leaf.slice(0, 4).map(({ edns }) => edns)).toEqual([true, true, false, true]);
  expect(leaf.slice(-2).map(({ edns }) => edns)).toEqual([false, false]);
});

test('EDNS stays where it works in between: refusals that come now and then are forged', async () => {
  const now: Quirk = (query, right, transport) =>
    query.questions[0]?.name.key.startsWith('\x02f') === true
      ? withoutEdns(query, right, transport)
      : right;
  const quirks = { [EXAMPLE]: now, [SECOND]: now };
  await using internet = await openInternet(WORLD, { quirks, minimise: false });
  for (let i = 0; i < 9; i++) {
    await internet.ask(`f${i}.example.com.`, 'A');
    await internet.ask(`n${i}.example.com.`, 'A');
    await internet.ask(`m${i}.example.com.`, 'A');
  }
  const sound = internet.asked.filter(({ name }) => /^[nm]/.test(name));
  expect(sound.filter(({ edns }) => !edns)).toEqual([]);
});

test('nobody answers: SERVFAIL with the reason, soon from memory (RFC 9520)', async () => {
  const quirks = { [EXAMPLE]: silent, [SECOND]: silent };
  await using internet = await openInternet(WORLD, { quirks });
  const began = internet.clock.monotonic();
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: SERVFAIL, ede: 22 });
  expect(internet.clock.monotonic() - began).toBeLessThanOrEqual(11_000);
  const sends = internet.asked.length;
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: SERVFAIL, ede: 13 });
  expect(internet.asked.length).toBe(sends);
  await internet.clock.advance(6_000);
  await internet.ask('www.example.com.', 'A');
  expect(internet.asked.length).toBeGreaterThan(sends);
});

test('records nobody asked for are not kept (CVE-2025-40778)', async () => {
  const poison: Quirk = (_query, right) => ({
    ...right,
    answers: [
      ...right.answers,
      recordOf('www.other.net. A 203.0.113.66'),
      recordOf('net. DNAME evil.example.'),
    ],
    authorities: [
      ...right.authorities,
      recordOf('net. NS ns.example.com.'),
      recordOf('com. NS ns.example.com.'),
    ],
    additionals: [
      ...right.additionals,
      recordOf('ns.nic.net. A 203.0.113.66'),
      recordOf('www.other.net. A 203.0.113.66'),
    ],
  });
  await using internet = await openInternet(WORLD, {
    quirks: { [EXAMPLE]: poison, [SECOND]: poison },
  });
  expect((await internet.ask('www.example.com.', 'A')).lines).toEqual(WWW);
  expect((await internet.ask('www.other.net.', 'A')).lines).toEqual([
    'www.other.net. 300 IN A 198.51.100.9',
  ]);
  expect(internet.asked.some(({ server }) => server.startsWith('203.'))).toBe(false);
});

test('a child cannot keep a delegation alive that its parent took back (ghost domains)', async () => {
  let isDelegated = true;
  const parent: Quirk = (_query, right) =>
    isDelegated || !right.authorities.some(({ type }) => type === 2)
      ? right
      : {
          ...right,
          authoritative: true,
          rcode: 3,
          authorities: [recordOf('com. SOA ns.nic.com. h.com. 1 2 3 4 300')],
          additionals: [],
        };
  await using internet = await openInternet(WORLD, { quirks: { [COM]: parent } });
  await internet.ask('www.example.com.', 'A');
  isDelegated = false;
  for (let hour = 0; hour < 2; hour++) {
    await internet.clock.advance(1_700_000);
    await internet.ask('example.com.', 'NS');
    await internet.ask(`fresh${hour}.example.com.`, 'A');
  }
  await internet.clock.advance(300_000);
  expect((await internet.ask('www.example.com.', 'A')).rcode).toBe(3);
});

/** A delegation to many servers without glue, each of which needs the same again (NXNSAttack, NRDelegation). */
function attackZones(width: number): ZoneSpec[] {
  const names = Array.from({ length: width }, (_, index) => index);
  return [
    ...WORLD.slice(0, 1),
    {
      apex: 'com.',
      at: [COM],
      lines: [
        'com. NS ns.nic.com.',
        'evil.com. NS ns.evil.com.',
        `ns.evil.com. A ${OTHER}`,
        'victim.com. NS ns.victim.com.',
        `ns.victim.com. A ${SECOND}`,
      ],
    },
    {
      apex: 'evil.com.',
      at: [OTHER],
      lines: names.flatMap((one) =>
        names.map((two) => `d${one}.evil.com. NS n${two}.d${(one + two + 1) % width}.evil.com.`),
      ),
    },
    { apex: 'victim.com.', at: [SECOND], lines: [] },
  ];
}

test.each([
  { why: 'delegations that need each other', name: 'x.d0.evil.com.', zones: attackZones(20) },
  {
    why: 'NXNSAttack: many servers below the victim',
    name: 'x.sub.evil.com.',
    zones: attackZones(1).map((zone) =>
      zone.apex === 'evil.com.'
        ? {
            ...zone,
            lines: Array.from({ length: 100 }, (_, i) => `sub.evil.com. NS n${i}.victim.com.`),
          }
        : zone,
    ),
  },
])('$why: few sends and an answer', async ({ name, zones }) => {
  await using internet = await openInternet(zones);
  expect(await internet.ask(name, 'A')).toMatchObject({ rcode: SERVFAIL });
  expect(internet.asked.length).toBeLessThanOrEqual(60);
});

test('referrals deeper and deeper end', async () => {
  let depth = 0;
  const deeper: Quirk = (query, right) => {
    const [question] = query.questions;
    if (question === undefined) return right;
    depth++;
    return {
      ...right,
      rcode: 0,
      authoritative: false,
      answers: [],
      authorities: [{ ...recordOf('x. NS ns.evil.com.'), owner: question.name }],
      additionals: [recordOf(`ns.evil.com. A ${OTHER}`)],
    };
  };
  await using internet = await openInternet(attackZones(1), { quirks: { [OTHER]: deeper } });
  const long = `${Array.from({ length: 60 }, (_, i) => `l${i}`).join('.')}.evil.com.`;
  expect(await internet.ask(long, 'A')).toMatchObject({ rcode: SERVFAIL });
  expect(depth).toBeLessThanOrEqual(40);
});

test('delegations to the household itself are not followed', async () => {
  const zones = WORLD.map((zone) =>
    zone.apex === 'com.'
      ? {
          ...zone,
          lines: [
            'inside.com. NS ns.inside.com.',
            'ns.inside.com. A 192.168.1.1',
            'ns.inside.com. A 127.0.0.1',
          ],
        }
      : zone,
  );
  await using internet = await openInternet(zones, { quirks: { '192.168.1.1': silent } });
  expect(await internet.ask('www.inside.com.', 'A')).toMatchObject({ rcode: SERVFAIL });
  expect(internet.asked.some(({ server }) => server.startsWith('192.168.'))).toBe(false);
});

test("nor name servers whose looked-up address is the household's", async () => {
  const zones = WORLD.map((zone) =>
    zone.apex === 'other.net.'
      ? { ...zone, lines: [...zone.lines, 'rebind.other.net. A 192.168.1.1'] }
      : zone.apex === 'com.'
        ? { ...zone, lines: [...zone.lines, 'rebound.com. NS rebind.other.net.'] }
        : zone,
  );
  await using internet = await openInternet(zones, { quirks: { '192.168.1.1': silent } });
  expect(await internet.ask('www.rebound.com.', 'A')).toMatchObject({ rcode: SERVFAIL });
  expect(internet.asked.some(({ server }) => server.startsWith('192.168.'))).toBe(false);
});

test('the root is down: an answer within the time limit', async () => {
  await using internet = await openInternet(WORLD, { quirks: { [ROOT_ADDRESS]: silent } });
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: SERVFAIL, ede: 22 });
});

test('who has no IPv6 waits for no server that has', async () => {
  const six = Array.from({ length: 12 }, (_, host) => `2001:db8::${host + 1}`);
  await using internet = await openInternet(WORLD, {
    addresses: [RESOLVER.address],
    rootHints: [{ name: 'a.root-servers.net.', addresses: [...six, ROOT_ADDRESS] }],
  });
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 0 });
  // Less than what one server that nothing is known of is waited for.
  expect(internet.events[0]?.milliseconds).toBeLessThan(400);
});

test('lost datagrams are asked for again', async () => {
  await using internet = await openInternet(WORLD);
  internet.network.setPath('*', '*', { loss: 0.2, delayMs: 20 });
  internet.network.setPath('203.0.113.2', '*', { loss: 0, delayMs: 0 });
  for (let i = 0; i < 5; i++)
    expect((await internet.ask('www.example.com.', 'A')).lines).toHaveLength(1);
});

test('one lost datagram is no reason to tell a server the whole name', async () => {
  let isLost = false;
  const losingOnce: Quirk = (query, right) => {
    if (isLost || !query.questions[0]?.name.key.startsWith('\x05there')) return right;
    isLost = true;
    return undefined;
  };
  const quirks = { [EXAMPLE]: losingOnce, [SECOND]: losingOnce };
  await using internet = await openInternet(WORLD, { quirks });
  // From here on it is known how quick they are.
  await internet.ask('www.example.com.', 'A');
  const answer = await internet.ask('deep.under.there.example.com.', 'A');
  expect(answer).toMatchObject({ rcode: 0 });
  expect(isLost).toBe(true);
  expect(internet.asked.map(({ name }) => name)).toContain('under.there.example.com.');
});

const QUICK = ['192.0.2.41', '192.0.2.42', '192.0.2.43', '192.0.2.44', '192.0.2.45'];

test.each([
  { servers: 1, why: 'the only one' },
  { servers: 5, why: 'each of five' },
])('servers that were quick and get slow are not called dead: $why', async ({ servers }) => {
  const at = QUICK.slice(0, servers);
  const delegation = at.flatMap((address, index) => [
    `quick.com. NS ns${index}.quick.com.`,
    `ns${index}.quick.com. A ${address}`,
  ]);
  const zones = WORLD.map((zone) =>
    zone.apex === 'com.' ? { ...zone, lines: [...zone.lines, ...delegation] } : zone,
  );
  const quick = { apex: 'quick.com.', at, lines: [...delegation, 'www.quick.com. A 198.51.100.3'] };
  await using internet = await openInternet([...zones, quick]);
  const delay = (delayMs: number) => {
    for (const address of at) internet.network.setPath(address, '*', { loss: 0, delayMs });
  };
  delay(60);
  for (let i = 0; i < 60; i++) await internet.ask(`n${i}.quick.com.`, 'A');
  expect(new Set(internet.asked.map(({ server }) => server))).toEqual(
    new Set([ROOT_ADDRESS, COM, ...at]),
  );
  delay(245);
  const { lines } = await internet.ask('www.quick.com.', 'A');
  expect(lines).toEqual(['www.quick.com. 3600 IN A 198.51.100.3']);
});
