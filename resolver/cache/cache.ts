/**
 * The cache: RRsets by trust, negative answers, failures and delegations, in bounded memory.
 *
 * Data never replaces more trusted data that is still alive (RFC 2181 §5.4.1). Delegations live
 * apart from the NS records that answer questions: they come from the parent only, are not
 * refreshed by the child and end with the delegations above them, so a domain that its parent
 * removed dies with the parent's TTL ("ghost domains", CVE-2012-1033, CVE-2026-40622). All times are monotonic seconds given by the caller.
 *
 * @see RFC 2308: negative caching  @see RFC 8020: below a name that does not exist, nothing exists
 * @see RFC 9520: failures are cached too
 * @see RFC 8767: data that ended is kept for when nothing newer can be had; it is the first to be
 * evicted and never in the way of anything newer. When it is served is freshness.ts's.
 */

import type { Reason } from '../message/ede.ts';
import type { Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { type RRset, safeTtl } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Cut } from '../recursion/delegation.ts';
import type { Judgement } from '../recursion/judgement.ts';
import {
  copyDenial,
  copyRecord,
  copyRRset,
  countedDown,
  ENTRY_BYTES,
  sizeOf,
  sizeOfCut,
  sizeOfDenial,
  sizeOfRRset,
} from './cache-copy.ts';
import { cutKey, dataKey, failureKey, keyed, lineage, noNameKey, proofKey } from './cache-key.ts';
import { MAX_SHARE, shareOf } from './share.ts';
import { createSieve, type Sieve } from './sieve.ts';

/** Bytes the cache may hold unless told otherwise: fits a router with 128 MB. */
export const DEFAULT_CACHE_BYTES = 16 * 1024 * 1024;

/** No TTL counts for more than a day (RFC 8767 §4 advises a cap of days; RFC 9199 §3.5). */
export const MAX_TTL = 86_400;

/** Nor a negative one for more than three hours (RFC 2308 §5). */
export const MAX_NEGATIVE_TTL = 10_800;

/** The first failure is remembered this long (RFC 9520 §3.2: 1 s to 5 min), each further one twice as long … */
export const FAILURE_TTL = 5;
/** … up to this: a home line that comes back should not stay dead in the cache. */
export const MAX_FAILURE_TTL = 30;

/** Seconds that data is kept past its end unless told otherwise; RFC 8767 §5 advises one to three days. */
export const DEFAULT_STALE = 86_400;
/** No data is served longer past its end, whatever we are told (RFC 8767 §5). */
export const MAX_STALE = 3 * 86_400;

/** The TTL of data past its end (RFC 8767 §4). */
export const STALE_TTL = 30;

/** What is asked for in this last part of its TTL is worth refreshing (Unbound `prefetch`: 10 %). */
export const LAST_PART = 0.1;

/** How far data is believed, after RFC 2181 §5.4.1. Higher replaces lower. */
export const TRUST = {
  /** Additional section. */
  additional: 1,
  /** Authority section of a referral. */
  referral: 2,
  /** Answer section without AA, as forwarders give it. */
  answer: 3,
  /** Answer or authority section with AA. */
  authoritative: 4,
  /** Validated; for the validator to give. */
  secure: 5,
} as const;

export type Trust = (typeof TRUST)[keyof typeof TRUST];

/** A negative answer's grounds: the SOA with its TTL counted down, and the denial for those who validate. */
export type Denial = {
  readonly soa: ResourceRecord;
  readonly proof: readonly ResourceRecord[];
};

/** What the cache knows about a question, and what validation made of it, if it was validated. */
export type Known = { readonly judgement?: Judgement } & Fact;

type Fact =
  | { readonly kind: 'records'; readonly rrset: RRset; readonly proof: readonly ResourceRecord[] }
  | { readonly kind: 'no-data'; readonly denial: Denial }
  | { readonly kind: 'no-name'; readonly denial: Denial };

/** A way to look things up. */
export type Lookup = {
  /** What is known about exactly this name and type, or that the name or one above does not exist. */
  find(name: Name, type: number, now: number): Known | undefined;
  /** The DNAME nearest above `name`. */
  findDname(name: Name, now: number): Extract<Known, { kind: 'records' }> | undefined;
};

