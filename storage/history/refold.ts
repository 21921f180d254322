/**
 * What commits make together when some of them count for nothing: only what builds on those is
 * folded again, everything else is taken as it is.
 *
 * A state is what its commit's own past makes, by the verdict over that past. Where a larger past
 * comes to the same verdict about it, the state holds there too. A commit below which nothing is
 * void is such a one; a head often is, because its own past had the same void commits already.
 */

import type { CommitId } from '../format/commit.ts';
import { applyOps, withSeen } from '../merge/apply.ts';
import { joinAll } from '../merge/join.ts';
import type { Merged } from '../merge/merged.ts';
import { findForks, findVoid, type VoidNode } from '../rights/judge.ts';
import { findBranches, type Step } from './fold.ts';

/** A state, and the commits that make it together with all of their past. */
export type Known = { readonly ids: readonly CommitId[]; readonly state: Merged };

/** What is asked of whoever holds the commits. */
export type Source = {
  readonly stepOf: (id: CommitId) => Promise<Step>;
  /** What a commit's own past makes. */
  readonly stateOf: (id: CommitId) => Promise<Merged>;
};

type Verdict = {
  readonly voids: ReadonlyMap<CommitId, unknown>;
  readonly branches: ReadonlyMap<CommitId, { readonly branch: string }>;
};

/**
 * Whether all sides know the same of every device that may be void, so that each has left the same
 * out: what a merge long after a removal looks like. `forks` are the numbers used twice.
 */
export function isSettled(
  { revoked, vector }: Merged,
  states: readonly Merged[],
  forks: ReadonlyMap<string, number>,
): boolean {
  const reaches = (device: string, seq: number) => (vector.get(device) ?? 0) >= seq;
  if ([...forks].some(([device, seq]) => reaches(device, seq))) return false;
  const isSame = (device: string, last: number) =>
    states.every(
      (state) =>
        state.revoked.get(device) === last && state.vector.get(device) === vector.get(device),
    );
  return [...revoked].every(([device, last]) => !reaches(device, last + 1) || isSame(device, last));
}

/** Commits, parents first, and one that builds on all of them. */
type Nodes = { readonly below: readonly VoidNode[]; readonly tip: VoidNode | undefined };

/** What commits make; `known` are states of all ends below the tip. */
export async function refold(
  source: Source,
  { below, tip }: Nodes,
  known: readonly Known[],
): Promise<Merged> {
  const verdict = judge(tip === undefined ? below : [...below, tip]);
  const affected = affectedIn(below, tip, verdict);
  const isAgreed = (end: Known): boolean =>
    !end.ids.some((id) => affected.has(id)) || isSameBelow(below, end.ids, verdict);
  const { agreed = [], open = [] } = Object.groupBy(known, (end) =>
    isAgreed(end) ? 'agreed' : 'open',
  );
  const ends = open.flatMap(({ ids }) => ids);
  const heads = new Map<CommitId, Merged>();
  for (const { ids, state } of agreed) if (ids.length === 1) heads.set(ids[0] ?? '', state);
  const folded = await foldDown(source, below, { ends, verdict, affected, heads });
  const past = joinAll([...agreed.map(({ state }) => state), ...folded]);
  return tip === undefined ? past : extend(source, tip, past, verdict);
}

type Folding = {
  readonly ends: readonly CommitId[];
  readonly verdict: Verdict;
  readonly affected: ReadonlySet<CommitId>;
  /** States that hold under this verdict. */
  readonly heads: ReadonlyMap<CommitId, Merged>;
};

