/**
 * The decisions of the merge, each by itself: the tests replace one at a time by a plausible
 * mistake and demand that a property notices.
 */

import type { Dot, Entry, MergedRecord } from './merged.ts';
import { chainOf, compareDots } from './merged.ts';

/** Largest number that JSON holds exactly; sums stop there instead of becoming another number. */
const MAX = BigInt(Number.MAX_SAFE_INTEGER);

export type Decisions = typeof DECISIONS;

/** What the merge decides. */
export const DECISIONS = {
  /** Whether a state with this vector has seen the dot. */
  covers: (vector: ReadonlyMap<string, number>, dot: Dot): boolean =>
    (vector.get(chainOf(dot)) ?? 0) >= dot.seq,
  /** Whether something of one side outlives the join, by whether the other has it or has seen it. */
  survives: (isInOther: boolean, isCovered: boolean, _kind: Entry['kind'] | 'dot'): boolean =>
    isInOther || !isCovered,
  joinSeq: (a: number, b: number): number => Math.max(a, b),
  joinLastSeq: (a: number, b: number): number => Math.min(a, b),
  /** A write concurrent with the deletion keeps the whole record. */
  isAlive: ({ alive }: MergedRecord): boolean => alive.length > 0,
  /** Whether writing to a deleted record begins it anew. */
  beginsAnew: true,
  /** Whether a write to a field replaces an entry it has seen. */
  replaces: (entry: Entry): boolean => entry.kind !== 'grown',
  sum: (counts: readonly number[]): number => {
    const total = counts.reduce((sum, count) => sum + BigInt(count), 0n);
    return Number(total > MAX ? MAX : total < -MAX ? -MAX : total);
  },
  /** The last resort between rivals. */
  prefer: compareDots,
  /** Where an item stands that was moved by several at once: in one place. */
  placesOf: (places: readonly Extract<Entry, { kind: 'place' }>[]) =>
    places.toSorted((a, b) => compareDots(a.dot, b.dot)).slice(0, 1),
  isConflict: (rivals: number): boolean => rivals > 1,
};