export type Cache = Lookup & {
  /**
   * Counts a question for what is known; true, once for each time it was learnt, when it has been
   * asked for more than once and nears its end.
   */
  noteAsked(name: Name, type: number, now: number): boolean;
  /** The same, as if what ended were still there; its TTL is that of stale data. */
  readonly past: Lookup;
  /** Remembers what was validated, for `ttl` seconds at most. What is secure stays until then. */
  putJudged(
    name: Name,
    type: number,
    known: Fact & { readonly judgement: Judgement },
    ttl: number,
    now: number,
  ): void;
  /** Remembers a set; `proof` is what shows that a wildcard was rightly expanded. */
  putRecords(rrset: RRset, trust: Trust, now: number, proof?: readonly ResourceRecord[]): void;
  putNoData(name: Name, type: number, denial: Denial, trust: Trust, now: number): void;
  putNoName(name: Name, denial: Denial, trust: Trust, now: number): void;
  /** Why the question failed a moment ago. */
  findFailure(name: Name, type: number, now: number): Reason | undefined;
  putFailure(name: Name, type: number, reason: Reason, now: number): void;
  /** The delegation of exactly `zone`. */
  findCut(zone: Name, now: number): Cut | undefined;
  putCut(cut: Cut, now: number): void;
  /** A set that `zone` signed and that was validated, for making answers from (RFC 8198). */
  findProof(zone: Name, owner: Name, type: number, now: number): RRset | undefined;
  putProof(zone: Name, rrset: RRset, ttl: number, now: number): void;
  clear(): void;
  /** Data and denials that may be kept for another run, the newest first. Verdicts are not for keeping. */
  facts(now: number): Iterable<Kept>;
  readonly entries: number;
  readonly bytes: number;
};

/** A fact to keep; its TTL is what it has left. */
export type Kept = {
  readonly name: Name;
  readonly type: number;
  readonly fact: Fact;
  readonly isAuthoritative: boolean;
};

type Stored = {
  readonly expires: number;
  readonly trust: Trust;
  /** Seconds it has from when it was learnt. */
  life?: number;
  /** Questions answered with it; below zero when it is being refreshed. */
  asked?: number;
} & (
  | Known
  | { readonly kind: 'failure'; readonly reason: Reason; readonly ttl: number }
  | { readonly kind: 'cut'; readonly cut: Cut }
  | { readonly kind: 'proof'; readonly rrset: RRset }
);

/** Makes an empty cache of at most `limit` bytes that keeps data `stale` seconds past its end. */
export function createCache(limit: number = DEFAULT_CACHE_BYTES, stale = 0): Cache {
  const sieve = createSieve<Stored>(limit, limit * MAX_SHARE);
  const kept = Math.min(stale, MAX_STALE);
  return {
    ...lookupOf((key, now) => alive(sieve, key, now)),
    past: lookupOf((key, now) => servable(sieve, key, now - kept)),
    ...dataOf(sieve),
    noteAsked: (name, type, now) => noteAsked(sieve, name, type, now),
    ...othersOf(sieve),
    facts: (now) => factsOf(sieve, now),
    clear: () => sieve.clear(),
    get entries() {
      return sieve.entries;
    },
    get bytes() {
      return sieve.bytes;
    },
  };
}

type Look = (key: string, now: number) => Stored | undefined;

function lookupOf(look: Look): Lookup {
  return {
    find(name, type, now) {
      const stored = look(dataKey(name.key, type), now);
      const isFact = stored?.kind === 'records' || stored?.kind === 'no-data';
      if (isFact && stored.expires > now) return countedDown(stored, secondsLeft(stored, now));
      const denied = noName(look, name, now);
      // Of two that ended, the one that held longer is the newer.
      if (isFact && (denied === undefined || stored.expires >= denied.expires)) {
        return countedDown(stored, secondsLeft(stored, now));
      }
      return denied && countedDown(denied, secondsLeft(denied, now));
    },
    findDname(name, now) {
      for (const key of lineage(name.key)) {
        if (key === name.key) continue;
        const stored = look(dataKey(key, TYPE.DNAME), now);
        if (stored?.kind !== 'records') continue;
        const known = countedDown(stored, secondsLeft(stored, now));
        if (known.kind === 'records') return known;
      }
      return undefined;
    },
  };
}

function noName(look: Look, name: Name, now: number): (Stored & Known) | undefined {
  for (const key of lineage(name.key)) {
    const stored = look(noNameKey(key), now);
    if (stored?.kind === 'no-name') return stored;
  }
  return undefined;
}

