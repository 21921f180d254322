import { expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { APEX } from '../authority/zone.fixture.ts';
import { parseName, ROOT } from '../message/name.ts';
import { decodeRdata } from '../message/rdata.ts';
import { TYPE } from '../message/type.ts';
import { anchor, dnskeyRdata, generateZoneKey, keySets, type SigningAlgorithm } from './keys.ts';

const { crypto } = nodeRuntime();

/** RFC 6605 §6.1. */
const KEY = {
  algorithm: 'ecdsa-p256' as const,
  publicKey: Uint8Array.from(
    Buffer.from(
      'GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==',
      'base64',
    ),
  ),
};
const DIGEST = 'B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17';

test('an anchor is printed as DS, DNSKEY, for delv and for unbound', () => {
  expect(anchor(crypto, parseName('example.net') ?? ROOT, [KEY])).toEqual({
    ds: `example.net. IN DS 55648 13 2 ${DIGEST}\n`,
    dnskey: `example.net. IN DNSKEY 257 3 13 ${Buffer.from(KEY.publicKey).toString('base64')}\n`,
    delv: `trust-anchors {\n  "example.net." static-ds 55648 13 2 "${DIGEST}";\n};\n`,
    unbound: `trust-anchor: "example.net. DS 55648 13 2 ${DIGEST}"\n`,
  });
});

test('two keys make two lines', () => {
  const { ds, delv } = anchor(crypto, APEX, [KEY, { ...KEY, publicKey: new Uint8Array(64) }]);
  expect(ds.trimEnd().split('\n')).toHaveLength(2);
  expect(delv.match(/static-ds/g)).toHaveLength(2);
});

test('an anchor made from a whole key does not show its private half (I2)', async () => {
  const key = await generateZoneKey(crypto);
  const text = JSON.stringify(anchor(crypto, APEX, [key]));
  expect(text).not.toContain(Buffer.from(key.privateKey).toString('base64').slice(0, 20));
  expect(text.toLowerCase()).not.toContain(Buffer.from(key.privateKey).toString('hex'));
});

test.each<{ algorithm: SigningAlgorithm | undefined; number: number; size: number; why: string }>([
  { algorithm: undefined, number: 13, size: 64, why: 'P-256 is the default' },
  { algorithm: 'ecdsa-p256', number: 13, size: 64, why: 'RFC 6605 §4' },
  { algorithm: 'ed25519', number: 15, size: 32, why: 'RFC 8080 §3' },
])('a key for $algorithm has number $number ($why)', async ({ algorithm, number, size }) => {
  const key = await generateZoneKey(crypto, algorithm);
  expect(decodeRdata(TYPE.DNSKEY, dnskeyRdata(key))).toEqual({
    type: 'DNSKEY',
    flags: 257,
    protocol: 3,
    algorithm: number,
    publicKey: key.publicKey,
  });
  expect(key.publicKey).toHaveLength(size);
});

test('DNSKEY, CDS and CDNSKEY stand at the apex and agree (RFC 7344 §3)', () => {
  const sets = keySets(crypto, APEX, [KEY]);
  expect(sets.map(({ owner, type }) => [owner, type])).toEqual([
    [APEX, TYPE.DNSKEY],
    [APEX, TYPE.CDS],
    [APEX, TYPE.CDNSKEY],
  ]);
  expect(sets[2]?.rdatas).toEqual(sets[0]?.rdatas);
  expect(decodeRdata(TYPE.CDS, sets[1]?.rdatas[0] ?? new Uint8Array(0))).toMatchObject({
    keyTag: 55648,
    algorithm: 13,
    digestType: 2,
  });
});
