/**
 * The chain of trust: from an anchor down to the zone that a name's data is in.
 *
 *   anchor ─► DNSKEY ─► zone ─┬─► DS at the next label ─► DNSKEY ─► zone ─► …
 *                             ├─► no DS, but a delegation: unsigned from here on
 *                             └─► no delegation: still the same zone
 *
 * Pure but for the memory of what was found, whose times are monotonic seconds. What is needed and
 * not there is named, not fetched.
 *
 * @see RFC 4035 §5.1, §5.2: islands of security, and referrals
 * @see RFC 4509 §3: SHA-1 digests do not count beside better ones
 * @see RFC 6840 §5.2: unknown algorithms mean unsigned
 */

import type { BogusReason, UnsupportedReason } from '../message/ede.ts';
import { countLabels, type Name, parentOf } from '../message/name.ts';
import { decodeRdataAs, type RdataOf } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { type RRset, recordsOf } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import { pay } from '../recursion/budget.ts';
import type { Outcome } from '../recursion/frame.ts';
import type { InsecureReason } from '../recursion/judgement.ts';
import { algorithmOf, DIGESTS, dsDigest, keyTag } from './algorithms.ts';
import type { TrustAnchor } from './anchors.ts';
import type { Unverified } from './attempt.ts';
import { gather, proveNoDs, proveWildcard } from './proof.ts';
import {
  type Check,
  isZoneKey,
  type SignedZone,
  usableKeys,
  type ValidationKey,
  verifySet,
} from './verify.ts';

/** Names remembered; what was not used for long is forgotten first. */
export const MAX_LINKS = 4096;

/** DS records of one name that are looked at (PowerDNS Recursor `max-ds-per-zone`: 8). */
export const MAX_DIGESTS = 8;

/** Seconds any link is believed (RFC 8767 §4's day is too long for a revoked key). */
const MAX_LINK_TTL = 3600;

/** Seconds a broken link is believed, so that repaired zones come back soon (Unbound `val-bogus-ttl`: 60). */
export const BOGUS_TTL = 60;
/** And one that could not be fetched (RFC 9520 §3.2). */
const UNREACHABLE_TTL = 5;

/** What is at one name on the way down. */
export type Link =
  | { readonly kind: 'zone'; readonly keys: readonly ValidationKey[] }
  | { readonly kind: 'no-cut' }
  | { readonly kind: 'insecure'; readonly reason: InsecureReason }
  | { readonly kind: 'bogus'; readonly reason: BogusReason; readonly culprit: Wanted };

/** A set that is wanted, or that is to blame. */
export type Wanted = { readonly name: Name; readonly type: number };

/** What is known about a DS or DNAME question; `no-ds` is what a referral said (RFC 4035 §3.1.4). */
export type Supplied =
  | Outcome
  | { readonly kind: 'no-ds'; readonly proof: readonly ResourceRecord[] };

/** What is needed first: the outcomes of questions, or a verification. */
export type Missing = { readonly kind: 'missing'; readonly ask: readonly Wanted[] } | Unverified;

/** Where a name's data is. */
export type Place =
  | ({ readonly kind: 'zone' } & SignedZone)
  | Extract<Link, { kind: 'insecure' | 'bogus' }>;

/** Remembered links. */
export type ChainMemory = {
  find(name: Name, now: number): Link | undefined;
  put(name: Name, link: Link, ttl: number, now: number): void;
  forget(name: Name): void;
  /** Hears whether there is a date: what was found without one was believed whatever its times (I9). */
  noteDate(clockIsSet: boolean): void;
  clear(): void;
};

/** What walking the chain needs. */
export type Chain = {
  readonly memory: ChainMemory;
  /** What is known about DS and DNSKEY of a name. */
  readonly supplied: (name: Name, type: number) => Supplied | undefined;
  /** Tells whether a delegation is known to be at a name. */
  readonly isCut: (name: Name) => boolean;
  /** Hears the proofs of delegations without DS, which prove more than that (RFC 8198). */
  readonly witness?: (proof: readonly ResourceRecord[], ttl: number) => void;
  readonly check: Check;
  /** Monotonic seconds. */
  readonly now: number;
};

type Remembered = { readonly link: Link; readonly expires: number; isUsed: boolean };

/** An empty memory. */
export function createChainMemory(limit: number = MAX_LINKS): ChainMemory {
  const links = new Map<string, Remembered>();
  let wasSet = true;

  /** Forgets the oldest that was not used since its turn came before. */
  function evict(): void {
    for (const [key, remembered] of links) {
      if (links.size <= limit) return;
      links.delete(key);
      if (!remembered.isUsed) continue;
      remembered.isUsed = false;
      links.set(key, remembered);
    }
  }

  return {
    find({ key }, now) {
      const found = links.get(key);
      if (found === undefined) return undefined;
      if (found.expires <= now) {
        links.delete(key);
        return undefined;
      }
      found.isUsed = true;
      return found.link;
    },
    put({ key }, link, ttl, now) {
      links.delete(key);
      links.set(key, { link, expires: now + Math.min(ttl, MAX_LINK_TTL), isUsed: false });
      evict();
    },
    forget: ({ key }) => links.delete(key),
    noteDate(clockIsSet) {
      if (clockIsSet && !wasSet) links.clear();
      wasSet = clockIsSet;
    },
    clear: () => links.clear(),
  };
}

