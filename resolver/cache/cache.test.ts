import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Judgement } from '../recursion/judgement.ts';
import { nameOf, recordOf } from '../recursion/reply.fixture.ts';
import { type Cache, createCache, type Denial, type Known } from './cache.ts';
import {
  MAX_FAILURE_TTL,
  MAX_NEGATIVE_TTL,
  MAX_STALE,
  MAX_TTL,
  negativeTtl,
  STALE_TTL,
  TRUST,
  type Trust,
} from './worth.ts';

const setOf = (owner: string, octet: number, ttl = 60): RRset => ({
  owner: nameOf(owner),
  type: TYPE.A,
  ttl,
  rdatas: [new Uint8Array([192, 0, 2, octet])],
  signatures: [],
});

const denialOf = (ttl: number, minimum: number): Denial => ({
  soa: recordOf(`example. ${ttl} SOA ns.example. host.example. 1 2 3 4 ${minimum}`),
  proof: [],
});

const WWW = nameOf('www.example.');

function octetOf(cache: Cache, now = 1): number | undefined {
  const known = cache.find(WWW, TYPE.A, now);
  return known?.kind === 'records' ? known.rrset.rdatas[0]?.[3] : undefined;
}

test.each<{ first: Trust; second: Trust; kept: number; why: string }>([
  {
    first: TRUST.additional,
    second: TRUST.authoritative,
    kept: 2,
    why: 'an answer replaces a hint',
  },
  {
    first: TRUST.authoritative,
    second: TRUST.additional,
    kept: 1,
    why: 'a hint does not replace an answer',
  },
  { first: TRUST.authoritative, second: TRUST.answer, kept: 1, why: 'nor does a forwarder' },
  { first: TRUST.authoritative, second: TRUST.authoritative, kept: 2, why: 'the newer of equals' },
  { first: TRUST.secure, second: TRUST.authoritative, kept: 1, why: 'validated data stays' },
])('RFC 2181 §5.4.1: $why', ({ first, second, kept }) => {
  const cache = createCache();
  cache.putRecords(setOf('www.example.', 1), first, 0);
  cache.putRecords(setOf('www.example.', 2), second, 0);
  expect(octetOf(cache)).toBe(kept);
});

test('expired data does not hold off anything, however trusted it was', () => {
  const cache = createCache();
  cache.putRecords(setOf('www.example.', 1, 10), TRUST.secure, 0);
  cache.putRecords(setOf('www.example.', 2, 60), TRUST.answer, 10);
  expect(octetOf(cache, 11)).toBe(2);
});

test.each([
  { ttl: 60, at: 0, left: 60, why: 'fresh' },
  { ttl: 60, at: 59.5, left: 0, why: 'a fraction of a second counts as none' },
  { ttl: 60, at: 60, left: undefined, why: 'over' },
  { ttl: 0, at: 0, left: undefined, why: 'TTL 0 is for this answer only' },
  { ttl: 900_000, at: 0, left: MAX_TTL, why: 'no longer than a day' },
])('TTL $ttl after $at s: $why', ({ ttl, at, left }) => {
  const cache = createCache();
  cache.putRecords(setOf('www.example.', 1, ttl), TRUST.answer, 0);
  const known = cache.find(WWW, TYPE.A, at);
  expect(known?.kind === 'records' ? known.rrset.ttl : undefined).toBe(left);
});

test.each([
  { ttl: 300, minimum: 60, kept: 60, why: 'the minimum is less (RFC 2308 §5)' },
  { ttl: 30, minimum: 600, kept: 30, why: 'the TTL is less' },
  { ttl: 99_999, minimum: 99_999, kept: MAX_NEGATIVE_TTL, why: 'our own cap' },
  { ttl: 300, minimum: 0x8000_0000, kept: 0, why: 'the top bit makes zero (RFC 2181 §8)' },
])('a denial with TTL $ttl and minimum $minimum: $why', ({ ttl, minimum, kept }) => {
  expect(negativeTtl(denialOf(ttl, minimum).soa)).toBe(kept);
});

