import { expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { parseName, ROOT } from '../message/name.ts';
import { encodeRdata } from '../message/rdata.ts';
import {
  ALGORITHMS,
  algorithmOf,
  COSTLY,
  DIGESTS,
  dsDigest,
  keyTag,
  verificationCost,
} from './algorithms.ts';

const { crypto } = nodeRuntime();

const VECTORS = [
  {
    why: 'RFC 4034 §5.4',
    owner: 'dskey.example.com',
    flags: 256,
    algorithm: 5,
    key: 'AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==',
    tag: 60485,
    digestType: 1,
    digest: '2bb183af5f22588179a53b0a98631fad1a292118',
  },
  {
    why: 'RFC 6605 §6.1',
    owner: 'EXAMPLE.net',
    flags: 257,
    algorithm: 13,
    key: 'GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==',
    tag: 55648,
    digestType: 2,
    digest: 'b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17',
  },
  {
    why: 'RFC 8080 §6.1',
    owner: 'example.com',
    flags: 257,
    algorithm: 15,
    key: 'l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=',
    tag: 3613,
    digestType: 2,
    digest: '3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b',
  },
];

test.each(VECTORS)('key tag and digest of $why', (vector) => {
  const publicKey = Uint8Array.from(Buffer.from(vector.key, 'base64'));
  const { flags, algorithm } = vector;
  const dnskey = encodeRdata({ type: 'DNSKEY', flags, protocol: 3, algorithm, publicKey });
  const owner = parseName(vector.owner) ?? ROOT;
  expect(keyTag(dnskey)).toBe(vector.tag);
  const digest = dsDigest(crypto, owner, dnskey, vector.digestType) ?? new Uint8Array(0);
  expect(Buffer.from(digest).toString('hex')).toBe(vector.digest);
  expect(digest).toHaveLength(DIGESTS.get(vector.digestType)?.size ?? -1);
  const [least, most] = algorithmOf(algorithm)?.keySize ?? [0, 0];
  expect(publicKey.length).toBeGreaterThanOrEqual(least);
  expect(publicKey.length).toBeLessThanOrEqual(most);
});

test.each([
  { number: 1, known: false, why: 'RSAMD5 MUST NOT (RFC 8624 §3.1)' },
  { number: 3, known: false, why: 'DSA MUST NOT' },
  { number: 12, known: false, why: 'GOST is retired (RFC 9906)' },
  { number: 13, known: true, why: 'ECDSA P-256 MUST' },
  { number: 16, known: true, why: 'Ed448 is validated' },
  { number: 253, known: false, why: 'private' },
])('algorithm $number is known: $known ($why)', ({ number, known }) => {
  expect(algorithmOf(number) !== undefined).toBe(known);
});

test('we sign with 13 and 15 and validate eight, each number once', () => {
  expect(ALGORITHMS.filter(({ signs }) => signs).map(({ number }) => number)).toEqual([13, 15]);
  expect(ALGORITHMS.map(({ number }) => number)).toEqual([5, 7, 8, 10, 13, 14, 15, 16]);
});

/** An RSA key as RFC 3110 §2 has it; only its lengths matter. */
const rsaKey = (bits: number, ...exponent: readonly number[]) =>
  Uint8Array.of(exponent.length, ...exponent, ...new Uint8Array(bits / 8).fill(255));
const usual = [1, 0, 1];
const long = [1, 0, 0, 0, 1];

test.each([
  { number: 13, key: new Uint8Array(64), elsewhere: false, why: 'P-256: 46 µs' },
  { number: 14, key: new Uint8Array(96), elsewhere: true, why: 'P-384: 440 µs' },
  { number: 15, key: new Uint8Array(32), elsewhere: false, why: 'Ed25519: 62 µs' },
  { number: 16, key: new Uint8Array(57), elsewhere: true, why: 'Ed448: 160 µs, on Bun 1.9 ms' },
  { number: 5, key: rsaKey(1024, ...usual), elsewhere: false, why: '1024 bits: 13 µs' },
  { number: 7, key: rsaKey(2048, ...usual), elsewhere: false, why: '2048 bits: 16 µs' },
  { number: 8, key: rsaKey(4096, 3), elsewhere: false, why: '4096 bits, to the third: 19 µs' },
  { number: 8, key: rsaKey(4096, ...usual), elsewhere: false, why: '4096 bits: 53 µs' },
  { number: 8, key: rsaKey(2048, ...long), elsewhere: false, why: '2048 bits, 2^32+1: 33 µs' },
  { number: 8, key: rsaKey(4096, ...long), elsewhere: true, why: '4096 bits, 2^32+1: 97 µs' },
  {
    number: 10,
    key: rsaKey(4096, ...new Uint8Array(8).fill(255)),
    elsewhere: true,
    why: 'the longest exponent: 224 µs',
  },
  {
    number: 8,
    key: Uint8Array.of(0, 0, ...rsaKey(4096, ...long)),
    elsewhere: true,
    why: 'its length in three octets',
  },
])('signatures of algorithm $number are verified elsewhere: $elsewhere ($why)', (row) => {
  const algorithm = algorithmOf(row.number);
  const cost = algorithm && verificationCost(algorithm, row.key);
  expect(cost !== undefined && cost >= COSTLY).toBe(row.elsewhere);
});

test('what a signature costs is known of all algorithms, and none is free', () => {
  for (const algorithm of ALGORITHMS) {
    const { keySize } = algorithm;
    expect(verificationCost(algorithm, new Uint8Array(keySize[0]))).toBeGreaterThanOrEqual(1);
  }
});

test('a digest of an unknown type is no digest', () => {
  expect(dsDigest(crypto, ROOT, new Uint8Array(4), 3)).toBeUndefined();
});
