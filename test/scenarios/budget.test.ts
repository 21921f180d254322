/**
 * Whatever the network answers, the work for one question stays inside its budget (I6;
 * resolver/recursion/budget.ts): what is computed is counted at the runtime's crypto, what is sent
 * and received on the fake wire, not by what the resolver says of itself.
 *
 * An attacker owns `evil.`, with real keys, `costly.`, with keys whose signatures cost much, and
 * `loose.`, without, and says anything: sets of keys with one tag, copies of signatures, chains of
 * aliases, NSEC3 with iterations, referrals to many names and back, octets without end.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Crypto } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { parseScenario } from './rpl-file.ts';
import { openScenario } from './rpl-run.ts';

/** The numbers of budget.ts, written again: here they are a promise. */
const LIMITS = {
  sends: 200,
  sendsPerName: 32,
  signatures: 160,
  costly: 20,
  failed: 16,
  hashes: 2_000,
  aliases: 11,
  /** And what a last answer brings along. */
  bytes: 200_000 + 65_536,
  seconds: 11,
} as const;

const HEAD = `stub-addr: 192.0.2.1
key: root . 13
key: evil evil. 13
key: costly costly. 14
key: house house. 13
trust-key: root
CONFIG_END

SCENARIO_BEGIN anything

ZONE_BEGIN . 192.0.2.1 root
. NS ns.root.
ns.root. A 192.0.2.1
DNSKEY root
evil. NS ns.evil.
ns.evil. A 192.0.2.66
DS evil
costly. NS ns.evil.
DS costly
house. NS ns.house.
ns.house. A 192.0.2.3
DS house
loose. NS ns.evil.
ZONE_END

ZONE_BEGIN house. 192.0.2.3 house
house. NS ns.house.
ns.house. A 192.0.2.3
DNSKEY house
www.house. A 198.51.100.1
ZONE_END

ZONE_BEGIN evil. 192.0.2.66 evil
evil. NS ns.evil.
ns.evil. A 192.0.2.66
DNSKEY evil
ZONE_END

ZONE_BEGIN costly. 192.0.2.66 costly
costly. NS ns.evil.
DNSKEY costly
ZONE_END

ZONE_BEGIN loose. 192.0.2.66
loose. NS ns.evil.
ZONE_END

RANGE_BEGIN 0 100
	ADDRESS 192.0.2.66
`;

const entry = (match: string, said: string, question: string, sections: readonly string[]) =>
  [
    'ENTRY_BEGIN',
    `MATCH opcode ${match}`,
    'ADJUST copy_query',
    `REPLY QR ${said}`,
    'SECTION QUESTION',
    question,
    ...sections,
    'ENTRY_END',
  ].join('\n');

const most = (max: number) => fc.integer({ min: 0, max });

/** A set of signatures: right, or so many wrong ones. */
const signed = fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined, freq: 2 });
const sign = (copies: number | undefined, by: Signing = 'evil') =>
  copies === undefined ? `SIGN ${by}` : `SIGN ${by} copies=${copies}`;
type Signing = 'evil' | 'costly';

/** Keys that share a tag, none of which is one, and octets that are no key at all. */
const keySet = fc.record({ twins: most(29), junk: most(60), copies: signed });
const keysOf = (zone: Signing) =>
  keySet.map(({ twins, junk, copies }) =>
    entry('qname qtype', 'AA NOERROR', `${zone}. IN DNSKEY`, [
      'SECTION ANSWER',
      ...Array.from({ length: junk }, (_, index) => `${zone}. DNSKEY 257 3 13 ${junkKey(index)}`),
      `DNSKEY ${zone} twins=${twins}`,
      sign(copies, zone),
    ]),
  );
const junkKey = (index: number) => Buffer.alloc(4 + (index % 3) * 30, index + 1).toString('base64');

const answerIn = (zone: Signing) =>
  signed.map((copies) =>
    entry('qname qtype', 'AA NOERROR', `www.${zone}. IN A`, [
      'SECTION ANSWER',
      `www.${zone}. A 198.51.100.66`,
      sign(copies, zone),
    ]),
  );

/** One alias for each name, or all in one answer, with a chain longer than anybody follows. */
const aliases = fc.record({ length: most(30), isAtOnce: fc.boolean(), copies: signed });
const chainIn = (zone: 'evil' | 'loose') =>
  aliases.map(({ length, isAtOnce, copies }) => {
    const line = (index: number) => `c${index}.${zone}. CNAME c${index + 1}.${zone}.`;
    const names = Array.from({ length }, (_, index) => index);
    return names
      .map((index) => {
        const lines = isAtOnce ? names.slice(index).map(line) : [line(index)];
        const signatures = zone === 'evil' ? [sign(copies)] : [];
        const sections = ['SECTION ANSWER', ...lines, ...signatures];
        return entry('qname', 'AA NOERROR', `c${index}.${zone}. IN A`, sections);
      })
      .join('\n');
  });

