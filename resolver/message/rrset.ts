/**
 * RRsets: what the cache holds and the recursor reasons about.
 *
 * @see RFC 2181 §5: one owner, class and type is one set with one TTL
 * @see RFC 4034 §3: signatures travel with the set they cover
 */

import type { Name } from './name.ts';
import type { ResourceRecord } from './record.ts';
import { CLASS, TYPE } from './type.ts';

/** All records of one owner and type (class IN), with the signatures over them. */
export type RRset = {
  readonly owner: Name;
  readonly type: number;
  readonly ttl: number;
  readonly rdatas: readonly Uint8Array[];
  /** RDATA of the RRSIG records that cover this set. */
  readonly signatures: readonly Uint8Array[];
};

type Group = { first: ResourceRecord; rdatas: Uint8Array[]; seen?: Set<string>; ttl: number };

/** Records of a set that are compared with each other; more are compared by their text. */
const FEW = 8;

/**
 * Groups class IN records into sets, in order of first appearance.
 *
 * A set's TTL is its smallest; equal records count once (RFC 2181 §5).
 */
export function groupRecords(records: readonly ResourceRecord[]): RRset[] {
  const groups = new Map<string, Group>();
  const signatures = new Map<string, Uint8Array[]>();
  for (const record of records) {
    if (record.class !== CLASS.IN) continue;
    if (record.type === TYPE.RRSIG) {
      const key = `${coveredType(record.rdata)} ${record.owner.key}`;
      const known = signatures.get(key);
      if (known === undefined) signatures.set(key, [record.rdata]);
      else known.push(record.rdata);
      continue;
    }
    const key = `${record.type} ${record.owner.key}`;
    const { rdata } = record;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { first: record, rdatas: [rdata], ttl: safeTtl(record.ttl) });
    } else {
      if (isNew(group, rdata)) group.rdatas.push(rdata);
      group.ttl = Math.min(group.ttl, safeTtl(record.ttl));
    }
  }
  return [...groups].map(([key, { first, rdatas, ttl }]) => ({
    owner: first.owner,
    type: first.type,
    ttl,
    rdatas,
    signatures: signatures.get(key) ?? [],
  }));
}

function isNew(group: Group, rdata: Uint8Array): boolean {
  const { rdatas } = group;
  if (rdatas.length < FEW) return rdatas.every((each) => !sameOctets(each, rdata));
  group.seen ??= new Set(rdatas.map((each) => each.join()));
  const { size } = group.seen;
  return group.seen.add(rdata.join()).size > size;
}

/** Tells whether octets are the same. */
export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** The records of a set, signatures last and only when asked for (RFC 4035 §3.2.1). */
export function recordsOf(rrset: RRset, withSignatures: boolean): ResourceRecord[] {
  const { owner, type, ttl } = rrset;
  const shared = { owner, class: CLASS.IN, ttl };
  const records = rrset.rdatas.map((rdata) => ({ ...shared, type, rdata }));
  if (!withSignatures) return records;
  return [...records, ...rrset.signatures.map((rdata) => ({ ...shared, type: TYPE.RRSIG, rdata }))];
}

/** The type an RRSIG covers: the first two octets of its RDATA (RFC 4034 §3.1.1). */
export function coveredType(rdata: Uint8Array): number {
  return rdata.length < 2 ? 0 : ((rdata[0] ?? 0) << 8) | (rdata[1] ?? 0);
}

/** A TTL with the top bit set counts as zero (RFC 2181 §8). */
export function safeTtl(ttl: number): number {
  return ttl > 0x7fff_ffff || ttl < 0 ? 0 : ttl;
}