describe('names that do not exist', () => {
  test('nor does anything below them (RFC 8020)', () => {
    const cache = createCache();
    cache.putNoName(nameOf('no.example.'), denialOf(60, 60), TRUST.authoritative, 0);
    expect(cache.find(nameOf('a.b.no.example.'), TYPE.TXT, 10)?.kind).toBe('no-name');
    expect(cache.find(nameOf('xno.example.'), TYPE.TXT, 10)).toBeUndefined();
    expect(cache.find(nameOf('example.'), TYPE.TXT, 10)).toBeUndefined();
  });

  test('until something below them is seen', () => {
    const cache = createCache();
    cache.putNoName(nameOf('no.example.'), denialOf(60, 60), TRUST.authoritative, 0);
    cache.putRecords(setOf('a.no.example.', 1), TRUST.authoritative, 1);
    expect(cache.find(nameOf('b.no.example.'), TYPE.A, 2)).toBeUndefined();
  });
});

test('failures last longer each time, to a limit, and start again after a pause (RFC 9520)', () => {
  const cache = createCache();
  const lasts = (now: number) => {
    cache.putFailure(WWW, TYPE.A, 'out-of-time', now);
    let seconds = 0;
    while (cache.findFailure(WWW, TYPE.A, now + seconds) !== undefined) seconds++;
    return seconds;
  };
  expect([lasts(0), lasts(5), lasts(15), lasts(35), lasts(65)]).toEqual([
    5,
    10,
    20,
    MAX_FAILURE_TTL,
    MAX_FAILURE_TTL,
  ]);
  expect(lasts(1000)).toBe(5);
});

test('kept octets do not share the packet they came in', () => {
  const packet = new Uint8Array(100);
  const cache = createCache();
  const rrset = { ...setOf('www.example.', 1), rdatas: [packet.subarray(10, 14)] };
  cache.putRecords(rrset, TRUST.answer, 0);
  packet.fill(9);
  expect(octetOf(cache)).toBe(0);
});

test.each([
  {
    of: 'gone.example.',
    state: 'secure',
    below: 'no-name',
    why: 'denies all below it (RFC 8020 §2)',
  },
  {
    of: 'gone.example.',
    state: 'bogus',
    below: undefined,
    why: 'denies no name else, nor type (RFC 4035 §4.7)',
  },
] as const)('a $state denial $why', ({ of, state, below }) => {
  const cache = createCache();
  const judgement: Judgement =
    state === 'secure'
      ? { state, isDenial: false, isTimed: true }
      : { state, reason: 'nsec-missing' };
  const known = { kind: 'no-name', denial: denialOf(300, 300), judgement } as const;
  cache.putNoName(nameOf(of), denialOf(300, 300), TRUST.authoritative, 0);
  cache.putJudged(nameOf(of), TYPE.A, known, 60, 0);
  expect(cache.find(nameOf(of), TYPE.A, 1)?.kind).toBe('no-name');
  expect(cache.find(nameOf(`www.${of}`), TYPE.A, 1)?.kind).toBe(below);
  expect(cache.find(nameOf(of), TYPE.TXT, 1)?.kind).toBe(below);
  expect(cache.past.find(nameOf(of), TYPE.A, 1)?.kind).toBe(below);
});

