/**
 * State as a function of the set of commits held, never of the order they came in (I5).
 *
 * Commits are put into their causal order; where two are concurrent, the device id and then the
 * commit id decide. In this base one device writes and histories are chains, so the tie-break is
 * never used by a store; registers that keep both concurrent values replace it when more write.
 */

import { applyOps, EMPTY, type Op, type State } from './op.ts';

/** What the order needs to know of a commit. */
export type Node = {
  readonly id: string;
  readonly parents: readonly string[];
  readonly device: string;
};

/** The commits whose whole past is held, in causal order, and those that wait for a parent. */
export type CausalOrder<T> = { readonly ordered: readonly T[]; readonly waiting: readonly T[] };

/** Orders commits so that parents come first; the same set always gives the same order. */
export function orderCausally<T extends Node>(commits: Iterable<T>): CausalOrder<T> {
  const nodes = new Map<string, T>();
  for (const commit of commits) nodes.set(commit.id, commit);
  if (isChain([...nodes.values()])) return { ordered: [...nodes.values()], waiting: [] };
  const children = groupByParent(nodes.values());
  const missing = new Map([...nodes.values()].map((node) => [node, node.parents.length]));
  const ready = [...nodes.values()].filter((node) => node.parents.length === 0);
  const ordered: T[] = [];
  while (ready.length > 0) {
    if (ready.length > 1) ready.sort(compareConcurrent);
    const node = ready.shift() as T;
    ordered.push(node);
    for (const child of children.get(node.id) ?? []) {
      const left = (missing.get(child) ?? 0) - 1;
      missing.set(child, left);
      if (left === 0) ready.push(child);
    }
  }
  return { ordered, waiting: [...nodes.values()].filter((node) => missing.get(node) !== 0) };
}

/** The state of a set of commits. Those whose past is not held count for nothing. */
export function fold(commits: Iterable<Node & { readonly ops: readonly Op[] }>): State {
  return orderCausally(commits).ordered.reduce<State>(
    (state, commit) => applyOps(state, commit.ops),
    EMPTY,
  );
}

/** What a store normally reads: nothing to sort, and 10,000 commits in no time. */
function isChain(nodes: readonly Node[]): boolean {
  return nodes.every(({ parents }, index) =>
    index === 0
      ? parents.length === 0
      : parents.length === 1 && parents[0] === nodes[index - 1]?.id,
  );
}

function groupByParent<T extends Node>(nodes: Iterable<T>): Map<string, T[]> {
  const children = new Map<string, T[]>();
  for (const node of nodes) {
    for (const parent of node.parents) {
      const siblings = children.get(parent);
      if (siblings === undefined) children.set(parent, [node]);
      else siblings.push(node);
    }
  }
  return children;
}

function compareConcurrent(a: Node, b: Node): number {
  if (a.device !== b.device) return a.device < b.device ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}
