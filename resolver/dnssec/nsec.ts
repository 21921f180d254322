/**
 * What a zone's NSEC records prove about a name.
 *
 * @see RFC 4034 §4 and §6.1: NSEC, and the canonical order of names
 * @see RFC 4035 §5.4, RFC 6840 §4: what a validator may conclude, and what not
 * @see RFC 4470: records that cover just one name are as good as others
 * @see RFC 9824: NXNAME, a name that is only there to be denied
 *
 * Precondition throughout: the gaps were signed by `zone`, and no wildcard made them. Making such
 * records is denial.ts's.
 */

import { compareNames, isWithin, type Name, parentOf, prepend } from '../message/name.ts';
import { TYPE } from '../message/type.ts';

/** One NSEC record: in its zone, nothing lives between `owner` and `next`. */
export type Gap = { readonly owner: Name; readonly next: Name; readonly types: readonly number[] };

/** What is proven; `undefined` in place of it: nothing. */
export type Proven =
  /** As claimed; `isDenial` when the name was denied by NXNAME under NOERROR (RFC 9824 §2). */
  | { readonly kind: 'proven'; readonly isDenial?: true }
  /** Nothing signed is there, but something unsigned may be (RFC 5155 §6). */
  | { readonly kind: 'opt-out' };

/** What a DS question's denial says about the name. */
export type DsProof = 'delegation' | 'no-cut' | 'opt-out';

/** Tells whether neither `name` nor anything below it exists. */
export function denies(gap: Gap, name: Name, zone: Name): boolean {
  return covers(gap, name, zone) && !isWithin(gap.next, name);
}

/** Tells whether `name` has no records of its own; names below it may exist. */
export function covers(gap: Gap, name: Name, zone: Name): boolean {
  const { owner, next } = gap;
  // A next name in another zone would deny that one's names too (CVE-2026-13321).
  if (!isWithin(name, zone) || !isWithin(owner, zone) || !isWithin(next, zone)) return false;
  if (isWithin(name, owner) && hidesBelow(gap.types)) return false;
  // The last gap of a zone wraps around: its `next` is the apex (RFC 4034 §4.1.1).
  const isLast = next.key === zone.key;
  return compareNames(owner, name) < 0 && (isLast || compareNames(name, next) < 0);
}

/** What is below a cut or a DNAME is not for the record's zone to say (RFC 6840 §4.1). */
export function hidesBelow(types: readonly number[]): boolean {
  return types.includes(TYPE.DNAME) || isCut(types);
}

/** NS without SOA: the parent's side of a delegation. */
function isCut(types: readonly number[]): boolean {
  return types.includes(TYPE.NS) && !types.includes(TYPE.SOA);
}

/** Tells whether a name with these types has no data of `type`, nor an alias in its place. */
export function lacks(types: readonly number[], type: number, isRoot: boolean): boolean {
  if (types.includes(type) || types.includes(TYPE.CNAME)) return false;
  // DS is the parent's, all else the child's (RFC 6840 §4.1, RFC 4035 §5.2).
  return type === TYPE.DS ? isRoot || !types.includes(TYPE.SOA) : !isCut(types);
}

/** Proof that `name` does not exist, nor a wildcard that could stand in for it. */
export function proveNoName(gaps: readonly Gap[], name: Name, zone: Name): Proven | undefined {
  const itself = gaps.find(({ owner }) => owner.key === name.key);
  if (itself?.types.includes(TYPE.NXNAME)) return { kind: 'proven', isDenial: true };
  const isProven = gaps.some((gap) => {
    if (!denies(gap, name, zone)) return false;
    const wildcard = prepend('*', closestEncloser(gap, name));
    return wildcard === undefined || gaps.some((other) => denies(other, wildcard, zone));
  });
  return isProven ? { kind: 'proven' } : undefined;
}

/** Proof that `name` exists, or a wildcard in its place, but has no data of `type`. */
export function proveNoData(
  gaps: readonly Gap[],
  name: Name,
  type: number,
  zone: Name,
): Proven | undefined {
  const itself = gaps.find(({ owner }) => owner.key === name.key);
  if (itself !== undefined) {
    if (itself.types.includes(TYPE.NXNAME)) return { kind: 'proven', isDenial: true };
    return lacks(itself.types, type, isRoot(name)) ? { kind: 'proven' } : undefined;
  }
  const isProven = gaps.some((gap) => {
    if (!covers(gap, name, zone)) return false;
    if (isEmpty(gap, name, zone)) return true;
    const wildcard = prepend('*', closestEncloser(gap, name));
    const source = gaps.find(({ owner }) => owner.key === wildcard?.key);
    if (source !== undefined) return lacks(source.types, type, false);
    return wildcard !== undefined && gaps.some((other) => isEmpty(other, wildcard, zone));
  });
  return isProven ? { kind: 'proven' } : undefined;
}

/** Whether `name` is an empty non-terminal: something lives below it (RFC 4035 §3.1.3.2). */
function isEmpty(gap: Gap, name: Name, zone: Name): boolean {
  return covers(gap, name, zone) && isWithin(gap.next, name);
}

/** Proof that no name nearer than the wildcard exists; `nextCloser` is the nearest there could be. */
export function proveWildcard(
  gaps: readonly Gap[],
  nextCloser: Name,
  zone: Name,
): Proven | undefined {
  return gaps.some((gap) => denies(gap, nextCloser, zone)) ? { kind: 'proven' } : undefined;
}

/** Proof, by the parent `zone`, that `name` has no DS, and whether it is a delegation at all. */
export function proveNoDs(gaps: readonly Gap[], name: Name, zone: Name): DsProof | undefined {
  const itself = gaps.find(({ owner }) => owner.key === name.key);
  if (itself === undefined) {
    return gaps.some((gap) => covers(gap, name, zone)) ? 'no-cut' : undefined;
  }
  const { types } = itself;
  // With SOA it is the child's own word.
  if (types.includes(TYPE.DS) || types.includes(TYPE.SOA)) return undefined;
  return types.includes(TYPE.NS) ? 'delegation' : 'no-cut';
}

/** The longest ancestor of a denied name that exists: one that an end of the gap lies below. */
export function closestEncloser({ owner, next }: Gap, name: Name): Name {
  for (let above = parentOf(name); above !== undefined; above = parentOf(above)) {
    if (isWithin(owner, above) || isWithin(next, above)) return above;
  }
  throw new Error('unreachable: everything is below the root');
}

function isRoot(name: Name): boolean {
  return name.wire.length === 1;
}
