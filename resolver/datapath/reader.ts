/**
 * Looking answers up in shared memory, which every thread does, without a lock.
 *
 * What is read may be written over meanwhile, so nothing of it is believed before the log's tail was
 * seen again after copying: until then numbers are only used where any number does no harm. A store
 * between keeps the processor from looking at the tail too early.
 */

import { type Arena, HEAD, headWord, THREAD, threadWord, UNIT, WAYS } from './layout.ts';
import { type Asked, hashFor } from './question.ts';
import { FROM_ZONE, HEADER, MAX_VIEW, RECORD, RECORD_WORDS, small } from './record.ts';

/** Where a reader reads from and writes to; datagrams begin at words. */
export type Buffers = {
  readonly received: Uint8Array;
  readonly replies: Uint8Array;
  readonly replyWords: Int32Array;
};

type ReaderBuffers = Buffers & { readonly receivedWords: Int32Array };

export type TableReader = {
  /** The place in the index of what may be the answer for this view; -1 when there is none. */
  find(asked: Asked, view: number): number;
  /** Reads of what lies at `place`, so that it is near when it is wanted; the result means nothing. */
  touch(place: number): number;
  /**
   * Copies what lies at `place`, when it is the answer to `asked`, whose octets are at `start`, to
   * `at` in the replies, ready to be sent; returns its length, or 0 when it is another one.
   */
  answer(
    place: number,
    asked: Asked,
    start: number,
    view: number,
    epoch: number,
    now: number,
    at: number,
  ): number;
  /** Whether the last answer was from our own zone. */
  isFromZone(): boolean;
};

/** One of the readers of an arena. */
export function createTableReader(arena: Arena, thread: number, io: Buffers): TableReader {
  const { received, replies, replyWords } = io;
  const receivedWords = new Int32Array(received.buffer, received.byteOffset, received.length >>> 2);
  const buffers: ReaderBuffers = { received, receivedWords, replies, replyWords };
  const { words, bytes, capacity } = arena;
  const tailWord = headWord(HEAD.tail);
  const epochWord = headWord(HEAD.epoch);
  const fence = threadWord(thread, THREAD.fence);
  const buckets = arena.places / WAYS - 1;
  let isFromZone = false;

  /** Whether nothing changed since the answer at `position` was found. */
  function isStill(position: number, epoch: number): boolean {
    Atomics.store(words, fence, 0);
    const isThere = ((position - Atomics.load(words, tailWord)) | 0) >= 0;
    return isThere && Atomics.load(words, epochWord) === epoch;
  }

  return {
    find(asked, view) {
      const hash = hashFor(view, asked);
      const first = (hash & buckets) * WAYS;
      const at = arena.index + first * 2;
      for (let way = 0; way < WAYS; way++) {
        // No two answers in the index have the same hash.
        if (words[at + way * 2] === hash) return first + way;
      }
      return -1;
    },
    touch(place) {
      const position = words[arena.index + place * 2 + 1] as number;
      let seen = bytes[arena.used + place] as number;
      for (let line = 0; line < TOUCHED_LINES; line++) {
        const unit = (position + line * (LINE_BYTES / UNIT)) & (capacity - 1);
        seen ^= words[(arena.log + unit * UNIT) >>> 2] as number;
      }
      return seen;
    },
    answer(place, asked, start, view, epoch, now, at) {
      const position = words[arena.index + place * 2 + 1] as number;
      const record = (arena.log + (position & (capacity - 1)) * UNIT) >>> 2;
      if (!isFor(words, record, asked, view, epoch, now)) return 0;
      const length = copy(arena, record, asked, start, now, buffers, at);
      isFromZone = ((words[record + RECORD.kind] as number) & FROM_ZONE) !== 0;
      if (length === 0 || !isStill(position, epoch)) return 0;
      if (bytes[arena.used + place] === 0) bytes[arena.used + place] = 1;
      return length;
    },
    isFromZone: () => isFromZone,
  };
}

/** A line of cache, and how many of them an answer usually takes. */
const LINE_BYTES = 64;
const TOUCHED_LINES = 3;

