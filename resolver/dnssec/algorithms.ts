/**
 * The one table of DNSSEC's algorithm and digest numbers, and the two hashes made over keys.
 *
 * @see RFC 8624 and RFC 9905: which algorithms to sign and to validate with
 * @see RFC 4034 §5.1.4 and appendix B: DS digest and key tag
 *
 * Algorithms 1, 3, 6 and 12 are not here: a zone signed only with them counts as unsigned.
 */

import type { Crypto, HashAlgorithm, SignatureAlgorithm } from '#runtime';
import { canonicalName, type Name } from '../message/name.ts';
import { join } from '../message/wire/field.ts';

/** A DNSSEC algorithm: its number on the wire and what we do with it. */
export type Algorithm = {
  readonly number: number;
  /** IANA's mnemonic, as zone files and tools print it. */
  readonly mnemonic: string;
  readonly crypto: SignatureAlgorithm;
  /** We make signatures with it; all of them we check. */
  readonly signs: boolean;
  /** Smallest and largest public key in octets, as the DNSKEY holds it. */
  readonly keySize: readonly [number, number];
  /** Octets of a signature; undefined for RSA, whose signature is as long as its modulus. */
  readonly signatureSize: number | undefined;
  /** What checking one signature costs, P-256 being one; of RSA with the usual exponents. */
  readonly cost: number;
};

/**
 * From this cost on a signature is verified elsewhere than on the main thread. Handing it over costs
 * a third of what P-256 does, so with what is cheaper little would be gained.
 */
export const COSTLY = 4;

/** RFC 3110 §2: exponent length, exponent, modulus of 512 (SHA-1, SHA-256) or 1024 to 4096 bits. */
const RSA_KEY_SIZE = [66, 1 + 512 + 512] as const;
const RSA_SHA512_KEY_SIZE = [130, 1 + 512 + 512] as const;

/** OpenSSL's P-384 is nine times slower than its P-256. */
const P384_COST = 8;
/** Four times slower by OpenSSL, fifty times where it is our own arithmetic (runtime/ed448.ts). */
const ED448_COST = 8;

/** Up to 65537 and 2048 bits RSA is cheaper than P-256, beyond both as much as this at 4096 bits. */
const RSA_EXPONENT_OCTETS = 3;
const RSA_MODULUS_OCTETS = 256;
const RSA_LARGE_COST = 5;

/** All algorithms we validate (RFC 8624 §3.1), in order of number. */
export const ALGORITHMS: readonly Algorithm[] = [
  rsa(5, 'RSASHA1', 'rsa-sha1'),
  rsa(7, 'RSASHA1-NSEC3-SHA1', 'rsa-sha1'),
  rsa(8, 'RSASHA256', 'rsa-sha256'),
  { ...rsa(10, 'RSASHA512', 'rsa-sha512'), keySize: RSA_SHA512_KEY_SIZE },
  { ...curve(13, 'ECDSAP256SHA256', 'ecdsa-p256', 64, 64), signs: true },
  { ...curve(14, 'ECDSAP384SHA384', 'ecdsa-p384', 96, 96), cost: P384_COST },
  { ...curve(15, 'ED25519', 'ed25519', 32, 64), signs: true },
  { ...curve(16, 'ED448', 'ed448', 57, 114), cost: ED448_COST },
];

/** Digest algorithms of DS records (RFC 8624 §3.3): we accept all three and publish SHA-256. */
export const DIGESTS: ReadonlyMap<number, { readonly hash: HashAlgorithm; readonly size: number }> =
  new Map([
    [1, { hash: 'sha1', size: 20 }],
    [2, { hash: 'sha256', size: 32 }],
    [4, { hash: 'sha384', size: 48 }],
  ]);

const BY_NUMBER = new Map(ALGORITHMS.map((algorithm) => [algorithm.number, algorithm]));

/** Finds an algorithm by its number; undefined when we neither sign nor validate with it. */
export function algorithmOf(number: number): Algorithm | undefined {
  return BY_NUMBER.get(number);
}

/** What checking one signature by `publicKey` costs, P-256 being one. */
export function verificationCost({ crypto, cost }: Algorithm, publicKey: Uint8Array): number {
  if (!crypto.startsWith('rsa')) return cost;
  // RFC 3110 §2: one octet of exponent length, or zero and two octets.
  const [first = 0, high = 0, low = 0] = publicKey;
  const exponent = first === 0 ? high * 256 + low : first;
  const modulus = publicKey.length - (first === 0 ? 3 : 1) - exponent;
  const isLarge = exponent > RSA_EXPONENT_OCTETS && modulus > RSA_MODULUS_OCTETS;
  return isLarge ? RSA_LARGE_COST : cost;
}

/** Computes the key tag of a DNSKEY from its RDATA (RFC 4034 appendix B). */
export function keyTag(dnskey: Uint8Array): number {
  let sum = 0;
  for (const [index, octet] of dnskey.entries()) sum += index % 2 === 0 ? octet << 8 : octet;
  return (sum + Math.floor(sum / 0x1_0000)) & 0xffff;
}

/** Computes a DS digest over owner and DNSKEY RDATA (RFC 4034 §5.1.4); undefined for an unknown type. */
export function dsDigest(
  crypto: Pick<Crypto, 'hash'>,
  owner: Name,
  dnskey: Uint8Array,
  digestType: number,
): Uint8Array | undefined {
  const digest = DIGESTS.get(digestType);
  if (digest === undefined) return undefined;
  return crypto.hash(digest.hash, join([canonicalName(owner), dnskey]));
}

function rsa(number: number, mnemonic: string, crypto: SignatureAlgorithm): Algorithm {
  const keySize = RSA_KEY_SIZE;
  return { number, mnemonic, crypto, signs: false, keySize, signatureSize: undefined, cost: 1 };
}

function curve(
  number: number,
  mnemonic: string,
  crypto: SignatureAlgorithm,
  key: number,
  signatureSize: number,
): Algorithm {
  return { number, mnemonic, crypto, signs: false, keySize: [key, key], signatureSize, cost: 1 };
}
