import { expect, test } from 'vitest';
import { decodeRdataAs } from '../message/rdata.ts';
import { closestAnchor, IANA_ANCHORS, readAnchors } from './anchors.ts';
import { name } from './signed.fixture.ts';

const DS = 'DS 4711 13 2 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
const KEY =
  'DNSKEY 257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==';

test('IANA: the root keys of 2017 and 2024', () => {
  const read = readAnchors(IANA_ANCHORS);
  const tags = read.ok && read.anchors.positive.get('\0')?.digests.map(tagOf);
  expect(tags).toEqual([20326, 38696]);
});

const tagOf = (rdata: Uint8Array) => decodeRdataAs('DS', rdata)?.keyTag;

test.each([
  { line: `alice.nymote. ${DS}`, ok: true, why: 'DS' },
  { line: `alice.nymote. 3600 IN ${KEY}`, ok: true, why: 'DNSKEY with TTL and class' },
  {
    line: 'alice.nymote.\tIN DS 4711 13 2 00010203 04050607 08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    ok: true,
    why: 'tabs, and blanks in the digest',
  },
  { line: 'alice.nymote. A 192.0.2.1', ok: false, why: 'another type' },
  { line: 'alice.nymote. DS 4711 13', ok: false, why: 'cut short' },
  { line: 'alice.nymote. DS 4711 13 2 0001', ok: false, why: 'a digest too short for its type' },
  {
    line: `alice.nymote. ${KEY.replace('257', '0')}`,
    ok: false,
    why: 'a key that signs no zones (RFC 4034 §2.1.1)',
  },
  { line: `alice.nymote. ${KEY.replace('257 3', '257 2')}`, ok: false, why: 'another protocol' },
  {
    line: `alice.nymote. ${KEY.replace('257', '385')}`,
    ok: false,
    why: 'a revoked key (RFC 5011 §2.1)',
  },
  { line: 'alice.nymote. DNSKEY 257 3 13 GojI', ok: false, why: 'a key cut short' },
  { line: 'alice.nymote. DNSKEY 257 3 8 AAAA', ok: false, why: 'and one of RSA' },
  { line: 'alice.nymote. DNSKEY 257 3 200 AAAA', ok: true, why: 'an algorithm of tomorrow' },
  { line: '', ok: false, why: 'nothing' },
])('$why', ({ line, ok }) => {
  expect(readAnchors([line])).toMatchObject(ok ? { ok } : { ok, line });
});

test('lines of one name belong together', () => {
  const read = readAnchors([`a. ${DS}`, `A. ${KEY}`, `b. ${DS}`]);
  if (!read.ok) throw new Error(read.line);
  expect(
    [...read.anchors.positive.values()].map(({ digests, keys }) => [digests.length, keys.length]),
  ).toEqual([
    [1, 1],
    [1, 0],
  ]);
});

test.each([
  { of: 'www.alice.nymote.', found: 'alice.nymote.', why: 'the closest' },
  { of: 'alice.nymote.', found: 'alice.nymote.', why: 'its own' },
  { of: 'bob.nymote.', found: '.', why: 'else the root' },
  { of: 'www.broken.test.', found: 'negative-anchor', why: 'not below a negative one (RFC 7646)' },
  { of: 'mended.broken.test.', found: 'mended.broken.test.', why: 'but again below a closer one' },
])('anchor of $of is $found: $why', ({ of, found }) => {
  const lines = ['.', 'alice.nymote.', 'mended.broken.test.'].map((owner) => `${owner} ${DS}`);
  const read = readAnchors(lines, ['broken.test']);
  if (!read.ok) throw new Error(read.line);
  const anchor = closestAnchor(read.anchors, name(of));
  expect(typeof anchor === 'string' ? anchor : anchor.name.key).toBe(
    found.endsWith('.') ? name(found).key : found,
  );
});

test('without anchors nothing is trusted', () => {
  const read = readAnchors([]);
  expect(read.ok && closestAnchor(read.anchors, name('a.'))).toBe('no-anchor');
});

test('a negative anchor that is no name is told', () => {
  expect(readAnchors([], ['a..b'])).toEqual({ ok: false, line: 'a..b' });
});
