/**
 * What is told of how an answer came about: the walk, the chain of trust, the cache.
 */

import { expect, test } from 'vitest';
import { TYPE } from '#resolver';
import { type Internet, nameOf, openInternet } from './internet.ts';
import { parseScenario } from './rpl-file.ts';
import { openScenario } from './rpl-run.ts';
import { EXAMPLE, SECOND, WORLD } from './world.ts';

const SIGNED = `stub-addr: 192.0.2.1
key: root . 13
key: house house. 13
key: bad bad. 13
key: other bad. 13
trust-key: root
CONFIG_END
SCENARIO_BEGIN For explanations
ZONE_BEGIN . 192.0.2.1 root
. NS ns.root.
ns.root. A 192.0.2.1
DNSKEY root
house. NS ns.house.
ns.house. A 192.0.2.3
DS house
plain. NS ns.plain.
ns.plain. A 192.0.2.4
bad. NS ns.bad.
ns.bad. A 192.0.2.5
DS other
ZONE_END
ZONE_BEGIN house. 192.0.2.3 house
house. NS ns.house.
ns.house. A 192.0.2.3
DNSKEY house
www.house. A 198.51.100.1
nas.house. A 192.168.1.2
out.house. CNAME www.plain.
ZONE_END
ZONE_BEGIN plain. 192.0.2.4
plain. NS ns.plain.
ns.plain. A 192.0.2.4
www.plain. A 198.51.100.2
ZONE_END
ZONE_BEGIN bad. 192.0.2.5 bad
bad. NS ns.bad.
ns.bad. A 192.0.2.5
DNSKEY bad
www.bad. A 198.51.100.3
ZONE_END
SCENARIO_END
`;

async function openSigned(settings = ''): Promise<Internet> {
  const parsed = parseScenario(`${settings}${SIGNED}`);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return (await openScenario(parsed.scenario, { minimise: true })).internet;
}

async function explain(internet: Internet, name: string, isFresh = false, type: number = TYPE.A) {
  let isOver = false;
  const explaining = internet.resolver
    .explain(nameOf(name), type, isFresh)
    .finally(() => (isOver = true));
  while (!isOver) await internet.clock.advance(10);
  return explaining;
}

const servers = ({ steps }: Awaited<ReturnType<typeof explain>>) =>
  steps.flatMap((step) => (step.kind === 'asked' ? [step.server] : []));

test('from the root down; then from the cache; and fresh from the root again', async () => {
  await using internet = await openSigned();
  const first = await explain(internet, 'www.house.');
  expect(first).toMatchObject({ name: 'www.house.', type: 'A', rcode: 'NOERROR', isCut: false });
  expect(new Set(servers(first))).toEqual(new Set(['192.0.2.1:53', '192.0.2.3:53']));
  const [told] = first.names;
  expect(told).toMatchObject({
    result: { what: 'answer', from: 'recursion', records: ['www.house. 3600 IN A 198.51.100.1'] },
    verdict: { state: 'secure' },
    cachedAfter: { what: 'answer', state: 'secure' },
  });
  expect(told).not.toHaveProperty('cachedBefore');
  const again = await explain(internet, 'www.house.');
  expect(servers(again)).toEqual([]);
  expect(again.names[0]).toMatchObject({
    result: { from: 'cache' },
    cachedBefore: { what: 'answer', state: 'secure' },
  });
  const fresh = await explain(internet, 'www.house.', true);
  expect(servers(fresh)).toEqual(servers(first));
});

test('a fresh walk leaves nothing in the cache', async () => {
  await using internet = await openSigned();
  const fresh = await explain(internet, 'www.house.', true);
  expect(fresh.rcode).toBe('NOERROR');
  expect(fresh.names[0]).not.toHaveProperty('cachedAfter');
  expect(internet.resolver.stats().cacheEntries).toBe(0);
});

test('the chain of trust: keys by tag and algorithm, signatures with their times', async () => {
  await using internet = await openSigned();
  const { chain, names, steps } = await explain(internet, 'www.house.');
  expect(chain.map(({ name, is }) => `${name} ${is}`)).toEqual(['. zone', 'house. zone']);
  const [root, house] = chain.map(({ keys }) => keys);
  expect(root).toEqual([{ tag: expect.any(Number), algorithm: 13 }]);
  const [signed] = names[0]?.result.signatures ?? [];
  expect(signed).toMatchObject({ signer: 'house.', covers: 'A', keyTag: house?.[0]?.tag });
  const now = internet.clock.now();
  expect(signed?.inception).toBeLessThan(now);
  expect(signed?.expiration).toBeGreaterThan(now);
  const keys = steps.find((step) => step.kind === 'found' && step.type === 'DNSKEY');
  expect(keys).toMatchObject({ what: 'answer', signatures: [{ covers: 'DNSKEY' }] });
});

