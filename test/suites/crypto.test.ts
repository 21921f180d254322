import { generateKeyPairSync, sign, webcrypto } from 'node:crypto';
import { Crypto as PeculiarCrypto } from '@peculiar/webcrypto';
import { describe, expect, test } from 'vitest';
import type { SignatureAlgorithm } from '#runtime';
import { bunRuntime } from '#runtime/bun';
import { fakeRuntime } from '#runtime/fake';
import {
  cryptoSuite,
  elsewhereSuite,
  flip,
  hex,
  SIGNATURES,
  type SignatureVector,
} from './crypto.ts';
import { REAL, realRuntime } from './real.ts';

const { crypto, random } = realRuntime();

cryptoSuite(REAL, crypto);
elsewhereSuite(REAL, crypto);

if (REAL === 'node') {
  cryptoSuite('fake', fakeRuntime().crypto);
  // Nearly the same as Node's, so only its own Ed448 is at stake here.
  cryptoSuite('bun', bunRuntime().crypto);
  elsewhereSuite('bun', bunRuntime().crypto);

  test('Ed448 by arithmetic agrees with OpenSSL about new keys', async () => {
    const { verify, verifyElsewhere } = bunRuntime().crypto;
    for (let round = 0; round < 5; round += 1) {
      const { publicKey, privateKey } = generateKeyPairSync('ed448');
      const { x = '' } = publicKey.export({ format: 'jwk' });
      const raw = new Uint8Array(Buffer.from(x, 'base64url'));
      const data = random(50);
      const signature = new Uint8Array(sign(null, data, privateKey));
      expect(verify('ed448', raw, data, signature)).toBe(true);
      expect(verify('ed448', raw, flip(data), signature)).toBe(false);
      expect(await verifyElsewhere('ed448', raw, data, signature)).toBe(true);
      expect(await verifyElsewhere('ed448', raw, flip(data), signature)).toBe(false);
    }
  });
}

type Subtle = typeof webcrypto.subtle;

type Provider = {
  readonly provider: string;
  readonly subtle: Subtle;
  /** What it calls Ed448. */
  readonly ed448: { readonly name: string; readonly namedCurve?: string };
};

const PROVIDERS: readonly Provider[] = [
  { provider: 'built-in WebCrypto', subtle: webcrypto.subtle, ed448: { name: 'Ed448' } },
  {
    provider: '@peculiar/webcrypto',
    subtle: new PeculiarCrypto().subtle as Subtle,
    ed448: { name: 'EdDSA', namedCurve: 'Ed448' },
  },
];

/** Bun has no Ed448 to compare ours with. */
const isCompared = ({ algorithm }: SignatureVector) => algorithm !== 'ed448' || REAL === 'node';

/** Algorithms of WebCrypto by ours; for Ed448 there is no name yet that both know. */
const WEB = {
  'rsa-sha1': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1' },
  'rsa-sha256': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  'rsa-sha512': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' },
  'ecdsa-p256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'ecdsa-p384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  ed25519: { name: 'Ed25519' },
} as const satisfies Partial<
  Record<SignatureAlgorithm, { name: string; hash?: string; namedCurve?: string }>
>;

/** RFC 3110 §2 of a JSON Web Key. */
function rsaBytes(jwk: webcrypto.JsonWebKey): Uint8Array {
  const exponent = Buffer.from(jwk.e ?? '', 'base64url');
  return Uint8Array.of(exponent.length, ...exponent, ...Buffer.from(jwk.n ?? '', 'base64url'));
}

async function rsaVectors(): Promise<readonly SignatureVector[]> {
  return Promise.all(
    (['rsa-sha1', 'rsa-sha256', 'rsa-sha512'] as const).map(async (algorithm) => {
      const { subtle } = webcrypto;
      const wanted = {
        ...WEB[algorithm],
        modulusLength: 1024,
        publicExponent: Uint8Array.of(1, 0, 1),
      };
      const pair = await subtle.generateKey(wanted, true, ['sign', 'verify']);
      const data = random(100);
      const signature = new Uint8Array(await subtle.sign(WEB[algorithm], pair.privateKey, data));
      const publicKey = rsaBytes(await subtle.exportKey('jwk', pair.publicKey));
      return { algorithm, publicKey, data, signature, from: 'a new key' };
    }),
  );
}

async function webVerify(
  { subtle, ed448 }: Omit<Provider, 'provider'>,
  vector: SignatureVector,
): Promise<boolean> {
  const web = vector.algorithm === 'ed448' ? ed448 : WEB[vector.algorithm];
  try {
    const jwk = jwkOf(vector);
    const key = await subtle.importKey('jwk', jwk, web, true, ['verify']);
    return await subtle.verify(web, key, vector.signature, vector.data);
  } catch {
    return false;
  }
}

function jwkOf({ algorithm, publicKey }: SignatureVector): webcrypto.JsonWebKey {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
  if (algorithm === 'ed25519') return { kty: 'OKP', crv: 'Ed25519', x: text(publicKey) };
  if (algorithm === 'ed448') return { kty: 'OKP', crv: 'Ed448', x: text(publicKey) };
  if (algorithm.startsWith('rsa')) {
    const length = publicKey[0] ?? 0;
    const [e, n] = [publicKey.subarray(1, 1 + length), publicKey.subarray(1 + length)];
    return { kty: 'RSA', e: text(e), n: text(n) };
  }
  const half = publicKey.length / 2;
  const crv = algorithm === 'ecdsa-p256' ? 'P-256' : 'P-384';
  return {
    kty: 'EC',
    crv,
    x: text(publicKey.subarray(0, half)),
    y: text(publicKey.subarray(half)),
  };
}