const hashed = fc.record({ records: most(150), iterations: most(150), copies: signed });
const denial = hashed.map(({ records, iterations, copies }) =>
  entry('subdomain', 'AA NXDOMAIN', 'deny.evil. IN A', [
    'SECTION AUTHORITY',
    'evil. SOA ns.evil. host.evil. 1 7200 900 1209600 300',
    `$GENERATE 1-${records} H(n$.evil.).evil. NSEC3 1 0 ${iterations} - H(n$.evil.)+1 A RRSIG`,
    sign(copies),
  ]),
);

/** To names of somebody else, or to names whose servers are referred back here. */
const referralFrom = (zone: string, target: string) =>
  most(80).map((servers) =>
    entry('subdomain', 'NOERROR', `${zone} IN A`, [
      'SECTION AUTHORITY',
      `$GENERATE 1-${Math.max(1, servers)} ${zone} NS n$.${target}`,
    ]),
  );

const REFERRALS = [
  referralFrom('refer.evil.', 'victim.house.'),
  referralFrom('here.loose.', 'there.loose.'),
  referralFrom('there.loose.', 'here.loose.'),
] as const;

const flood = most(200).map((records) =>
  entry('subdomain', 'AA NOERROR', 'flood.evil. IN A', [
    'SECTION ANSWER',
    `$GENERATE 1-${records} flood.evil. TXT "$ ${'x'.repeat(240)}"`,
    'flood.evil. CNAME more.flood.evil.',
  ]),
);

const sometimes = (said: fc.Arbitrary<string>) => fc.option(said, { nil: '', freq: 2 });

const NAMES = [
  'www.evil.',
  'www.costly.',
  'c0.evil.',
  'c15.evil.',
  'c0.loose.',
  `${'a.b.c.d.e.f.'.repeat(5)}deny.evil.`,
  'x.refer.evil.',
  'x.here.loose.',
  'flood.evil.',
];

type Counts = { signatures: number; costly: number; failed: number; hashes: number };

/** What one counts as, of those that LIMITS allow. */
const P384_COST = 8;

/** Crypto that counts what is asked of it. */
function counting(counts: Counts): Crypto {
  const { crypto } = fakeRuntime();
  return {
    ...crypto,
    verify(...args) {
      const isGood = crypto.verify(...args);
      counts.signatures++;
      if (!isGood) counts.failed++;
      return isGood;
    },
    async verifyElsewhere(...args) {
      const isGood = crypto.verify(...args);
      counts.signatures += P384_COST;
      counts.costly++;
      if (!isGood) counts.failed++;
      return isGood;
    },
    hash(...args) {
      counts.hashes++;
      return crypto.hash(...args);
    },
  };
}

test('sends, signatures, hashes, aliases, octets and time', async () => {
  const none: Counts = { signatures: 0, costly: 0, failed: 0, hashes: 0 };
  const worst = { sends: 0, sendsPerName: 0, ...none, bytes: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(...[keysOf('evil'), keysOf('costly')].map(sometimes)),
      fc.tuple(
        answerIn('evil'),
        answerIn('costly'),
        denial,
        flood,
        chainIn('evil'),
        chainIn('loose'),
        ...REFERRALS,
      ),
      fc.boolean(),
      async (keySets, entries, minimise) => {
        const parsed = parseScenario(
          [HEAD, ...keySets, ...entries, 'RANGE_END', 'SCENARIO_END'].join('\n'),
        );
        if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
        const counts = { ...none };
        const options = { minimise, crypto: counting(counts) };
        const { internet } = await openScenario(parsed.scenario, options);
        await using _ = internet;
        for (const name of NAMES) {
          Object.assign(counts, none);
          const before = { asked: internet.asked.length, heard: internet.heard() };
          const began = internet.clock.monotonic();
          const { rcode, lines } = await internet.ask(name, 'A');
          const asked = internet.asked.slice(before.asked);
          const names = Map.groupBy(asked, ({ name: of, type }) => `${of} ${type}`);
          const cost = {
            sends: asked.length,
            sendsPerName: Math.max(0, ...[...names.values()].map((each) => each.length)),
            ...counts,
            bytes: internet.heard() - before.heard,
            aliases: lines.filter((line) => line.includes(' CNAME ')).length,
            seconds: (internet.clock.monotonic() - began) / 1_000,
          };
          for (const [what, limit] of Object.entries(LIMITS)) {
            expect(cost[what as keyof typeof cost], `${name}: ${what}`).toBeLessThanOrEqual(limit);
          }
          for (const key of Object.keys(worst) as (keyof typeof worst)[]) {
            worst[key] = Math.max(worst[key], cost[key]);
          }
          expect([0, 2, 3]).toContain(rcode);
        }
        const { message } = await internet.ask('www.house.', 'A', { authenticData: true });
        expect(message).toMatchObject({ rcode: 0, authenticData: true });
      },
    ),
    { numRuns: 24 },
  );
  console.log(`budget: at most ${JSON.stringify(worst)}`);
  // An attack that costs nothing tests nothing.
  expect(worst.costly).toBeGreaterThan(4);
  expect(worst.failed).toBeGreaterThan(4);
  expect(worst.hashes).toBeGreaterThan(500);
  expect(worst.sends).toBeGreaterThan(8);
});
