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
  /** What checking one signature costs, P-256 being one; OpenSSL's P-384 is nine times slower. */
  readonly cost: number;
};

/** RFC 3110 §2: exponent length, exponent, modulus of 512 (SHA-1, SHA-256) or 1024 to 4096 bits. */
const RSA_KEY_SIZE = [66, 1 + 512 + 512] as const;
const RSA_SHA512_KEY_SIZE = [130, 1 + 512 + 512] as const;

const P384_COST = 8;

/** All algorithms we validate (RFC 8624 §3.1), in order of number. */
export const ALGORITHMS: readonly Algorithm[] = [
  rsa(5, 'RSASHA1', 'rsa-sha1'),
  rsa(7, 'RSASHA1-NSEC3-SHA1', 'rsa-sha1'),
  rsa(8, 'RSASHA256', 'rsa-sha256'),
  { ...rsa(10, 'RSASHA512', 'rsa-sha512'), keySize: RSA_SHA512_KEY_SIZE },
  curve(13, 'ECDSAP256SHA256', 'ecdsa-p256', true, 64, 64),
  curve(14, 'ECDSAP384SHA384', 'ecdsa-p384', false, 96, 96),
  curve(15, 'ED25519', 'ed25519', true, 32, 64),
  curve(16, 'ED448', 'ed448', false, 57, 114),
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
  signs: boolean,
  key: number,
  signatureSize: number,
): Algorithm {
  const cost = crypto === 'ecdsa-p384' ? P384_COST : 1;
  return { number, mnemonic, crypto, signs, keySize: [key, key], signatureSize, cost };
}
