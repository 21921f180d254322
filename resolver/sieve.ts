/**
 * A map that never holds more bytes than it was given, with SIEVE eviction.
 *
 * SIEVE (Zhang et al., NSDI 2024) keeps what was used since the hand last passed, so a flood of
 * names that are asked once (CacheFlush, USENIX Security 2024) pushes out itself and not the
 * household's names. Knows nothing of DNS or of time.
 */

/** A map bounded by the sum of its entries' sizes. */
export type Sieve<Value> = {
  get(key: string): Value | undefined;
  /** Stores `value`, evicting others; an entry larger than the whole limit is not stored. */
  set(key: string, value: Value, size: number): void;
  delete(key: string): void;
  clear(): void;
  readonly entries: number;
  /** The sum of the sizes held; never above the limit. */
  readonly bytes: number;
};

type Node<Value> = {
  readonly key: string;
  readonly size: number;
  value: Value;
  used: boolean;
  newer: Node<Value> | undefined;
  older: Node<Value> | undefined;
};

/** Makes an empty map that holds at most `limit` bytes. */
export function createSieve<Value>(limit: number): Sieve<Value> {
  const nodes = new Map<string, Node<Value>>();
  let newest: Node<Value> | undefined;
  let oldest: Node<Value> | undefined;
  let hand: Node<Value> | undefined;
  let bytes = 0;

  function unlink(node: Node<Value>): void {
    if (hand === node) hand = node.newer;
    if (node.newer === undefined) newest = node.older;
    else node.newer.older = node.older;
    if (node.older === undefined) oldest = node.newer;
    else node.older.newer = node.newer;
    nodes.delete(node.key);
    bytes -= node.size;
  }

  function evictOne(): void {
    let node = hand ?? oldest;
    while (node?.used) {
      node.used = false;
      node = node.newer ?? oldest;
    }
    if (node === undefined) throw new Error('unreachable: bytes held by no entry');
    hand = node.newer;
    unlink(node);
  }

  function set(key: string, value: Value, size: number): void {
    const existing = nodes.get(key);
    if (existing !== undefined) unlink(existing);
    if (size > limit) return;
    while (bytes + size > limit) evictOne();
    const used = existing !== undefined;
    const node: Node<Value> = { key, value, size, used, newer: undefined, older: newest };
    if (newest !== undefined) newest.newer = node;
    newest = node;
    oldest ??= node;
    nodes.set(key, node);
    bytes += size;
  }

  return {
    get(key) {
      const node = nodes.get(key);
      if (node === undefined) return undefined;
      node.used = true;
      return node.value;
    },
    set,
    delete(key) {
      const node = nodes.get(key);
      if (node !== undefined) unlink(node);
    },
    clear() {
      nodes.clear();
      newest = oldest = hand = undefined;
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
