/**
 * Copies of what is kept, and what they weigh in memory.
 */

import type { ResourceRecord } from '../message/record.ts';
import type { RRset } from '../message/rrset.ts';
import type { Cut } from '../recursion/delegation.ts';
import type { Denial, Known } from './cache.ts';

/** Estimated bytes of JavaScript around one entry and one record; measured on Node 24, rounded up. */
export const ENTRY_BYTES = 900;
const RECORD_BYTES = 160;

// Octets are copied, so that a kept record does not keep the whole packet alive.

export function copyRRset(rrset: RRset): RRset {
  return {
    ...rrset,
    rdatas: rrset.rdatas.map((rdata) => rdata.slice()),
    signatures: rrset.signatures.map((rdata) => rdata.slice()),
  };
}

export function copyRecord(record: ResourceRecord): ResourceRecord {
  return { ...record, rdata: record.rdata.slice() };
}

export function copyDenial({ soa, proof }: Denial): Denial {
  return { soa: copyRecord(soa), proof: proof.map(copyRecord) };
}

export function sizeOfRRset({ owner, rdatas, signatures }: RRset): number {
  let size = owner.key.length * 2;
  for (const rdata of rdatas) size += RECORD_BYTES + rdata.length;
  for (const rdata of signatures) size += RECORD_BYTES + rdata.length;
  return size;
}

export function sizeOf(records: readonly ResourceRecord[]): number {
  let size = 0;
  for (const { owner, rdata } of records)
    size += RECORD_BYTES + owner.key.length * 2 + rdata.length;
  return size;
}

export function sizeOfDenial({ soa, proof }: Denial): number {
  return sizeOf([soa, ...proof]);
}

export function sizeOfCut({ zone, servers, noDs = [] }: Cut): number {
  let size = zone.key.length * 2 + sizeOf(noDs);
  for (const server of servers) {
    size += RECORD_BYTES + server.name.key.length * 2 + server.addresses.length * RECORD_BYTES;
  }
  return size;
}

/** What is known, with the seconds it has left as TTL. */
export function countedDown(stored: Known, left: number): Known {
  const judged = stored.judgement === undefined ? {} : { judgement: stored.judgement };
  const shorten = (record: ResourceRecord) => ({ ...record, ttl: Math.min(record.ttl, left) });
  if (stored.kind === 'records') {
    const { rrset, proof } = stored;
    return {
      ...judged,
      kind: 'records',
      rrset: { ...rrset, ttl: left },
      proof: proof.map(shorten),
    };
  }
  const { soa, proof } = stored.denial;
  return { ...judged, kind: stored.kind, denial: { soa: shorten(soa), proof: proof.map(shorten) } };
}
