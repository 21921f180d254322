/**
 * Which commits count for nothing, as a function of the set of commits and never of their order.
 *
 * A commit is void when its device was revoked with a smaller `lastSeq`, when its device wrote two
 * commits with one number (a fork) at or below it, or when all that made its author what it claims
 * to be is void itself: whom a thief let in goes with the thief. Who else built on a void commit
 * stays; only what the commit itself says is left out.
 *
 * Devices are judged from the most senior down (rank, then id). Only a senior can revoke, so every
 * revocation that matters for a device is judged before it: no iteration, and of two that revoke
 * each other the senior wins. Nodes must be verified: signature, chain, and `authorize`.
 */

import type { CommitId } from '../format/commit.ts';

/** Everything of `device` beyond its commit number `lastSeq` is void. */
export type Revocation = { readonly device: string; readonly lastSeq: number };

/** A commit that makes `device` a member, or gives it another rank. */
export type Admission = { readonly device: string; readonly rank: number };

/** What the judgement needs to know of a commit; `factsOf` (rights.ts) gives the last three. */
export type VoidNode = {
  readonly id: CommitId;
  readonly device: string;
  readonly seq: number;
  readonly parents: readonly CommitId[];
  /** The author's rank in the commit's causal past. */
  readonly rank: number;
  readonly revokes: readonly Revocation[];
  readonly admits?: readonly Admission[];
};

export type VoidReason = 'revoked' | 'forked';

/** Two or more commits that one device gave the same number, the first such number of the device. */
export type Fork = {
  readonly device: string;
  readonly seq: number;
  /** Sorted. */
  readonly commits: readonly CommitId[];
};

/** The recovery key's rank. Nobody is above it to decide its forks, so they void nothing. */
export const RECOVERY_RANK = 0;

/** The commits of one device that were written with one rank. */
type Level = { readonly rank: number; readonly device: string; readonly nodes: VoidNode[] };

/** What is left of a device: void from `forkedFrom` on, void beyond `lastSeq`. */
type Limit = { readonly lastSeq: number; readonly forkedFrom: number };

/** Everything about the set that does not depend on who is void. */
type Survey = {
  readonly levels: readonly Level[];
  readonly forks: ReadonlyMap<string, Fork>;
  readonly revokers: ReadonlyMap<string, readonly VoidNode[]>;
  readonly admitters: ReadonlyMap<string, readonly VoidNode[]>;
  readonly children: () => ReadonlyMap<CommitId, readonly VoidNode[]>;
  /** Whether nothing is missing back to the one genesis. */
  readonly isWhole: boolean;
};

/** Finds the void commits and says why. */
export function findVoid(nodes: readonly VoidNode[]): ReadonlyMap<CommitId, VoidReason> {
  const voids = new Map<CommitId, VoidReason>();
  const survey = surveyNodes(nodes);
  if (survey.revokers.size === 0 && survey.forks.size === 0) return voids;
  const limits = new Map<string, Limit>();
  for (const level of survey.levels) {
    const unfounded = findUnfounded(survey, level, voids);
    const isFounded = level.nodes.some(({ id }) => !unfounded.has(id));
    // A rank that only void commits gave protects nobody: the device is judged at its next one.
    if (isFounded && !limits.has(level.device)) {
      limits.set(level.device, limitOf(survey, level, voids));
    }
    for (const node of level.nodes) {
      const reason = judge(node, limits.get(level.device)) ?? unfounded.get(node.id);
      if (reason !== undefined) voids.set(node.id, reason);
    }
  }
  return voids;
}

/** The evidence of every device that forked, sorted by device. More commits never make it less. */
export function findForks(nodes: readonly VoidNode[]): readonly Fork[] {
  return [...surveyForks(distinct(nodes)).values()].sort((a, b) => compare(a.device, b.device));
}

/** Negative when `a` is senior to `b`: an owner for longer, or as long and with the lesser id. */
export function compareSeniority(
  a: { readonly rank: number; readonly device: string },
  b: { readonly rank: number; readonly device: string },
): number {
  return a.rank === b.rank ? compare(a.device, b.device) : a.rank - b.rank;
}

function surveyNodes(all: readonly VoidNode[]): Survey {
  const levels = new Map<string, Level>();
  const revokers = new Map<string, VoidNode[]>();
  const admitters = new Map<string, VoidNode[]>();
  const nodes = distinct(all);
  for (const node of nodes) {
    const { rank, device, revokes, admits = [] } = node;
    const name = `${rank} ${device}`;
    const level = levels.get(name);
    if (level === undefined) levels.set(name, { rank, device, nodes: [node] });
    else level.nodes.push(node);
    for (const target of new Set(revokes.map((item) => item.device))) push(revokers, target, node);
    for (const target of new Set(admits.map((item) => item.device))) push(admitters, target, node);
  }
  let children: Map<CommitId, VoidNode[]> | undefined;
  return {
    levels: [...levels.values()].sort(compareSeniority),
    forks: surveyForks(nodes),
    revokers,
    admitters,
    children: () => {
      children ??= groupByParent(nodes);
      return children;
    },
    isWhole: isWhole(nodes),
  };
}