function noteAsked(sieve: Sieve<Stored>, name: Name, type: number, now: number): boolean {
  const stored =
    alive(sieve, dataKey(name.key, type), now) ?? alive(sieve, dataKey(name.key, TYPE.CNAME), now);
  if (stored === undefined || stored.life === undefined) return false;
  stored.asked = (stored.asked ?? 0) + 1;
  if (stored.asked < 2 || stored.expires - now > stored.life * LAST_PART) return false;
  stored.asked = Number.NEGATIVE_INFINITY;
  return true;
}

function* factsOf(sieve: Sieve<Stored>, now: number): Generator<Kept> {
  for (const [key, { expires }] of sieve.newestFirst()) {
    const stored = expires > now ? servable(sieve, key, now) : undefined;
    if (stored?.kind === 'records' || stored?.kind === 'no-data' || stored?.kind === 'no-name') {
      const { judgement: _, ...fact } = countedDown(stored, secondsLeft(stored, now));
      const isAuthoritative = stored.trust >= TRUST.authoritative;
      yield { ...keyed(key), fact, isAuthoritative };
    }
  }
}

type DataPart = Pick<Cache, 'putRecords' | 'putNoData' | 'putNoName' | 'putJudged'>;

/** Records and denials. */
function dataOf(sieve: Sieve<Stored>): DataPart {
  return {
    putRecords(rrset, trust, now, proof = []) {
      const { owner, type } = rrset;
      const expires = now + Math.min(rrset.ttl, MAX_TTL);
      const kept = { rrset: copyRRset(rrset), proof: proof.map(copyRecord) };
      const stored: Stored = { kind: 'records', ...kept, trust, expires };
      put(sieve, owner, dataKey(owner.key, type), stored, sizeOfRRset(rrset) + sizeOf(proof), now);
      // What exists contradicts an older denial of it.
      for (const key of lineage(owner.key)) sieve.delete(noNameKey(key));
    },
    putNoData(name, type, denial, trust, now) {
      const expires = now + negativeTtl(denial.soa);
      const stored: Stored = { kind: 'no-data', denial: copyDenial(denial), trust, expires };
      put(sieve, name, dataKey(name.key, type), stored, sizeOfDenial(denial), now);
    },
    putNoName(name, denial, trust, now) {
      const expires = now + negativeTtl(denial.soa);
      const stored: Stored = { kind: 'no-name', denial: copyDenial(denial), trust, expires };
      put(sieve, name, noNameKey(name.key), stored, sizeOfDenial(denial), now);
    },
    putJudged: (name, type, known, ttl, now) => storeJudged(sieve, name, type, known, ttl, now),
  };
}

function storeJudged(
  sieve: Sieve<Stored>,
  name: Name,
  type: number,
  known: Fact & { readonly judgement: Judgement },
  ttl: number,
  now: number,
): void {
  const { judgement } = known;
  const key = known.kind === 'no-name' ? noNameKey(name.key) : dataKey(name.key, type);
  const existing = alive(sieve, key, now);
  // A broken one may be replaced by anything; what cannot be checked stays as good as it was.
  const trust = {
    secure: TRUST.secure,
    insecure: existing?.trust ?? TRUST.answer,
    bogus: TRUST.additional,
  }[judgement.state];
  const shared = { judgement, trust };
  if (existing?.trust === TRUST.secure && judgement.state !== 'secure') return;
  sieve.delete(key);
  if (known.kind === 'records') {
    const { rrset, proof } = known;
    const expires = now + Math.min(rrset.ttl, ttl, MAX_TTL);
    const kept = { rrset: copyRRset(rrset), proof: proof.map(copyRecord) };
    const stored: Stored = { kind: 'records', ...kept, ...shared, expires };
    put(sieve, name, key, stored, sizeOfRRset(rrset) + sizeOf(proof), now);
    return;
  }
  const { kind, denial } = known;
  const expires = now + Math.min(negativeTtl(denial.soa), ttl);
  const stored: Stored = { kind, denial: copyDenial(denial), ...shared, expires };
  put(sieve, name, key, stored, sizeOfDenial(denial), now);
}

type OtherPart = Pick<
  Cache,
  'findFailure' | 'putFailure' | 'findCut' | 'putCut' | 'findProof' | 'putProof'
