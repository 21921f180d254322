/**
 * A map from names to octets that never takes more memory than it was given, with SIEVE eviction.
 *
 * All of it lies in cells (cells.ts) and two arrays of numbers, and all of that is counted: an entry
 * costs its cells and `INDEX_BYTES`. No entry is an object, so that the garbage collector has
 * nothing to look at.
 *
 * SIEVE (Zhang et al., NSDI 2024) keeps what was used since the hand last passed, so a flood of
 * names that are asked once (CacheFlush, USENIX Security 2024) pushes out itself and not the
 * household's names. And those that share a domain hold no more than their quota when others want
 * in: what is over it goes before what is not, also when it was used. What has ended goes before
 * anything that has not, whether it was used or not.
 *
 * Knows nothing of records. Times are seconds on whatever clock the caller has.
 */

import { LOWER } from '../message/name.ts';
import { CELL_BYTES, type Cells, cellsFor, createCells } from './cells.ts';
import { createPackedDeadlines } from './packed-deadlines.ts';
import { createPackedQueue } from './packed-queue.ts';

/** What an entry may take in the index and the order of deadlines, both of which grow by doubling. */
export const INDEX_BYTES = 16;

/** What is kept with an entry's octets. */
export type PackedEntry = {
  /** A space of keys, below 16, and a type in it. */
  readonly space: number;
  readonly type: number;
  /** The hash of space, type and key. */
  readonly hash: number;
  /** Of whom there are shares: a number below `SHARES`, or none. */
  readonly share: number | undefined;
  readonly until: number;
  /** 27 bits that are the caller's. */
  readonly tag: number;
};

export type PackedMap = {
  /**
   * The entry whose octets begin with those of `key` from `start` on, case ignored: its number, good
   * until the next change, or 0. Counts as use.
   */
  find(space: number, type: number, hash: number, key: Uint8Array, start: number): number;
  /** Stores the first `size` of `bytes`, which begin with `key`, in place of what has that key. */
  put(entry: PackedEntry, key: Uint8Array, bytes: Uint8Array, size: number, now: number): void;
  remove(item: number): void;
  untilOf(item: number): number;
  tagOf(item: number): number;
  setTag(item: number, tag: number): void;
  spaceOf(item: number): number;
  typeOf(item: number): number;
  sizeOf(item: number): number;
  read(item: number, into: Uint8Array): void;
  /** The newest entry, and the one before another; 0 when there is none. */
  newest(): number;
  olderThan(item: number): number;
  clear(): void;
  readonly entries: number;
  /** What all entries cost; never above the limit. */
  readonly bytes: number;
};

/** Domains are told apart by this many numbers; those that fall together share a share. */
export const SHARES = 4096;
const NO_SHARE = 0xffff;

/* The words of an entry's head. Word 0 is also the cells' own when the entry is gone. */
const CHAIN = 0;
const HASH = 1;
const OLDER = 2;
const NEWER = 3;
const POSITION = 4;
const UNTIL = 5;
/** Used (1 bit), key space (4), the caller's (27). */
const STATE = 6;
const SHARE_AND_TYPE = 7;

const USED = 0x8000_0000;
const SPACE_SHIFT = 27;
const TAG = 0x07ff_ffff;

/** Ends are kept in sixteenths of a second since the first entry, rounded up: for eight years. */
const TICKS = 16;
const MAX_SECONDS = 0xffff_ffff / TICKS - 1;

const FIRST_HEADS = 256;

/** Makes an empty map that holds at most `limit` bytes, of which one share may hold `quota`. */
export function createPackedMap(limit: number, quota = Number.POSITIVE_INFINITY): PackedMap {
  const cells = createCells();
  const heads = createHeads(cells);
  const deadlines = createPackedDeadlines(cells, UNTIL, POSITION);
  const queue = createPackedQueue(cells, { older: OLDER, newer: NEWER, state: STATE, used: USED });
  const shares = createShares(quota, heads.shareOf);
  const index = createIndex(cells);
  let entries = 0;
  const bytes = () => cells.used * CELL_BYTES + entries * INDEX_BYTES;

  function remove(item: number): void {
    shares.add(heads.shareOf(item), -costOf(cells.sizeOf(item)));
    index.remove(item);
    queue.unlink(item);
    deadlines.remove(item);
    cells.remove(item);
    entries--;
  }

  function clear(): void {
    for (const part of [cells, heads, deadlines, queue, shares, index]) part.clear();
    entries = 0;
  }

  function evictOne(now: number): void {
    const ended = deadlines.first();
    if (ended !== 0 && heads.untilOf(ended) <= now) remove(ended);
    else remove(shares.isAnyOver() ? queue.nextOf(shares.isOver) : queue.next());
  }

  return {
    ...heads,
    remove,
    sizeOf: cells.sizeOf,
    read: cells.read,
    newest: queue.newest,
    olderThan: (item) => cells.get(item, OLDER),
    find(space, type, hash, key, from) {
      const item = index.find(space, type, hash, key, from);
      if (item !== 0) heads.setUsed(item);
      return item;
    },
    put(entry, key, octets, size, now) {
      const { space, type, hash, share = NO_SHARE } = entry;
      const existing = index.find(space, type, hash, key, 0);
      if (existing !== 0) remove(existing);
      const cost = costOf(size);
      if (cost > limit) return;
      // The date was set, or a program ran for very long: all that was there has ended.
      if (!heads.isInReach(entry.until)) clear();
      // Counted before there is room, so that who is over the quota with this makes the room.
      shares.add(share, cost);
      while (bytes() + cost > limit) evictOne(now);
      const item = cells.add(octets, size);
      heads.write(item, entry, now);
      if (existing !== 0) heads.setUsed(item);
      index.add(item, ++entries);
      queue.link(item);
      deadlines.add(item);
    },
    clear,
    get entries() {
      return entries;
    },
    get bytes() {
      return bytes();
    },
  };
}