describe.each(PROVIDERS)('$provider and ours', ({ subtle, ed448 }) => {
  test('give the same verdict on every vector, right and spoiled', async () => {
    const vectors = [...SIGNATURES, ...(await rsaVectors())].filter(isCompared);
    expect(new Set(vectors.map(({ algorithm }) => algorithm)).size).toBe(REAL === 'node' ? 7 : 6);
    for (const right of vectors) {
      const spoiled = [
        { ...right, signature: flip(right.signature) },
        { ...right, data: flip(Uint8Array.of(...right.data, 1)) },
        { ...right, publicKey: flip(right.publicKey) },
        { ...right, signature: new Uint8Array(right.signature.length) },
        { ...right, signature: right.signature.subarray(1) },
      ];
      for (const vector of [right, ...spoiled]) {
        const { algorithm, publicKey, data, signature } = vector;
        const ours = crypto.verify(algorithm, publicKey, data, signature);
        expect(ours).toBe(vector === right);
        expect(await webVerify({ subtle, ed448 }, vector), algorithm).toBe(ours);
      }
    }
  });

  test.each(['ecdsa-p256', 'ed25519'] as const)(
    'read each other’s %s keys and signatures',
    async (algorithm) => {
      const web = WEB[algorithm];
      const data = random(64);
      const { publicKey, privateKey } = await crypto.generateSigningKey(algorithm);
      const key = await subtle.importKey('pkcs8', privateKey, web, false, ['sign']);
      const signature = new Uint8Array(await subtle.sign(web, key, data));
      expect(crypto.verify(algorithm, publicKey, data, signature)).toBe(true);
      const own = crypto.signer(algorithm, privateKey).sign(data);
      const vector = { algorithm, publicKey, data, signature: own, from: 'ours' };
      expect(await webVerify({ subtle, ed448 }, vector)).toBe(true);
    },
  );

  test('seal alike', async () => {
    const [key, nonce, plain, about] = [random(32), random(12), random(50), random(9)];
    const parameters = { name: 'AES-GCM', iv: nonce, additionalData: about };
    const imported = await subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt']);
    const sealed = new Uint8Array(await subtle.encrypt(parameters, imported, plain));
    expect(crypto.seal(key, nonce, plain, about)).toEqual(sealed);
  });

  test('derive alike', async () => {
    const [secret, salt] = [random(40), random(20)];
    const imported = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
    const info = new TextEncoder().encode('purpose');
    const parameters = { name: 'HKDF', hash: 'SHA-256', salt, info };
    const bits = new Uint8Array(await subtle.deriveBits(parameters, imported, 800));
    expect(crypto.hkdf(secret, salt, 'purpose', 100)).toEqual(bits);
  });
});

test.each([
  { key: '', why: 'empty' },
  { key: '00', why: 'a length of which half is missing' },
  { key: `03010001${'ff'.repeat(63)}`, why: '504 bits' },
  { key: `03010001${'ff'.repeat(513)}`, why: '4104 bits (I6)' },
  { key: `00ffff010001${'ff'.repeat(128)}`, why: 'an exponent that does not fit' },
  { key: `09${'ff'.repeat(9)}${'ff'.repeat(128)}`, why: 'an exponent of 72 bits (I6)' },
  { key: `0400000000${'ff'.repeat(128)}`, why: 'an exponent of zero' },
  { key: `03010001${'00'.repeat(128)}`, why: 'a modulus of zero' },
])('an RSA key is no key: $why', ({ key }) => {
  expect(crypto.verify('rsa-sha256', hex(key), new Uint8Array(1), new Uint8Array(128))).toBe(false);
});

test('an RSA key may have its exponent length in three octets', async () => {
  const [vector] = await rsaVectors();
  if (vector === undefined) throw new Error('unreachable');
  const { algorithm, publicKey, data, signature } = vector;
  const long = Uint8Array.of(0, 0, ...publicKey);
  expect(crypto.verify(algorithm, long, data, signature)).toBe(true);
});

test('a key is remembered without being mixed up with another algorithm’s', () => {
  const [vector] = SIGNATURES;
  if (vector === undefined) throw new Error('unreachable');
  const { publicKey, data, signature } = vector;
  expect(crypto.verify('ed25519', publicKey, data, signature)).toBe(true);
  expect(crypto.verify('ecdsa-p256', publicKey, data, signature)).toBe(false);
  expect(crypto.verify('ed25519', publicKey, data, signature)).toBe(true);
});

test('fake keys are the same with the same seed', async () => {
  const make = async (seed: number) => {
    const fake = fakeRuntime({ seed }).crypto;
    const pairs = [
      await fake.generateSigningKey('ed25519'),
      await fake.generateSigningKey('ecdsa-p256'),
      fake.generateAgreementKey(),
    ];
    return pairs.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'));
  };
  const first = await make(1);
  expect(await make(1)).toEqual(first);
  expect(await make(2)).not.toEqual(first);
});
