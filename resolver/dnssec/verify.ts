/**
 * One set of records against its signatures and a zone's keys.
 *
 * @see RFC 4035 §5.3: which signatures may be used, what they are over, what a wildcard's say
 * @see RFC 6840 §5.4 and §5.11: any one good signature is enough
 * @see CVE-2023-50387 (KeyTrap): why keys and tries are counted
 *
 * A verification that costs much is not made here: it is named, and what came of it is there when the
 * set is checked again. Knows nothing of chains: whose keys may sign is decided in chain.ts and
 * validate.ts.
 */

import type { Crypto } from '#runtime';
import type { BogusReason } from '../message/ede.ts';
import { countLabels, isWithin, type Name, parentOf, prepend } from '../message/name.ts';
import { canonicalRdata, decodeRdataAs, type RdataOf } from '../message/rdata.ts';
import { type RRset, safeTtl } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import { type Purse, pay } from '../recursion/budget.ts';
import { type Algorithm, algorithmOf, keyTag, verificationCost } from './algorithms.ts';
import { type Attempt, learn, resultOf, type Tried, type Unverified } from './attempt.ts';
import { readRrsig, signedOctets } from './rrsig.ts';
import { canonicalSet, type SigningTime } from './sign.ts';

/** Keys tried that share one tag and algorithm (KeyTrap CVE-2023-50387; PowerDNS: 2, Technitium: 4). */
export const MAX_KEYS_PER_TAG = 4;

/** Verifications for one set, whatever their number of signatures (KeyTrap; Unbound and hickory: 8). */
export const MAX_TRIES_PER_SET = 8;

/** Signatures of one set that are looked at, before any is tried (Unbound `iter-scrub-rrsig`: 8). */
const MAX_SIGNATURES_READ = 32;

/** Keys of one zone that are looked at. */
const MAX_KEYS_READ = 64;

/** What a check needs: how to compute, when it is, and what it may cost. */
export type Check = {
  readonly crypto: Pick<Crypto, 'hash' | 'verify'>;
  readonly time: SigningTime;
  readonly purse: Purse;
  /** What was tried for the same question before: nothing is paid for or computed twice. */
  readonly tried: Tried[];
  /** From this cost on a verification is named in place of being made. */
  readonly costly: number;
};

/** A DNSKEY that may sign data: a zone key, not revoked, of an algorithm we know. */
export type ValidationKey = {
  readonly rdata: Uint8Array;
  readonly tag: number;
  readonly algorithm: Algorithm;
  readonly publicKey: Uint8Array;
  /** What checking one signature by it costs, P-256 being one. */
  readonly cost: number;
};

/** A zone and the keys that are trusted to sign its data. */
export type SignedZone = { readonly zone: Name; readonly keys: readonly ValidationKey[] };

export type Checked =
  | {
      readonly ok: true;
      /** The set with the signatures that the zone's name is on; who else claims to sign is left out. */
      readonly rrset: RRset;
      /** Seconds the set may be kept (RFC 4035 §5.3.3). */
      readonly ttl: number;
      /** The ancestor directly below the wildcard's place, when a wildcard made this set. */
      readonly nextCloser: Name | undefined;
    }
  | { readonly ok: false; readonly reason: BogusReason };

/** ZONE and REVOKE of a DNSKEY's flags (RFC 4034 §2.1.1, RFC 5011 §7). */
const ZONE_FLAG = 0x0100;
const REVOKE_FLAG = 0x0080;
/** RFC 4034 §2.1.2. */
const PROTOCOL = 3;

/** Tells whether a DNSKEY says that it signs zones. */
export function isZoneKey({ flags, protocol }: RdataOf<'DNSKEY'>): boolean {
  return (flags & ZONE_FLAG) !== 0 && protocol === PROTOCOL;
}

/** The usable ones among the DNSKEYs of a zone. */
export function usableKeys(rdatas: readonly Uint8Array[]): ValidationKey[] {
  return rdatas.slice(0, MAX_KEYS_READ).flatMap((rdata) => {
    const key = decodeRdataAs('DNSKEY', rdata);
    if (key === undefined || !isZoneKey(key) || (key.flags & REVOKE_FLAG) !== 0) return [];
    const algorithm = algorithmOf(key.algorithm);
    const { publicKey } = key;
    if (algorithm === undefined || !hasSize(publicKey, algorithm)) return [];
    const cost = verificationCost(algorithm, publicKey);
    return [{ rdata, tag: keyTag(rdata), algorithm, publicKey, cost }];
  });
}

