/**
 * Going back without rewriting anything: each way back is the draft of a new commit.
 *
 * A range is what `git log after..to` lists: it may have been written by several devices at once.
 */

import { StorageError } from '../error.ts';
import type { CommitId } from '../format/commit.ts';
import { isObject, type Json } from '../format/json.ts';
import type { Op, State } from '../format/op.ts';
import { isSubtree } from '../format/path.ts';
import type { History } from '../history/history.ts';
import { pastOf } from '../history/past.ts';
import type { Merged } from '../merge/merged.ts';
import { findVoid } from '../rights/judge.ts';
import { readKey } from '../rights/members.ts';
import { type Change, diffStates, invert, toOps, within } from './change.ts';

/** All commits that `to` has in its past, or is, and `after` has not. */
export type Range = { readonly after: CommitId; readonly to: CommitId };

type Undoing = { readonly ops: readonly Op[]; readonly message: string };

const MAX_TITLE = 100;
/** Each is read. */
const MAX_RANGE = 10_000;
/** Who belongs to the realm is no configuration of then. */
const NOT_RESTORED: ReadonlySet<string> = new Set(['devices', 'realm', 'proposals']);
/**
 * Collections that devices keep for themselves. Without a key that came since, whoever was removed
 * could read again.
 */
export const BOOKKEEPING: ReadonlySet<string> = new Set([
  'keys',
  'late',
  'status',
  'confirmations',
  'anchors',
]);
const BASE = 'realm/base-';

/** The draft that takes a commit, or a range, back from what all make; only what is at `path`. */
export async function draftRevert(
  history: History,
  what: CommitId | Range,
  { state: now, revoked }: Merged,
  path?: string,
): Promise<Undoing> {
  const voids = findVoid(await history.judge(revoked));
  const { changes, ops, message } =
    typeof what === 'string'
      ? await readOne(history, what, voids)
      : await readRange(history, what, voids);
  const chosen = select(changes, path);
  const inverse = invert(chosen.filter(isReturnable), ops, now);
  if (!inverse.ok) {
    const problems = inverse.overwritten.map((at) => ({ path: at, message: 'changed since' }));
    throw new StorageError('does-not-apply', 'what it changed was changed since', { problems });
  }
  return { ops: required(inverse.ops, chosen.every(isReturnable)), message };
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
  const isAsked = ({ path: at }: Change) =>
    path !== undefined || !NOT_RESTORED.has(collectionOf(at));
  const isBack = ({ path: at, before, after }: Change) =>
    isReturnable({ path: at, before: after, after: before });
  const changes = select(diffStates(now, state), path).filter(isAsked);
  const what = path ?? 'everything';
  const message = `Restore ${what} as of ${point.slice(0, 12)}\n\nThis restores commit ${point}.`;
  return { ops: required(toOps(changes.filter(isBack)), changes.every(isBack)), message };
}

type Made = { readonly changes: readonly Change[] } & Undoing;

/** Commits that count for nothing: what they changed in the eyes of their authors is not there. */
type Voids = ReadonlyMap<CommitId, unknown>;

async function readOne(history: History, id: CommitId, voids: Voids): Promise<Made> {
  const index = indexOf(history, id);
  if (voids.has(id)) throw new StorageError('does-not-apply', 'it counts for nothing already');
  const { message: first, ops, parents } = await history.show(index);
  if (parents.length === 0) throw new StorageError('invalid', 'the realm began with it');
  if (parents.some((parent) => history.find(parent) === undefined)) {
    throw new StorageError('too-old', 'what was before it is not kept any more');
  }
  const before = await history.join(parents);
  const changes = diffStates(before.state, (await history.stateAt(index)).state);
  const title = first.split('\n', 1).join('').slice(0, MAX_TITLE).toWellFormed();
  return { changes, ops, message: `Revert "${title}"\n\nThis reverts commit ${id}.` };
}

async function readRange(history: History, { after, to }: Range, voids: Voids): Promise<Made> {
  const [first, last] = [indexOf(history, after), indexOf(history, to)];
  const known = pastOf(history, first);
  const past = pastOf(history, last);
  if (!past.has(first)) throw new StorageError('invalid', 'the range ends before it begins');
  const range = [...past].filter((index) => !known.has(index));
  if (range.length > MAX_RANGE) throw new StorageError('too-large', 'too many changes at once');
  const ops: Op[] = [];
  for (const index of range) {
    const { id, ops: own } = await history.show(index);
    if (!voids.has(id)) ops.push(...own);
  }
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

/**
 * A member is let in or removed by a decision that says so: revoked, and with a new key for the others.
 * Where history begins stays where it is, and a proposal can be made once.
 */
function isReturnable({ path, before, after }: Change): boolean {
  const collection = collectionOf(path);
  if (BOOKKEEPING.has(collection) || path.startsWith(BASE)) return false;
  if (collection === 'proposals') return before === undefined;
  return !(isMember(path, before) || isMember(path, after));
}

function isMember(path: string, value: Json | undefined): boolean {
  if (collectionOf(path) !== 'devices') return false;
  return path.endsWith('/signingKey') || (isObject(value) && readKey(value) !== undefined);
}

function collectionOf(path: string): string {
  return path.split('/', 1).join('');
}

/** `isAll`: nothing of what was asked for was left out. */
function required(ops: readonly Op[], isAll: boolean): readonly Op[] {
  if (ops.length > 0) return ops;
  throw new StorageError('does-not-apply', isAll ? 'it is so already' : STAYS);
}

const STAYS =
  'who belongs to the realm, its keys, and what devices note for themselves stay as they are: add or remove a device instead';

function indexOf(history: History, id: CommitId): number {
  const index = history.find(id);
  if (index === undefined) throw new StorageError('unknown-commit', `no commit ${id}`);
  return index;
}
