/**
 * A bounded queue in which owners take turns: who brings much waits for himself.
 *
 * When it is full, whoever has most in it gives up the newest, unless that is who asks to get in.
 */

export type Turns<Item> = {
  /** Lets an item in; false when there is no room for it. */
  enter(owner: string, item: Item): boolean;
  /** Takes out the oldest of whose turn it is. */
  next(): Item | undefined;
  /** Takes an item out before its turn; false when it is not there. */
  leave(owner: string, item: Item): boolean;
  readonly size: number;
};

/** An empty queue of `limit` places; `drop` hears of what had to go. */
export function createTurns<Item>(limit: number, drop: (item: Item) => void): Turns<Item> {
  /** The owner whose turn is next is the first. */
  const queues = new Map<string, Item[]>();
  let size = 0;

  function remove(owner: string, queue: Item[], at: number): void {
    queue.splice(at, 1);
    if (queue.length === 0) queues.delete(owner);
    size--;
  }

  function makeRoom(mine: number): boolean {
    let [most, length] = ['', 0];
    for (const [owner, queue] of queues) {
      if (queue.length > length) [most, length] = [owner, queue.length];
    }
    const queue = queues.get(most);
    const newest = queue?.at(-1);
    if (queue === undefined || newest === undefined || length <= mine + 1) return false;
    remove(most, queue, length - 1);
    drop(newest);
    return true;
  }

  return {
    enter(owner, item) {
      const mine = queues.get(owner)?.length ?? 0;
      if (size >= limit && !makeRoom(mine)) return false;
      const queue = queues.get(owner) ?? [];
      queue.push(item);
      queues.set(owner, queue);
      size++;
      return true;
    },
    next() {
      const [turn] = queues;
      if (turn === undefined) return undefined;
      const [owner, queue] = turn;
      const [item] = queue;
      remove(owner, queue, 0);
      // Behind all others.
      if (queues.delete(owner)) queues.set(owner, queue);
      return item;
    },
    leave(owner, item) {
      const queue = queues.get(owner);
      const at = queue?.indexOf(item) ?? -1;
      if (queue === undefined || at < 0) return false;
      remove(owner, queue, at);
      return true;
    },
    get size() {
      return size;
    },
  };
}
