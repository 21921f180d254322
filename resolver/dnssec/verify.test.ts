import { beforeAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { decodeRdataAs, encodeRdata, type RdataOf } from '../message/rdata.ts';
import type { RRset } from '../message/rrset.ts';
import { fullBudget, MAX_FAILED_SIGNATURES, MAX_SIGNATURES } from '../recursion/budget.ts';
import { keyTag } from './algorithms.ts';
import { learn } from './attempt.ts';
import { NOW, name, type SampleZone, samples, set } from './signed.fixture.ts';
import {
  type Checked,
  MAX_KEYS_PER_TAG,
  MAX_TRIES_PER_SET,
  signerOf,
  usableKeys,
  type ValidationKey,
  verifySet,
} from './verify.ts';

const { check, counting, zone: sampleZone } = samples(nodeRuntime().crypto);
const DAY = 86_400;
let zone: SampleZone;
let keys: readonly ValidationKey[];
let plain: RRset;

beforeAll(async () => {
  zone = await sampleZone('example.');
  keys = usableKeys([zone.dnskey]);
  plain = set('www.example. 300 IN A 192.0.2.1', 'www.example. 300 IN A 192.0.2.2');
});

const verify = (rrset: RRset, more = {}) => checkSet(rrset, { zone: zone.apex, keys }, check(more));

/** Of what is not costly, and so is never left for later. */
function checkSet(...args: Parameters<typeof verifySet>): Checked {
  const checked = verifySet(...args);
  if ('kind' in checked) throw new Error(checked.kind);
  return checked;
}

describe('signatures of the RFCs', () => {
  test.each([
    {
      rfc: 'RFC 5702 §6.1',
      key: 'example.net. DNSKEY 256 3 8 AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=',
      data: 'www.example.net. 3600 IN A 192.0.2.91',
      rrsig:
        'A 8 3 3600 20300101000000 20000101000000 9033 example.net. kRCOH6u7l0QGy9qpC9l1sLncJcOKFLJ7GhiUOibu4teYp5VE9RncriShZNz85mwlMgNEacFYK/lPtPiVYP4bwg==',
    },
    {
      rfc: 'RFC 5702 §6.2',
      key: 'example.net. DNSKEY 256 3 10 AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6rklMrZDtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7ZQBlZ3PFY12ZTSncorffcGmhOL',
      data: 'www.example.net. 3600 IN A 192.0.2.91',
      rrsig:
        'A 10 3 3600 20300101000000 20000101000000 3740 example.net. tsb4wnjRUDnB1BUi+t6TMTXThjVnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq+9fOuagYJRfDqfReKBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw=',
    },
    {
      rfc: 'RFC 8080 §6.1',
      key: 'example.com. DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=',
      data: 'example.com. 3600 IN MX 10 mail.example.com.',
      rrsig:
        'MX 15 2 3600 1440021600 1438207200 3613 example.com. oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==',
    },
  ])('$rfc', ({ key, data, rrsig }) => {
    const dnskey = set(key);
    const rrset = set(data);
    const [owner = ''] = data.split(' ');
    const { rdatas: signatures } = set(`${owner} 3600 IN RRSIG ${rrsig}`);
    const signed = { ...rrset, signatures };
    const time = { now: 1_439_000_000, clockIsSet: true };
    const signer = { zone: dnskey.owner, keys: usableKeys(dnskey.rdatas) };
    expect(verifySet(signed, signer, check({ time }))).toMatchObject({ ok: true });
  });
});

test.each<{ algorithm: 'ecdsa-p256' | 'ed25519' }>([
  { algorithm: 'ecdsa-p256' },
  { algorithm: 'ed25519' },
])('what $algorithm signed is good', async ({ algorithm }) => {
  const other = await sampleZone('example.', algorithm);
  const from = { zone: other.apex, keys: usableKeys([other.dnskey]) };
  expect(verifySet(other.sign(plain), from, check())).toMatchObject({
    ok: true,
    ttl: 300,
    nextCloser: undefined,
  });
});

type Fields = Partial<RdataOf<'RRSIG'>>;

test.each<{ wrong: Fields; reason: string; why: string }>([
  { wrong: { expiration: NOW - 1 }, reason: 'signature-expired', why: 'RFC 4035 §5.3.1' },
  { wrong: { inception: NOW + 1 }, reason: 'signature-not-yet-valid', why: 'RFC 4035 §5.3.1' },
  {
    wrong: { inception: NOW - 5, expiration: NOW - 10 },
    reason: 'signature-invalid',
    why: 'it ends before it begins (RFC 4034 §3.1.5)',
  },
  { wrong: { keyTag: 1 }, reason: 'dnskey-missing', why: 'no key has this tag' },
  { wrong: { algorithm: 15 }, reason: 'dnskey-missing', why: 'nor this algorithm' },
  { wrong: { algorithm: 3 }, reason: 'signatures-missing', why: 'DSA is not checked (RFC 8624)' },
  { wrong: { labels: 3 }, reason: 'signatures-missing', why: 'more labels than the owner has' },
  {
    wrong: { labels: 0 },
    reason: 'signatures-missing',
    why: 'fewer than the signer has: a wildcard above the zone (CVE-2026-11721, CVE-2026-44690)',
  },
  { wrong: { typeCovered: 28 }, reason: 'signatures-missing', why: 'covers another type' },
  {
    wrong: { signer: name('other.') },
    reason: 'signatures-missing',
    why: 'the signer is not above the owner',
  },
  {
    wrong: { signer: name('www.example.') },
    reason: 'signatures-missing',
    why: 'the signer is not the zone',
  },
])('$reason: $why', ({ wrong, reason }) => {
  expect(verify(zone.sign(plain, wrong))).toEqual({ ok: false, reason });
});

test.each<{ wrong: Fields; now: number; ok: boolean; why: string }>([
  {
    wrong: { inception: 0xffff_ff00, expiration: 0x100 },
    now: 2 ** 32 + 0x10,
    ok: true,
    why: 'serial numbers wrap in 2106 (RFC 1982)',
  },
  {
    wrong: { inception: 0xffff_ff00, expiration: 0x100 },
    now: 2 ** 32 + 0x101,
    ok: false,
    why: 'and end after it',
  },
  { wrong: { expiration: NOW }, now: NOW + 0.5, ok: true, why: 'the last second counts' },
])('time: $why', ({ wrong, now, ok }) => {
  const time = { now, clockIsSet: true };
  expect(verify(zone.sign(plain, wrong), { time }).ok).toBe(ok);
});

test('without a clock only the times are not checked (I9)', () => {
  const time = { now: 3600, clockIsSet: false };
  expect(verify(zone.sign(plain), { time }).ok).toBe(true);
  const forged = { ...zone.sign(plain), rdatas: [Uint8Array.of(1, 2, 3, 4)] };
  expect(verify(forged, { time })).toEqual({ ok: false, reason: 'signature-invalid' });
});

test.each<{ wrong: Fields; ttl: number; why: string }>([
  { wrong: {}, ttl: 300, why: 'its own' },
  { wrong: { originalTtl: 60 }, ttl: 60, why: 'no longer than the signed one' },
  { wrong: { expiration: NOW + 10 }, ttl: 10, why: 'no longer than the signature' },
])('TTL: $why', ({ wrong, ttl }) => {
  expect(verify(zone.sign(plain, wrong))).toMatchObject({ ok: true, ttl });
});

test('records that are the same are one (RFC 4034 §6.3), their order and case do not matter', () => {
  const signed = zone.sign(set('example. NS a.example.', 'example. NS b.example.'));
  const [a, b] = signed.rdatas as [Uint8Array, Uint8Array];
  const loud = set('example. NS A.Example.').rdatas[0] as Uint8Array;
  expect(verify({ ...signed, rdatas: [b, a, loud] }).ok).toBe(true);
  expect(verify({ ...signed, rdatas: [b] }).ok).toBe(false);
});

test.each([
  { owner: 'a.b.w.example.', wildcard: '*.w.example.', nextCloser: 'b.w.example.', why: 'deep' },
  { owner: 'a.w.example.', wildcard: '*.w.example.', nextCloser: 'a.w.example.', why: 'shallow' },
  { owner: '*.w.example.', wildcard: '*.w.example.', nextCloser: undefined, why: 'asked by name' },
])('a wildcard is recognised: $why', ({ owner, wildcard, nextCloser }) => {
  const checked = verify(zone.expand(set(`${owner} A 192.0.2.1`), wildcard));
  expect(checked).toMatchObject({ ok: true });
  expect(checked.ok && checked.nextCloser?.key).toBe(nextCloser && name(nextCloser).key);
});

test('one good signature is enough (RFC 6840 §5.11)', () => {
  const both = zone.sign(zone.sign(plain, { expiration: NOW - DAY }));
  expect(verify(both).ok).toBe(true);
  const wrong = encodeRdata({ ...rrsig(both), signature: new Uint8Array(64) });
  expect(verify({ ...both, signatures: [wrong, ...both.signatures] }).ok).toBe(true);
});

test('who else claims to have signed is left out of what was checked', () => {
  const stranger = zone.sign(plain, { signer: name('.') }).signatures;
  const checked = verify({ ...plain, signatures: [...stranger, ...zone.sign(plain).signatures] });
  expect(checked.ok && checked.rrset.signatures).toHaveLength(1);
  expect(checked.ok && signerOf(checked.rrset)?.key).toBe(zone.apex.key);
});

test('a DS signed by the zone it leads to has no signer', () => {
  expect(signerOf(zone.sign(zone.ds))).toBeUndefined();
});

test.each([
  { flags: 256, protocol: 3, usable: true, why: 'ZONE' },
  { flags: 257, protocol: 3, usable: true, why: 'ZONE and SEP' },
  { flags: 0, protocol: 3, usable: false, why: 'no zone key (RFC 4034 §2.1.1)' },
  { flags: 385, protocol: 3, usable: false, why: 'revoked (RFC 5011 §2.1)' },
  { flags: 257, protocol: 2, usable: false, why: 'another protocol (RFC 4034 §2.1.2)' },
])('a key with flags $flags, protocol $protocol: $why', ({ flags, protocol, usable }) => {
  const publicKey = keys[0]?.publicKey ?? new Uint8Array(64);
  const rdata = encodeRdata({ type: 'DNSKEY', flags, protocol, algorithm: 13, publicKey });
  expect(usableKeys([rdata])).toHaveLength(usable ? 1 : 0);
});

test.each([
  { algorithm: 13, size: 63, why: 'a point cut short' },
  { algorithm: 8, size: 10_000, why: 'RSA beyond 4096 bits' },
  { algorithm: 15, size: 33, why: 'an Ed25519 key too long' },
])('a key of wrong size is none: $why', ({ algorithm, size }) => {
  const publicKey = new Uint8Array(size).fill(3);
  const rdata = encodeRdata({ type: 'DNSKEY', flags: 257, protocol: 3, algorithm, publicKey });
  expect(usableKeys([rdata])).toEqual([]);
});

describe('KeyTrap (CVE-2023-50387)', () => {
  /** Keys that share the good key's tag: two octets swapped in places of equal weight. */
  const collisions = (count: number): ValidationKey[] =>
    Array.from({ length: count }, (_, i) => {
      const rdata = zone.dnskey.slice();
      const at = 4 + 2 * (i % 31);
      const [one = 0, two = 0] = [rdata[at], rdata[at + 2]];
      rdata[at] = two;
      rdata[at + 2] = one;
      return usableKeys([rdata])[0] as ValidationKey;
    }).filter((key) => key.tag === zone.tag && key.rdata.join() !== zone.dnskey.join());

  test('of keys with one tag only some are tried', () => {
    const { check: counted, verifies } = counting();
    const many = { zone: zone.apex, keys: [...collisions(31), ...keys] };
    expect(keyTag(many.keys[0]?.rdata ?? zone.dnskey)).toBe(zone.tag);
    expect(checkSet(zone.sign(plain), many, counted).ok).toBe(false);
    expect(verifies()).toBe(MAX_KEYS_PER_TAG);
  });

  test('of many signatures only some are tried', () => {
    const { check: counted, verifies } = counting();
    const fields = rrsig(zone.sign(plain));
    const signatures = Array.from({ length: 200 }, (_, i) =>
      encodeRdata({ ...fields, signature: new Uint8Array(64).fill(i) }),
    );
    const many = { zone: zone.apex, keys: [...collisions(31), ...keys] };
    const result = verifySet({ ...plain, signatures }, many, counted);
    expect(result).toEqual({ ok: false, reason: 'too-many-signatures' });
    expect(verifies()).toBeLessThanOrEqual(MAX_TRIES_PER_SET);
  });

  test.each([
    { kind: 'signatures', left: MAX_SIGNATURES, reason: 'too-many-signatures' },
    { kind: 'failedSignatures', left: MAX_FAILED_SIGNATURES, reason: 'too-many-failed-signatures' },
  ])('$reason for one question, sets together', ({ kind, left, reason }) => {
    const purse = { budget: { ...fullBudget(0), [kind]: 1 } };
    const forged = { ...zone.sign(plain), rdatas: [Uint8Array.of(1, 2, 3, 4)] };
    expect(left).toBeGreaterThan(1);
    expect(verify(forged, { purse })).toEqual({ ok: false, reason: 'signature-invalid' });
    expect(verify(forged, { purse })).toEqual({ ok: false, reason });
  });

  test('a key that is none costs as much as one that is (CVE-2025-8677)', () => {
    const purse = { budget: fullBudget(0) };
    const broken = { ...(keys[0] as ValidationKey), publicKey: new Uint8Array(64) };
    const result = verifySet(
      zone.sign(plain),
      { zone: zone.apex, keys: [broken] },
      check({ purse }),
    );
    expect(result).toEqual({ ok: false, reason: 'signature-invalid' });
    expect(purse.budget.signatures).toBe(MAX_SIGNATURES - 1);
    expect(purse.budget.failedSignatures).toBe(MAX_FAILED_SIGNATURES - 1);
  });
});

describe('a costly verification', () => {
  const signer = () => ({ zone: zone.apex, keys });

  test.each([
    { broken: false, result: { ok: true }, failed: 0, why: 'good' },
    {
      broken: true,
      result: { ok: false, reason: 'signature-invalid' },
      failed: 1,
      why: 'wrong',
    },
  ])('is named, paid for once, and known afterwards: $why', ({ broken, result, failed }) => {
    const { check: counted, verifies } = counting();
    const costly = { ...counted, costly: 0 };
    const signed = broken
      ? { ...zone.sign(plain), rdatas: [Uint8Array.of(1, 2, 3, 4)] }
      : zone.sign(plain);
    const step = verifySet(signed, signer(), costly);
    if (!('kind' in step)) throw new Error('not named');
    const { algorithm, publicKey, data, signature } = step.verification;
    expect(verifies()).toBe(0);
    const isGood = counted.crypto.verify(algorithm, publicKey, data, signature);
    expect(isGood).toBe(!broken);
    learn(step.attempt, isGood, costly);
    for (let again = 0; again < 3; again++) {
      expect(verifySet(signed, signer(), costly)).toMatchObject(result);
    }
    const { signatures, failedSignatures } = costly.purse.budget;
    expect(MAX_SIGNATURES - signatures).toBe(1);
    expect(MAX_FAILED_SIGNATURES - failedSignatures).toBe(failed);
    expect(verifies()).toBe(1);
  });

  test.each<{ other: (signed: RRset) => RRset; why: string }>([
    { other: (signed) => ({ ...signed, rdatas: signed.rdatas.toReversed() }), why: 'order' },
    { other: (signed) => ({ ...signed, rdatas: signed.rdatas.slice(1) }), why: 'fewer records' },
    {
      other: (signed) => ({ ...signed, owner: name('other.example.') }),
      why: 'another owner with as many labels',
    },
    { other: () => zone.sign(plain, { inception: NOW - 7 }), why: 'another signature' },
  ])('says nothing of what is not the very same: $why', ({ other }) => {
    const costly = { ...check(), costly: 0 };
    const signed = zone.sign(plain);
    const step = verifySet(signed, signer(), costly);
    if (!('kind' in step)) throw new Error('not named');
    learn(step.attempt, true, costly);
    expect(verifySet(signed, signer(), costly)).toMatchObject({ ok: true });
    expect(verifySet(other(signed), signer(), costly)).toMatchObject({ kind: 'unverified' });
  });

  test('is not named when it cannot be paid for', () => {
    const purse = { budget: { ...fullBudget(0), signatures: 0 } };
    const reason = 'too-many-signatures';
    expect(verify(zone.sign(plain), { purse, costly: 0 })).toEqual({ ok: false, reason });
  });
});

test('what is verified here is not verified twice for one question either', () => {
  const { check: counted, verifies } = counting();
  const signed = zone.sign(plain);
  const copy = { ...signed, rdatas: signed.rdatas.map((rdata) => rdata.slice()) };
  for (const set of [signed, copy, signed]) {
    expect(verifySet(set, { zone: zone.apex, keys }, counted)).toMatchObject({ ok: true });
  }
  expect(verifies()).toBe(1);
  expect(counted.purse.budget.signatures).toBe(MAX_SIGNATURES - 1);
});

function rrsig(rrset: RRset): RdataOf<'RRSIG'> {
  const [rdata] = rrset.signatures;
  const fields = rdata && decodeRdataAs('RRSIG', rdata);
  if (fields === undefined) throw new Error('no signature');
  return fields;
}
