/**
 * Items of cells by when they end, the first to end at hand: a binary heap of numbers whose items
 * know their place, so that any of them can be taken out.
 */

import type { Cells } from './cells.ts';

export type PackedDeadlines = {
  /** What ends first; 0 when there is nothing. */
  first(): number;
  add(item: number): void;
  remove(item: number): void;
  clear(): void;
};

const FIRST_ITEMS = 256;

/** Makes an empty order by the word `until` of each item, which keeps its place in `position`. */
export function createPackedDeadlines(
  cells: Pick<Cells, 'get' | 'set'>,
  until: number,
  position: number,
): PackedDeadlines {
  let heap = new Uint32Array(FIRST_ITEMS);
  let count = 0;

  const endOf = (item: number) => cells.get(item, until);

  function place(item: number, at: number): void {
    heap[at] = item;
    cells.set(item, position, at);
  }

  function rise(item: number, from: number): void {
    const end = endOf(item);
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as number;
      if (endOf(parent) <= end) break;
      place(parent, at);
      at = above;
    }
    place(item, at);
  }

  function sink(item: number, from: number): void {
    const end = endOf(item);
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      const right = child + 1;
      if (right < count && endOf(heap[right] as number) < endOf(heap[child] as number))
        child = right;
      const least = heap[child] as number;
      if (endOf(least) >= end) break;
      place(least, at);
      at = child;
    }
    place(item, at);
  }

  return {
    first: () => (count === 0 ? 0 : (heap[0] as number)),
    add(item) {
      if (count === heap.length) {
        const larger = new Uint32Array(heap.length * 2);
        larger.set(heap);
        heap = larger;
      }
      rise(item, count++);
    },
    remove(item) {
      const at = cells.get(item, position);
      const last = heap[--count] as number;
      if (last === item) return;
      const isEarlier = at > 0 && endOf(heap[(at - 1) >> 1] as number) > endOf(last);
      if (isEarlier) rise(last, at);
      else sink(last, at);
    },
    clear() {
      heap = new Uint32Array(FIRST_ITEMS);
      count = 0;
    },
  };
}
