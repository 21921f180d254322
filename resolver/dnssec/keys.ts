/**
 * The zone's keys: one combined signing key per zone (CSK), as DNSKEY, as DS, and as the trust
 * anchor that other people's validators are given.
 *
 * @see RFC 4034 §2 and §5: DNSKEY and DS
 * @see RFC 7344: CDS and CDNSKEY, the same for the parent to fetch
 *
 * Nothing here prints, logs or copies a private key (I2).
 */

import type { Crypto } from '#runtime';
import type { RecordSet } from '../authority/zone.ts';
import { type Name, printName } from '../message/name.ts';
import { encodeRdata } from '../message/rdata.ts';
import { TYPE } from '../message/type.ts';
import { BASE64, HEX, toDigits } from '../message/wire/digits.ts';
import { ALGORITHMS, type Algorithm, dsDigest, keyTag } from './algorithms.ts';

/** What we sign with: RFC 8624 §3.1's MUST and RECOMMENDED. */
export type SigningAlgorithm = 'ecdsa-p256' | 'ed25519';

/** The half of a key that everybody may see. */
export type PublicZoneKey = {
  readonly algorithm: SigningAlgorithm;
  readonly publicKey: Uint8Array;
};

/** A zone's key; the private half is PKCS#8 DER. */
export type ZoneKey = PublicZoneKey & { readonly privateKey: Uint8Array };

/** A zone's trust anchor in the forms that tools read; each text ends in a newline. */
export type Anchor = {
  /** DS records as in a zone file. */
  readonly ds: string;
  /** DNSKEY records as in a zone file. */
  readonly dnskey: string;
  /** `trust-anchors { … };` for BIND's named and `delv -a`. */
  readonly delv: string;
  /** `trust-anchor:` lines of unbound.conf's server section. */
  readonly unbound: string;
};

/** ZONE and SEP (RFC 4034 §2.1.1): the one key signs everything and is what anchors point at. */
const CSK_FLAGS = 257;
const PROTOCOL = 3;
const SHA_256 = 2;

/** Keys change rarely, but a rollover should not take days. */
const KEY_TTL = 3_600;

/** Makes a new key for a zone. */
export async function generateZoneKey(
  crypto: Pick<Crypto, 'generateSigningKey'>,
  algorithm: SigningAlgorithm = 'ecdsa-p256',
): Promise<ZoneKey> {
  const { publicKey, privateKey } = await crypto.generateSigningKey(algorithm);
  return { algorithm, publicKey, privateKey };
}

/** The RDATA of a key's DNSKEY record. */
export function dnskeyRdata(key: PublicZoneKey): Uint8Array {
  const algorithm = signingAlgorithm(key.algorithm).number;
  const { publicKey } = key;
  return encodeRdata({
    type: 'DNSKEY',
    flags: CSK_FLAGS,
    protocol: PROTOCOL,
    algorithm,
    publicKey,
  });
}

/** The sets that the keys put at their zone's apex: DNSKEY, CDS, CDNSKEY. */
export function keySets(
  crypto: Pick<Crypto, 'hash'>,
  apex: Name,
  keys: readonly PublicZoneKey[],
): RecordSet[] {
  const dnskeys = keys.map(dnskeyRdata);
  const digests = dnskeys.map((dnskey) => dsRdata(crypto, apex, dnskey));
  const shared = { owner: apex, ttl: KEY_TTL };
  return [
    { ...shared, type: TYPE.DNSKEY, rdatas: dnskeys },
    { ...shared, type: TYPE.CDS, rdatas: digests },
    { ...shared, type: TYPE.CDNSKEY, rdatas: dnskeys },
  ];
}

/** Writes a zone's trust anchor down, one line for each key. */
export function anchor(
  crypto: Pick<Crypto, 'hash'>,
  apex: Name,
  keys: readonly PublicZoneKey[],
): Anchor {
  const owner = printName(apex);
  const lines = keys.map((key) => {
    const dnskey = dnskeyRdata(key);
    const { number } = signingAlgorithm(key.algorithm);
    const digest = toDigits(HEX, sha256Digest(crypto, apex, dnskey));
    return {
      start: `${keyTag(dnskey)} ${number} ${SHA_256}`,
      digest,
      dnskey: `${CSK_FLAGS} ${PROTOCOL} ${number} ${toDigits(BASE64, key.publicKey)}`,
    };
  });
  const each = (print: (line: (typeof lines)[number]) => string) => lines.map(print).join('');
  return {
    ds: each(({ start, digest }) => `${owner} IN DS ${start} ${digest}\n`),
    dnskey: each(({ dnskey }) => `${owner} IN DNSKEY ${dnskey}\n`),
    delv: `trust-anchors {\n${each(
      ({ start, digest }) => `  "${escapeQuoted(owner)}" static-ds ${start} "${digest}";\n`,
    )}};\n`,
    unbound: each(
      ({ start, digest }) => `trust-anchor: "${escapeQuoted(owner)} DS ${start} ${digest}"\n`,
    ),
  };
}

/** The row of the algorithm table that a key signs with. */
export function signingAlgorithm(name: SigningAlgorithm): Algorithm {
  const found = ALGORITHMS.find((algorithm) => algorithm.crypto === name && algorithm.signs);
  if (found === undefined) throw new Error(`unreachable: no algorithm number for ${name}`);
  return found;
}

function dsRdata(crypto: Pick<Crypto, 'hash'>, apex: Name, dnskey: Uint8Array): Uint8Array {
  const digest = sha256Digest(crypto, apex, dnskey);
  const shared = { keyTag: keyTag(dnskey), digestType: SHA_256, digest };
  // The algorithm is the fourth octet of a DNSKEY (RFC 4034 §2.1).
  return encodeRdata({ type: 'CDS', algorithm: dnskey[3] ?? 0, ...shared });
}

function sha256Digest(crypto: Pick<Crypto, 'hash'>, apex: Name, dnskey: Uint8Array): Uint8Array {
  const digest = dsDigest(crypto, apex, dnskey, SHA_256);
  if (digest === undefined) throw new Error('unreachable: SHA-256 is in the table');
  return digest;
}

/** A printed name may hold a backslash, which a quoted string takes for its own. */
function escapeQuoted(text: string): string {
  return text.replaceAll('\\', '\\\\');
}