test('a bogus alias is one for its question only, for a while, and never afterwards', () => {
  const cache = createCache(undefined, 1000);
  const rrset = setOf('alias.example.', 1);
  const judgement = { state: 'bogus', reason: 'signature-invalid' } as const;
  const known = { kind: 'records', rrset, proof: [], judgement } as const;
  cache.putBogusAlias(rrset.owner, TYPE.A, known, 30, 0);
  const { findBogusAlias, past } = cache;
  expect(findBogusAlias(rrset.owner, TYPE.A, 29)).toMatchObject({
    judgement,
    rrset: { type: TYPE.CNAME, rdatas: rrset.rdatas },
  });
  expect(findBogusAlias(rrset.owner, TYPE.A, 30)).toBeUndefined();
  expect(findBogusAlias(rrset.owner, TYPE.TXT, 1)).toBeUndefined();
  expect(findBogusAlias(nameOf('www.alias.example.'), TYPE.A, 1)).toBeUndefined();
  expect(past.findBogusAlias(rrset.owner, TYPE.A, 1)).toBeUndefined();
  expect(cache.find(rrset.owner, TYPE.CNAME, 1)).toBeUndefined();
});

test.each([
  { isTimed: true, after: 'secure', why: 'checked by a date' },
  { isTimed: false, after: 'bogus', why: 'believed without one (I9)' },
])('what is bogus takes no place of what was $why', ({ isTimed, after }) => {
  const cache = createCache();
  const known = { kind: 'records', rrset: setOf('www.example.', 1), proof: [] } as const;
  const before: Judgement = { state: 'secure', isDenial: false, isTimed };
  const later: Judgement = { state: 'bogus', reason: 'signature-expired' };
  cache.putJudged(WWW, TYPE.A, { ...known, judgement: before }, 60, 0);
  cache.putJudged(WWW, TYPE.A, { ...known, judgement: later }, 60, 1);
  expect(cache.find(WWW, TYPE.A, 2)?.judgement?.state).toBe(after);
});

describe('data past its end (RFC 8767)', () => {
  const STALE = 1000;
  const judged = (state: 'secure' | 'insecure' | 'bogus') =>
    ({
      secure: { state, isDenial: false, isTimed: true },
      insecure: { state, reason: 'no-anchor', isTimed: true },
      bogus: { state, reason: 'signature-invalid' },
    })[state] as Judgement;
  const records = { kind: 'records', rrset: setOf('www.example.', 1), proof: [] } as const;

  test.each<{ at: number; limit?: number; ttl: number | undefined; why: string }>([
    { at: 59, ttl: 1, why: 'still there' },
    { at: 60, ttl: STALE_TTL, why: 'just over' },
    { at: 1059, ttl: STALE_TTL, why: 'nearly at the cap' },
    { at: 1060, ttl: undefined, why: 'at the cap' },
    { at: 60, limit: 0, ttl: undefined, why: 'not wanted' },
    { at: 60 + MAX_STALE, limit: 1e9, ttl: undefined, why: 'never longer than three days' },
  ])('after $at s: $why', ({ at, limit = STALE, ttl }) => {
    const cache = createCache(undefined, limit);
    cache.putRecords(setOf('www.example.', 1), TRUST.answer, 0);
    const known = cache.past.find(WWW, TYPE.A, at);
    expect(known?.kind === 'records' ? known.rrset.ttl : undefined).toBe(ttl);
    if (at >= 60) expect(cache.find(WWW, TYPE.A, at)).toBeUndefined();
  });

  test.each<{ state: 'secure' | 'insecure' | 'bogus'; isServed: boolean }>([
    { state: 'secure', isServed: true },
    { state: 'insecure', isServed: true },
    { state: 'bogus', isServed: false },
  ])('of what is $state', ({ state, isServed }) => {
    const cache = createCache(undefined, STALE);
    cache.putJudged(WWW, TYPE.A, { ...records, judgement: judged(state) }, 60, 0);
    expect(cache.past.find(WWW, TYPE.A, 61) !== undefined).toBe(isServed);
  });

  test.each([
    { data: 60, denial: 300, kind: 'no-name', why: 'the denial held longer' },
    { data: 600, denial: 300, kind: 'records', why: 'the data held longer' },
  ])('of two that ended, the newer: $why', ({ data, denial, kind }) => {
    const cache = createCache(undefined, STALE);
    cache.putRecords(setOf('www.example.', 1, data), TRUST.answer, 0);
    cache.putNoName(WWW, denialOf(denial, denial), TRUST.authoritative, 1);
    expect(cache.past.find(WWW, TYPE.A, 900)?.kind).toBe(kind);
  });

  test('is the first to be evicted', () => {
    const alone = createCache(undefined, STALE);
    alone.putRecords(setOf('old.example.', 1, 1), TRUST.answer, 0);
    const cache = createCache(4 * alone.bytes, STALE);
    cache.putRecords(setOf('old.example.', 1, 1), TRUST.answer, 0);
    cache.putRecords(setOf('www.example.', 2, 600), TRUST.answer, 0);
    cache.past.find(nameOf('old.example.'), TYPE.A, 10);
    for (let i = 0; i < 3; i++) cache.putRecords(setOf(`n${i}.example.`, 3), TRUST.answer, 10);
    expect(cache.past.find(nameOf('old.example.'), TYPE.A, 10)).toBeUndefined();
    expect(octetOf(cache, 10)).toBe(2);
  });
});

