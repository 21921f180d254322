/**
 * A map that never holds more bytes than it was given, with SIEVE eviction.
 *
 * SIEVE (Zhang et al., NSDI 2024) keeps what was used since the hand last passed, so a flood of
 * names that are asked once (CacheFlush, USENIX Security 2024) pushes out itself and not the
 * household's names. And those that share a name hold no more than their quota when others want in:
 * what is over it goes before what is not, also when it was used. What has ended goes before anything that has not, whether it was used or not.
 * Knows nothing of DNS, and of time only what it is told.
 */

import { createDeadlines, type Deadline } from '../recursion/deadlines.ts';

/** How long an entry is worth more than others, on the clock that `now` is read from, and whose it is. */
export type Lasting = {
  readonly until: number;
  readonly now: number;
  readonly share?: string | undefined;
};

/** A map bounded by the sum of its entries' sizes. */
export type Sieve<Value> = {
  get(key: string): Value | undefined;
  /**
   * Stores `value`, evicting others: first what has ended, longest ago first, then of shares above
   * their quota, then what was not used for long. An entry larger than the whole limit is not stored.
   */
  set(key: string, value: Value, size: number, lasting?: Lasting): void;
  delete(key: string): void;
  clear(): void;
  /** What is held, the newest first; looking does not count as use. */
  newestFirst(): (readonly [string, Value])[];
  readonly entries: number;
  /** The sum of the sizes held; never above the limit. */
  readonly bytes: number;
};

type Node<Value> = Deadline & {
  readonly key: string;
  readonly size: number;
  readonly share: string | undefined;
  value: Value;
  used: boolean;
  newer: Node<Value> | undefined;
  older: Node<Value> | undefined;
};

const FOREVER: Lasting = { until: Number.POSITIVE_INFINITY, now: Number.NEGATIVE_INFINITY };

/** Makes an empty map that holds at most `limit` bytes, of which one share may hold `quota`. */
export function createSieve<Value>(
  limit: number,
  quota: number = Number.POSITIVE_INFINITY,
): Sieve<Value> {
  const nodes = new Map<string, Node<Value>>();
  const deadlines = createDeadlines<Node<Value>>();
  const queue = createQueue<Value>();
  const shares = createShares(quota);
  let bytes = 0;

  function remove(node: Node<Value>): void {
    queue.unlink(node);
    deadlines.delete(node);
    nodes.delete(node.key);
    shares.add(node.share, -node.size);
    bytes -= node.size;
  }

  function evictOne(now: number): void {
    const ended = deadlines.first();
    if (ended !== undefined && ended.until <= now) remove(ended);
    else remove(shares.isAnyOver() ? queue.nextOf(shares.isOver) : queue.next());
  }

  return {
    get(key) {
      const node = nodes.get(key);
      if (node === undefined) return undefined;
      node.used = true;
      return node.value;
    },
    set(key, value, size, { until, now, share } = FOREVER) {
      const existing = nodes.get(key);
      if (existing !== undefined) remove(existing);
      if (size > limit) return;
      // Counted before there is room, so that who is over the quota with this makes the room.
      shares.add(share, size);
      while (bytes + size > limit) evictOne(now);
      const used = existing !== undefined;
      const links = { newer: undefined, older: undefined };
      const node: Node<Value> = { key, value, size, share, used, until, position: -1, ...links };
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
      shares.clear();
      bytes = 0;
    },
    newestFirst: () => [...nodes].map(([key, { value }]) => [key, value] as const).reverse(),
    get entries() {
      return nodes.size;
    },
    get bytes() {
      return bytes;
    },
  };
}

/** Who holds how much, and who more than the quota. */
function createShares(quota: number) {
  const held = new Map<string, number>();
  const over = new Set<string>();
  return {
    add(share: string | undefined, size: number): void {
      if (share === undefined) return;
      const sum = (held.get(share) ?? 0) + size;
      if (sum > 0) held.set(share, sum);
      else held.delete(share);
      if (sum > quota) over.add(share);
      else over.delete(share);
    },
    isAnyOver: () => over.size > 0,
    isOver: (share: string | undefined) => share !== undefined && over.has(share),
    clear(): void {
      held.clear();
      over.clear();
    },
  };
}

type Queue<Value> = {
  /** Puts a node at the new end. */
  link(node: Node<Value>): void;
  unlink(node: Node<Value>): void;
  /** The node whose turn it is to go. Precondition: there is one. */
  next(): Node<Value>;
  /** The same of those shares; of all when those have none. */
  nextOf(isMeant: (share: string | undefined) => boolean): Node<Value>;
  clear(): void;
};

/** Nodes from old to new, and the hands that go round forgetting what was used. */
function createQueue<Value>(): Queue<Value> {
  let newest: Node<Value> | undefined;
  let oldest: Node<Value> | undefined;
  let hand: Node<Value> | undefined;
  /** The hand for shares above their quota, which leaves others as they are. */
  let sharesHand: Node<Value> | undefined;

  function next(): Node<Value> {
    let node = hand ?? oldest;
    while (node?.used) {
      node.used = false;
      node = node.newer ?? oldest;
    }
    if (node === undefined) throw new Error('unreachable: bytes held by no entry');
    hand = node.newer;
    return node;
  }

  return {
    link(node) {
      node.older = newest;
      if (newest !== undefined) newest.newer = node;
      newest = node;
      oldest ??= node;
    },
    unlink(node) {
      if (hand === node) hand = node.newer;
      if (sharesHand === node) sharesHand = node.newer;
      if (node.newer === undefined) newest = node.older;
      else node.newer.older = node.older;
      if (node.older === undefined) oldest = node.newer;
      else node.older.newer = node.newer;
    },
    next,
    nextOf(isMeant) {
      let node = sharesHand ?? oldest;
      // Twice round: the first time what was used is forgiven. Nothing is there when the only one
      // above its quota is about to come in.
      for (let ends = 0; node !== undefined && ends < 3; ) {
        if (isMeant(node.share) && !node.used) {
          sharesHand = node.newer;
          return node;
        }
        if (isMeant(node.share)) node.used = false;
        if (node.newer === undefined) ends++;
        node = node.newer ?? oldest;
      }
      return next();
    },
    clear() {
      newest = oldest = hand = sharesHand = undefined;
    },
  };
}
