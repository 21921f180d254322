/**
 * A map that never holds more bytes than it was given, with SIEVE eviction.
 *
 * SIEVE (Zhang et al., NSDI 2024) keeps what was used since the hand last passed, so a flood of
 * names that are asked once (CacheFlush, USENIX Security 2024) pushes out itself and not the
 * household's names. What has ended goes before anything that has not, whether it was used or not.
 * Knows nothing of DNS, and of time only what it is told.
 */

import { createDeadlines, type Deadline } from './deadlines.ts';

/** How long an entry is worth more than others, on the clock that `now` is read from. */
export type Lasting = { readonly until: number; readonly now: number };

/** A map bounded by the sum of its entries' sizes. */
export type Sieve<Value> = {
  get(key: string): Value | undefined;
  /**
   * Stores `value`, evicting others: first what has ended, longest ago first, then what was not used
   * for long. An entry larger than the whole limit is not stored.
   */
  set(key: string, value: Value, size: number, lasting?: Lasting): void;
  delete(key: string): void;
  clear(): void;
  readonly entries: number;
  /** The sum of the sizes held; never above the limit. */
  readonly bytes: number;
};

type Node<Value> = Deadline & {
  readonly key: string;
  readonly size: number;
  value: Value;
  used: boolean;
  newer: Node<Value> | undefined;
  older: Node<Value> | undefined;
};

const FOREVER: Lasting = { until: Number.POSITIVE_INFINITY, now: Number.NEGATIVE_INFINITY };

/** Makes an empty map that holds at most `limit` bytes. */
export function createSieve<Value>(limit: number): Sieve<Value> {
  const nodes = new Map<string, Node<Value>>();
  const deadlines = createDeadlines<Node<Value>>();
  const queue = createQueue<Value>();
  let bytes = 0;

  function remove(node: Node<Value>): void {
    queue.unlink(node);
    deadlines.delete(node);
    nodes.delete(node.key);
    bytes -= node.size;
  }

  function evictOne(now: number): void {
    const ended = deadlines.first();
    remove(ended !== undefined && ended.until <= now ? ended : queue.next());
  }

  return {
    get(key) {
      const node = nodes.get(key);
      if (node === undefined) return undefined;
      node.used = true;
      return node.value;
    },
    set(key, value, size, { until, now } = FOREVER) {
      const existing = nodes.get(key);
      if (existing !== undefined) remove(existing);
      if (size > limit) return;
      while (bytes + size > limit) evictOne(now);
      const used = existing !== undefined;
      const links = { newer: undefined, older: undefined };
      const node: Node<Value> = { key, value, size, used, until, position: -1, ...links };
      queue.link(node);
      nodes.set(key, node);
      if (until < Number.POSITIVE_INFINITY) deadlines.add(node);
      bytes += size;
    },
    delete(key) {
      const node = nodes.get(key);
      if (node !== undefined) remove(node);
    },
    clear() {
      nodes.clear();
      deadlines.clear();
      queue.clear();
      bytes = 0;
    },
    get entries() {
      return nodes.size;
    },
    get bytes() {
      return bytes;
    },
  };
}

type Queue<Value> = {
  /** Puts a node at the new end. */
  link(node: Node<Value>): void;
  unlink(node: Node<Value>): void;
  /** The node whose turn it is to go. Precondition: there is one. */
  next(): Node<Value>;
  clear(): void;
};

/** Nodes from old to new, and the hand that goes round forgetting what was used. */
function createQueue<Value>(): Queue<Value> {
  let newest: Node<Value> | undefined;
  let oldest: Node<Value> | undefined;
  let hand: Node<Value> | undefined;
  return {
    link(node) {
      node.older = newest;
      if (newest !== undefined) newest.newer = node;
      newest = node;
      oldest ??= node;
    },
    unlink(node) {
      if (hand === node) hand = node.newer;
      if (node.newer === undefined) newest = node.older;
      else node.newer.older = node.older;
      if (node.older === undefined) oldest = node.newer;
      else node.older.newer = node.newer;
    },
    next() {
      let node = hand ?? oldest;
      while (node?.used) {
        node.used = false;
        node = node.newer ?? oldest;
      }
      if (node === undefined) throw new Error('unreachable: bytes held by no entry');
      hand = node.newer;
      return node;
    },
    clear() {
      newest = oldest = hand = undefined;
    },
  };
}