>;

/** Failures, delegations and proofs. */
function othersOf(sieve: Sieve<Stored>): OtherPart {
  return {
    findFailure(name, type, now) {
      const stored = sieve.get(failureKey(name.key, type));
      return stored?.kind === 'failure' && stored.expires > now ? stored.reason : undefined;
    },
    putFailure(name, type, reason, now) {
      const key = failureKey(name.key, type);
      // Kept past its end, so that the next failure knows how long the one before lasted.
      const before = sieve.get(key);
      const isRecent = before?.kind === 'failure' && now - before.expires < MAX_FAILURE_TTL;
      const ttl = isRecent ? Math.min(before.ttl * 2, MAX_FAILURE_TTL) : FAILURE_TTL;
      const stored: Stored = {
        kind: 'failure',
        reason,
        ttl,
        trust: TRUST.answer,
        expires: now + ttl,
      };
      const lasting = { until: stored.expires, now, share: shareOf(name.key) };
      sieve.set(key, stored, ENTRY_BYTES + key.length, lasting);
    },
    findCut(zone, now) {
      const stored = alive(sieve, cutKey(zone.key), now);
      return stored?.kind === 'cut' ? stored.cut : undefined;
    },
    putCut(cut, now) {
      const expires = Math.min(cut.until, now + MAX_TTL);
      const kept = cut.noDs === undefined ? cut : { ...cut, noDs: cut.noDs.map(copyRecord) };
      const stored: Stored = { kind: 'cut', cut: kept, trust: TRUST.referral, expires };
      put(sieve, cut.zone, cutKey(cut.zone.key), stored, sizeOfCut(cut), now);
    },
    findProof(zone, owner, type, now) {
      const stored = alive(sieve, proofKey(zone.key, owner.key, type), now);
      if (stored?.kind !== 'proof') return undefined;
      return { ...stored.rrset, ttl: secondsLeft(stored, now) };
    },
    putProof(zone, rrset, ttl, now) {
      const key = proofKey(zone.key, rrset.owner.key, rrset.type);
      const expires = now + Math.min(rrset.ttl, ttl, MAX_NEGATIVE_TTL);
      const kept = { kind: 'proof', rrset: copyRRset(rrset) } as const;
      put(sieve, zone, key, { ...kept, trust: TRUST.secure, expires }, sizeOfRRset(rrset), now);
    },
  };
}

function alive(sieve: Sieve<Stored>, key: string, now: number): Stored | undefined {
  const stored = sieve.get(key);
  return stored !== undefined && stored.expires > now ? stored : undefined;
}

/** What may be served although it ended, if that was after `since`: nothing that was never right. */
function servable(sieve: Sieve<Stored>, key: string, since: number): Stored | undefined {
  const stored = alive(sieve, key, since);
  if (stored === undefined || stored.trust < TRUST.answer) return undefined;
  const isBogus = 'judgement' in stored && stored.judgement?.state === 'bogus';
  return isBogus ? undefined : stored;
}

/** Keeps `stored`, which is about `name`, unless something better is there. */
function put(
  sieve: Sieve<Stored>,
  name: Name,
  key: string,
  stored: Stored,
  size: number,
  now: number,
): void {
  if (stored.expires <= now) return;
  const existing = alive(sieve, key, now);
  if (existing !== undefined && existing.trust > stored.trust) return;
  const kept: Stored = { ...stored, life: stored.expires - now, asked: 0 };
  const lasting = { until: stored.expires, now, share: shareOf(name.key) };
  sieve.set(key, kept, size + ENTRY_BYTES + key.length, lasting);
}

/** Seconds a negative answer may be kept: the lesser of the SOA's TTL and its minimum (RFC 2308 §5). */
export function negativeTtl(soa: ResourceRecord): number {
  const { rdata } = soa;
  if (rdata.length < 4) return 0;
  const minimum = new DataView(rdata.buffer, rdata.byteOffset + rdata.length - 4, 4).getUint32(0);
  return Math.min(safeTtl(soa.ttl), safeTtl(minimum), MAX_NEGATIVE_TTL);
}

/** What ended and is given all the same has the TTL of stale data. */
function secondsLeft(stored: Stored, now: number): number {
  return stored.expires > now ? Math.floor(stored.expires - now) : STALE_TTL;
}