test('an alias out of a signed zone: each name has a verdict of its own', async () => {
  await using internet = await openSigned();
  const { names, rcode, chain } = await explain(internet, 'out.house.');
  expect(rcode).toBe('NOERROR');
  expect(names.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['out.house.', { state: 'secure' }],
    ['www.plain.', { state: 'insecure', reason: 'unsigned-delegation' }],
  ]);
  expect(chain).toContainEqual({
    name: 'plain.',
    is: 'insecure',
    reason: 'unsigned-delegation',
    keys: [],
  });
});

test('what is bogus says why, as whoever asks is told', async () => {
  await using internet = await openSigned();
  const { names, rcode, ede, chain } = await explain(internet, 'www.bad.');
  expect([rcode, ede?.code]).toEqual(['SERVFAIL', 9]);
  expect(names[0]?.verdict).toEqual({ state: 'bogus', reason: 'dnskey-missing' });
  expect(chain.at(-1)).toMatchObject({ name: 'bad.', is: 'bogus', reason: 'dnskey-missing' });
  const asked = await internet.ask('www.bad.', 'A');
  expect([asked.rcode, asked.ede]).toEqual([2, 9]);
});

test('other servers that there are not are no step of the walk', async () => {
  await using internet = await openSigned();
  const { steps } = await explain(internet, 'www.bad.');
  const found = steps.flatMap((step) => (step.kind === 'found' ? [step.what] : []));
  expect(new Set(found)).toEqual(new Set(['answer']));
});

test('a private address that is taken out is told as such', async () => {
  await using internet = await openSigned('private-address: 192.168.0.0/16\n');
  const told = await explain(internet, 'nas.house.');
  expect(told).toMatchObject({ rcode: 'NOERROR', ede: { code: 15 }, answers: [] });
  expect(told.names[0]?.result.records).toEqual(['nas.house. 3600 IN A 192.168.1.2']);
});

test('an address that is made of another is told, and both names that it is made of', async () => {
  await using internet = await openSigned('dns64-prefix: 64:ff9b::/96\n');
  const told = await explain(internet, 'www.house.', false, TYPE.AAAA);
  expect(told.answers).toEqual(['www.house. 300 IN AAAA 64:ff9b::c633:6401']);
  expect(told.names.map(({ type, result }) => [type, result.what])).toEqual([
    ['AAAA', 'no-data'],
    ['A', 'answer'],
  ]);
});

test.each([
  {
    ...{ name: 'localhost.', type: TYPE.A, rcode: 'NOERROR' },
    answers: ['localhost. 10800 IN A 127.0.0.1'],
    why: 'a name that is local',
  },
  {
    ...{ name: 'www.house.', type: TYPE.ANY, rcode: 'NOERROR' },
    answers: ['www.house. 3600 IN HINFO "RFC8482" ""'],
    why: 'ANY is answered, but not looked for (RFC 8482)',
  },
  { name: 'www.house.', type: TYPE.AXFR, rcode: 'REFUSED', answers: [], why: 'a transfer' },
  { name: 'www.house.', type: TYPE.NXNAME, rcode: 'FORMERR', answers: [], why: 'no question' },
])('$name $type asks nobody: $why', async ({ name, type, rcode, answers }) => {
  await using internet = await openInternet(WORLD, { localZones: true });
  const told = await explain(internet, name, true, type);
  expect(told).toMatchObject({ rcode, answers, steps: [], names: [] });
});

test('servers that are silent, or refuse, are told as such; a walk without end is cut', async () => {
  const quirks = {
    [EXAMPLE]: () => undefined,
    [SECOND]: (query: object) => ({ ...query, response: true, rcode: 5 }) as never,
  };
  await using internet = await openInternet(WORLD, { quirks });
  const { steps, rcode, ede } = await explain(internet, 'www.example.com.');
  const said = new Set(steps.flatMap((step) => (step.kind === 'asked' ? [step.said] : [])));
  expect(said).toEqual(new Set(['NOERROR', 'timeout', 'REFUSED']));
  expect([rcode, ede?.code]).toEqual(['SERVFAIL', 22]);
});
