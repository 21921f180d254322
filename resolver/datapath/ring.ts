/**
 * A queue of octets in shared memory from one thread to one other.
 *
 * Each record has its length before it and begins at a multiple of eight. Who writes moves the head
 * after the record is there, who reads moves the tail when done with it; both wrap at 2³².
 */

import type { Arena } from './layout.ts';

/** Where a queue lies: words of its head and tail, and its octets, a power of two. */
export type RingPlace = {
  readonly head: number;
  readonly tail: number;
  readonly start: number;
  readonly size: number;
};

/** In place of a length: the rest up to the end is not used. */
const SKIP = -1;
const LENGTH = 8;

/** Makes room for `length` octets; returns where to write them, or -1 when it is full. */
export function reserve(arena: Arena, ring: RingPlace, length: number): number {
  const { words } = arena;
  const needed = rounded(length);
  const head = words[ring.head] as number;
  const free = ring.size - ((head - Atomics.load(words, ring.tail)) | 0);
  const offset = head & (ring.size - 1);
  const straight = ring.size - offset;
  if (needed > straight) {
    if (needed + straight > free) return -1;
    words[(ring.start + offset) >>> 2] = SKIP;
    Atomics.store(words, ring.head, (head + straight) | 0);
    return reserve(arena, ring, length);
  }
  if (needed > free) return -1;
  words[(ring.start + offset) >>> 2] = length;
  return ring.start + offset + LENGTH;
}

/** Hands over the record of `length` octets that was written where `reserve` said. */
export function commit({ words }: Arena, ring: RingPlace, length: number): void {
  Atomics.store(words, ring.head, ((words[ring.head] as number) + rounded(length)) | 0);
}

/** Takes the next record, a copy; undefined when there is none. */
export function take({ words, bytes }: Arena, ring: RingPlace): Uint8Array | undefined {
  for (;;) {
    const tail = words[ring.tail] as number;
    if (Atomics.load(words, ring.head) === tail) return undefined;
    const offset = tail & (ring.size - 1);
    const length = words[(ring.start + offset) >>> 2] as number;
    if (length === SKIP) {
      Atomics.store(words, ring.tail, (tail + ring.size - offset) | 0);
      continue;
    }
    const start = ring.start + offset + LENGTH;
    const copy = new Uint8Array(length);
    copy.set(bytes.subarray(start, start + length));
    Atomics.store(words, ring.tail, (tail + rounded(length)) | 0);
    return copy;
  }
}

function rounded(length: number): number {
  return (length + LENGTH + 7) & ~7;
}
