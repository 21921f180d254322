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

import type { Random } from '#runtime';
import type { Reason } from '../message/ede.ts';
import type { Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Cut } from '../recursion/delegation.ts';
import type { Judgement } from '../recursion/judgement.ts';
import {
  ASKED_OFTEN,
  ASKED_SHIFT,
  BOGUS,
  find,
  findAlive,
  LIFE,
  NO_DATA,
  REFRESHED,
  SPACE,
  type Store,
  trustIn,
} from './entry.ts';
import { dataOf, othersOf } from './keeping.ts';
import { createNameHash } from './name-hash.ts';
import { createPackedMap, type PackedMap } from './packed-map.ts';
import * as packing from './packing.ts';
import { MAX_SHARE } from './share.ts';
import {
  DEFAULT_CACHE_BYTES,
  LAST_PART,
  MAX_STALE,
  secondsLeft,
  TRUST,
  type Trust,
} from './worth.ts';

/** A negative answer's grounds: the SOA with its TTL counted down, and the denial for those who validate. */
export type Denial = {
  readonly soa: ResourceRecord;
  readonly proof: readonly ResourceRecord[];
};

/** What the cache knows about a question, and what validation made of it, if it was validated. */
export type Known = { readonly judgement?: Judgement } & Fact;

export type Fact =
  | Records
  | { readonly kind: 'no-data'; readonly denial: Denial }
  | { readonly kind: 'no-name'; readonly denial: Denial };

type Records = {
  readonly kind: 'records';
  readonly rrset: RRset;
  readonly proof: readonly ResourceRecord[];
};

/** A set, and what validation made of it. */
export type KnownRecords = { readonly judgement?: Judgement } & Records;

