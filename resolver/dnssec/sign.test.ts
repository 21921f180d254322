import { expect, test } from 'vitest';
import type { Crypto } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { APEX, sampleName, sampleRecord } from '../authority/zone.fixture.ts';
import type { RecordSet } from '../authority/zone.ts';
import { parseName, ROOT } from '../message/name.ts';
import { decodeRdataAs, encodeRdata } from '../message/rdata.ts';
import { TYPE } from '../message/type.ts';
import { generateZoneKey, type SigningAlgorithm } from './keys.ts';
import { canonicalSet, createZoneSigner, signatureWindow } from './sign.ts';

const { crypto } = nodeRuntime();
const NOW = 1_795_000_000;
const SET = { clockIsSet: true };
const UNSET = { clockIsSet: false };

function setOf(line: string, ...more: string[]): RecordSet {
  const { owner, type, ttl, rdata } = sampleRecord(line);
  return { owner, type, ttl, rdatas: [rdata, ...more.map((other) => sampleRecord(other).rdata)] };
}

/** A crypto seam that counts the signatures it makes. */
function counting(): { crypto: Crypto; count: () => number } {
  let made = 0;
  return {
    count: () => made,
    crypto: {
      ...crypto,
      signer(algorithm, privateKey) {
        const signer = crypto.signer(algorithm, privateKey);
        return {
          ...signer,
          sign(data) {
            made++;
            return signer.sign(data);
          },
        };
      },
    },
  };
}

test('the octets of RFC 6605 §6.1 are what its signature is over', () => {
  const owner = parseName('WWW.example.net') ?? ROOT;
  const rdatas = [Uint8Array.of(192, 0, 2, 1)];
  const fields = encodeRdata({
    type: 'RRSIG',
    typeCovered: TYPE.A,
    algorithm: 13,
    labels: 3,
    originalTtl: 3600,
    expiration: Date.UTC(2010, 8, 9, 10, 4, 39) / 1000,
    inception: Date.UTC(2010, 7, 12, 10, 4, 39) / 1000,
    keyTag: 55648,
    signer: parseName('example.net') ?? ROOT,
    signature: new Uint8Array(0),
  });
  const octets = canonicalSet({ owner, type: TYPE.A, ttl: 3600, rdatas });
  const key =
    'GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==';
  const signature =
    'qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==';
  const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
  const data = Uint8Array.from([...fields, ...octets]);
  expect(crypto.verify('ecdsa-p256', bytes(key), data, bytes(signature))).toBe(true);
});

test.each<{ algorithm: SigningAlgorithm; number: number }>([
  { algorithm: 'ecdsa-p256', number: 13 },
  { algorithm: 'ed25519', number: 15 },
])('a signature by $algorithm verifies', async ({ algorithm, number }) => {
  const key = await generateZoneKey(crypto, algorithm);
  const set = setOf('desktop A 100.64.0.2', 'desktop A 100.64.0.1');
  const [rrsig] = createZoneSigner(crypto, APEX, [key]).signatures(set, { now: NOW, ...SET });
  const parsed = decodeRdataAs('RRSIG', rrsig ?? new Uint8Array(0));
  if (rrsig === undefined || parsed === undefined) throw new Error('no signature');
  expect(parsed).toMatchObject({
    typeCovered: TYPE.A,
    algorithm: number,
    labels: 3,
    originalTtl: set.ttl,
    signer: APEX,
  });
  const fields = rrsig.subarray(0, rrsig.length - parsed.signature.length);
  const data = Uint8Array.from([...fields, ...canonicalSet(set)]);
  expect(crypto.verify(algorithm, key.publicKey, data, parsed.signature)).toBe(true);
  expect(crypto.verify(algorithm, key.publicKey, data.with(20, 0xee), parsed.signature)).toBe(
    false,
  );
});

test.each([
  { owner: '@ TXT x', labels: 2, why: 'the apex' },
  { owner: '*.lab A 1.2.3.4', labels: 3, why: 'the asterisk does not count (RFC 4034 §3.1.3)' },
  { owner: 'a.*.lab A 1.2.3.4', labels: 5, why: 'an asterisk in the middle is a label' },
  { owner: '*x.lab A 1.2.3.4', labels: 4, why: 'a label that only begins with an asterisk' },
])('$owner is signed with $labels labels: $why', async ({ owner, labels }) => {
  const signer = createZoneSigner(crypto, APEX, [await generateZoneKey(crypto)]);
  const [rrsig] = signer.signatures(setOf(owner), { now: NOW, ...SET });
  expect(decodeRdataAs('RRSIG', rrsig ?? new Uint8Array(0))?.labels).toBe(labels);
});

test('records are ordered and names lowered for signing (RFC 4034 §6)', () => {
  const ordered = canonicalSet(setOf('a A 1.2.3.4', 'a A 1.2.3.200', 'a A 1.2.3.5'));
  const again = canonicalSet(setOf('A A 1.2.3.200', 'a A 1.2.3.5', 'a A 1.2.3.4'));
  expect(again).toEqual(ordered);
  // TXT: a length octet, then the text, so the shorter one comes first.
  const ends = ['a TXT b', 'a TXT ba', 'a TXT bb'].map((line) => canonicalSet(setOf(line)));
  const strings = canonicalSet(setOf('a TXT bb', 'a TXT b', 'a TXT ba'));
  expect(strings).toEqual(Uint8Array.from(ends.flatMap((octets) => [...octets])));
  expect(canonicalSet(setOf('x CNAME DESKTOP'))).toEqual(canonicalSet(setOf('X CNAME desktop')));
});

