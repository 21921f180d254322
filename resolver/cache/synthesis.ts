/**
 * Answers made from what a zone proved before: names that do not exist, types that a name does not
 * have, and what a wildcard stands for. Nobody has to be asked then, also in a flood of random names.
 *
 * Only validated sets come in, and each zone's say something about that zone only: the records of a
 * delegation or a DNAME say nothing about what is below them, and those of opted-out spans nothing
 * at all. Proofs made for one question (RFC 4470, RFC 9824) are of no further use and left out where
 * they can be told.
 *
 * @see RFC 8198: §5.1 NSEC, §5.2 NSEC3, §5.3 wildcards, §5.4 TTLs; RFC 9077 §4
 */

import type { Crypto } from '#runtime';
import * as nsec from '../dnssec/nsec.ts';
import * as nsec3 from '../dnssec/nsec3.ts';
import type { Found } from '../dnssec/validate.ts';
import { ancestorWith, signerOf } from '../dnssec/verify.ts';
import {
  compareNames,
  countLabels,
  isWithin,
  keysUpwards,
  type Name,
  parentOf,
  prepend,
  ROOT,
} from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import { groupRecords, type RRset, recordsOf } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import { BASE32, toDigits } from '../message/wire/digits.ts';
import { type Purse, pay } from '../recursion/budget.ts';
import type { Outcome } from '../recursion/frame.ts';
import type { Judgement } from '../recursion/judgement.ts';
import { aliasTarget } from '../recursion/scrub.ts';
import type { Cache } from './cache.ts';
import {
  byHash,
  createProofIndex,
  insert,
  lastUpTo,
  type ProofIndex,
  type ZoneIndex,
} from './proof-index.ts';
import { negativeTtl } from './worth.ts';

/** Deeper names are asked for: each label costs a hash (CVE-2023-50868). */
export const MAX_LABELS = 16;

/**
 * SHA-1 rounds for one name; what costs more is asked for, and the servers prove it with fewer
 * (CVE-2023-50868; PowerDNS Recursor `aggressive-cache-max-nsec3-hash-cost`: 150).
 */
export const MAX_HASHES_FOR_NAME = 150;

export type Synthesis = {
  /** Remembers the proofs in what was found and validated, for `ttl` seconds at most. */
  learn(found: Found, ttl: number, now: number): void;
  /** What follows from proofs of zones at or below `anchor`. */
  find(name: Name, type: number, purse: Purse, now: number, anchor?: Name): Outcome | undefined;
  clear(): void;
};

type Store = Pick<Cache, 'findProof' | 'putProof'>;
type Hash = Pick<Crypto, 'hash'>;

/** Makes it; the proofs themselves live in the cache and count there. */
export function createSynthesis(cache: Store, crypto: Hash): Synthesis {
  const index = createProofIndex();
  return {
    learn(found, ttl, now) {
      for (const set of proofsIn(found)) {
        const apex = signerOf(set);
        if (apex !== undefined && isUseful(index, apex, set)) cache.putProof(apex, set, ttl, now);
      }
      const wildcard = wildcardIn(found);
      const apex = wildcard && signerOf(wildcard);
      if (apex !== undefined) cache.putProof(apex, wildcard as RRset, ttl, now);
    },
    find(name, type, purse, now, anchor) {
      if (countLabels(name) > MAX_LABELS) return undefined;
      const zone = zoneOf(index, name, type);
      // Above the anchor of a private zone nobody knows that it is there.
      const isBelow = zone !== undefined && isWithin(zone.apex, anchor ?? ROOT);
      if (zone === undefined || !isBelow) return undefined;
      const asked: Asked = { name, type, apex: zone.apex, cache, now };
      return fromNames(zone, asked) ?? fromHashes(zone, asked, crypto, purse);
    },
    clear: index.clear,
  };
}

/* What is remembered */

function proofsIn(found: Found): RRset[] {
  if (found.kind === 'answer' || found.kind === 'alias') return groupRecords(found.proof);
  const { denial, proof = [] } = found;
  return groupRecords(denial === undefined ? proof : [denial.soa, ...denial.proof]);
}

