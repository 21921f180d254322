/**
 * The validator: what was found for one name, and what is trusted, become a verdict.
 *
 * Pure: it fetches nothing. When it lacks a DS or DNSKEY set, or the result of a verification that is
 * not made here, it says which; the caller finds it and asks again. Each alias of a chain is a
 * finding of its own.
 *
 * @see RFC 4035 §4.3 and §5: secure, insecure, bogus
 * @see RFC 6840: clarifications, all of §4 and §5
 */

import type { BogusReason } from '../message/ede.ts';
import type { Question } from '../message/message.ts';
import { isWithin, type Name, parentOf } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { groupRecords, type RRset, recordsOf } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Outcome } from '../recursion/frame.ts';
import type { InsecureReason } from '../recursion/judgement.ts';
import { synthesise } from '../recursion/scrub.ts';
import { type Anchors, closestAnchor } from './anchors.ts';
import type { Unverified } from './attempt.ts';
import { type Chain, descend, type Missing, type Wanted } from './chain.ts';
import { type Evidence, gather, proveNoData, proveNoName, proveWildcard } from './proof.ts';
import { type SignedZone, signerOf, verifySet } from './verify.ts';

/** What was found for one name, without failures. */
export type Found = Exclude<Outcome, { readonly kind: 'failure' }>;

/** A verdict (RFC 4035 §4.3). */
export type Verdict =
  | {
      readonly state: 'secure';
      /** Seconds it may be kept. */
      readonly ttl: number;
      /** What was found without the records that were not checked; only this may go out with AD. */
      readonly found: Found;
      /** There are no data because there is no name (RFC 9824 §2). */
      readonly isDenial: boolean;
    }
  | { readonly state: 'insecure'; readonly reason: InsecureReason }
  | {
      readonly state: 'bogus';
      readonly reason: BogusReason;
      /** The DS or DNSKEY set that broke the chain; otherwise it is what was found. */
      readonly culprit?: Wanted;
    };

export type Validated = { readonly kind: 'verdict'; readonly verdict: Verdict } | Missing;

/** What a verdict rests on. */
export type Trust = Chain & { readonly anchors: Anchors };

/** Judges what was found for `question`. */
export function validate(question: Question, found: Found, trust: Trust): Validated {
  switch (found.kind) {
    case 'answer':
      return judgeSet(found.rrset, found.proof, trust, (rrset, proof) => ({
        ...found,
        rrset,
        proof,
      }));
    case 'alias': {
      const [first, made] = found.rrsets;
      if (first === undefined) throw new Error('unreachable: an alias without records');
      if (made !== undefined && !isMadeBy(made, first)) return bogus('alias-not-of-dname');
      return judgeSet(first, found.proof, trust, (rrset, proof) => ({
        ...found,
        // What the DNAME makes has no signature of its own and lives as long as it does.
        rrsets: made === undefined ? [rrset] : [rrset, { ...made, ttl: rrset.ttl }],
        proof,
      }));
    }
    case 'no-data':
    case 'no-name':
      return judgeDenial(question, found, trust);
  }
}

function isMadeBy(cname: RRset, dname: RRset): boolean {
  const right = synthesise(dname, cname.owner);
  return dname.type === TYPE.DNAME && right?.rdatas.join() === cname.rdatas.join();
}

function bogus(reason: BogusReason, culprit?: Wanted): Validated {
  const blamed = culprit === undefined ? {} : { culprit };
  return { kind: 'verdict', verdict: { state: 'bogus', reason, ...blamed } };
}

function insecure(reason: InsecureReason): Validated {
  return { kind: 'verdict', verdict: { state: 'insecure', reason } };
}

/* Which zone's word counts */

type Word = { readonly kind: 'zone'; readonly zone: SignedZone } | Validated;

/**
 * The zone that must have signed data at `name`, which claims to be signed by `signer`.
 *
 * Without a signer it is the zone that the name lies in: if that one is signed, signatures are
 * missing. A DS belongs to the zone above.
 */