function hasSize(publicKey: Uint8Array, { keySize: [smallest, largest] }: Algorithm): boolean {
  return publicKey.length >= smallest && publicKey.length <= largest;
}

/**
 * Who says that it signed the set: a name at or above the owner, strictly above it for a DS.
 *
 * Undefined when no signature can be one of this set (RFC 4035 §5.3.1). The Labels field must not
 * be less than the signer's labels, or a wildcard far above the zone would match
 * (CVE-2026-11721, CVE-2026-44690, CVE-2026-52688).
 */
export function signerOf(rrset: RRset): Name | undefined {
  return readSignatures(rrset)[0]?.fields.signer;
}

type Signature = {
  readonly rdata: Uint8Array;
  readonly fields: RdataOf<'RRSIG'>;
  readonly algorithm: Algorithm;
};

/** The set looked at last: first it is asked who signed it, then whether that is right. */
let last: { readonly rrset: RRset; readonly read: readonly Signature[] } | undefined;

function readSignatures(rrset: RRset): readonly Signature[] {
  if (last?.rrset === rrset) return last.read;
  const read: Signature[] = [];
  for (const rdata of rrset.signatures.slice(0, MAX_SIGNATURES_READ)) {
    const fields = readRrsig(rdata);
    const algorithm = fields && algorithmOf(fields.algorithm);
    if (fields === undefined || algorithm === undefined || !isPlausible(rrset, fields)) continue;
    read.push({ rdata, fields, algorithm });
  }
  last = { rrset, read };
  return read;
}

function isPlausible({ owner, type }: RRset, fields: RdataOf<'RRSIG'>): boolean {
  const { typeCovered, signer, labels } = fields;
  if (typeCovered !== type || !isWithin(owner, signer)) return false;
  // A DS is its parent's: signed by the child it would vouch for itself.
  if (type === TYPE.DS && signer.key === owner.key) return false;
  return labels >= countLabels(signer) && labels <= countLabels(owner);
}

/** Checks a set against the keys of `zone`: one good signature by one of them is enough. */
export function verifySet(
  rrset: RRset,
  { zone, keys }: SignedZone,
  check: Check,
): Checked | Unverified {
  const blamed: BogusReason[] = [];
  const attempts: { signature: Signature; key: ValidationKey }[] = [];
  const ours = readSignatures(rrset).filter(({ fields }) => fields.signer.key === zone.key);
  for (const signature of ours) {
    const untimely = judgeTime(signature.fields, check.time);
    const fitting = untimely === undefined ? keysFor(signature, keys) : [];
    if (fitting.length === 0) blamed.push(untimely ?? 'dnskey-missing');
    attempts.push(...fitting.map((key) => ({ signature, key })));
  }
  for (const { signature, key } of attempts.slice(0, MAX_TRIES_PER_SET)) {
    const result = tryKey(rrset, signature, key, check);
    if (typeof result !== 'string') return result;
    if (result === 'good') return good(rrset, signature, ours, check.time);
    blamed.push(result);
    if (result !== 'signature-invalid') break;
  }
  if (attempts.length > MAX_TRIES_PER_SET) blamed.push('too-many-signatures');
  return { ok: false, reason: gravest(blamed) };
}

function gravest(reasons: readonly BogusReason[]): BogusReason {
  return reasons.reduce(
    (worst, reason) => (GRAVITY[reason] > GRAVITY[worst] ? reason : worst),
    'signatures-missing',
  );
}

/** Of several things wrong, the one with the higher number is told (RFC 8914 §4). */
const GRAVITY: Readonly<Record<BogusReason, number>> = {
  'signatures-missing': 0,
  'signer-not-zone': 0,
  'nsec-missing': 0,
  'alias-not-of-dname': 0,
  'chain-unreachable': 0,
  'forwarder-unsigned': 0,
  'no-zone-key': 1,
  'dnskey-missing': 1,
  'signature-invalid': 2,
  'signature-not-yet-valid': 3,
  'signature-expired': 4,
  'too-many-signatures': 5,
  'too-many-failed-signatures': 5,
  'too-many-hashes': 5,
};

function keysFor({ fields, algorithm }: Signature, keys: readonly ValidationKey[]) {
  return keys
    .filter((key) => key.tag === fields.keyTag && key.algorithm.number === algorithm.number)
    .slice(0, MAX_KEYS_PER_TAG);
}