/** Whether the record at word `at` may answer this question, to this view, now. */
function isFor(
  words: Int32Array,
  at: number,
  asked: Asked,
  view: number,
  epoch: number,
  now: number,
): boolean {
  const kind = words[at + RECORD.kind] as number;
  const shape = words[at + RECORD.shape] as number;
  return (
    (kind & 0xff) === asked.variant &&
    ((kind >>> 16) & MAX_VIEW) === view &&
    words[at + RECORD.epoch] === epoch &&
    (words[at + RECORD.expires] as number) > now &&
    shape >>> 16 === asked.end &&
    (shape & 0xffff) <= asked.limit
  );
}

/** The length of the record's message after copying it, or 0 when its question is another. */
function copy(
  arena: Arena,
  record: number,
  asked: Asked,
  start: number,
  now: number,
  buffers: ReaderBuffers,
  at: number,
): number {
  const { words, bytes } = arena;
  const { received, replies, replyWords } = buffers;
  const length = (words[record + RECORD.shape] as number) & 0xffff;
  const count = ((words[record + RECORD.kind] as number) >>> 8) & 0xff;
  const wire = record + RECORD_WORDS + ((count + 1) >>> 1);
  if (!isSameQuestion(arena, wire, buffers, start, asked)) return 0;
  // Up to three octets more than it has: there is room.
  const all = Math.min((length + 3) >>> 2, MAX_WORDS);
  const target = at >>> 2;
  for (let word = 0; word < all; word++) replyWords[target + word] = words[wire + word] as number;
  replies[at] = received[start] as number;
  replies[at + 1] = received[start + 1] as number;
  if (asked.hasCapitals) {
    for (let octet = HEADER; octet < asked.end; octet++) {
      replies[at + octet] = received[start + octet] as number;
    }
  }
  const age = now - (words[record + RECORD.storedAt] as number);
  if (age > 0) countDown(bytes, (record + RECORD_WORDS) * 4, count, age, replies, at, length);
  return length;
}

/** Words of the longest answer over UDP (RFC 9715 §3.1). */
const MAX_WORDS = 1232 / 4;

function isSameQuestion(
  { words, bytes }: Arena,
  wire: number,
  { received, receivedWords }: ReaderBuffers,
  start: number,
  { end, hasCapitals }: Asked,
): boolean {
  const at = wire * 4;
  if (hasCapitals) return isSameInSmall(bytes, at, received, start, end);
  const whole = end >>> 2;
  const first = start >>> 2;
  for (let word = HEADER >>> 2; word < whole; word++) {
    if (words[wire + word] !== receivedWords[first + word]) return false;
  }
  for (let octet = whole << 2; octet < end; octet++) {
    if (bytes[at + octet] !== received[start + octet]) return false;
  }
  return true;
}

function isSameInSmall(
  stored: Uint8Array,
  at: number,
  received: Uint8Array,
  start: number,
  end: number,
): boolean {
  // Type and class are no letters, whatever their octets are.
  const nameEnd = end - 4;
  for (let octet = HEADER; octet < end; octet++) {
    const asked = received[start + octet] as number;
    if (stored[at + octet] !== (octet < nameEnd ? small(asked) : asked)) return false;
  }
  return true;
}

/** Takes `age` seconds from each of the `count` TTLs whose offsets are at `offsets`. */
function countDown(
  bytes: Uint8Array,
  offsets: number,
  count: number,
  age: number,
  replies: Uint8Array,
  at: number,
  length: number,
): void {
  for (let index = 0; index < count; index++) {
    const low = offsets + index * 2;
    const offset = (bytes[low] as number) | ((bytes[low + 1] as number) << 8);
    if (offset + 4 <= length) subtract(replies, at + offset, age);
  }
}

/** A number of 32 bits in network order, less `age`. */
function subtract(bytes: Uint8Array, at: number, age: number): void {
  const ttl =
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0;
  const left = Math.max(0, ttl - age);
  bytes[at] = left >>> 24;
  bytes[at + 1] = left >>> 16;
  bytes[at + 2] = left >>> 8;
  bytes[at + 3] = left;
}
