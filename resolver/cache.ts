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
 * Does not serve stale data and does not prefetch.
 */

import type { Cut } from './delegation.ts';
import type { Reason } from './ede.ts';
import type { Judgement } from './judgement.ts';
import type { Name } from './name.ts';
import type { ResourceRecord } from './record.ts';
import { type RRset, safeTtl } from './rrset.ts';
import { createSieve, type Sieve } from './sieve.ts';
import { TYPE } from './type.ts';

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

export type Cache = {
  /** What is known about exactly this name and type, or that the name or one above does not exist. */
  find(name: Name, type: number, now: number): Known | undefined;
  /** The DNAME nearest above `name`. */
  findDname(name: Name, now: number): Extract<Known, { kind: 'records' }> | undefined;
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
  clear(): void;
  readonly entries: number;
  readonly bytes: number;
};

type Stored = { readonly expires: number; readonly trust: Trust } & (
  | Known
  | { readonly kind: 'failure'; readonly reason: Reason; readonly ttl: number }
  | { readonly kind: 'cut'; readonly cut: Cut }
);

/** Makes an empty cache of at most `limit` bytes. */
export function createCache(limit: number = DEFAULT_CACHE_BYTES): Cache {
  const sieve = createSieve<Stored>(limit);
  return {
    ...dataOf(sieve),
    ...othersOf(sieve),
    clear: () => sieve.clear(),
    get entries() {
      return sieve.entries;
    },
    get bytes() {
      return sieve.bytes;
    },
  };
}

type DataPart = Pick<
  Cache,
  'find' | 'findDname' | 'putRecords' | 'putNoData' | 'putNoName' | 'putJudged'
>;

/** Records and denials. */
function dataOf(sieve: Sieve<Stored>): DataPart {
  function findNoName(name: Name, now: number): Known | undefined {
    for (const key of lineage(name.key)) {
      const stored = alive(sieve, noNameKey(key), now);
      if (stored?.kind === 'no-name') return countedDown(stored, now);
    }
    return undefined;
  }

  return {
    find(name, type, now) {
      const stored = alive(sieve, dataKey(name.key, type), now);
      if (stored?.kind === 'records' || stored?.kind === 'no-data') return countedDown(stored, now);
      return findNoName(name, now);
    },
    findDname(name, now) {
      for (const key of lineage(name.key)) {
        if (key === name.key) continue;
        const stored = alive(sieve, dataKey(key, TYPE.DNAME), now);
        if (stored?.kind !== 'records') continue;
        const known = countedDown(stored, now);
        if (known.kind === 'records') return known;
      }
      return undefined;
    },
    putRecords(rrset, trust, now, proof = []) {
      const { owner, type } = rrset;
      const expires = now + Math.min(rrset.ttl, MAX_TTL);
      const kept = { rrset: copyRRset(rrset), proof: proof.map(copyRecord) };
      const stored: Stored = { kind: 'records', ...kept, trust, expires };
      put(sieve, dataKey(owner.key, type), stored, sizeOfRRset(rrset) + sizeOf(proof), now);
      // What exists contradicts an older denial of it.
      for (const key of lineage(owner.key)) sieve.delete(noNameKey(key));
    },
    putNoData(name, type, denial, trust, now) {
      const expires = now + negativeTtl(denial.soa);
      const stored: Stored = { kind: 'no-data', denial: copyDenial(denial), trust, expires };
      put(sieve, dataKey(name.key, type), stored, sizeOfDenial(denial), now);
    },
    putNoName(name, denial, trust, now) {
      const expires = now + negativeTtl(denial.soa);
      const stored: Stored = { kind: 'no-name', denial: copyDenial(denial), trust, expires };
      put(sieve, noNameKey(name.key), stored, sizeOfDenial(denial), now);
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
    put(sieve, key, stored, sizeOfRRset(rrset) + sizeOf(proof), now);
    return;
  }
  const { kind, denial } = known;
  const expires = now + Math.min(negativeTtl(denial.soa), ttl);
  const stored: Stored = { kind, denial: copyDenial(denial), ...shared, expires };
  put(sieve, key, stored, sizeOfDenial(denial), now);
}

type OtherPart = Pick<Cache, 'findFailure' | 'putFailure' | 'findCut' | 'putCut'>;

/** Failures and delegations. */
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
      sieve.set(key, stored, ENTRY_BYTES + key.length);
    },
    findCut(zone, now) {
      const stored = alive(sieve, cutKey(zone.key), now);
      return stored?.kind === 'cut' ? stored.cut : undefined;
    },
    putCut(cut, now) {
      const expires = Math.min(cut.until, now + MAX_TTL);
      const kept = cut.noDs === undefined ? cut : { ...cut, noDs: cut.noDs.map(copyRecord) };
      const stored: Stored = { kind: 'cut', cut: kept, trust: TRUST.referral, expires };
      put(sieve, cutKey(cut.zone.key), stored, sizeOfCut(cut), now);
    },
  };
}

