/**
 * Memory in cells of one size, so that nothing fragments and freed memory fits whatever comes next.
 *
 * An item is a cell with a head of `HEAD_WORDS` words for whoever keeps it, and octets: the first
 * few behind the head, the rest in further cells, each of which begins with the number of the next.
 * Cells come from the operating system a chunk at a time. Cell 0 is none.
 */

/** Words of a cell's head that are the keeper's; after them come two of ours. */
const HEAD_WORDS = 8;
const NEXT = HEAD_WORDS;
const SIZE = HEAD_WORDS + 1;
const CELL_WORDS = 14;

/** Octets of memory that a cell takes. */
export const CELL_BYTES = 4 * CELL_WORDS;

const FIRST_AT = 4 * (HEAD_WORDS + 2);
const FIRST_BYTES = CELL_BYTES - FIRST_AT;
const REST_BYTES = CELL_BYTES - 4;

/** 224 KB: allocators take that from the system as it is. */
const CHUNK_SHIFT = 12;
const CHUNK_CELLS = 1 << CHUNK_SHIFT;

export type Cells = {
  /** Cells that hold something. */
  readonly used: number;
  /** A new item with `size` octets of `bytes`; its head is not cleared. */
  add(bytes: Uint8Array, size: number): number;
  remove(item: number): void;
  get(item: number, word: number): number;
  set(item: number, word: number, value: number): void;
  sizeOf(item: number): number;
  /** Copies an item's octets to the beginning of `into`, which must be large enough. */
  read(item: number, into: Uint8Array): void;
  /** Whether an item's octets begin with those of `wanted` from `start` on, after `fold`. */
  begins(item: number, wanted: Uint8Array, start: number, fold: Uint8Array): boolean;
  /** Gives all memory back. */
  clear(): void;
};

/** How many cells an item of `size` octets takes. */
export function cellsFor(size: number): number {
  return size <= FIRST_BYTES ? 1 : 1 + Math.ceil((size - FIRST_BYTES) / REST_BYTES);
}

/** Makes an empty memory. */
export function createCells(): Cells {
  const { octets, get, set, take, give, clear, used } = createPool();

  /** Calls `visit` with each stretch of an item's octets until it returns false. */
  function stretches(item: number, size: number, visit: Visit): boolean {
    let length = Math.min(size, FIRST_BYTES);
    const first = octets[item >>> CHUNK_SHIFT] as Uint8Array;
    if (!visit(first, startOf(item) + FIRST_AT, 0, length)) return false;
    let cell = get(item, NEXT);
    for (let at = length; at < size; at += length) {
      length = Math.min(size - at, REST_BYTES);
      const bytes = octets[cell >>> CHUNK_SHIFT] as Uint8Array;
      if (!visit(bytes, startOf(cell) + 4, at, length)) return false;
      cell = get(cell, 0);
    }
    return true;
  }

  return {
    get,
    set,
    add(bytes, size) {
      const item = take();
      set(item, SIZE, size);
      let last = item;
      for (let left = size - FIRST_BYTES; left > 0; left -= REST_BYTES) {
        const cell = take();
        set(last, last === item ? NEXT : 0, cell);
        last = cell;
      }
      stretches(item, size, (into, start, at, length) => {
        for (let i = 0; i < length; i++) into[start + i] = bytes[at + i] as number;
        return true;
      });
      return item;
    },
    remove(item) {
      let cell = get(item, NEXT);
      for (let left = cellsFor(get(item, SIZE)) - 1; left > 0; left--) {
        const next = get(cell, 0);
        give(cell);
        cell = next;
      }
      give(item);
    },
    sizeOf: (item) => get(item, SIZE),
    read(item, into) {
      stretches(item, get(item, SIZE), (bytes, start, at, length) => {
        for (let i = 0; i < length; i++) into[at + i] = bytes[start + i] as number;
        return true;
      });
    },
    begins(item, wanted, start, fold) {
      const size = wanted.length - start;
      if (size > get(item, SIZE)) return false;
      return stretches(item, size, (bytes, from, at, length) => {
        for (let i = 0; i < length; i++) {
          const octet = wanted[start + at + i] as number;
          if (fold[bytes[from + i] as number] !== fold[octet]) return false;
        }
        return true;
      });
    },
    clear,
    get used() {
      return used();
    },
  };
}

type Visit = (bytes: Uint8Array, start: number, at: number, length: number) => boolean;

const startOf = (cell: number) => (cell & (CHUNK_CELLS - 1)) * CELL_BYTES;

/** Single cells, as words and as octets; those that are free are a chain by their first word. */
function createPool() {
  const words: Uint32Array[] = [];
  const octets: Uint8Array[] = [];
  let fresh = 1;
  let free = 0;
  let used = 0;

  const placeOf = (cell: number, word: number) => (cell & (CHUNK_CELLS - 1)) * CELL_WORDS + word;

  const get = (cell: number, word: number): number =>
    (words[cell >>> CHUNK_SHIFT] as Uint32Array)[placeOf(cell, word)] as number;

  function set(cell: number, word: number, value: number): void {
    (words[cell >>> CHUNK_SHIFT] as Uint32Array)[placeOf(cell, word)] = value;
  }

  return {
    octets,
    get,
    set,
    take(): number {
      used++;
      if (free !== 0) {
        const cell = free;
        free = get(cell, 0);
        return cell;
      }
      if (fresh >>> CHUNK_SHIFT === words.length) {
        // V8 does not count shared memory; what it counts makes it collect the more often.
        const chunk = new Uint32Array(new SharedArrayBuffer(CHUNK_CELLS * CELL_BYTES));
        words.push(chunk);
        octets.push(new Uint8Array(chunk.buffer));
      }
      return fresh++;
    },
    give(cell: number): void {
      used--;
      set(cell, 0, free);
      free = cell;
    },
    clear(): void {
      words.length = 0;
      octets.length = 0;
      fresh = 1;
      free = used = 0;
    },
    used: () => used,
  };
}
