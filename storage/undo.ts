/**
 * Going back without rewriting anything: each way back is the draft of a new commit.
 *
 * A range is what `git log after..to` lists: it may have been written by several devices at once.
 */

import { type Change, diffStates, invert, toOps, within } from './change.ts';
import type { CommitId } from './commit.ts';
import { StorageError } from './error.ts';
import type { History } from './history.ts';
import type { Op, State } from './op.ts';
import { pastOf } from './past.ts';
import { isSubtree } from './path.ts';

/** All commits that `to` has in its past, or is, and `after` has not. */
export type Range = { readonly after: CommitId; readonly to: CommitId };

type Undoing = { readonly ops: readonly Op[]; readonly message: string };

const MAX_TITLE = 100;
/** Each is read. */
const MAX_RANGE = 10_000;
/** Who belongs to the realm, and what devices tell of themselves, is no configuration of then. */
const NOT_RESTORED: ReadonlySet<string> = new Set(['devices', 'realm', 'proposals', 'status']);

/** The draft that takes a commit, or a range, back in the state `now`; only what is at `path`. */
export async function draftRevert(
  history: History,
  what: CommitId | Range,
  now: State,
  path?: string,
): Promise<Undoing> {
  const { changes, ops, message } =
    typeof what === 'string' ? await readOne(history, what) : await readRange(history, what);
  const inverse = invert(select(changes, path), ops, now);
  if (!inverse.ok) {
    const problems = inverse.overwritten.map((at) => ({ path: at, message: 'changed since' }));
    throw new StorageError('does-not-apply', 'what it changed was changed since', { problems });
  }
  return { ops: required(inverse.ops), message };
}

/**
 * The draft that makes what is at `path` as it was at `point`. Without a path that is everything
 * but members, the realm's own settings, and what devices tell of themselves.
 */
export async function draftRestore(
  history: History,
  point: CommitId,
  now: State,
  path?: string,
): Promise<Undoing> {
  const { state } = await history.stateAt(indexOf(history, point));
  const changes = select(diffStates(now, state), path).filter(
    (change) => path !== undefined || !NOT_RESTORED.has(change.path.split('/', 1).join('')),
  );
  const what = path ?? 'everything';
  const message = `Restore ${what} as of ${point.slice(0, 12)}\n\nThis restores commit ${point}.`;
  return { ops: required(toOps(changes)), message };
}

type Made = { readonly changes: readonly Change[] } & Undoing;

async function readOne(history: History, id: CommitId): Promise<Made> {
  const index = indexOf(history, id);
  const { message: first, ops, parents } = await history.show(index);
  const before = await history.join(parents);
  const changes = diffStates(before.state, (await history.stateAt(index)).state);
  const title = first.split('\n', 1).join('').slice(0, MAX_TITLE).toWellFormed();
  return { changes, ops, message: `Revert "${title}"\n\nThis reverts commit ${id}.` };
}

async function readRange(history: History, { after, to }: Range): Promise<Made> {
  const [first, last] = [indexOf(history, after), indexOf(history, to)];
  const known = pastOf(history, first);
  const past = pastOf(history, last);
  if (!past.has(first)) throw new StorageError('invalid', 'the range ends before it begins');
  const range = [...past].filter((index) => !known.has(index));
  if (range.length > MAX_RANGE) throw new StorageError('too-large', 'too many changes at once');
  const ops: Op[] = [];
  for (const index of range) ops.push(...(await history.show(index)).ops);
  const before = await history.stateAt(first);
  const changes = diffStates(before.state, (await history.stateAt(last)).state);
  const count = `${range.length} ${range.length === 1 ? 'change' : 'changes'}`;
  const message = `Revert ${count}\n\nThis reverts commits ${after}..${to}.`;
  return { changes, ops, message };
}

function select(changes: readonly Change[], path: string | undefined): readonly Change[] {
  if (path === undefined) return changes;
  if (!isSubtree(path)) throw new StorageError('invalid', `no path: ${path.slice(0, 100)}`);
  return within(changes, path);
}

function required(ops: readonly Op[]): readonly Op[] {
  if (ops.length === 0) throw new StorageError('does-not-apply', 'it is so already');
  return ops;
}

function indexOf(history: History, id: CommitId): number {
  const index = history.find(id);
  if (index === undefined) throw new StorageError('unknown-commit', `no commit ${id}`);
  return index;
}
