/**
 * The commits held, parents before children, and the state at each of them.
 *
 * Only names and places are in memory; commits are read from the log and states are replayed from
 * marks that earlier replays left. After damage the history may have a hole whose other side is
 * known from a checkpoint: states inside the hole cannot be told, those after it can.
 */

import type { Crypto } from '#runtime';
import {
  type Commit,
  type CommitId,
  type ParsedCommit,
  parseCommit,
  showCommit,
} from './commit.ts';
import { StorageError } from './error.ts';
import { fold, orderCausally, type Step } from './fold.ts';
import { findVoid, type VoidNode } from './judge.ts';
import type { CommitLog, Place } from './log.ts';
import { applyOps } from './merge/apply.ts';
import { joinAll } from './merge/join.ts';
import { type Merged, NOTHING } from './merge/merged.ts';
import { parseOps } from './op.ts';
import { factsOf } from './rights.ts';

/** What memory keeps of a commit. */
export type Entry = {
  readonly id: CommitId;
  readonly parents: readonly CommitId[];
  readonly device: string;
  readonly seq: number;
  readonly place: Place;
};

/** The history of one realm as far as it is held. */
export type History = {
  readonly entries: readonly Entry[];
  /** How many entries come before a hole; undefined when nothing is missing. */
  readonly hole: number | undefined;
  /** The commits that no other one follows. */
  readonly heads: readonly CommitId[];
  find(id: CommitId): number | undefined;
  /** Takes a verified commit into account that is not in the log yet. */
  stage(commit: Step, past: Merged, state: Merged): void;
  /** Forgets what was staged and did not reach the log. */
  unstage(): void;
  append(entry: Entry, state: Merged): void;
  read(index: number): Promise<{ readonly commit: ParsedCommit; readonly ops: string }>;
  show(index: number): Promise<Commit>;
  /** The state after the commit at `index`. */
  stateAt(index: number): Promise<Merged>;
  /** What commits, held or staged, make together with all of their past. */
  join(ids: readonly CommitId[]): Promise<Merged>;
  /** What a commit makes of `past`, the state of its parents together. */
  extend(past: Merged, commit: Step): Promise<Merged>;
};

/** What the judgement over void commits knows of one, besides its place. */
type Facts = Pick<VoidNode, 'rank' | 'revokes' | 'admits'>;

/** States kept for neighbours; also the distance of marks. */
const WINDOW = 256;