/** Takes a set in, if more can be concluded from it than it was made for. */
function isUseful(index: ProofIndex, apex: Name, set: RRset): boolean {
  switch (set.type) {
    case TYPE.SOA:
      return set.owner.key === apex.key;
    case TYPE.NSEC: {
      const [gap] = gapsOf(set);
      if (gap === undefined || !isWithin(set.owner, apex) || isMadeToMeasure(gap)) return false;
      insert(index.open(apex).owners, set.owner, compareNames);
      return true;
    }
    case TYPE.NSEC3: {
      const [gap] = nsec3.readGaps(set, apex);
      if (gap === undefined || gap.isOptOut || gap.iterations > nsec3.MAX_ITERATIONS) return false;
      const zone = index.open(apex);
      const { iterations, salt, hash } = gap;
      const isSame =
        zone.hashing?.iterations === iterations && zone.hashing.salt.join() === salt.join();
      if (!isSame) zone.hashes.length = 0;
      zone.hashing = { iterations, salt: salt.slice() };
      insert(zone.hashes, hash, byHash);
      return true;
    }
    default:
      return false;
  }
}

/** Reaches only to the first name that could follow: says nothing about any other (RFC 4470 §2). */
function isMadeToMeasure({ owner, next, types }: nsec.Gap): boolean {
  return types.includes(TYPE.NXNAME) || next.key === `\x01\x00${owner.key}`;
}

/** The wildcard that an answer was made from. Only such answers come with a proof. */
function wildcardIn(found: Found): RRset | undefined {
  if ((found.kind !== 'answer' && found.kind !== 'alias') || found.proof.length === 0) return;
  const [rrset, more] = found.kind === 'answer' ? [found.rrset] : found.rrsets;
  if (rrset === undefined || more !== undefined) return undefined;
  const counts = new Set(rrset.signatures.map((rdata) => decodeRdataAs('RRSIG', rdata)?.labels));
  const [count] = counts;
  // Signatures that disagree: only one of them was checked.
  if (counts.size !== 1 || count === undefined) return undefined;
  const owner = prepend('*', ancestorWith(rrset.owner, count));
  return owner && { ...rrset, owner };
}

function gapsOf({ owner, rdatas }: RRset): nsec.Gap[] {
  return rdatas.flatMap((rdata) => {
    const fields = decodeRdataAs('NSEC', rdata);
    return fields === undefined ? [] : [{ owner, next: fields.next, types: fields.types }];
  });
}

/* What follows from it */

type Asked = {
  readonly name: Name;
  readonly type: number;
  readonly apex: Name;
  readonly cache: Store;
  readonly now: number;
};

/** The nearest zone with proofs; of a DS the parent's word counts (RFC 4035 §3.1.4.1). */
function zoneOf(index: ProofIndex, name: Name, type: number): ZoneIndex | undefined {
  for (const key of keysUpwards(name).slice(type === TYPE.DS ? 1 : 0)) {
    const zone = index.get({ key });
    if (zone !== undefined) return zone;
  }
  return undefined;
}

function fromNames({ owners, apex }: ZoneIndex, asked: Asked): Outcome | undefined {
  const { name, type } = asked;
  const setFor = (wanted: Name) =>
    proofAt(asked, lastUpTo(owners, wanted, compareNames), TYPE.NSEC);
  const near = setFor(name);
  const [gap] = near === undefined ? [] : gapsOf(near);
  if (near === undefined || gap === undefined) return undefined;
  if (gap.owner.key === name.key) {
    return nsec.proveNoData([gap], name, type, apex) && denied('no-data', [near], asked);
  }
  if (!nsec.covers(gap, name, apex)) return undefined;
  const encloser = nsec.closestEncloser(gap, name);
  const wildcard = prepend('*', encloser);
  const source = wildcard && setFor(wildcard);
  const sets =
    source === undefined || source.owner.key === near.owner.key ? [near] : [near, source];
  const gaps = sets.flatMap(gapsOf);
  if (nsec.proveNoName(gaps, name, apex)) return denied('no-name', sets, asked);
  if (nsec.proveNoData(gaps, name, type, apex)) return denied('no-data', sets, asked);
  const nextCloser = ancestorWith(name, countLabels(encloser) + 1);
  return nsec.proveWildcard(gaps, nextCloser, apex) && expanded(wildcard, [near], asked);
}

