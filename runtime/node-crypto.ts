/**
 * Keys and digests by OpenSSL, synchronous, with the parsed keys remembered; only `verifyElsewhere`
 * takes a thread of libuv's pool (of Bun's own there).
 *
 * Making a KeyObject costs as much as a verification, and a resolver sees the same keys all day.
 * Generating keys goes through @peculiar/webcrypto, the reference for key formats; it is loaded on
 * first use because most processes never make a key.
 *
 * @see RFC 3110 §2 (RSA keys), RFC 6605 §4 (ECDSA), RFC 8080 §3 (EdDSA), RFC 5869 (HKDF),
 *   RFC 7748 (X25519), RFC 8410 (the DER prefixes below)
 */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hash,
  hkdfSync,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import {
  type Crypto,
  type KeyPair,
  type Random,
  RuntimeError,
  type SignatureAlgorithm,
  type Signer,
} from './index.ts';

type SigningAlgorithm = 'ecdsa-p256' | 'ed25519';

/** Parsed keys kept; about 1 KB each. */
const MAX_CACHED_KEYS = 1024;

/** RFC 3110 §2 ends at 4096 bits; work per signature is bounded by it (I6). */
const MAX_RSA_MODULUS_BYTES = 512;
const MIN_RSA_MODULUS_BYTES = 64;

/** A verification costs a multiplication per exponent bit (CVE-2016-8864's kind of trouble). */
const MAX_RSA_EXPONENT_BYTES = 8;

const GCM_TAG_BYTES = 16;
const GCM_NONCE_BYTES = 12;
const AES_KEY_BYTES = 32;
const X25519_BYTES = 32;

/** RFC 8410 §4 and §7: everything before the raw key in SubjectPublicKeyInfo and PKCS#8. */
const ED25519_SPKI = bytesOf('302a300506032b6570032100');
const ED448_SPKI = bytesOf('3043300506032b6571033a00');
const X25519_SPKI = bytesOf('302a300506032b656e032100');
const X25519_PKCS8 = bytesOf('302e020100300506032b656e04220420');

const DIGEST = {
  'rsa-sha1': 'sha1',
  'rsa-sha256': 'sha256',
  'rsa-sha512': 'sha512',
  'ecdsa-p256': 'sha256',
  'ecdsa-p384': 'sha384',
  ed25519: null,
  ed448: null,
} as const satisfies Record<SignatureAlgorithm, string | null>;

/** The machine's cryptography. `random` makes the X25519 keys. */
export function nodeCrypto(random: Random): Crypto {
  const publicKeys = boundedCache<KeyObject | undefined>(MAX_CACHED_KEYS);
  const agreementKeys = boundedCache<KeyObject>(MAX_CACHED_KEYS);
  // Whoever keeps a key keeps its octets, which spares making a text of them each time.
  const held = new WeakMap<Uint8Array, { algorithm: SignatureAlgorithm; key: KeyObject }>();
  const parsedKey = (algorithm: SignatureAlgorithm, publicKey: Uint8Array) => {
    const known = held.get(publicKey);
    if (known?.algorithm === algorithm) return known.key;
    const key = publicKeys(`${algorithm}:${latin1(publicKey)}`, () =>
      importPublicKey(algorithm, publicKey),
    );
    if (key !== undefined) held.set(publicKey, { algorithm, key });
    return key;
  };
  const agreementPrivate = (raw: Uint8Array) =>
    agreementKeys(latin1(raw), () => importAgreementKey(raw));
  return {
    hash: (algorithm, data) => plain(hash(algorithm, data, 'buffer')),
    hmac: (algorithm, key, data) => plain(createHmac(algorithm, key).update(data).digest()),
    generateSigningKey,
    signer: importSigner,
    verify(algorithm, publicKey, data, signature) {
      const key = parsedKey(algorithm, publicKey);
      return key !== undefined && isSigned(algorithm, key, data, signature);
    },
    verifyElsewhere(algorithm, publicKey, data, signature) {
      const key = parsedKey(algorithm, publicKey);
      return key === undefined
        ? Promise.resolve(false)
        : isSignedElsewhere(algorithm, key, data, signature);
    },
    generateAgreementKey() {
      const privateKey = clamp(random(X25519_BYTES));
      return { publicKey: agreementPublicKey(agreementPrivate(privateKey)), privateKey };
    },
    agreementPublicKey: (privateKey) => agreementPublicKey(agreementPrivate(privateKey)),
    agree: (privateKey, publicKey) => agree(agreementPrivate(privateKey), publicKey),
    hkdf: (secret, salt, info, length) =>
      new Uint8Array(hkdfSync('sha256', secret, salt, info, length)),
    seal,
    open,
  };
}