/** A way to look things up. */
export type Lookup = {
  /** What is known about exactly this name and type, or that the name or one above does not exist. */
  find(name: Name, type: number, now: number): Known | undefined;
  /** The DNAME nearest above `name`. */
  findDname(name: Name, now: number): KnownRecords | undefined;
  /** The CNAME that was bogus as the answer to exactly this name and type. */
  findBogusAlias(name: Name, type: number, now: number): KnownRecords | undefined;
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
  /**
   * Remembers a CNAME that was bogus, or that a bogus DNAME made, for the question it answered only
   * (RFC 4035 §4.7).
   */
  putBogusAlias(name: Name, type: number, known: KnownRecords, ttl: number, now: number): void;
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

/**
 * Makes an empty cache of at most `limit` bytes that keeps data `stale` seconds past its end.
 * `random` hides from others which names are found at the same place.
 */
export function createCache(
  limit: number = DEFAULT_CACHE_BYTES,
  stale = 0,
  random?: Random,
): Cache {
  const map = createPackedMap(limit, limit * MAX_SHARE);
  const store = { map, hash: createNameHash(random) };
  const kept = Math.min(stale, MAX_STALE);
  return {
    ...lookupOf(store, (item, now) => map.untilOf(item) > now),
    past: lookupOf(store, (item, now) => isServable(map, item, now - kept)),
    ...dataOf(store),
    noteAsked: (name, type, now) => noteAsked(store, name, type, now),
    ...othersOf(store),
    facts: (now) => factsOf(map, now),
    clear: () => map.clear(),
    get entries() {
      return map.entries;
    },
    get bytes() {
      return map.bytes;
    },
  };
}

type IsUsable = (item: number, now: number) => boolean;

function lookupOf(store: Store, isUsable: IsUsable): Lookup {
  const { map, hash } = store;

  /** What is bogus denies the type it was asked for at its name, and nothing else (keeping.ts). */
  function bogusDenial(name: Name, type: number, now: number): number {
    const item = find(store, SPACE.noName, type, name);
    return item !== 0 && isUsable(item, now) ? item : 0;
  }

  return {
    find(name, type, now) {
      const found = find(store, SPACE.data, type, name);
      const item = found !== 0 && isUsable(found, now) ? found : 0;
      if (item !== 0 && map.untilOf(item) > now) return unpack(map, item, now, name);
      const denied = findNoName(store, isUsable, name, now) || bogusDenial(name, type, now);
      // Of two that ended, the one that held longer is the newer.
      if (item !== 0 && (denied === 0 || map.untilOf(item) >= map.untilOf(denied))) {
        return unpack(map, item, now, name);
      }
      return denied === 0 ? undefined : unpack(map, denied, now);
    },
    findDname(name, now) {
      const { count } = hash.suffixes(name.wire);
      for (let above = 1; above < count; above++) {
        const item = find(store, SPACE.data, TYPE.DNAME, name, above);
        if (item === 0 || !isUsable(item, now)) continue;
        const known = unpack(map, item, now);
        if (known.kind === 'records') return known;
      }
      return undefined;
    },
    findBogusAlias(name, type, now) {
      const item = find(store, SPACE.bogusAlias, type, name);
      if (item === 0 || !isUsable(item, now)) return undefined;
      const known = unpack(map, item, now, name);
      return known.kind === 'records' ? known : undefined;
    },
  };
}

/** That `name` or a name above it does not exist. */
function findNoName(store: Store, isUsable: IsUsable, name: Name, now: number): number {
  const { count } = store.hash.suffixes(name.wire);
  for (let above = 0; above < count; above++) {
    const item = find(store, SPACE.noName, 0, name, above);
    if (item !== 0 && isUsable(item, now)) return item;
  }
  return 0;
}

/** What may be served although it ended, if that was after `since`: nothing that was never right. */
function isServable(map: PackedMap, item: number, since: number): boolean {
  const tag = map.tagOf(item);
  return map.untilOf(item) > since && trustIn(tag) >= TRUST.answer && (tag & BOGUS) === 0;
}

/** A fact with the seconds it has left as TTL. */
function unpack(map: PackedMap, item: number, now: number, asked?: Name): Known {
  const left = secondsLeft(map.untilOf(item), now);
  map.read(item, packing.unpacked);
  const owner = packing.beginReading(asked);
  const isDenial = map.spaceOf(item) === SPACE.noName || (map.tagOf(item) & NO_DATA) !== 0;
  if (!isDenial) {
    const type = map.spaceOf(item) === SPACE.bogusAlias ? TYPE.CNAME : map.typeOf(item);
    const { judgement, rrset, proof } = packing.readSet(owner, type, left);
    return { ...(judgement && { judgement }), kind: 'records', rrset, proof };
  }
  const kind = map.spaceOf(item) === SPACE.noName ? 'no-name' : 'no-data';
  const { judgement, denial } = packing.readDenial(left);
  return { ...(judgement && { judgement }), kind, denial };
}

function noteAsked(store: Store, name: Name, type: number, now: number): boolean {
  const { map } = store;
  const item =
    findAlive(store, SPACE.data, type, name, now) ||
    findAlive(store, SPACE.data, TYPE.CNAME, name, now);
  if (item === 0) return false;
  const tag = map.tagOf(item);
  const before = tag >>> ASKED_SHIFT;
  if (before === REFRESHED) return false;
  const isNear = map.untilOf(item) - now <= (tag & LIFE) * LAST_PART;
  const asked = Math.min(before + 1, ASKED_OFTEN);
  const isDue = asked === ASKED_OFTEN && isNear;
  const next = isDue ? REFRESHED : asked;
  map.setTag(item, (tag & ((1 << ASKED_SHIFT) - 1)) | (next << ASKED_SHIFT));
  return isDue;
}

function* factsOf(map: PackedMap, now: number): Generator<Kept> {
  for (let item = map.newest(); item !== 0; item = map.olderThan(item)) {
    if (map.spaceOf(item) > SPACE.noName || !isServable(map, item, now)) continue;
    const { judgement: _, ...fact } = unpack(map, item, now);
    map.read(item, packing.unpacked);
    const name = packing.beginReading();
    const isAuthoritative = trustIn(map.tagOf(item)) >= TRUST.authoritative;
    yield { name, type: map.typeOf(item) || TYPE.A, fact, isAuthoritative };
  }
}
