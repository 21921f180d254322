/**
 * Entries of the cache: where each is found, and what is known of it beside its octets.
 */

import type { Name } from '../message/name.ts';
import { join } from '../message/wire/field.ts';
import type { NameHash } from './name-hash.ts';
import { type PackedMap, SHARES } from './packed-map.ts';
import * as packing from './packing.ts';
import { shareStart } from './share.ts';
import type { Trust } from './worth.ts';

/** Key spaces: data and their absence, names that do not exist, failures, delegations, proofs, aliases by what came with them. */
export const SPACE = { data: 0, noName: 1, failure: 2, cut: 3, proof: 4, bogusAlias: 5 } as const;

/** What an entry is beside its octets; packed into a tag's bits. */
type Tag = {
  readonly trust: Trust;
  readonly isNoData?: boolean;
  readonly isBogus?: boolean;
  /** Seconds it has from when it was learnt. */
  readonly life: number;
};

export const LIFE = 0x1_ffff;
const TRUST_SHIFT = 17;
export const NO_DATA = 1 << 20;
export const BOGUS = 1 << 21;
/** Questions answered with it: none, one, more; or it is being refreshed. */
export const ASKED_SHIFT = 22;
export const ASKED_OFTEN = 2;
export const REFRESHED = 3;

function tagFor({ trust, isNoData, isBogus, life }: Tag): number {
  const flags = (isNoData ? NO_DATA : 0) | (isBogus ? BOGUS : 0);
  return Math.min(Math.ceil(life), LIFE) | (trust << TRUST_SHIFT) | flags;
}

export const trustIn = (tag: number) => ((tag >>> TRUST_SHIFT) & 7) as Trust;

export type Store = { readonly map: PackedMap; readonly hash: NameHash };

/** Spreads what suffixes of names have in common over the whole word. */
export function keyHash(space: number, type: number, hash: number): number {
  const mixed = Math.imul(hash ^ Math.imul(space * 0x1_0000 + type + 1, 0x9e3779b1), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}

/** The entry at `name`, or at the name that many labels above it; 0 when there is none. */
export function find(
  { map, hash }: Store,
  space: number,
  type: number,
  name: Name,
  above = 0,
): number {
  const { starts, hashes } = hash.suffixes(name.wire);
  const hashed = keyHash(space, type, hashes[above] as number);
  return map.find(space, type, hashed, name.wire, starts[above] as number);
}

export function findAlive(
  store: Store,
  space: number,
  type: number,
  name: Name,
  now: number,
): number {
  const item = find(store, space, type, name);
  return item !== 0 && store.map.untilOf(item) > now ? item : 0;
}

/** What an entry is found by; a proof also by the zone it is of. */
export type Place = {
  readonly space: number;
  readonly type: number;
  readonly name: Name;
  readonly zone?: Name;
};

type Worth = Omit<Tag, 'life'> & { readonly until: number; readonly now: number };

/** Keeps what `pack` packs, unless something better is there. */
export function put({ map, hash }: Store, place: Place, worth: Worth, pack: () => void): void {
  const { space, type, name, zone } = place;
  const { until, now, trust } = worth;
  if (until <= now) return;
  const key = zone === undefined ? name.wire : join([name.wire, zone.wire]);
  const named = zone === undefined ? hash.suffixes(key).hashes[0] : hash.whole(key);
  const hashed = keyHash(space, type, named as number);
  const existing = map.find(space, type, hashed, key, 0);
  const isBetter =
    existing !== 0 && map.untilOf(existing) > now && trustIn(map.tagOf(existing)) > trust;
  if (isBetter) return;
  packing.begin(name);
  if (zone !== undefined) packing.packZone(zone);
  pack();
  const size = packing.finish();
  if (size === undefined) {
    if (existing !== 0) map.remove(existing);
    return;
  }
  const tag = tagFor({ ...worth, life: until - now });
  const share = shareIn(hash, zone ?? name);
  map.put({ space, type, hash: hashed, share, until, tag }, key, packing.packed, size, now);
}

/** Whose share an entry about `name` counts in. */
function shareIn(hash: NameHash, name: Name): number | undefined {
  const start = shareStart(name.key);
  if (start < 0) return undefined;
  const { starts, hashes, count } = hash.suffixes(name.wire);
  for (let above = 0; above < count; above++) {
    if (starts[above] === start) return (hashes[above] as number) % SHARES;
  }
  return undefined;
}