test.each([
  { type: 'A', first: 0, later: 3_599 - (NOW % 3_600), same: true, why: 'the same hour' },
  { type: 'A', first: 0, later: 3_600, same: false, why: 'device data is renewed each hour' },
  { type: 'NSEC', first: 0, later: 3_600, same: false, why: 'proofs too' },
  { type: 'DNSKEY', first: 0, later: 3_600, same: true, why: 'keys are renewed each day' },
  { type: 'NS', first: 0, later: 86_400, same: false, why: 'servers too' },
] as const)('$type after $later s is in the same window: $same ($why)', (row) => {
  const first = signatureWindow(TYPE[row.type], { now: NOW + row.first, ...SET });
  const later = signatureWindow(TYPE[row.type], { now: NOW + row.later, ...SET });
  expect(first.inception === later.inception).toBe(row.same);
});

test.each([
  { type: 'A', least: 86_400, most: 90_000, why: 'short: an old address must not live long' },
  { type: 'SOA', least: 86_400, most: 90_000, why: 'the serial moves with every change' },
  { type: 'DNSKEY', least: 604_800, most: 691_200, why: 'long: seven days of holiday' },
] as const)('$type is valid for $least to $most s more, and since an hour: $why', (row) => {
  for (let step = 0; step < 48; step++) {
    const now = NOW + step * 1_801;
    const { inception, expiration } = signatureWindow(TYPE[row.type], { now, ...SET });
    expect(now - inception).toBeGreaterThanOrEqual(3_600);
    expect(expiration - now).toBeGreaterThanOrEqual(row.least);
    expect(expiration - now).toBeLessThanOrEqual(row.most);
  }
});

test.each([
  { now: 0, why: 'a router without battery boots in 1970' },
  { now: -5, why: 'or before' },
  { now: 1_700_000_000, why: 'or at its last shutdown, before this build' },
  { now: 1_790_000_000, why: 'or at its last shutdown, after this build' },
  { now: 4_294_967_295, why: 'or anywhere' },
])('with the clock unset at $now the window spans then and today: $why (I9)', ({ now }) => {
  const { inception, expiration } = signatureWindow(TYPE.A, { now, ...UNSET });
  expect(inception).toBeGreaterThan(0);
  expect(inception).toBeLessThan(Math.max(now, 86_400));
  expect(inception).toBeLessThan(1_795_000_000);
  expect(expiration).toBeGreaterThan(1_795_000_000);
  // Half the range of serial numbers (RFC 4034 §3.1.5).
  expect(expiration - inception).toBeLessThan(2 ** 31);
});

test('the same set costs no second signature, whichever object holds it', async () => {
  const { crypto: counted, count } = counting();
  const signer = createZoneSigner(counted, APEX, [await generateZoneKey(crypto)]);
  const set = setOf('desktop A 100.64.0.2');
  const first = signer.signatures(set, { now: NOW, ...SET });
  expect(signer.signatures(set, { now: NOW + 1, ...SET })).toEqual(first);
  expect(signer.signatures(setOf('desktop A 100.64.0.2'), { now: NOW, ...SET })).toEqual(first);
  expect(count()).toBe(1);
  signer.signatures(setOf('desktop A 100.64.0.3'), { now: NOW, ...SET });
  expect(count()).toBe(2);
});

test('a signature made before the clock was set is not used after', async () => {
  const { crypto: counted, count } = counting();
  const signer = createZoneSigner(counted, APEX, [await generateZoneKey(crypto)]);
  const set = setOf('desktop A 100.64.0.2');
  const early = signer.signatures(set, { now: 30, ...UNSET });
  expect(signer.signatures(set, { now: 60, ...UNSET })).toEqual(early);
  expect(signer.signatures(set, { now: NOW, ...SET })).not.toEqual(early);
  expect(count()).toBe(2);
});

test('every key signs during a rollover (RFC 4035 §2.2)', async () => {
  const keys = [await generateZoneKey(crypto), await generateZoneKey(crypto, 'ed25519')];
  const signer = createZoneSigner(crypto, APEX, keys);
  const rrsigs = signer.signatures(setOf('desktop A 1.2.3.4'), { now: NOW, ...SET });
  expect(rrsigs.map((rdata) => decodeRdataAs('RRSIG', rdata)?.algorithm)).toEqual([13, 15]);
});

test('an apex in capitals signs in lower case (RFC 4034 §6.2)', async () => {
  const apex = parseName('Alice.NYMOTE') ?? ROOT;
  const signer = createZoneSigner(crypto, apex, [await generateZoneKey(crypto)]);
  const [rrsig] = signer.signatures(setOf('desktop A 1.2.3.4'), { now: NOW, ...SET });
  expect(decodeRdataAs('RRSIG', rrsig ?? new Uint8Array(0))?.signer).toEqual(sampleName(''));
});