function wordOf(name: Name, type: number, signer: Name | undefined, trust: Trust): Word {
  const place = type === TYPE.DS ? (parentOf(name) ?? name) : name;
  const anchor = closestAnchor(trust.anchors, place);
  if (typeof anchor === 'string') return insecure(anchor);
  // Who is above the anchor is nobody whose word counts.
  const claimed = signer !== undefined && isWithin(signer, anchor.name) ? signer : undefined;
  // NSEC stands on both sides of a cut, all else on one (RFC 4035 §2.3).
  const isDoubtful = claimed !== undefined && type !== TYPE.NSEC && hasCut(claimed, place, trust);
  const reached = descend(anchor, isDoubtful ? place : (claimed ?? place), trust);
  switch (reached.kind) {
    case 'missing':
    case 'unverified':
      return reached;
    case 'insecure':
      return insecure(reached.reason);
    case 'bogus':
      return bogus(reached.reason, reached.culprit);
    case 'zone':
      if (claimed === undefined) return bogus('signatures-missing');
      return reached.zone.key === claimed.key
        ? { kind: 'zone', zone: reached }
        : bogus('signer-not-zone');
  }
}

/** Tells whether a zone is known to begin below `signer`, at or above `name` (RFC 4035 §5.3.1). */
function hasCut(signer: Name, name: Name, { isCut }: Trust): boolean {
  for (let at = name; at.key !== signer.key; at = parentOf(at) ?? signer) {
    if (isCut(at)) return true;
  }
  return false;
}

/* Answers and aliases */

function judgeSet(
  rrset: RRset,
  proof: readonly ResourceRecord[],
  trust: Trust,
  rebuild: (rrset: RRset, proof: readonly ResourceRecord[]) => Found,
): Validated {
  const word = wordOf(rrset.owner, rrset.type, signerOf(rrset), trust);
  if (word.kind !== 'zone') return word;
  const checked = verifySet(rrset, word.zone, trust.check);
  if ('kind' in checked) return checked;
  if (!checked.ok) return bogus(checked.reason);
  const { nextCloser } = checked;
  if (nextCloser === undefined)
    return secure(checked.ttl, rebuild(capped(checked.rrset, checked.ttl), []));
  // A wildcard's answer needs the proof that nothing closer exists (CVE-2026-52686).
  const evidence = gather(proof, word.zone, trust.check);
  if ('kind' in evidence) return evidence;
  const proven = proveWildcard(evidence, nextCloser, trust.check);
  switch (proven.kind) {
    case 'unproven':
      return bogus(proven.reason);
    case 'opt-out':
    case 'too-many-iterations':
      return insecure(proven.kind);
    case 'proven': {
      const ttl = Math.min(checked.ttl, evidence.ttl);
      return secure(ttl, rebuild(capped(checked.rrset, ttl), shown(evidence, ttl)));
    }
  }
}

function secure(ttl: number, found: Found, isDenial = false): Validated {
  return { kind: 'verdict', verdict: { state: 'secure', ttl, found, isDenial } };
}

function capped(rrset: RRset, ttl: number): RRset {
  return { ...rrset, ttl: Math.min(rrset.ttl, ttl) };
}

function shown({ sets }: Evidence, ttl: number): ResourceRecord[] {
  return sets.flatMap((set) => recordsOf(capped(set, ttl), true));
}

/* Denials */

type Denied = Extract<Found, { readonly kind: 'no-data' | 'no-name' }>;

function judgeDenial(question: Question, found: Denied, trust: Trust): Validated {
  const { name, type } = question;
  const { denial } = found;
  const records = denial === undefined ? (found.proof ?? []) : [denial.soa, ...denial.proof];
  const sets = groupRecords(records);
  const signer = denierOf(sets, name, type);
  const above = signer && zoneGone(question, found, records, signer, trust);
  const word = above ?? wordOf(name, type, signer, trust);
  if (word.kind !== 'zone') return withoutProof(word, sets);
  // Without an SOA nothing is kept, but what is proven is proven.
  const soa = denial && checkSoa(sets, word.zone, trust);
  if (soa !== undefined && 'kind' in soa) return soa;
  if (soa?.ok === false) return bogus(soa.reason);
  const evidence = gather(records, word.zone, trust.check);
  if ('kind' in evidence) return evidence;
  const proof =
    found.kind === 'no-name'
      ? proveNoName(evidence, name, trust.check)
      : proveNoData(evidence, name, type, trust.check);
  switch (proof.kind) {
    case 'unproven':
      return bogus(proof.reason);
    case 'opt-out':
    case 'too-many-iterations':
      return insecure(proof.kind);
    case 'proven': {
      const ttl = Math.min(soa?.ttl ?? evidence.ttl, evidence.ttl);
      const rebuilt = rebuildDenial(found, soa?.set, evidence, ttl);
      return secure(ttl, rebuilt, proof.isDenial === true);
    }
  }
}

