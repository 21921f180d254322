/**
 * Things by when they end, the first to end at hand: a binary heap whose items know their place, so
 * that any of them can be taken out.
 */

/** What is ordered; `position` belongs to the heap and is -1 outside it. */
export type Deadline = { readonly until: number; position: number };

export type Deadlines<Item extends Deadline> = {
  /** What ends first. */
  first(): Item | undefined;
  add(item: Item): void;
  /** Takes an item out; one that is not in here is left alone. */
  delete(item: Item): void;
  clear(): void;
};

/** Makes an empty order. */
export function createDeadlines<Item extends Deadline>(): Deadlines<Item> {
  const heap: Item[] = [];

  function put(item: Item, position: number): void {
    heap[position] = item;
    item.position = position;
  }

  function rise(item: Item, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.until <= item.until) break;
      put(parent, at);
      at = above;
    }
    put(item, at);
  }

  function sink(item: Item, from: number): void {
    let at = from;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const child = right !== undefined && left !== undefined && right.until < left.until;
      const least = child ? right : left;
      if (least === undefined || least.until >= item.until) break;
      const below = least.position;
      put(least, at);
      at = below;
    }
    put(item, at);
  }

  return {
    first: () => heap[0],
    add(item) {
      rise(item, heap.length);
    },
    delete(item) {
      const at = item.position;
      if (at < 0) return;
      item.position = -1;
      const last = heap.pop();
      if (last === undefined || last === item) return;
      const above = heap[(at - 1) >> 1];
      if (at > 0 && above !== undefined && above.until > last.until) rise(last, at);
      else sink(last, at);
    },
    clear() {
      heap.length = 0;
    },
  };
}