/** A map that forgets what was used longest ago. */
function boundedCache<Value>(limit: number): (key: string, make: () => Value) => Value {
  const entries = new Map<string, { readonly value: Value }>();
  return (key, make) => {
    const known = entries.get(key);
    if (known !== undefined) {
      entries.delete(key);
      entries.set(key, known);
      return known.value;
    }
    const value = make();
    entries.set(key, { value });
    for (const oldest of entries.keys()) {
      if (entries.size <= limit) break;
      entries.delete(oldest);
    }
    return value;
  };
}

async function generateSigningKey(algorithm: SigningAlgorithm): Promise<KeyPair> {
  const { Crypto: PeculiarCrypto } = await import('@peculiar/webcrypto');
  const { subtle } = new PeculiarCrypto();
  const parameters =
    algorithm === 'ed25519' ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256' };
  const pair = await subtle.generateKey(parameters, true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new Error('unreachable: one key where a pair was asked for');
  const privateKey = new Uint8Array(await subtle.exportKey('pkcs8', pair.privateKey));
  const raw = new Uint8Array(await subtle.exportKey('raw', pair.publicKey));
  // An uncompressed point starts with 0x04 (SEC 1 §2.3.3); DNSSEC leaves it out (RFC 6605 §4).
  return { publicKey: algorithm === 'ed25519' ? raw : raw.slice(1), privateKey };
}

function importSigner(algorithm: SigningAlgorithm, privateKey: Uint8Array): Signer {
  const key = importPrivateKey(algorithm, privateKey);
  const publicKey = exportPublicKey(createPublicKey(key).export({ format: 'jwk' }));
  return algorithm === 'ed25519'
    ? { publicKey, sign: (data) => plain(sign(null, data, key)) }
    : {
        publicKey,
        sign: (data) => plain(sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' })),
      };
}

function importPrivateKey(algorithm: SigningAlgorithm, privateKey: Uint8Array): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: asBuffer(privateKey), format: 'der', type: 'pkcs8' });
  } catch {
    // The cause is left out: OpenSSL's words could quote the key (I2).
    throw new RuntimeError('bad-key', `the bytes are no PKCS#8 key for ${algorithm}`);
  }
  const isRight =
    algorithm === 'ed25519'
      ? key.asymmetricKeyType === 'ed25519'
      : key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!isRight) throw new RuntimeError('bad-key', `the key is not for ${algorithm}`);
  return key;
}

function exportPublicKey(jwk: JsonWebKey): Uint8Array {
  const x = Buffer.from(jwk.x ?? '', 'base64url');
  return new Uint8Array(
    jwk.y === undefined ? x : Buffer.concat([x, Buffer.from(jwk.y, 'base64url')]),
  );
}

function isSigned(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const read = asRead(algorithm, signature);
  if (read === undefined) return false;
  try {
    return verify(DIGEST[algorithm], data, key, read);
  } catch {
    return false;
  }
}

function isSignedElsewhere(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const read = asRead(algorithm, signature);
  if (read === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    try {
      verify(DIGEST[algorithm], data, key, read, (error, isGood) => resolve(!error && isGood));
    } catch {
      resolve(false);
    }
  });
}