/**
 * The zone above, where it denies that there is a zone at the anchor closest to the name at all.
 *
 * An anchor says which keys a zone has, not that it is there for good. Of RFC 6840 §5.10's policies
 * this takes "accept any success" for such denials, so that an anchor that was left behind makes no
 * names bogus; for what is in the zone the closest anchor alone counts (Appendix C.1).
 */
function zoneGone(
  { name, type }: Question,
  found: Denied,
  records: readonly ResourceRecord[],
  signer: Name,
  trust: Trust,
): Word | undefined {
  const place = type === TYPE.DS ? (parentOf(name) ?? name) : name;
  const closest = closestAnchor(trust.anchors, place);
  if (typeof closest === 'string' || found.kind !== 'no-name') return undefined;
  if (isWithin(signer, closest.name)) return undefined;
  const outer = closestAnchor(trust.anchors, signer);
  if (typeof outer === 'string') return undefined;
  const reached = descend(outer, signer, trust);
  if (reached.kind === 'missing' || reached.kind === 'unverified') return reached;
  if (reached.kind !== 'zone' || reached.zone.key !== signer.key) return undefined;
  const evidence = gather(records, reached, trust.check);
  if ('kind' in evidence) return evidence;
  const proof = proveNoName(evidence, closest.name, trust.check);
  return proof.kind === 'proven' ? { kind: 'zone', zone: reached } : undefined;
}

type CheckedSoa =
  | { readonly ok: true; readonly set: RRset; readonly ttl: number }
  | { readonly ok: false; readonly reason: BogusReason }
  | Unverified;

function checkSoa(sets: readonly RRset[], zone: SignedZone, trust: Trust): CheckedSoa {
  const set = sets.find(({ type, owner }) => type === TYPE.SOA && owner.key === zone.zone.key);
  if (set === undefined) return { ok: false, reason: 'nsec-missing' };
  const checked = verifySet(set, zone, trust.check);
  if ('kind' in checked) return checked;
  return checked.ok ? { ok: true, set: checked.rrset, ttl: checked.ttl } : checked;
}

/** The denial with nothing in it but what was checked. */
function rebuildDenial(
  { kind }: Denied,
  soa: RRset | undefined,
  evidence: Evidence,
  ttl: number,
): Denied {
  const proof = shown(evidence, ttl);
  if (soa === undefined) return { kind, denial: undefined, proof };
  const [first, ...signatures] = recordsOf(capped(soa, ttl), true);
  if (first === undefined) throw new Error('unreachable: a set without records');
  return { kind, denial: { soa: first, proof: [...signatures, ...proof] } };
}

/** Who signed the denial; the SOA's signer, when no NSEC or NSEC3 is signed. */
function denierOf(sets: readonly RRset[], name: Name, type: number): Name | undefined {
  const isProof = (set: RRset) => set.type !== TYPE.SOA;
  const signers = [...sets.filter(isProof), ...sets.filter((set) => !isProof(set))].flatMap(
    (set) => signerOf(set) ?? [],
  );
  // Of a DS its own zone has nothing to say (RFC 4035 §3.1.4.1); the root has nobody above.
  const isOwn = (signer: Name) => type !== TYPE.DS || signer.key !== name.key || isRoot(name);
  return signers.find((signer) => isWithin(name, signer) && isOwn(signer));
}

function isRoot(name: Name): boolean {
  return name.wire.length === 1;
}

/** Without any record there is nothing a signature could be missing from (RFC 8914 §4.13). */
function withoutProof(word: Validated, sets: readonly RRset[]): Validated {
  const isUnsigned =
    word.kind === 'verdict' &&
    word.verdict.state === 'bogus' &&
    word.verdict.reason === 'signatures-missing';
  return isUnsigned && sets.length === 0 ? bogus('nsec-missing') : word;
}