type Put = { name: number; kind: string; ttl: number; trust: Trust; wait: number; bytes: number };

const put: fc.Arbitrary<Put> = fc.record({
  name: fc.nat(8),
  kind: fc.constantFrom('records', 'no-data', 'no-name', 'failure', 'cut', 'proof'),
  ttl: fc.nat(40),
  trust: fc.constantFrom<Trust>(TRUST.additional, TRUST.answer, TRUST.authoritative),
  wait: fc.nat(5),
  bytes: fc.nat(600),
});

function apply(cache: Cache, { name, kind, ttl, trust, bytes }: Put, step: number, now: number) {
  const owner = nameOf(`n${name}.example.`);
  if (kind === 'records') {
    const rdatas = [new Uint8Array([step]), new Uint8Array(bytes)];
    cache.putRecords({ ...setOf('x.', 1, ttl), owner, rdatas }, trust, now);
  } else if (kind === 'no-data') cache.putNoData(owner, TYPE.MX, denialOf(ttl, ttl), trust, now);
  else if (kind === 'no-name') cache.putNoName(nameOf(`m${name}.`), denialOf(ttl, ttl), trust, now);
  else if (kind === 'proof') cache.putProof(nameOf('example.'), setOf('b.example.', 1), ttl, now);
  else if (kind === 'failure') cache.putFailure(owner, TYPE.TXT, 'out-of-time', now);
  else
    cache.putCut({ zone: owner, servers: [{ name: owner, addresses: [] }], until: now + ttl }, now);
}

function endOf(known: Known | undefined, model: ReadonlyMap<string, { expires: number }>): number {
  const step = known?.kind === 'records' ? known.rrset.rdatas[0]?.[0] : undefined;
  return model.get(String(step))?.expires ?? Number.POSITIVE_INFINITY;
}

test('never above its limit; what it finds was put under that name and is not over', () => {
  fc.assert(
    fc.property(fc.array(put, { maxLength: 120 }), (puts) => {
      const limit = 10_000;
      const cache = createCache(limit, 20);
      const model = new Map<string, { owner: number; expires: number }>();
      let now = 0;
      for (const [step, each] of puts.entries()) {
        now += each.wait;
        apply(cache, each, step, now);
        model.set(String(step), { owner: each.name, expires: now + each.ttl });
        expect(cache.bytes).toBeLessThanOrEqual(limit);
        for (let index = 0; index <= 8; index++) {
          const known = cache.find(nameOf(`n${index}.example.`), TYPE.A, now);
          const past = cache.past.find(nameOf(`n${index}.example.`), TYPE.A, now);
          expect(now).toBeLessThan(endOf(past, model) + 20);
          if (known?.kind !== 'records') continue;
          const source = model.get(String(known.rrset.rdatas[0]?.[0]));
          expect(source?.owner).toBe(index);
          expect(known.rrset.ttl).toBe((source?.expires ?? 0) - now);
        }
      }
    }),
    { numRuns: 40 },
  );
});