/** Makes the history of `initial`. `known` are states that need no replay: at all heads, at least. */
export function createHistory(
  crypto: Pick<Crypto, 'hash'>,
  log: CommitLog,
  initial: readonly Entry[],
  known: ReadonlyMap<CommitId, Merged>,
  hole: number | undefined,
): History {
  const entries: Entry[] = [];
  const indices = new Map<CommitId, number>();
  const heads = new Map<CommitId, Merged | undefined>();
  const marks = new Map<number, Merged>();
  const window = new Map<number, Merged>();
  /** First sequence number that a device wrote twice, and the highest one of each. */
  const forks = new Map<string, number>();
  const highest = new Map<string, number>();
  const staged = new Map<CommitId, { readonly step: Step; readonly state: Merged }>();
  const facts = new Map<CommitId, Facts>();

  const noteNumber = ({ device, seq }: Pick<Entry, 'device' | 'seq'>): void => {
    const last = highest.get(device) ?? 0;
    if (seq <= last) forks.set(device, Math.min(seq, forks.get(device) ?? seq));
    else highest.set(device, seq);
  };

  const append = (entry: Entry, state: Merged | undefined): void => {
    const { id, parents } = entry;
    if (!staged.delete(id)) noteNumber(entry);
    indices.set(id, entries.length);
    entries.push(entry);
    for (const parent of parents) heads.delete(parent);
    heads.set(id, state);
  };

  const read = async (index: number) => {
    const entry = entries[index];
    const frame = entry && (await log.read(entry.place));
    if (entry === undefined || frame === undefined) {
      throw new StorageError('corrupt', `commit ${entry?.id ?? index} cannot be read any more`);
    }
    return { commit: parseCommit(crypto, frame.commit), ops: frame.ops };
  };

  const stepAt = async (index: number): Promise<Step> => {
    const { ops } = await read(index);
    return { ...(entries[index] as Entry), ops: parseOps(ops) };
  };

  const knownAt = (index: number): Merged | undefined =>
    heads.get(entries[index]?.id ?? '') ?? marks.get(index) ?? window.get(index);

  const keep = (index: number, state: Merged): void => {
    if (index % WINDOW === 0) marks.set(index, state);
    window.set(index, state);
    const [oldest] = window.keys();
    if (window.size > WINDOW && oldest !== undefined) window.delete(oldest);
  };

  /** What has to be replayed for the state at `target`, parents first. */
  const findReplay = (target: number): number[] => {
    const needed = new Set<number>();
    const stack = [target];
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      if (needed.has(index) || knownAt(index) !== undefined) continue;
      needed.add(index);
      for (const parent of entries[index]?.parents ?? []) {
        const at = indices.get(parent);
        if (at === undefined) throw new StorageError('corrupt', 'commits before it are missing');
        stack.push(at);
      }
    }
    return [...needed].sort((a, b) => a - b);
  };

  const stateAt = async (target: number): Promise<Merged> => {
    const replay = findReplay(target);
    const states = new Map<number, Merged>();
    const uses = countUses(replay);
    const get = (index: number): Merged | undefined => states.get(index) ?? knownAt(index);
    for (const index of replay) {
      const step = await stepAt(index);
      const parents = step.parents.map((parent) => indices.get(parent) as number);
      const past = await joinStates(
        parents.map((parent) => get(parent) as Merged),
        step.parents,
      );
      const state = await extend(past, step);
      states.set(index, state);
      keep(index, state);
      for (const parent of parents) {
        const left = (uses.get(parent) ?? 0) - 1;
        uses.set(parent, left);
        if (left <= 0) states.delete(parent);
      }
    }
    const state = get(target);
    if (state === undefined) throw new Error(`unreachable: no state at ${target}`);
    return state;
  };

  const countUses = (replay: readonly number[]): Map<number, number> => {
    const uses = new Map<number, number>();
    for (const index of replay) {
      for (const parent of entries[index]?.parents ?? []) {
        const at = indices.get(parent) as number;
        uses.set(at, (uses.get(at) ?? 0) + 1);
      }
    }
    return uses;
  };

  const isForked = (device: string, seq: number): boolean => (forks.get(device) ?? seq + 1) <= seq;

  /** Whether a revocation or a fork may make commits of this past count for nothing. */
  const isSuspect = ({ revoked, vector }: Merged): boolean =>
    [...revoked].some(([device, last]) => (vector.get(device) ?? 0) > last) ||
    [...forks].some(([device, seq]) => (vector.get(device) ?? 0) >= seq);

  const joinStates = async (
    states: readonly Merged[],
    ids: readonly CommitId[],
  ): Promise<Merged> => {
    const [first = NOTHING] = states;
    if (states.length < 2) return first;
    const joined = joinAll(states);
    return isSuspect(joined) ? foldAll(ids) : joined;
  };

  /** From the beginning, without what counts for nothing: rare, and as slow as the history is long. */
  const foldAll = async (ids: readonly CommitId[], last: readonly Step[] = []): Promise<Merged> => {
    const steps = new Map<CommitId, Step>(last.map((step) => [step.id, step]));
    const stack = [...ids];
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (steps.has(id)) continue;
      const index = indices.get(id);
      const step = staged.get(id)?.step ?? (index === undefined ? undefined : await stepAt(index));
      if (step === undefined) throw new StorageError('corrupt', 'commits before it are missing');
      steps.set(id, step);
      stack.push(...step.parents);
    }
    const nodes: VoidNode[] = [];
    for (const step of orderCausally(steps.values()).ordered) {
      nodes.push({ ...step, ...(facts.get(step.id) ?? (await learn(step))) });
    }
    const voided = findVoid(nodes);
    return fold(steps.values(), (id) => voided.has(id));
  };

  /** Looks at a commit with the eyes of its own past. */
  const learn = async (step: Step): Promise<Facts> => {
    const found = factsOf((await join(step.parents)).state, step.device, step.ops);
    if (step.id !== '') facts.set(step.id, found);
    return found;
  };

  const join = async (ids: readonly CommitId[]): Promise<Merged> => {
    const states: Merged[] = [];
    for (const id of ids) {
      const index = indices.get(id);
      const fresh = staged.get(id)?.state;
      const state = fresh ?? (index === undefined ? undefined : await stateAt(index));
      if (state === undefined) throw new StorageError('unknown-parent', `no commit ${id}`);
      states.push(state);
    }
    return joinStates(states, ids);
  };

  const extend = async (past: Merged, step: Step): Promise<Merged> => {
    const state = applyOps(past, step, step.ops);
    const changesWhatCounts =
      past.revoked.has(step.device) ||
      isForked(step.device, step.seq) ||
      step.ops.some(({ op }) => op === 'revoke');
    if (!(changesWhatCounts && isSuspect(state))) return state;
    return foldAll(step.parents, [step]);
  };

  initial.forEach((entry, index) => {
    const state = known.get(entry.id);
    append(entry, state);
    // The near side of a hole is no head: what follows it is only not held.
    if (index < (hole ?? 0)) heads.clear();
    if (state !== undefined) marks.set(index, state);
  });

  return {
    get entries() {
      return entries;
    },
    hole,
    get heads() {
      return [...heads.keys()].sort();
    },
    find: (id) => indices.get(id),
    stage(step, past, state) {
      noteNumber(step);
      facts.set(step.id, factsOf(past.state, step.device, step.ops));
      staged.set(step.id, { step, state });
    },
    unstage() {
      if (staged.size === 0) return;
      staged.clear();
      forks.clear();
      highest.clear();
      for (const entry of entries) noteNumber(entry);
    },
    append,
    read,
    async show(index) {
      const { commit, ops } = await read(index);
      return showCommit(commit, ops);
    },
    stateAt,
    join,
    extend,
  };
}