/** A signature as OpenSSL reads it; undefined when it cannot be one. */
function asRead(algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array | undefined {
  const octets = COORDINATE_OCTETS[algorithm];
  if (octets === undefined) return signature;
  return signature.length === 2 * octets ? toDer(signature) : undefined;
}

/** Of an ECDSA signature, half of it (RFC 6605 §4). */
const COORDINATE_OCTETS: Partial<Record<SignatureAlgorithm, number>> = {
  'ecdsa-p256': 32,
  'ecdsa-p384': 48,
};

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * Two numbers side by side as the DER that OpenSSL reads (RFC 3279 §2.2.3). Node can do that too,
 * but takes a third of a verification's time for it.
 */
function toDer(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  // A head each for the whole and the two numbers, and a zero in front of each number.
  const der = new Uint8Array(signature.length + 8);
  const end = putInteger(der, putInteger(der, 2, signature, 0, half), signature, half, 2 * half);
  der[0] = SEQUENCE;
  der[1] = end - 2;
  return der.subarray(0, end);
}

/** The shortest form, with a zero in front where the first bit would mean a minus. */
function putInteger(
  der: Uint8Array,
  at: number,
  octets: Uint8Array,
  start: number,
  end: number,
): number {
  let first = start;
  while (first < end - 1 && octets[first] === 0) first++;
  const pad = (octets[first] ?? 0) >= 0x80 ? 1 : 0;
  der[at] = INTEGER;
  der[at + 1] = end - first + pad;
  let next = at + 2 + pad;
  for (let each = first; each < end; each++) der[next++] = octets[each] ?? 0;
  return next;
}

function importPublicKey(algorithm: SignatureAlgorithm, raw: Uint8Array): KeyObject | undefined {
  try {
    switch (algorithm) {
      case 'rsa-sha1':
      case 'rsa-sha256':
      case 'rsa-sha512':
        return importRsaKey(raw);
      case 'ecdsa-p256':
        return importPoint('P-256', 32, raw);
      case 'ecdsa-p384':
        return importPoint('P-384', 48, raw);
      case 'ed25519':
        return importSpki(ED25519_SPKI, 32, raw);
      case 'ed448':
        return importSpki(ED448_SPKI, 57, raw);
    }
  } catch {
    return undefined;
  }
}

/** RFC 3110 §2: one octet of exponent length, or zero and two octets. */
function importRsaKey(raw: Uint8Array): KeyObject | undefined {
  const first = raw[0] ?? 0;
  const start = first === 0 ? 3 : 1;
  const exponentLength = first === 0 ? (raw[1] ?? 0) * 256 + (raw[2] ?? 0) : first;
  const exponent = withoutZeros(raw.subarray(start, start + exponentLength));
  const modulus = withoutZeros(raw.subarray(start + exponentLength));
  if (exponent.length === 0 || exponent.length > MAX_RSA_EXPONENT_BYTES) return undefined;
  if (modulus.length < MIN_RSA_MODULUS_BYTES) return undefined;
  if (modulus.length > MAX_RSA_MODULUS_BYTES) return undefined;
  return importJwk({ kty: 'RSA', n: base64url(modulus), e: base64url(exponent) });
}

function withoutZeros(number: Uint8Array): Uint8Array {
  const start = number.findIndex((octet) => octet !== 0);
  return start < 0 ? new Uint8Array(0) : number.subarray(start);
}

function importPoint(crv: string, size: number, raw: Uint8Array): KeyObject | undefined {
  if (raw.length !== 2 * size) return undefined;
  const [x, y] = [base64url(raw.subarray(0, size)), base64url(raw.subarray(size))];
  return importJwk({ kty: 'EC', crv, x, y });
}

function importJwk(key: JsonWebKey): KeyObject {
  return createPublicKey({ key, format: 'jwk' });
}

function importSpki(prefix: Uint8Array, size: number, raw: Uint8Array): KeyObject | undefined {
  if (raw.length !== size) return undefined;
  return createPublicKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'spki' });
}

/** RFC 7748 §5: the bits that WireGuard's own `wg genkey` sets and clears. */
function clamp(raw: Uint8Array): Uint8Array {
  const key = raw.slice();
  key[0] = (key[0] ?? 0) & 0xf8;
  key[31] = ((key[31] ?? 0) & 0x7f) | 0x40;
  return key;
}

function importAgreementKey(raw: Uint8Array): KeyObject {
  if (raw.length !== X25519_BYTES) {
    throw new RuntimeError('bad-key', `an X25519 key has ${X25519_BYTES} bytes, not ${raw.length}`);
  }
  const key = Buffer.concat([X25519_PKCS8, raw]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

function agreementPublicKey(privateKey: KeyObject): Uint8Array {
  return exportPublicKey(createPublicKey(privateKey).export({ format: 'jwk' }));
}

function agree(privateKey: KeyObject, raw: Uint8Array): Uint8Array | undefined {
  try {
    const publicKey = importSpki(X25519_SPKI, X25519_BYTES, raw);
    if (publicKey === undefined) return undefined;
    const shared = plain(diffieHellman({ privateKey, publicKey }));
    // RFC 7748 §6.1: all zeros come from a low-order point.
    return shared.every((octet) => octet === 0) ? undefined : shared;
  } catch {
    return undefined;
  }
}

function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  data: Uint8Array,
  associated: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: GCM_TAG_BYTES });
  cipher.setAAD(associated);
  return new Uint8Array(Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]));
}

function open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
): Uint8Array | undefined {
  if (key.length !== AES_KEY_BYTES || nonce.length !== GCM_NONCE_BYTES) return undefined;
  if (sealed.length < GCM_TAG_BYTES) return undefined;
  const end = sealed.length - GCM_TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: GCM_TAG_BYTES });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(end));
  try {
    const opened = Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
    return new Uint8Array(opened);
  } catch {
    return undefined;
  }
}

/** A Uint8Array that is nothing more: a Buffer's `slice` would share its memory. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function latin1(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('latin1');
}

function base64url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url');
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
