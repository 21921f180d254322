/**
 * State as a function of the set of commits held, never of the order they came in (I5).
 *
 * Parents come first; where two commits are concurrent, the device id and then the commit id
 * decide the order in which they are listed. What they make does not depend on it.
 */

import type { Op } from '../format/op.ts';
import { applyOps, withSeen } from '../merge/apply.ts';
import { DECISIONS, type Decisions } from '../merge/decide.ts';
import { joinAll } from '../merge/join.ts';
import type { Merged } from '../merge/merged.ts';

/** What the order needs to know of a commit. */
export type Node = {
  readonly id: string;
  readonly parents: readonly string[];
  readonly device: string;
};

/** The commits whose whole past is held, in causal order, and those that wait for a parent. */
export type CausalOrder<T> = { readonly ordered: readonly T[]; readonly waiting: readonly T[] };

/** A commit with what it does. */
export type Step = Node & { readonly seq: number; readonly ops: readonly Op[] };

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

/**
 * What a set of commits makes together, except those that count for nothing. Commits whose past is
 * not in the set count for nothing either.
 */
export function fold(
  commits: Iterable<Step>,
  isVoid: (id: string) => boolean = () => false,
  decide: Decisions = DECISIONS,
): Merged {
  const { ordered } = orderCausally(commits);
  const waiting = countChildren(ordered);
  const branches = findBranches(ordered.filter(({ id }) => !isVoid(id)));
  const states = new Map<string, Merged>();
  for (const { id, parents, device, seq, ops } of ordered) {
    const past = joinAll(
      parents.flatMap((parent) => states.get(parent) ?? []),
      decide,
    );
    const state = isVoid(id)
      ? { ...past, vector: withSeen(past.vector, { device, seq }) }
      : applyOps(past, { device, seq, ...branches.get(id) }, ops, decide);
    states.set(id, state);
    // A state is kept until the last commit that builds on it.
    for (const parent of parents) {
      const left = (waiting.get(parent) ?? 0) - 1;
      waiting.set(parent, left);
      if (left === 0) states.delete(parent);
    }
  }
  return joinAll([...states.values()], decide);
}

/**
 * Where a device used a number twice and both count (the recovery key may), its commits from there
 * on are told apart by their names.
 */
export function findBranches(
  steps: readonly (Node & Pick<Step, 'seq'>)[],
): ReadonlyMap<string, { readonly branch: string }> {
  const first = new Map<string, number>();
  const used = new Set<string>();
  for (const { device, seq } of steps) {
    const number = `${device} ${seq}`;
    if (used.has(number)) first.set(device, Math.min(seq, first.get(device) ?? seq));
    used.add(number);
  }
  const branched = steps.filter(({ device, seq }) => seq >= (first.get(device) ?? seq + 1));
  return new Map(branched.map(({ id }) => [id, { branch: id }]));
}

function countChildren(commits: readonly Node[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { parents } of commits) {
    for (const parent of parents) counts.set(parent, (counts.get(parent) ?? 0) + 1);
  }
  return counts;
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