function distinct(nodes: readonly VoidNode[]): readonly VoidNode[] {
  return [...new Map(nodes.map((node) => [node.id, node])).values()];
}

function isWhole(nodes: readonly VoidNode[]): boolean {
  const held = new Set(nodes.map(({ id }) => id));
  const isClosed = nodes.every(({ parents }) => parents.every((parent) => held.has(parent)));
  return isClosed && nodes.filter(({ parents }) => parents.length === 0).length === 1;
}

function surveyForks(nodes: readonly VoidNode[]): Map<string, Fork> {
  const numbers = new Map<string, Set<number>>();
  const first = new Map<string, number>();
  for (const { device, seq } of nodes) {
    const used = numbers.get(device) ?? new Set();
    if (used.has(seq)) first.set(device, Math.min(seq, first.get(device) ?? seq));
    numbers.set(device, used.add(seq));
  }
  const commits = new Map<string, CommitId[]>();
  for (const { device, seq, id } of first.size === 0 ? [] : nodes) {
    if (first.get(device) === seq) push(commits, device, id);
  }
  return new Map(
    [...first].map(([device, seq]) => [
      device,
      { device, seq, commits: (commits.get(device) ?? []).sort(compare) },
    ]),
  );
}

/** Where a device ends, by those who are its seniors at this level, and by itself. */
function limitOf(
  { revokers, forks }: Survey,
  level: Level,
  voids: ReadonlyMap<CommitId, VoidReason>,
): Limit {
  const { device, rank } = level;
  const fork = rank === RECOVERY_RANK ? undefined : forks.get(device);
  const forkedFrom = fork?.seq ?? Number.POSITIVE_INFINITY;
  const all = revokers.get(device) ?? [];
  let lastSeq = Number.POSITIVE_INFINITY;
  for (const node of all) {
    const isSenior = node.device !== device && compareSeniority(node, level) < 0;
    if (isSenior && !voids.has(node.id)) lastSeq = Math.min(lastSeq, endOf(node, device));
  }
  // Who leaves says so last: a device cannot take back what it wrote before.
  const own = all.filter((node) => node.device === device).sort((a, b) => a.seq - b.seq);
  for (const node of own) {
    const isVoid = node.seq > lastSeq || node.seq >= forkedFrom;
    const end = endOf(node, device);
    if (!isVoid && end >= node.seq) lastSeq = Math.min(lastSeq, end);
  }
  return { lastSeq, forkedFrom };
}

function endOf({ revokes }: VoidNode, device: string): number {
  return revokes.reduce(
    (least, item) => (item.device === device ? Math.min(least, item.lastSeq) : least),
    Number.POSITIVE_INFINITY,
  );
}

function judge({ seq }: VoidNode, limit: Limit | undefined): VoidReason | undefined {
  if (limit === undefined) return undefined;
  if (seq > limit.lastSeq) return 'revoked';
  return seq >= limit.forkedFrom ? 'forked' : undefined;
}

/**
 * The commits of a level whose author had its rank from void commits alone: of the admissions in
 * their past to that rank or a better one, some is void and none stands.
 */
function findUnfounded(
  { admitters, children, isWhole: hasAll }: Survey,
  { rank, device, nodes }: Level,
  voids: ReadonlyMap<CommitId, VoidReason>,
): ReadonlyMap<CommitId, VoidReason> {
  const unfounded = new Map<CommitId, VoidReason>();
  // A lesser admission gave nothing of this rank, and who wrote it may not have been judged yet.
  const all = (admitters.get(device) ?? []).filter(({ admits = [] }) =>
    admits.some((item) => item.device === device && item.rank <= rank),
  );
  const bad = all.filter(({ id }) => voids.has(id));
  if (bad.length === 0) return unfounded;
  const good = all.filter(({ id }) => !voids.has(id));
  const reason = bad.every(({ id }) => voids.get(id) === 'forked') ? 'forked' : 'revoked';
  // A thief may let in a thousand: whoever writes was let in, so there is nothing to search.
  if (hasAll && good.length === 0) return new Map(nodes.map(({ id }) => [id, reason]));
  const afterBad = descendantsOf(children(), bad);
  const afterGood = descendantsOf(children(), good);
  for (const { id } of nodes) {
    if (afterBad.has(id) && !afterGood.has(id)) unfounded.set(id, reason);
  }
  return unfounded;
}

function descendantsOf(
  children: ReadonlyMap<CommitId, readonly VoidNode[]>,
  starts: readonly VoidNode[],
): ReadonlySet<CommitId> {
  const found = new Set<CommitId>();
  const open = starts.map(({ id }) => id);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const child of children.get(id) ?? []) {
      if (found.has(child.id)) continue;
      found.add(child.id);
      open.push(child.id);
    }
  }
  return found;
}

function groupByParent(nodes: readonly VoidNode[]): Map<CommitId, VoidNode[]> {
  const children = new Map<CommitId, VoidNode[]>();
  for (const node of nodes) {
    for (const parent of node.parents) push(children, parent, node);
  }
  return children;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
