/**
 * Where in a zone there are proofs: the owners of its NSEC records in canonical order, and the hashes
 * of its NSEC3 records in theirs. The records are in the cache, which may forget them at any time.
 *
 * @see RFC 4034 §6.1, RFC 5155 §3.1.7
 */

import type { Name } from '../message/name.ts';

/** Zones with proofs that are remembered; the one not used for longest goes. */
export const MAX_ZONES = 256;

/** Proofs of one zone; the root has some 1500. Zones that sign on demand make one for each question. */
export const MAX_PROOFS = 2000;

/** Proofs of all zones, some 250 octets each that the cache does not count. */
export const MAX_ALL_PROOFS = 16_384;

/** How a zone's names are hashed. */
export type Hashing = { readonly iterations: number; readonly salt: Uint8Array };

/** What is known of one zone. */
export type ZoneIndex = {
  readonly apex: Name;
  readonly owners: Name[];
  readonly hashes: string[];
  hashing: Hashing | undefined;
};

export type ProofIndex = {
  get(apex: Pick<Name, 'key'>): ZoneIndex | undefined;
  /** The same, made when missing. */
  open(apex: Name): ZoneIndex;
  clear(): void;
};

/** Makes an empty index. */
export function createProofIndex(): ProofIndex {
  const zones = new Map<string, ZoneIndex>();

  function isFull(): boolean {
    let proofs = 0;
    for (const { owners, hashes } of zones.values()) proofs += owners.length + hashes.length;
    return proofs >= MAX_ALL_PROOFS || zones.size > MAX_ZONES;
  }

  return {
    get(apex) {
      const zone = zones.get(apex.key);
      if (zone === undefined) return undefined;
      zones.delete(apex.key);
      zones.set(apex.key, zone);
      return zone;
    },
    open(apex) {
      const known = this.get(apex);
      const zone = known ?? { apex, owners: [], hashes: [], hashing: undefined };
      if (known === undefined) zones.set(apex.key, zone);
      for (const oldest of zones.keys()) {
        if (oldest === apex.key || !isFull()) break;
        zones.delete(oldest);
      }
      return zone;
    },
    clear: () => zones.clear(),
  };
}

/** The last of `sorted` that is not after `wanted`. */
export function lastUpTo<Item>(
  sorted: readonly Item[],
  wanted: Item,
  compare: (a: Item, b: Item) => number,
): Item | undefined {
  return sorted[placeAfter(sorted, wanted, compare) - 1];
}

/** Puts an item in its place, once; when there are too many, its neighbour goes. */
export function insert<Item>(
  sorted: Item[],
  item: Item,
  compare: (a: Item, b: Item) => number,
): void {
  const at = placeAfter(sorted, item, compare);
  const before = sorted[at - 1];
  if (before !== undefined && compare(before, item) === 0) return;
  if (sorted.length < MAX_PROOFS) sorted.splice(at, 0, item);
  else sorted[Math.min(at, sorted.length - 1)] = item;
}

/** How many of `sorted` are not after `wanted`. */
function placeAfter<Item>(
  sorted: readonly Item[],
  wanted: Item,
  compare: (a: Item, b: Item) => number,
): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(sorted[middle] as Item, wanted) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Order of hashes in Base32hex (RFC 4648 §7). */
export function byHash(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