function alive(sieve: Sieve<Stored>, key: string, now: number): Stored | undefined {
  const stored = sieve.get(key);
  if (stored === undefined || stored.expires > now) return stored;
  sieve.delete(key);
  return undefined;
}

function put(sieve: Sieve<Stored>, key: string, stored: Stored, size: number, now: number): void {
  if (stored.expires <= now) return;
  const existing = alive(sieve, key, now);
  if (existing !== undefined && existing.trust > stored.trust) return;
  sieve.set(key, stored, size + ENTRY_BYTES + key.length);
}

/** Seconds a negative answer may be kept: the lesser of the SOA's TTL and its minimum (RFC 2308 §5). */
export function negativeTtl(soa: ResourceRecord): number {
  const { rdata } = soa;
  if (rdata.length < 4) return 0;
  const minimum = new DataView(rdata.buffer, rdata.byteOffset + rdata.length - 4, 4).getUint32(0);
  return Math.min(safeTtl(soa.ttl), safeTtl(minimum), MAX_NEGATIVE_TTL);
}

/** Estimated bytes of JavaScript around one entry and one record; measured on Node 24, rounded up. */
const ENTRY_BYTES = 400;
const RECORD_BYTES = 160;

const dataKey = (key: string, type: number) => `${type} ${key}`;
const noNameKey = (key: string) => `no ${key}`;
const failureKey = (key: string, type: number) => `failed ${type} ${key}`;
const cutKey = (key: string) => `cut ${key}`;

/** The keys of a name and of all names above it, root last. Keys are lower-cased wire form. */
function* lineage(key: string): Generator<string> {
  for (let at = 0; at < key.length; at += key.charCodeAt(at) + 1) yield key.slice(at);
}

function secondsLeft(stored: Stored, now: number): number {
  return Math.max(0, Math.floor(stored.expires - now));
}

function countedDown(stored: Stored & Known, now: number): Known {
  const left = secondsLeft(stored, now);
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

// Octets are copied, so that a kept record does not keep the whole packet alive.

function copyRRset(rrset: RRset): RRset {
  return {
    ...rrset,
    rdatas: rrset.rdatas.map((rdata) => rdata.slice()),
    signatures: rrset.signatures.map((rdata) => rdata.slice()),
  };
}

function copyRecord(record: ResourceRecord): ResourceRecord {
  return { ...record, rdata: record.rdata.slice() };
}

function copyDenial({ soa, proof }: Denial): Denial {
  return { soa: copyRecord(soa), proof: proof.map(copyRecord) };
}

function sizeOfRRset({ owner, rdatas, signatures }: RRset): number {
  let size = owner.key.length * 2;
  for (const rdata of rdatas) size += RECORD_BYTES + rdata.length;
  for (const rdata of signatures) size += RECORD_BYTES + rdata.length;
  return size;
}

function sizeOf(records: readonly ResourceRecord[]): number {
  let size = 0;
  for (const { owner, rdata } of records)
    size += RECORD_BYTES + owner.key.length * 2 + rdata.length;
  return size;
}

function sizeOfDenial({ soa, proof }: Denial): number {
  return sizeOf([soa, ...proof]);
}

function sizeOfCut({ zone, servers, noDs = [] }: Cut): number {
  let size = zone.key.length * 2 + sizeOf(noDs);
  for (const server of servers) {
    size += RECORD_BYTES + server.name.key.length * 2 + server.addresses.length * RECORD_BYTES;
  }
  return size;
}