function tryKey(
  rrset: RRset,
  { rdata, fields }: Signature,
  key: ValidationKey,
  check: Check,
): 'good' | BogusReason | Unverified {
  const attempt: Attempt = { rrset, signature: rdata, key };
  const known = resultOf(attempt, check);
  if (known !== undefined) return known ? 'good' : 'signature-invalid';
  const { crypto, purse } = check;
  // One more that is wrong would be too many, and nothing is known of it before it has cost its time.
  if (purse.budget.failedSignatures === 0 && !pay(purse, 'failedSignatures', 1)) {
    return 'too-many-failed-signatures';
  }
  // Also a key that turns out to be none has cost its parsing (CVE-2025-8677).
  if (!pay(purse, 'signatures', key.cost)) return 'too-many-signatures';
  const { type } = rrset;
  const owner = signedOwner(rrset, fields);
  if (owner === undefined) return 'signature-invalid';
  const rdatas = distinct(type, rrset.rdatas);
  const set = canonicalSet({ owner, type, ttl: fields.originalTtl, rdatas });
  const data = signedOctets(rdata, fields, set);
  const { signer, signature } = fields;
  const algorithm = key.algorithm.crypto;
  const { publicKey } = key;
  if (key.cost >= check.costly) {
    const verification = { algorithm, publicKey, data, signature };
    return { kind: 'unverified', attempt, signer, verification };
  }
  const isGood = crypto.verify(algorithm, publicKey, data, signature);
  learn(attempt, isGood, check);
  return isGood ? 'good' : 'signature-invalid';
}

/** The owner as it was signed: the wildcard that the set was made from, if it was (RFC 4035 §5.3.2). */
function signedOwner(rrset: RRset, { labels }: RdataOf<'RRSIG'>): Name | undefined {
  const { owner } = rrset;
  const encloser = ancestorWith(owner, labels);
  return encloser.key === owner.key ? owner : prepend('*', encloser);
}

/** The ancestor of `name`, or itself, that has `count` labels. */
export function ancestorWith(name: Name, count: number): Name {
  let ancestor = name;
  for (let left = countLabels(name) - count; left > 0; left--) {
    const above = parentOf(ancestor);
    if (above === undefined) break;
    ancestor = above;
  }
  return ancestor;
}

/** RFC 4034 §6.3: records that are the same in canonical form are one. */
function distinct(type: number, rdatas: readonly Uint8Array[]): Uint8Array[] {
  const [only] = rdatas;
  if (rdatas.length === 1 && only !== undefined) return [canonicalRdata(type, only)];
  const seen = new Map<string, Uint8Array>();
  for (const rdata of rdatas) {
    const canonical = canonicalRdata(type, rdata);
    seen.set(canonical.join(), canonical);
  }
  return [...seen.values()];
}

/** Times are serial numbers of 32 bits (RFC 4034 §3.1.5, RFC 1982 §3.2). */
function judgeTime(
  { inception, expiration }: RdataOf<'RRSIG'>,
  { now, clockIsSet }: SigningTime,
): BogusReason | undefined {
  if (secondsBetween(inception, expiration) < 0) return 'signature-invalid';
  // Nobody knows the time: whether it is the right one is checked once we do (I9).
  if (!clockIsSet) return undefined;
  if (secondsBetween(now, expiration) < 0) return 'signature-expired';
  if (secondsBetween(inception, now) < 0) return 'signature-not-yet-valid';
  return undefined;
}

/** How far `to` is after `from` on the circle of 32 bits. */
function secondsBetween(from: number, to: number): number {
  return (Math.floor(to) - Math.floor(from)) | 0;
}

function good(
  rrset: RRset,
  { fields }: Signature,
  ours: readonly Signature[],
  { now, clockIsSet }: SigningTime,
): Checked {
  const { labels, originalTtl, expiration } = fields;
  const left = clockIsSet ? Math.max(0, secondsBetween(now, expiration)) : originalTtl;
  const ttl = Math.min(rrset.ttl, safeTtl(originalTtl), left);
  const { owner } = rrset;
  // The asterisk of a wildcard asked for by its own name does not count (RFC 4034 §3.1.3).
  const isLiteral = owner.key.startsWith('\x01*') && labels === countLabels(owner) - 1;
  const isMade = labels < countLabels(owner) && !isLiteral;
  return {
    ok: true,
    rrset: { ...rrset, signatures: ours.map(({ rdata }) => rdata) },
    ttl,
    nextCloser: isMade ? ancestorWith(owner, labels + 1) : undefined,
  };
}