function fromHashes(
  { hashes, hashing, apex }: ZoneIndex,
  asked: Asked,
  crypto: Hash,
  purse: Purse,
): Outcome | undefined {
  if (hashing === undefined) return undefined;
  const { name, type } = asked;
  const { iterations, salt } = hashing;
  const used = new Map<string, RRset>();
  let left = MAX_HASHES_FOR_NAME;
  const hash = remembering((each) => {
    left -= 1 + iterations;
    if (left < 0 || !pay(purse, 'hashes', 1 + iterations)) return undefined;
    return toDigits(BASE32, nsec3.hashName(crypto, each, salt, iterations));
  });
  const gapsFor = (wanted: Name | undefined): nsec3.HashedGap[] => {
    const hashed = wanted && hash(wanted);
    // Before the first hash is the gap that wraps around (RFC 5155 §3.1.7).
    const near = hashed && (lastUpTo(hashes, hashed, byHash) ?? hashes.at(-1));
    const set = near === undefined ? undefined : proofAt(asked, prepend(near, apex), TYPE.NSEC3);
    if (set === undefined || near === undefined) return [];
    used.set(near, set);
    return nsec3.readGaps(set, apex);
  };
  const gaps: nsec3.HashedGap[] = [];
  let encloser = name;
  for (; ; encloser = parentOf(encloser) ?? apex) {
    const found = gapsFor(encloser);
    gaps.push(...found);
    if (encloser.key === apex.key || found.some((gap) => gap.hash === hash(encloser))) break;
  }
  const wildcard = prepend('*', encloser);
  gaps.push(...gapsFor(wildcard));
  const zone = { zone: apex, gaps, iterations, hash };
  const sets = () => [...used.values()];
  if (nsec3.proveNoName(zone, name)?.kind === 'proven') return denied('no-name', sets(), asked);
  if (nsec3.proveNoData(zone, name, type)?.kind === 'proven') {
    return denied('no-data', sets(), asked);
  }
  const isThere = encloser.key === name.key || !gaps.some((gap) => gap.hash === hash(encloser));
  if (isThere) return undefined;
  const nextCloser = ancestorWith(name, countLabels(encloser) + 1);
  const proven = nsec3.proveWildcard(zone, nextCloser)?.kind === 'proven';
  return proven ? expanded(wildcard, sets(), asked) : undefined;
}

function remembering(make: (name: Name) => string | undefined) {
  const known = new Map<string, string | undefined>();
  return (name: Name): string | undefined => {
    if (!known.has(name.key)) known.set(name.key, make(name));
    return known.get(name.key);
  };
}

function proofAt(
  { cache, apex, now }: Asked,
  owner: Name | undefined,
  type: number,
): RRset | undefined {
  return owner && cache.findProof(apex, owner, type, now);
}

const SECURE: Judgement = { state: 'secure', isDenial: false, isTimed: true };

/** A denial lives as long as what it is made of, and as the SOA says (RFC 9077 §3). */
function denied(
  kind: 'no-data' | 'no-name',
  sets: readonly RRset[],
  asked: Asked,
): Outcome | undefined {
  const soa = proofAt(asked, asked.apex, TYPE.SOA);
  const [first, ...signatures] = soa === undefined ? [] : recordsOf(soa, true);
  if (first === undefined) return undefined;
  const ttl = Math.min(negativeTtl(first), ...sets.map((set) => set.ttl));
  const proof = [...signatures, ...sets.flatMap((set) => recordsOf(set, true))];
  const capped = proof.map((record) => ({ ...record, ttl: Math.min(record.ttl, ttl) }));
  return { kind, denial: { soa: { ...first, ttl }, proof: capped }, judgement: SECURE };
}

/** What a wildcard of the zone stands for at the name (RFC 8198 §5.3). */
function expanded(
  wildcard: Name | undefined,
  sets: readonly RRset[],
  asked: Asked,
): Outcome | undefined {
  const { name, type } = asked;
  const proof = sets.flatMap((set) => recordsOf(set, true));
  const madeFrom = (source: RRset): RRset => {
    const ttl = Math.min(source.ttl, ...sets.map((set) => set.ttl));
    return { ...source, owner: name, ttl };
  };
  const exact = proofAt(asked, wildcard, type);
  if (exact !== undefined) {
    return { kind: 'answer', rrset: madeFrom(exact), proof, judgement: SECURE };
  }
  const alias = proofAt(asked, wildcard, TYPE.CNAME);
  const target = alias && aliasTarget(alias);
  if (alias === undefined || target === undefined) return undefined;
  return { kind: 'alias', rrsets: [madeFrom(alias)], target, proof, judgement: SECURE };
}
