import { describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import type { RRset } from '../message/rrset.ts';
import { typeNumber } from '../message/type.ts';
import { BASE32, fromDigits, HEX, toDigits } from '../message/wire/digits.ts';
import { fullBudget, MAX_HASHES } from '../recursion/budget.ts';
import {
  type HashedZone,
  hashedZone,
  hashName,
  MAX_ITERATIONS,
  proveNoData,
  proveNoDs,
  proveNoName,
  proveWildcard,
  readGaps,
} from './nsec3.ts';
import { name, samples } from './signed.fixture.ts';

const { crypto } = nodeRuntime();
const { nsec3Chain } = samples(crypto);
const APEX = name('example.');

test.each([
  { of: 'example.', hash: '0p9mhaveqvm6t7vbl5lop2u3t2rp3tom' },
  { of: 'a.example.', hash: '35mthgpgcu1qg68fab165klnsnk3dpvl' },
  { of: 'ai.example.', hash: 'gjeqe526plbf1g8mklp59enfd789njgi' },
  { of: 'ns1.example.', hash: '2t7b4g4vsa5smi47k61mv5bv1a22bojr' },
  { of: 'ns2.example.', hash: 'q04jkcevqvmu85r014c7dkba38o0ji5r' },
  { of: 'W.Example.', hash: 'k8udemvp1j2f7eg6jebps17vp3n8i58h' },
  { of: '*.w.example.', hash: 'r53bq7cc2uvmubfu5ocmm6pers9tk9en' },
  { of: 'x.w.example.', hash: 'b4um86eghhds6nea196smvmlo4ors995' },
  { of: 'y.w.example.', hash: 'ji6neoaepv8b5o6k4ev33abha8ht9fgc' },
  { of: 'x.y.w.example.', hash: '2vptu5timamqttgl4luu9kg21e0aor3s' },
  { of: 'xx.example.', hash: 't644ebqk9bibcna874givr6joj62mlhv' },
])('RFC 5155 appendix A: H($of)', ({ of, hash }) => {
  const salt = fromDigits(HEX, 'aabbccdd') ?? new Uint8Array(0);
  expect(toDigits(BASE32, hashName(crypto, name(of), salt, 12))).toBe(hash);
});

/** example. with a host, a wildcard, an empty non-terminal, a signed and an unsigned delegation. */
const LINES = [
  'example. NS SOA RRSIG DNSKEY NSEC3PARAM',
  'www.example. A RRSIG',
  'alias.example. CNAME RRSIG',
  'w.example. RRSIG',
  '*.w.example. TXT RRSIG',
  'ent.example.',
  'deep.ent.example. A RRSIG',
  'sub.example. NS DS RRSIG',
  'plain.example. NS',
  'moved.example. DNAME RRSIG',
  'gone.example. RRSIG NXNAME',
];

function zoneOf(
  sets: readonly RRset[],
  more: { purse?: { budget: ReturnType<typeof fullBudget> } } = {},
): HashedZone {
  const gaps = sets.flatMap((rrset) => readGaps(rrset, APEX));
  const zone = hashedZone(gaps, APEX, crypto, more.purse ?? { budget: fullBudget(0) });
  if (zone === undefined) throw new Error('no NSEC3');
  return zone;
}

const whole = zoneOf(nsec3Chain(APEX, LINES));
const optOut = zoneOf(nsec3Chain(APEX, LINES, undefined, true));

test.each([
  { zone: whole, of: 'no.example.', says: 'proven', why: 'RFC 5155 §8.4' },
  { zone: whole, of: 'a.b.no.example.', says: 'proven', why: 'far below the closest encloser' },
  { zone: optOut, of: 'no.example.', says: 'opt-out', why: 'an unsigned delegation may be there' },
  { zone: whole, of: 'www.example.', says: undefined, why: 'it exists' },
  { zone: whole, of: 'a.w.example.', says: undefined, why: 'a wildcard stands in for it' },
  { zone: whole, of: 'www.sub.example.', says: undefined, why: 'below a cut (RFC 5155 §8.3)' },
  { zone: whole, of: 'www.moved.example.', says: undefined, why: 'below a DNAME' },
  { zone: whole, of: 'gone.example.', says: 'proven', why: 'NXNAME (RFC 9824)' },
  { zone: whole, of: 'no.other.', says: undefined, why: 'another zone' },
])('no name $of, $says: $why', ({ zone, of, says }) => {
  expect(proveNoName(zone, name(of))?.kind).toBe(says);
});

test.each([
  { zone: whole, of: 'www.example.', type: 'MX', says: 'proven', why: 'RFC 5155 §8.5' },
  { zone: whole, of: 'www.example.', type: 'A', says: undefined, why: 'it has one' },
  { zone: whole, of: 'alias.example.', type: 'A', says: undefined, why: 'an alias' },
  { zone: whole, of: 'ent.example.', type: 'A', says: 'proven', why: 'an empty non-terminal' },
  {
    zone: whole,
    of: 'sub.example.',
    type: 'A',
    says: undefined,
    why: 'the parent’s side of a cut',
  },
  { zone: whole, of: 'plain.example.', type: 'DS', says: 'proven', why: 'RFC 5155 §8.6' },
  { zone: whole, of: 'example.', type: 'DS', says: undefined, why: 'the child’s side' },
  {
    zone: whole,
    of: 'a.w.example.',
    type: 'A',
    says: 'proven',
    why: 'the wildcard has none (§8.7)',
  },
  { zone: whole, of: 'a.w.example.', type: 'TXT', says: undefined, why: 'the wildcard has one' },
  { zone: whole, of: 'no.example.', type: 'DS', says: undefined, why: 'no such name' },
  { zone: optOut, of: 'no.example.', type: 'DS', says: 'opt-out', why: 'an unsigned delegation' },
])('no $type at $of, $says: $why', ({ zone, of, type, says }) => {
  expect(proveNoData(zone, name(of), typeNumber(type) ?? 0)?.kind).toBe(says);
});

test.each([
  { zone: whole, nextCloser: 'a.w.example.', says: 'proven', why: 'RFC 5155 §8.8' },
  { zone: whole, nextCloser: 'www.example.', says: undefined, why: 'the closer name exists' },
  { zone: optOut, nextCloser: 'a.w.example.', says: 'opt-out', why: 'or an unsigned delegation' },
])('wildcard for $nextCloser, $says: $why', ({ zone, nextCloser, says }) => {
  expect(proveWildcard(zone, name(nextCloser))?.kind).toBe(says);
});

test.each([
  { zone: whole, of: 'plain.example.', says: 'delegation', why: 'RFC 5155 §8.9' },
  { zone: whole, of: 'sub.example.', says: undefined, why: 'it has a DS' },
  { zone: whole, of: 'www.example.', says: 'no-cut', why: 'just a name' },
  { zone: whole, of: 'no.example.', says: 'no-cut', why: 'no name' },
  { zone: optOut, of: 'no.example.', says: 'opt-out', why: 'perhaps a delegation' },
  { zone: whole, of: 'example.', says: undefined, why: 'with SOA it is the child’s word' },
])('no DS at $of, $says: $why', ({ zone, of, says }) => {
  expect(proveNoDs(zone, name(of))).toBe(says);
});

describe('records that do not count', () => {
  const [first] = nsec3Chain(APEX, ['example. SOA']) as [RRset];
  const rdata = first.rdatas[0] as Uint8Array;
  const changed = (at: number, to: number) => {
    const other = rdata.slice();
    other[at] = to;
    return { ...first, rdatas: [other] };
  };
  test.each([
    { set: changed(0, 2), why: 'an unknown hash (RFC 5155 §8.1)' },
    { set: changed(1, 2), why: 'unknown flags (RFC 5155 §8.2)' },
    { set: { ...first, owner: name('example.') }, why: 'an owner that is no hash' },
    {
      set: nsec3Chain(name('child.example.'), ['child.example. SOA'])[0] as RRset,
      why: "the child's is not the parent's closest encloser (CVE-2026-10723)",
    },
  ])('$why', ({ set }) => {
    expect(readGaps(set, APEX)).toEqual([]);
  });

  test('other parameters than the first record has (RFC 5155 §8.2)', () => {
    const salted = nsec3Chain(APEX, ['b.example. A'], { iterations: 0, salt: Uint8Array.of(1) });
    const zone = zoneOf([first, ...salted]);
    expect(zone.gaps).toHaveLength(1);
  });
});

/** Labels of a deep name. */
const DEPTH = 120;

test('hashes are paid for, by rounds (CVE-2023-50868)', () => {
  const lines = Array.from({ length: DEPTH + 1 }, (_, depth) => `${'a.'.repeat(depth)}example. A`);
  const purse = { budget: fullBudget(0) };
  const iterations = MAX_ITERATIONS;
  const zone = zoneOf(nsec3Chain(APEX, lines, { iterations, salt: new Uint8Array(0) }), { purse });
  const deep = name(`b.${'a.'.repeat(DEPTH)}example.`);
  expect(proveNoName(zone, deep)).toBeUndefined();
  expect(purse.budget.hashes).toBeLessThanOrEqual(iterations);
  expect(purse).toMatchObject({ exhausted: 'too-many-hashes' });
  expect(MAX_HASHES).toBeLessThan(DEPTH * (1 + iterations));
});

test('how deep the asker goes costs nothing, only how deep the zone is', () => {
  const iterations = MAX_ITERATIONS;
  const purse = { budget: fullBudget(0) };
  const salt = new Uint8Array(0);
  const zone = zoneOf(nsec3Chain(APEX, LINES, { iterations, salt }), { purse });
  const deep = name(`${'a.'.repeat(DEPTH)}example.`);
  expect(proveNoName(zone, deep)).toEqual({ kind: 'proven' });
  // The name itself, the apex, the next closer name, the wildcard.
  expect(purse.budget.hashes).toBe(MAX_HASHES - 4 * (1 + iterations));
});