/** Walks from `anchor` to the zone that `target` is in. Precondition: it is at or below the anchor. */
export function descend(anchor: TrustAnchor, target: Name, chain: Chain): Place | Missing {
  let zone: SignedZone = { zone: anchor.name, keys: [] };
  const first = countLabels(anchor.name);
  const names = lineage(target, countLabels(target) - first);
  for (const [below, name] of names.entries()) {
    const isTop = below === 0;
    const link = linkAt(name, chain, () =>
      isTop ? anchored(anchor, chain) : delegated(name, zone, chain),
    );
    if (link.kind === 'zone') zone = { zone: name, keys: link.keys };
    else if (link.kind !== 'no-cut') return link;
  }
  return { kind: 'zone', ...zone };
}

/** The name that is `count` labels above `target`, and all below it down to `target`. */
function lineage(target: Name, count: number): Name[] {
  const names = [target];
  for (let at = target; names.length <= count; ) {
    const above = parentOf(at);
    if (above === undefined) break;
    names.push(above);
    at = above;
  }
  return names.reverse();
}

type Made = { readonly link: Link; readonly ttl: number };

function linkAt(name: Name, chain: Chain, make: () => Made | Missing): Link | Missing {
  const known = chain.memory.find(name, chain.now);
  if (known !== undefined) return known;
  const made = make();
  if ('kind' in made) return made;
  // What only this question could not afford says nothing about the zone.
  const isAffordable = chain.check.purse.exhausted === undefined;
  if (isAffordable) chain.memory.put(name, made.link, made.ttl, chain.now);
  return made.link;
}

function missing(name: Name, type: number): Missing {
  return { kind: 'missing', ask: [{ name, type }] };
}

function bogus(reason: BogusReason, name: Name, type: number): Made {
  const ttl = reason === 'chain-unreachable' ? UNREACHABLE_TTL : BOGUS_TTL;
  return { link: { kind: 'bogus', reason, culprit: { name, type } }, ttl };
}

/** The zone at an anchor: its DNSKEY set, signed by a key the anchor names. */
function anchored({ name, digests, keys }: TrustAnchor, chain: Chain): Made | Missing {
  const trusted = usableKeys(keys);
  const usable = usableDigests(digests);
  if (trusted.length === 0 && !usable.ok) {
    const reason = keys.length > 0 ? 'unsupported-algorithm' : usable.reason;
    return { link: { kind: 'insecure', reason }, ttl: MAX_LINK_TTL };
  }
  return zoneKeys(name, trusted, usable.ok ? usable.digests : [], MAX_LINK_TTL, chain);
}

/** What the parent `zone` says is at `name`. */
function delegated(name: Name, zone: SignedZone, chain: Chain): Made | Missing {
  const outcome = chain.supplied(name, TYPE.DS);
  if (outcome === undefined) return missing(name, TYPE.DS);
  const { check } = chain;
  switch (outcome.kind) {
    case 'failure':
      // A DNAME whose names get too long is an alias all the same.
      return outcome.dname === undefined
        ? bogus('chain-unreachable', name, TYPE.DS)
        : aliased(name, outcome.dname, [], zone, check);
    case 'answer': {
      const checked = verifySet(outcome.rrset, zone, check);
      if ('kind' in checked) return checked;
      if (!checked.ok) return bogus(checked.reason, name, TYPE.DS);
      // A wildcard is no delegation: no zone is below it.
      if (checked.nextCloser !== undefined) return bogus('signature-invalid', name, TYPE.DS);
      const usable = usableDigests(outcome.rrset.rdatas);
      if (usable.ok) return zoneKeys(name, [], usable.digests, checked.ttl, chain);
      return { link: { kind: 'insecure', reason: usable.reason }, ttl: checked.ttl };
    }
    case 'alias':
      return aliased(name, outcome.rrsets[0], outcome.proof, zone, check);
    case 'no-data':
    case 'no-name':
      return undelegated(name, outcome.denial?.proof ?? outcome.proof ?? [], zone, chain);
    case 'no-ds':
      return undelegated(name, outcome.proof, zone, chain);
  }
}

/** Where an alias is, no zone can begin (RFC 1034 §3.6.2); nor below a DNAME (RFC 6672 §2.4). */
function aliased(
  name: Name,
  alias: RRset | undefined,
  proof: readonly ResourceRecord[],
  zone: SignedZone,
  check: Check,
): Made | Missing {
  if (alias === undefined) throw new Error('unreachable: an alias without records');
  const checked = verifySet(alias, zone, check);
  if ('kind' in checked) return checked;
  if (!checked.ok) return bogus(checked.reason, name, TYPE.DS);
  const { nextCloser, ttl } = checked;
  if (nextCloser === undefined) return { link: { kind: 'no-cut' }, ttl };
  // A wildcard's alias is at every name that is not there, and only there (CVE-2026-52686).
  const evidence = gather(proof, zone, check);
  if ('kind' in evidence) return evidence;
  const proven = proveWildcard(evidence, nextCloser, check);
  switch (proven.kind) {
    case 'unproven':
      return bogus(proven.reason, name, TYPE.DS);
    case 'opt-out':
    case 'too-many-iterations':
      return { link: { kind: 'insecure', reason: proven.kind }, ttl };
    case 'proven':
      return { link: { kind: 'no-cut' }, ttl: Math.min(ttl, evidence.ttl) };
  }
}

