/**
 * Proofs that something does not exist, which tell nobody what does: NSEC records made for one
 * question, just wide enough to cover the name asked for ("white lies").
 *
 * The choice: minimally covering NSEC (RFC 4470) and not compact denial (RFC 9824). Both are signed
 * on demand and neither can be walked, but compact denial answers NOERROR for a name that is not
 * there, and the resolvers of today do not map its NXNAME back to NXDOMAIN; programs that look at
 * the return code would see a name without data. The price is a second NSEC for the wildcard,
 * whose signature is shared by all missing siblings and therefore nearly always remembered.
 *
 * @see RFC 4034 §4 and §6.1: NSEC, and the canonical order
 * @see RFC 4035 §3.1.3: which NSEC proves what
 * @see RFC 4470 §4, RFC 4471: names just before and just after another
 *
 * Signs nothing (sign.ts) and decides nothing (plan.ts).
 */

import { lastNameBefore, type RecordSet, type Zone, type ZoneNode } from '../authority/zone.ts';
import {
  canonicalName,
  compareNames,
  labels,
  MAX_LABEL,
  MAX_NAME,
  type Name,
  nameFromLabels,
  parentOf,
  prepend,
  trustedName,
} from '../message/name.ts';
import { decodeRdataAs, encodeRdata } from '../message/rdata.ts';
import { TYPE } from '../message/type.ts';

/** Proves that `name` has no types but those of its node: no data, empty non-terminal, no DS. */
export function nsecAt(zone: Zone, node: ZoneNode): RecordSet {
  return nsec(zone, node.name, firstAfter(node.name, zone.apex));
}

/** Proves that neither `name` nor anything below it exists. Precondition: that is so. */
export function nsecOver(zone: Zone, name: Name): RecordSet {
  const next = firstBeyond(name, zone.apex);
  const near = shortlyBefore(name);
  const last = lastNameBefore(zone, name);
  // The short name is the usual one; when something real lies in between, only the very last
  // possible name before the gap tells the truth.
  const isClear = near !== undefined && (last === undefined || compareNames(last, near) <= 0);
  return nsec(zone, isClear ? near : lastBefore(name), next);
}

/** Tells whether NSEC `a` ends after `b`, both having the same owner. */
export function reachesFurther(a: RecordSet, b: RecordSet, apex: Name): boolean {
  const [nextOfA, nextOfB] = [nextOf(a), nextOf(b)];
  // The last NSEC of a zone points at the apex (RFC 4034 §4.1.1).
  if (nextOfA.key === apex.key || nextOfB.key === apex.key) return nextOfB.key !== apex.key;
  return compareNames(nextOfA, nextOfB) > 0;
}

/** The last name that can exist before `name` (RFC 4471 §3.1.1). Precondition: not the apex. */
export function lastBefore(name: Name): Name {
  const [first, rest] = split(name);
  if (first.length === 1 && first[0] === 0) return rest;
  if (first.at(-1) === 0) return filled(joined(first.subarray(0, -1), rest));
  const lower = Uint8Array.from(first);
  lower[lower.length - 1] = octetBefore(lower.at(-1) ?? 0);
  return filled(joined(padded(lower, rest), rest));
}

/** The first name that can exist after `name`: a child, if one fits (RFC 4471 §3.1.2). */
export function firstAfter(name: Name, apex: Name): Name {
  return prepend(Uint8Array.of(0), trustedName(canonicalName(name))) ?? firstBeyond(name, apex);
}

/** The first name that can exist after `name` and all that could be below it; the apex at the end. */
export function firstBeyond(name: Name, apex: Name): Name {
  if (name.key === apex.key) return apex;
  const [first, rest] = split(name);
  const longer = new Uint8Array(first.length + 1);
  longer.set(first);
  const sibling = first.length < MAX_LABEL ? prepend(longer, rest) : undefined;
  if (sibling !== undefined) return sibling;
  const last = first.findLastIndex((octet) => octet !== 0xff);
  // All siblings are before this one: go on after the parent.
  if (last < 0) return firstBeyond(rest, apex);
  const higher = first.slice(0, last + 1);
  higher[last] = octetAfter(higher[last] ?? 0);
  return joined(higher, rest);
}

/** A name shortly before `name`, much shorter than the last one: its label less one, and 0xff. */
function shortlyBefore(name: Name): Name | undefined {
  const [first, rest] = split(name);
  if (first.at(-1) === 0) return undefined;
  const lower = new Uint8Array(Math.min(first.length + 1, MAX_LABEL)).fill(0xff);
  lower.set(first);
  lower[first.length - 1] = octetBefore(first.at(-1) ?? 0);
  return prepend(lower, rest);
}

/** NSEC's TTL is the negative TTL (RFC 9077 §3). */
function nsec(zone: Zone, owner: Name, next: Name): RecordSet {
  const node = zone.nodes.get(owner.key);
  const soa = zone.nodes.get(zone.apex.key)?.sets.get(TYPE.SOA);
  const types = [...authoritativeTypes(zone, node), TYPE.RRSIG, TYPE.NSEC].sort((a, b) => a - b);
  const rdata = encodeRdata({ type: 'NSEC', next, types });
  return { owner: node?.name ?? owner, type: TYPE.NSEC, ttl: soa?.ttl ?? 0, rdatas: [rdata] };
}

function nextOf(set: RecordSet): Name {
  const next = decodeRdataAs('NSEC', set.rdatas[0] ?? new Uint8Array(0))?.next;
  if (next === undefined) throw new Error('unreachable: made here');
  return next;
}

/** At a cut only NS and DS are the parent's; addresses there are glue (RFC 4035 §2.3). */
function authoritativeTypes(zone: Zone, node: ZoneNode | undefined): number[] {
  const types = [...(node?.sets.keys() ?? [])];
  const isCut = types.includes(TYPE.NS) && node?.name.key !== zone.apex.key;
  return isCut ? types.filter((type) => type === TYPE.NS || type === TYPE.DS) : types;
}

/** The leftmost label in lower case, and the rest. */
function split(name: Name): [Uint8Array, Name] {
  const rest = parentOf(trustedName(canonicalName(name)));
  if (rest === undefined) throw new Error('unreachable: the root is no name in a zone');
  return [canonicalName(name).subarray(1, 1 + (name.wire[0] ?? 0)), rest];
}

function joined(label: Uint8Array, rest: Name): Name {
  const name = prepend(label, rest);
  if (name === undefined) throw new Error('unreachable: a changed label is no longer than before');
  return name;
}

/** `label` filled up with 0xff as far as label and name may go. */
function padded(label: Uint8Array, rest: Name): Uint8Array {
  const size = Math.min(MAX_LABEL, MAX_NAME - rest.wire.length - 1);
  const filledUp = new Uint8Array(size).fill(0xff);
  filledUp.set(label);
  return filledUp;
}

/** The last name below `name`: labels of 0xff in front until nothing fits. */
function filled(name: Name): Name {
  const found = labels(name);
  let room = MAX_NAME - name.wire.length;
  while (room >= 2) {
    const size = Math.min(MAX_LABEL, room - 1);
    found.unshift(new Uint8Array(size).fill(0xff));
    room -= size + 1;
  }
  const last = nameFromLabels(found);
  if (last === undefined) throw new Error('unreachable: filled up to the limit, not beyond');
  return last;
}

/** The octet before in canonical order, where capitals do not occur (RFC 4034 §6.1). */
function octetBefore(octet: number): number {
  return octet === 0x5b ? 0x40 : octet - 1;
}

function octetAfter(octet: number): number {
  return octet === 0x40 ? 0x5b : octet + 1;
}
