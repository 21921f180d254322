/**
 * What a zone's NSEC3 records prove about a name.
 *
 * @see RFC 5155 §8: how a validator looks at them; §6: opt-out
 * @see RFC 9276 §3.2: iterations
 * @see CVE-2023-50868: every hash is paid for
 *
 * Precondition throughout: the records were signed by the zone, and no wildcard made them.
 */

import type { Crypto } from '#runtime';
import { canonicalName, type Name, parentOf, prepend } from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import { BASE32, toDigits } from '../message/wire/digits.ts';
import { join } from '../message/wire/field.ts';
import { type Purse, pay } from '../recursion/budget.ts';
import { type DsProof, hidesBelow, lacks, type Proven } from './nsec.ts';

/** More iterations count as unsigned (RFC 9276 §3.2; Unbound and dnsmasq: 150, BIND and PowerDNS: 50). */
export const MAX_ITERATIONS = 150;

/** SHA-1, the only one (RFC 5155 §11). */
const SHA1 = 1;
const OPT_OUT = 1;
const HASH_OCTETS = 20;
const HASH_DIGITS = 32;

/** One NSEC3 record; hashes in Base32hex, whose order is that of the octets (RFC 4648 §7). */
export type HashedGap = {
  readonly hash: string;
  readonly next: string;
  readonly isOptOut: boolean;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly types: readonly number[];
};

/** The NSEC3 records of one zone and how names are hashed there. */
export type HashedZone = {
  readonly zone: Name;
  readonly gaps: readonly HashedGap[];
  readonly iterations: number;
  /** A name's hash; undefined when nothing more may be spent. */
  readonly hash: (name: Name) => string | undefined;
};

/** The NSEC3 records of a set at a hashed name directly below the zone's apex (RFC 5155 §3 and §8.2). */
export function readGaps({ owner, rdatas }: RRset, zone: Name): HashedGap[] {
  if (parentOf(owner)?.key !== zone.key || owner.wire[0] !== HASH_DIGITS) return [];
  const hash = owner.key.slice(1, 1 + HASH_DIGITS);
  return rdatas.flatMap((rdata) => {
    const fields = decodeRdataAs('NSEC3', rdata);
    if (fields === undefined) return [];
    const { algorithm, flags, iterations, salt, next, types } = fields;
    // What has an unknown hash or unknown flags is not looked at (RFC 5155 §8.1, §8.2).
    if (algorithm !== SHA1 || (flags & ~OPT_OUT) !== 0 || next.length !== HASH_OCTETS) return [];
    const isOptOut = (flags & OPT_OUT) !== 0;
    return [{ hash, next: toDigits(BASE32, next), isOptOut, iterations, salt, types }];
  });
}

/** Puts records together that share the first one's parameters (RFC 5155 §8.2). */
export function hashedZone(
  gaps: readonly HashedGap[],
  zone: Name,
  crypto: Pick<Crypto, 'hash'>,
  purse: Purse,
): HashedZone | undefined {
  const [first] = gaps;
  if (first === undefined) return undefined;
  const { iterations, salt } = first;
  const known = new Map<string, string>();
  const hash = (name: Name) => {
    const found = known.get(name.key);
    if (found !== undefined) return found;
    if (!pay(purse, 'hashes', 1 + iterations)) return undefined;
    const made = toDigits(BASE32, hashName(crypto, name, salt, iterations));
    known.set(name.key, made);
    return made;
  };
  const alike = gaps.filter(
    (gap) => gap.iterations === iterations && gap.salt.join() === salt.join(),
  );
  return { zone, gaps: alike, iterations, hash };
}

/** A name's hash (RFC 5155 §5). Precondition: the iterations are within the limit. */
export function hashName(
  crypto: Pick<Crypto, 'hash'>,
  name: Name,
  salt: Uint8Array,
  iterations: number,
): Uint8Array {
  let digest = crypto.hash('sha1', join([canonicalName(name), salt]));
  if (iterations === 0) return digest;
  const salted = join([digest, salt]);
  for (let i = 0; i < iterations; i++) {
    salted.set(digest);
    digest = crypto.hash('sha1', salted);
  }
  return digest;
}

/** Proof that `name` does not exist, nor a wildcard in its place (RFC 5155 §8.4). */
export function proveNoName(zone: HashedZone, name: Name): Proven | undefined {
  const found = findEncloser(zone, name);
  if (found === undefined) return undefined;
  const { itself, nextCloser, encloser } = found;
  if (nextCloser === undefined) {
    return itself.types.includes(TYPE.NXNAME) ? { kind: 'proven', isDenial: true } : undefined;
  }
  const cover = covering(zone, nextCloser);
  const wildcard = prepend('*', encloser);
  const isAlone = wildcard === undefined || covering(zone, wildcard) !== undefined;
  return isAlone ? judged(cover) : undefined;
}

