/**
 * A map that never holds more bytes than it was given, with SIEVE eviction.
 *
 * SIEVE (Zhang et al., NSDI 2024) keeps what was used since the hand last passed, so a flood of
 * names that are asked once pushes out itself and not what is used. For values that are made again
 * at any time; what was learnt from others is in packed-map.ts.
 */

/** A map bounded by the sum of its entries' sizes. */
export type Sieve<Value> = {
  get(key: string): Value | undefined;
  /** Stores `value`, evicting others; nothing larger than the whole limit is stored. */
  set(key: string, value: Value, size: number): void;
  /** The sum of the sizes held; never above the limit. */
  readonly bytes: number;
};

type Node<Value> = {
  readonly key: string;
  readonly size: number;
  readonly value: Value;
  used: boolean;
  newer: Node<Value> | undefined;
  older: Node<Value> | undefined;
};

/** Makes an empty map that holds at most `limit` bytes. */
export function createSieve<Value>(limit: number): Sieve<Value> {
  const nodes = new Map<string, Node<Value>>();
  const queue = createQueue<Value>();
  let bytes = 0;

  function remove(node: Node<Value>): void {
    queue.unlink(node);
    nodes.delete(node.key);
    bytes -= node.size;
  }

  return {
    get(key) {
      const node = nodes.get(key);
      if (node === undefined) return undefined;
      node.used = true;
      return node.value;
    },
    set(key, value, size) {
      const existing = nodes.get(key);
      if (existing !== undefined) remove(existing);
      if (size > limit) return;
      while (bytes + size > limit) remove(queue.next());
      const used = existing !== undefined;
      const node = { key, value, size, used, newer: undefined, older: undefined };
      queue.link(node);
      nodes.set(key, node);
      bytes += size;
    },
    get bytes() {
      return bytes;
    },
  };
}

/** Nodes from old to new, and the hand that goes round forgetting what was used. */
function createQueue<Value>() {
  let newest: Node<Value> | undefined;
  let oldest: Node<Value> | undefined;
  let hand: Node<Value> | undefined;
  return {
    /** Puts a node at the new end. */
    link(node: Node<Value>): void {
      node.older = newest;
      if (newest !== undefined) newest.newer = node;
      newest = node;
      oldest ??= node;
    },
    unlink(node: Node<Value>): void {
      if (hand === node) hand = node.newer;
      if (node.newer === undefined) newest = node.older;
      else node.newer.older = node.older;
      if (node.older === undefined) oldest = node.newer;
      else node.older.newer = node.newer;
    },
    /** The node whose turn it is to go. Precondition: there is one. */
    next(): Node<Value> {
      let node = hand ?? oldest;
      while (node?.used) {
        node.used = false;
        node = node.newer ?? oldest;
      }
      if (node === undefined) throw new Error('unreachable: bytes held by no entry');
      hand = node.newer;
      return node;
    },
  };
}
