/**
 * Proofs of absence whichever way a zone makes them: the signed NSEC and NSEC3 sets of a reply,
 * checked, and asked one question.
 *
 * @see RFC 4035 §5.4, RFC 5155 §8
 * Conclusions from NSEC are in nsec.ts, from NSEC3 in nsec3.ts.
 */

import type { BogusReason } from '../message/ede.ts';
import { isWithin, type Name } from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { groupRecords, type RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Unverified } from './attempt.ts';
import * as nsec from './nsec.ts';
import * as nsec3 from './nsec3.ts';
import { type Check, type SignedZone, signerOf, verifySet } from './verify.ts';

/** NSEC and NSEC3 sets of one reply that are looked at (PowerDNS Recursor: 10, Knot Resolver: 8; CVE-2023-50868). */
export const MAX_PROOF_SETS = 10;

/** What a zone said, with good signatures, about what it has not. */
export type Evidence = {
  readonly zone: Name;
  readonly gaps: readonly nsec.Gap[];
  readonly hashed: nsec3.HashedZone | undefined;
  /** The sets it was read from. */
  readonly sets: readonly RRset[];
  readonly ttl: number;
  /** Why other sets were not believed, if there were any. */
  readonly doubt: BogusReason | undefined;
};

/** What came of a claim that something does not exist. */
export type Finding<Proof> =
  | Proof
  | { readonly kind: 'too-many-iterations' }
  | { readonly kind: 'unproven'; readonly reason: BogusReason };

/** Checks the NSEC and NSEC3 sets among `records` that `zone` signed; others do not count. */
export function gather(
  records: readonly ResourceRecord[],
  zone: SignedZone,
  check: Check,
): Evidence | Unverified {
  const gaps: nsec.Gap[] = [];
  const hashedGaps: nsec3.HashedGap[] = [];
  const sets: RRset[] = [];
  let ttl = Number.POSITIVE_INFINITY;
  let doubt: BogusReason | undefined;
  for (const set of candidates(records, zone.zone).slice(0, MAX_PROOF_SETS)) {
    const checked = verifySet(set, zone, check);
    if ('kind' in checked) return checked;
    if (!checked.ok) doubt ??= checked.reason;
    // No name has an NSEC of a wildcard's making: it would deny what it was not made for.
    if (!checked.ok || checked.nextCloser !== undefined) continue;
    // Out of its zone a record proves nothing, and is not passed on for others to conclude from.
    const plain = set.type === TYPE.NSEC ? readNsec(set, zone.zone) : [];
    const hashed = set.type === TYPE.NSEC3 ? nsec3.readGaps(set, zone.zone) : [];
    if (plain.length + hashed.length === 0) continue;
    gaps.push(...plain);
    hashedGaps.push(...hashed);
    sets.push(checked.rrset);
    ttl = Math.min(ttl, checked.ttl);
  }
  const hashed = nsec3.hashedZone(hashedGaps, zone.zone, check.crypto, check.purse);
  return { zone: zone.zone, gaps, hashed, sets, ttl, doubt };
}

/** NSEC and NSEC3 sets; first those that say they are the zone's, as a reply may speak of several. */
function candidates(records: readonly ResourceRecord[], zone: Name): RRset[] {
  const all = groupRecords(records).filter(({ type }) => type === TYPE.NSEC || type === TYPE.NSEC3);
  const isOwn = (set: RRset) => signerOf(set)?.key === zone.key;
  return [...all.filter(isOwn), ...all.filter((set) => !isOwn(set))];
}

function readNsec({ owner, rdatas }: RRset, zone: Name): nsec.Gap[] {
  const gaps = rdatas.flatMap((rdata) => {
    const fields = decodeRdataAs('NSEC', rdata);
    return fields === undefined ? [] : [{ owner, next: fields.next, types: fields.types }];
  });
  // A next name in another zone would deny that one's names too (CVE-2026-13321).
  return gaps.every(({ next }) => isWithin(next, zone)) ? gaps : [];
}

/** Asks whether `name` does not exist. */
export function proveNoName(evidence: Evidence, name: Name, check: Check): Finding<nsec.Proven> {
  return decide(
    evidence,
    check,
    () => nsec.proveNoName(evidence.gaps, name, evidence.zone),
    (hashed) => nsec3.proveNoName(hashed, name),
  );
}

/** Asks whether `name` has no data of `type`. */
export function proveNoData(
  evidence: Evidence,
  name: Name,
  type: number,
  check: Check,
): Finding<nsec.Proven> {
  return decide(
    evidence,
    check,
    () => nsec.proveNoData(evidence.gaps, name, type, evidence.zone),
    (hashed) => nsec3.proveNoData(hashed, name, type),
  );
}

/** Asks whether a wildcard was rightly used for what lies at or below `nextCloser`. */
export function proveWildcard(
  evidence: Evidence,
  nextCloser: Name,
  check: Check,
): Finding<nsec.Proven> {
  return decide(
    evidence,
    check,
    () => nsec.proveWildcard(evidence.gaps, nextCloser, evidence.zone),
    (hashed) => nsec3.proveWildcard(hashed, nextCloser),
  );
}

/** Asks the parent's records whether `name` has no DS. */
export function proveNoDs(
  evidence: Evidence,
  name: Name,
  check: Check,
): Finding<{ readonly kind: nsec.DsProof }> {
  return decide(
    evidence,
    check,
    () => wrapped(nsec.proveNoDs(evidence.gaps, name, evidence.zone)),
    (hashed) => wrapped(nsec3.proveNoDs(hashed, name)),
  );
}

function wrapped(kind: nsec.DsProof | undefined): { readonly kind: nsec.DsProof } | undefined {
  return kind && { kind };
}

function decide<Proof>(
  { gaps, hashed, doubt }: Evidence,
  { purse }: Check,
  byNsec: () => Proof | undefined,
  byNsec3: (hashed: nsec3.HashedZone) => Proof | undefined,
): Finding<Proof> {
  const plain = gaps.length === 0 ? undefined : byNsec();
  if (plain !== undefined) return plain;
  if (hashed !== undefined && hashed.iterations > nsec3.MAX_ITERATIONS) {
    return { kind: 'too-many-iterations' };
  }
  const proof = hashed && byNsec3(hashed);
  if (proof !== undefined) return proof;
  if (purse.exhausted === 'too-many-hashes') return { kind: 'unproven', reason: 'too-many-hashes' };
  return { kind: 'unproven', reason: doubt ?? 'nsec-missing' };
}