function undelegated(
  name: Name,
  proof: readonly ResourceRecord[],
  zone: SignedZone,
  { check, witness }: Chain,
): Made | Missing {
  const evidence = gather(proof, zone, check);
  if ('kind' in evidence) return evidence;
  const { ttl } = evidence;
  const noDs = proveNoDs(evidence, name, check);
  switch (noDs.kind) {
    case 'delegation':
      witness?.(
        evidence.sets.flatMap((set) => recordsOf(set, true)),
        ttl,
      );
      return { link: { kind: 'insecure', reason: 'unsigned-delegation' }, ttl };
    case 'opt-out':
    case 'too-many-iterations':
      return { link: { kind: 'insecure', reason: noDs.kind }, ttl };
    case 'no-cut':
      return { link: { kind: 'no-cut' }, ttl };
    case 'unproven':
      return bogus(noDs.reason, name, TYPE.DS);
  }
}

type UsableDigests =
  | { readonly ok: true; readonly digests: readonly RdataOf<'DS'>[] }
  | { readonly ok: false; readonly reason: UnsupportedReason };

const SHA1_DIGEST = 1;

function usableDigests(rdatas: readonly Uint8Array[]): UsableDigests {
  const all = rdatas.flatMap((rdata) => decodeRdataAs('DS', rdata) ?? []);
  const known = all.filter(({ algorithm }) => algorithmOf(algorithm) !== undefined);
  if (known.length === 0) return { ok: false, reason: 'unsupported-algorithm' };
  const digests = known.filter(
    ({ digestType, digest }) => DIGESTS.get(digestType)?.size === digest.length,
  );
  if (digests.length === 0) return { ok: false, reason: 'unsupported-digest' };
  const better = digests.filter(({ digestType }) => digestType !== SHA1_DIGEST);
  // Only now: whoever can change the order, which nothing signs, must not choose what is left out.
  return { ok: true, digests: (better.length > 0 ? better : digests).slice(0, MAX_DIGESTS) };
}

/** The keys of a zone, when its DNSKEY set is signed by one that is trusted already. */
function zoneKeys(
  name: Name,
  trusted: readonly ValidationKey[],
  digests: readonly RdataOf<'DS'>[],
  ttl: number,
  chain: Chain,
): Made | Missing {
  const outcome = chain.supplied(name, TYPE.DNSKEY);
  if (outcome === undefined) return missing(name, TYPE.DNSKEY);
  if (outcome.kind === 'failure') return bogus('chain-unreachable', name, TYPE.DNSKEY);
  if (outcome.kind !== 'answer') return bogus('dnskey-missing', name, TYPE.DNSKEY);
  const { rrset } = outcome;
  const keys = usableKeys(rrset.rdatas);
  const entries = keys.filter(
    (key) =>
      trusted.some(({ rdata }) => rdata.join() === key.rdata.join()) ||
      digests.some((ds) => isDigestOf(ds, name, key.rdata, chain.check)),
  );
  if (entries.length === 0) {
    const isPoor = chain.check.purse.exhausted === 'too-many-hashes';
    const other = hasNamedNonZoneKey(rrset, digests) ? 'no-zone-key' : 'dnskey-missing';
    return bogus(isPoor ? 'too-many-hashes' : other, name, TYPE.DNSKEY);
  }
  const checked = verifySet(rrset, { zone: name, keys: entries }, chain.check);
  if ('kind' in checked) return checked;
  if (!checked.ok) return bogus(checked.reason, name, TYPE.DNSKEY);
  return { link: { kind: 'zone', keys }, ttl: Math.min(ttl, checked.ttl) };
}

function isDigestOf(
  ds: RdataOf<'DS'>,
  zone: Name,
  rdata: Uint8Array,
  { crypto, purse }: Check,
): boolean {
  // The algorithm is the fourth octet of a DNSKEY (RFC 4034 §2.1).
  if (ds.keyTag !== keyTag(rdata) || ds.algorithm !== rdata[3]) return false;
  if (!pay(purse, 'hashes', 1)) return false;
  return dsDigest(crypto, zone, rdata, ds.digestType)?.join() === ds.digest.join();
}

function hasNamedNonZoneKey({ rdatas }: RRset, digests: readonly RdataOf<'DS'>[]): boolean {
  return rdatas.some((rdata) => {
    const key = decodeRdataAs('DNSKEY', rdata);
    const tag = keyTag(rdata);
    return key !== undefined && !isZoneKey(key) && digests.some((ds) => ds.keyTag === tag);
  });
}