/** The states of `ends` under the verdict, from where its own past's verdict is the same. */
async function foldDown(
  source: Source,
  below: readonly VoidNode[],
  { ends, verdict, affected, heads }: Folding,
): Promise<readonly Merged[]> {
  const needed = neededFor(below, ends, (id) => heads.has(id) || !affected.has(id));
  const uses = countUses(needed, ends);
  const states = new Map<CommitId, Merged>();
  const get = async (id: CommitId) => states.get(id) ?? heads.get(id) ?? (await source.stateOf(id));
  for (const node of needed) {
    const pasts: Merged[] = [];
    for (const parent of node.parents) pasts.push(await get(parent));
    states.set(node.id, await extend(source, node, joinAll(pasts), verdict));
    // A state is kept until the last commit that builds on it.
    for (const parent of node.parents) {
      const left = (uses.get(parent) ?? 0) - 1;
      uses.set(parent, left);
      if (left === 0) states.delete(parent);
    }
  }
  const folded: Merged[] = [];
  for (const end of ends) folded.push(await get(end));
  return folded;
}

function judge(nodes: readonly VoidNode[]): Verdict {
  const voids = findVoid(nodes);
  return { voids, branches: findBranches(nodes.filter(({ id }) => !voids.has(id))) };
}

async function extend(
  { stepOf }: Source,
  { id, device, seq }: VoidNode,
  past: Merged,
  { voids, branches }: Verdict,
): Promise<Merged> {
  if (voids.has(id)) return { ...past, vector: withSeen(past.vector, { device, seq }) };
  const { ops } = await stepOf(id);
  return applyOps(past, { device, seq, ...branches.get(id) }, ops);
}

/**
 * Commits in whose past, themselves among it, something is void or one of several branches, or might
 * be to somebody who knew less.
 */
function affectedIn(
  below: readonly VoidNode[],
  tip: VoidNode | undefined,
  { voids, branches }: Verdict,
): ReadonlySet<CommitId> {
  const all = tip === undefined ? below : [...below, tip];
  const ends = new Map<string, number>();
  const end = (device: string, seq: number) =>
    ends.set(device, Math.min(seq, ends.get(device) ?? seq));
  for (const { revokes } of all)
    for (const { device, lastSeq } of revokes) end(device, lastSeq + 1);
  for (const { device, seq } of findForks(all)) end(device, seq);
  const affected = new Set<CommitId>();
  for (const { id, parents, device, seq } of below) {
    const isAffected =
      voids.has(id) ||
      branches.has(id) ||
      seq >= (ends.get(device) ?? Number.POSITIVE_INFINITY) ||
      parents.some((parent) => affected.has(parent));
    if (isAffected) affected.add(id);
  }
  return affected;
}

/** Whether the verdict over these commits' own past is the same as that over all. */
function isSameBelow(
  nodes: readonly VoidNode[],
  ids: readonly CommitId[],
  verdict: Verdict,
): boolean {
  const past = pastOf(nodes, ids);
  const own = judge(past);
  return past.every(
    ({ id }) =>
      own.voids.has(id) === verdict.voids.has(id) &&
      own.branches.has(id) === verdict.branches.has(id),
  );
}

/** Parents first, as `nodes` are. */
function pastOf(nodes: readonly VoidNode[], ids: readonly CommitId[]): readonly VoidNode[] {
  const past = new Set(ids);
  for (const { id, parents } of nodes.toReversed()) {
    if (past.has(id)) for (const parent of parents) past.add(parent);
  }
  return nodes.filter(({ id }) => past.has(id));
}

/** What has to be folded for `ends`, parents first, down to those whose state is known. */
function neededFor(
  nodes: readonly VoidNode[],
  ends: readonly CommitId[],
  isKnown: (id: CommitId) => boolean,
): readonly VoidNode[] {
  const needed = new Set(ends.filter((id) => !isKnown(id)));
  for (const { id, parents } of nodes.toReversed()) {
    if (!needed.has(id)) continue;
    for (const parent of parents) if (!isKnown(parent)) needed.add(parent);
  }
  return nodes.filter(({ id }) => needed.has(id));
}

function countUses(nodes: readonly VoidNode[], ends: readonly CommitId[]): Map<CommitId, number> {
  const uses = new Map(ends.map((end) => [end, 1]));
  for (const { parents } of nodes) {
    for (const parent of parents) uses.set(parent, (uses.get(parent) ?? 0) + 1);
  }
  return uses;
}
