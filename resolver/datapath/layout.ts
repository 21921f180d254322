/**
 * The shared memory of the datapath: where everything lies in one SharedArrayBuffer.
 *
 * One writer, the main thread, and a reader for each processor. Nothing is locked: readers look at
 * counters before and after, and treat what changed meanwhile as a miss. Each thread has a block of
 * its own for what it writes, so that no two processors fight over a line of cache.
 */

/** Bytes for answers where there is memory enough; pages that are never used cost nothing. */
export const DATAPATH_BYTES = 16 * 1024 * 1024;
/** Less would not hold what one web page asks for. */
const MIN_BYTES = 64 * 1024;

/** Positions in the log of answers count units of eight bytes. */
export const UNIT = 8;

/** Places in the index that one hash may be in; they fill a line of cache. */
export const WAYS = 8;
/** Bytes of the log for each place in the index: no answer is smaller, so it is never full. */
const BYTES_FOR_PLACE = 64;

/** Questions that no thread could answer, for the main one. */
export const MISS_RING_BYTES = 256 * 1024;
/** Answered questions for the live log: what does not fit between two looks is only counted. */
export const EVENT_RING_BYTES = 8 * 1024;

/** Addresses of devices; more devices than this and every question goes to the main thread. */
export const MAX_EXACT = 2048;
/** Half full at most, so that a look ends soon. */
export const EXACT_PLACES = MAX_EXACT * 2;
/** Words of an entry: four of the address, the view plus one. */
export const EXACT_WORDS = 5;
export const MAX_PREFIXES = 32;
/** Words of an entry: four of the address, four of the mask, the view. */
export const PREFIX_WORDS = 9;

/** Words of the head; each that changes often has a line of cache. */
export const HEAD = {
  /** Odd while askers and views are being written; each even number is an epoch. */
  epoch: 0,
  /** Everything in the log before this position is gone. */
  tail: 16,
  /** Mixed into hashes, so that nobody outside can choose what collides. */
  seed: 32,
  prefixes: 33,
  /** Not zero while the live log wants to see questions. */
  wantsEvents: 34,
} as const;
const HEAD_WORDS = 48;

/** Words of a thread's block. */
export const THREAD = {
  hits: 0,
  misses: 1,
  /** Questions lost because the ring to the main thread was full. */
  dropped: 2,
  /** Answered questions that the live log did not get. */
  unseen: 3,
  /** Written and never read: a store before a load keeps earlier reads before it. */
  fence: 4,
  missHead: 16,
  missTail: 32,
  missRung: 33,
  eventHead: 48,
  eventTail: 64,
  eventRung: 65,
} as const;
const THREAD_WORDS = 80;

/** The parts of the arena as arrays over the same memory. */
export type Arena = {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly threads: number;
  /** First words of the parts. */
  readonly exact: number;
  readonly prefixes: number;
  readonly index: number;
  readonly places: number;
  /** First byte of a mark for each place: used since the hand passed. */
  readonly used: number;
  /** First byte and length in units of the log. */
  readonly log: number;
  readonly capacity: number;
};

const SHAPE_WORDS = 2;

/** Makes the memory for `threads`, with at least `bytes` for answers. */
export function createArena(threads: number, bytes: number, seed: number): SharedArrayBuffer {
  const log = powerOfTwo(Math.max(bytes, MIN_BYTES));
  const { end } = measure(threads, log);
  const shared = new SharedArrayBuffer(end);
  const words = new Int32Array(shared);
  words[0] = threads;
  words[1] = log;
  words[SHAPE_WORDS + HEAD.seed] = seed;
  return shared;
}

/** The arena in memory that `createArena` made. */
export function mapArena(shared: SharedArrayBuffer): Arena {
  const [threads = 0, log = 0] = new Int32Array(shared, 0, SHAPE_WORDS);
  const { parts } = measure(threads, log);
  return {
    words: new Int32Array(shared),
    bytes: new Uint8Array(shared),
    threads,
    ...parts,
    capacity: log / UNIT,
  };
}

/** The word of the head at `field`. */
export function headWord(field: number): number {
  return SHAPE_WORDS + field;
}

/** The word of a thread's block at `field`. */
export function threadWord(thread: number, field: number): number {
  return THREADS_AT + thread * THREAD_WORDS + field;
}

/** The first byte of a thread's rings. */
export function ringBytes({ threads }: Pick<Arena, 'threads'>, thread: number): RingPlaces {
  const first = align((THREADS_AT + threads * THREAD_WORDS) * 4);
  const miss = first + thread * (MISS_RING_BYTES + EVENT_RING_BYTES);
  return { miss, event: miss + MISS_RING_BYTES };
}

export type RingPlaces = { readonly miss: number; readonly event: number };

const THREADS_AT = align((SHAPE_WORDS + HEAD_WORDS) * 4) / 4;

function measure(threads: number, logBytes: number) {
  const rings = ringBytes({ threads }, threads).miss;
  const exact = align(rings);
  const prefixes = align(exact + EXACT_PLACES * EXACT_WORDS * 4);
  const index = align(prefixes + MAX_PREFIXES * PREFIX_WORDS * 4);
  const places = Math.max(powerOfTwo(logBytes / BYTES_FOR_PLACE), WAYS);
  const used = align(index + places * 8);
  const log = align(used + places);
  const parts = { exact: exact / 4, prefixes: prefixes / 4, index: index / 4, places, used, log };
  return { parts, end: log + logBytes };
}

function align(bytes: number): number {
  return (bytes + 63) & ~63;
}

function powerOfTwo(least: number): number {
  return 2 ** Math.ceil(Math.log2(least));
}
