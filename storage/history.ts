/**
 * The commits held, in causal order, and the state at each of them.
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
import type { CommitLog, Place } from './log.ts';
import { applyOps, EMPTY, parseOps, type State } from './op.ts';

/** What memory keeps of a commit. */
export type Entry = {
  readonly id: CommitId;
  readonly parents: readonly CommitId[];
  readonly device: string;
  readonly seq: number;
  readonly place: Place;
};

/** A hole: entries from `from` on miss their past, states are known again from `to` on. */
export type Hole = { readonly from: number; readonly to: number; readonly state: State };

/** The history of one realm as far as it is held. */
export type History = {
  readonly entries: readonly Entry[];
  readonly hole: Hole | undefined;
  find(id: CommitId): number | undefined;
  append(entry: Entry, state: State): void;
  read(index: number): Promise<{ readonly commit: ParsedCommit; readonly ops: string }>;
  show(index: number): Promise<Commit>;
  /** The state after the commit at `index`; before the first one it is empty. */
  stateAt(index: number): Promise<State>;
};

/** States kept for neighbours; also the distance of marks. */
const WINDOW = 256;

/** Makes the history of `entries`, the last of which left `state`. */
export function createHistory(
  crypto: Pick<Crypto, 'hash'>,
  log: CommitLog,
  initial: readonly Entry[],
  state: State,
  hole: Hole | undefined,
): History {
  const entries = [...initial];
  const indices = new Map(entries.map((entry, index) => [entry.id, index]));
  let last = state;
  const marks = new Map<number, State>([[-1, EMPTY]]);
  if (hole !== undefined) marks.set(hole.to, hole.state);
  let window: { readonly start: number; readonly states: readonly State[] } | undefined;

  const read = async (index: number) => {
    const entry = entries[index];
    const frame = entry && (await log.read(entry.place));
    if (entry === undefined || frame === undefined) {
      throw new StorageError('corrupt', `commit ${entry?.id ?? index} cannot be read any more`);
    }
    return { commit: parseCommit(crypto, frame.commit), ops: frame.ops };
  };

  /** Replays the block of `index` to its end, because neighbours are asked for next. */
  const replay = async (index: number): Promise<State | undefined> => {
    let start = index;
    while (!marks.has(start)) start--;
    let current = marks.get(start) as State;
    let states: State[] = [current];
    const end = Math.min(index + WINDOW - (index % WINDOW), endOf(index));
    for (let i = start + 1; i <= end; i++) {
      const { ops } = await read(i);
      current = applyOps(current, parseOps(ops));
      states.push(current);
      if (i % WINDOW === 0) marks.set(i, current);
      if (i % WINDOW === 0 && i <= index) {
        start = i;
        states = [current];
      }
    }
    window = { start, states };
    return states[index - start];
  };

  /** The last entry whose state can be told by going on from `index`. */
  const endOf = (index: number): number =>
    hole !== undefined && index < hole.from ? hole.from - 1 : entries.length - 1;

  return {
    get entries() {
      return entries;
    },
    hole,
    find: (id) => indices.get(id),
    append(entry, after) {
      indices.set(entry.id, entries.length);
      entries.push(entry);
      last = after;
    },
    read,
    async show(index) {
      const { commit, ops } = await read(index);
      return showCommit(commit, ops);
    },
    async stateAt(index) {
      if (index === entries.length - 1) return last;
      if (hole !== undefined && index >= hole.from && index < hole.to) {
        throw new StorageError('corrupt', 'commits before this one are missing');
      }
      const state = window?.states[index - window.start] ?? (await replay(index));
      if (state === undefined) throw new Error(`unreachable: no state at ${index}`);
      return state;
    },
  };
}