/** What an entry of `size` octets takes. */
function costOf(size: number): number {
  return cellsFor(size) * CELL_BYTES + INDEX_BYTES;
}

/** The words of entries that others than the queue and the orders read. */
function createHeads(cells: Cells) {
  let start: number | undefined;
  return {
    write(item: number, entry: PackedEntry, now: number): void {
      const { space, type, hash, share = NO_SHARE, until, tag } = entry;
      start ??= Math.floor(now) - 1;
      cells.set(item, HASH, hash);
      cells.set(item, UNTIL, Math.max(Math.ceil((until - start) * TICKS), 0));
      cells.set(item, STATE, (space << SPACE_SHIFT) | tag);
      cells.set(item, SHARE_AND_TYPE, (share << 16) | type);
    },
    /** Whether there is a number for that end. */
    isInReach: (until: number): boolean => start === undefined || until - start < MAX_SECONDS,
    untilOf: (item: number): number => (start ?? 0) + cells.get(item, UNTIL) / TICKS,
    tagOf: (item: number): number => cells.get(item, STATE) & TAG,
    setTag: (item: number, tag: number): void =>
      cells.set(item, STATE, (cells.get(item, STATE) & ~TAG) | tag),
    setUsed: (item: number): void => cells.set(item, STATE, cells.get(item, STATE) | USED),
    spaceOf: (item: number): number => spaceOf(cells, item),
    typeOf: (item: number): number => typeOf(cells, item),
    shareOf: (item: number): number => cells.get(item, SHARE_AND_TYPE) >>> 16,
    clear(): void {
      start = undefined;
    },
  };
}

const spaceOf = (cells: Cells, item: number) => (cells.get(item, STATE) >>> SPACE_SHIFT) & 15;
const typeOf = (cells: Cells, item: number) => cells.get(item, SHARE_AND_TYPE) & 0xffff;

/** Entries by their hash: the first of each chain. */
function createIndex(cells: Cells) {
  let heads = new Uint32Array(FIRST_HEADS);

  function push(item: number): void {
    const slot = cells.get(item, HASH) & (heads.length - 1);
    cells.set(item, CHAIN, heads[slot] as number);
    heads[slot] = item;
  }

  function grow(): void {
    const before = heads;
    heads = new Uint32Array(before.length * 2);
    for (const first of before) {
      for (let item = first; item !== 0; ) {
        const next = cells.get(item, CHAIN);
        push(item);
        item = next;
      }
    }
  }

  return {
    /** The entry with that hash, space, type and beginning; 0 when there is none. */
    find(space: number, type: number, hash: number, key: Uint8Array, from: number): number {
      let item = heads[hash & (heads.length - 1)] as number;
      for (; item !== 0; item = cells.get(item, CHAIN)) {
        if (cells.get(item, HASH) !== hash >>> 0) continue;
        const isSame = spaceOf(cells, item) === space && typeOf(cells, item) === type;
        if (isSame && cells.begins(item, key, from, LOWER)) return item;
      }
      return 0;
    },
    /** Adds one, of which there are `count` then. */
    add(item: number, count: number): void {
      if (count > heads.length) grow();
      push(item);
    },
    remove(item: number): void {
      const slot = cells.get(item, HASH) & (heads.length - 1);
      let at = heads[slot] as number;
      if (at === item) {
        heads[slot] = cells.get(item, CHAIN);
        return;
      }
      while (cells.get(at, CHAIN) !== item) at = cells.get(at, CHAIN);
      cells.set(at, CHAIN, cells.get(item, CHAIN));
    },
    clear(): void {
      heads = new Uint32Array(FIRST_HEADS);
    },
  };
}

/** Who holds how much, and whether anybody more than the quota. */
function createShares(quota: number, shareOf: (item: number) => number) {
  const held = new Float64Array(SHARES);
  let over = 0;
  return {
    add(share: number, cost: number): void {
      if (share === NO_SHARE) return;
      const before = held[share] as number;
      held[share] = before + cost;
      over += Number(before + cost > quota) - Number(before > quota);
    },
    isAnyOver: () => over > 0,
    isOver: (item: number) => (held[shareOf(item)] ?? 0) > quota,
    clear(): void {
      held.fill(0);
      over = 0;
    },
  };
}