/** Proof that `name`, or a wildcard in its place, has no data of `type` (RFC 5155 §8.5 to §8.7). */
export function proveNoData(zone: HashedZone, name: Name, type: number): Proven | undefined {
  const found = findEncloser(zone, name);
  if (found === undefined) return undefined;
  const { itself, nextCloser, encloser } = found;
  if (nextCloser === undefined) {
    if (itself.types.includes(TYPE.NXNAME)) return { kind: 'proven', isDenial: true };
    const isRoot = name.wire.length === 1;
    return lacks(itself.types, type, isRoot) ? { kind: 'proven' } : undefined;
  }
  const cover = covering(zone, nextCloser);
  // In an opted-out span empty non-terminals have no record either (RFC 5155 §7.1).
  if (cover === undefined || cover.isOptOut) return judged(cover);
  const wildcard = prepend('*', encloser);
  const source = wildcard && matching(zone, wildcard);
  return source !== undefined && lacks(source.types, type, false) ? { kind: 'proven' } : undefined;
}

/** Proof that no name nearer than the wildcard exists (RFC 5155 §8.8). */
export function proveWildcard(zone: HashedZone, nextCloser: Name): Proven | undefined {
  return judged(covering(zone, nextCloser));
}

/** Proof that `name` has no DS, and whether it is a delegation at all (RFC 5155 §8.6 and §8.9). */
export function proveNoDs(zone: HashedZone, name: Name): DsProof | undefined {
  const found = findEncloser(zone, name);
  if (found === undefined) return undefined;
  const { itself, nextCloser } = found;
  if (nextCloser !== undefined) {
    const proven = judged(covering(zone, nextCloser));
    return proven?.kind === 'proven' ? 'no-cut' : proven?.kind;
  }
  // With SOA it is the child's own word.
  if (itself.types.includes(TYPE.DS) || itself.types.includes(TYPE.SOA)) return undefined;
  return itself.types.includes(TYPE.NS) ? 'delegation' : 'no-cut';
}

type Encloser = {
  readonly encloser: Name;
  readonly itself: HashedGap;
  /** The name just below the encloser on the way to the name; undefined when that exists itself. */
  readonly nextCloser: Name | undefined;
};

/**
 * The longest ancestor, or the name itself, that exists (RFC 5155 §8.3).
 *
 * Sought from the apex down: an asker chooses how deep a name is, but not how deep the zone is
 * (CVE-2023-50868). Below an ancestor whose child is covered nothing exists.
 */
function findEncloser(zone: HashedZone, name: Name): Encloser | undefined {
  const own = matching(zone, name);
  if (own !== undefined) return { encloser: name, itself: own, nextCloser: undefined };
  let best: Encloser | undefined;
  const path = ancestorsIn(zone.zone, name);
  for (const [index, encloser] of path.entries()) {
    if (zone.hash(encloser) === undefined) return undefined;
    const nextCloser = path[index + 1] ?? name;
    const itself = matching(zone, encloser);
    if (itself === undefined) continue;
    best = { encloser, itself, nextCloser };
    if (covering(zone, nextCloser) !== undefined) break;
  }
  // Below a cut or a DNAME this zone has nothing to say (RFC 5155 §8.3).
  return best === undefined || hidesBelow(best.itself.types) ? undefined : best;
}

/** From the apex down to the parent of `name`. */
function ancestorsIn(apex: Name, name: Name): Name[] {
  const path: Name[] = [];
  for (let at: Name | undefined = name; at !== undefined && at.key !== apex.key; ) {
    at = parentOf(at);
    if (at !== undefined) path.unshift(at);
  }
  return path;
}

function matching(zone: HashedZone, name: Name): HashedGap | undefined {
  const hash = zone.hash(name);
  return zone.gaps.find((gap) => gap.hash === hash);
}

function covering(zone: HashedZone, name: Name): HashedGap | undefined {
  const hash = zone.hash(name);
  if (hash === undefined) return undefined;
  return zone.gaps.find(({ hash: owner, next }) =>
    // The last gap wraps around to the first hash (RFC 5155 §3.1.7).
    owner < next ? owner < hash && hash < next : owner < hash || hash < next,
  );
}

function judged(cover: HashedGap | undefined): Proven | undefined {
  if (cover === undefined) return undefined;
  return { kind: cover.isOptOut ? 'opt-out' : 'proven' };
}
