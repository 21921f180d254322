/**
 * The history for people: listed, and taken back.
 */

import { diffStates, invert } from './change.ts';
import type { Commit, CommitId } from './commit.ts';
import { StorageError } from './error.ts';
import type { History } from './history.ts';
import type { Op, State } from './op.ts';
import { overlaps } from './path.ts';

/** Which commits to list, newest first. */
export type LogQuery = {
  /** At most 1,000; 50 when absent. */
  readonly limit?: number;
  /** A collection, record or field. */
  readonly path?: string;
  /** Only older ones than this commit. */
  readonly before?: CommitId;
};

const DEFAULT_LOG = 50;
const MAX_LOG = 1000;
const MAX_TITLE = 100;

/** Lists commits, newest first: children before parents. */
export async function listCommits(history: History, query: LogQuery): Promise<readonly Commit[]> {
  const { order } = history;
  const { path, before, limit = DEFAULT_LOG } = query;
  const most = Math.min(Math.max(limit, 0), MAX_LOG);
  const commits: Commit[] = [];
  let at = before === undefined ? order.length : order.indexOf(before);
  while (commits.length < most && --at >= 0) {
    const commit = await history.show(history.find(order[at] as CommitId) as number);
    if (path === undefined || commit.ops.some((op) => overlaps(op.path, path))) {
      commits.push(commit);
    }
  }
  return commits;
}

/** The draft that takes the commit at `index` back in the state `now`. */
export async function draftRevert(
  history: History,
  index: number,
  now: State,
): Promise<{ readonly ops: readonly Op[]; readonly message: string }> {
  const { id, message: first, ops, parents } = await history.show(index);
  const before = await history.join(parents);
  const changes = diffStates(before.state, (await history.stateAt(index)).state);
  const inverse = invert(changes, ops, now);
  if (!inverse.ok) {
    const problems = inverse.overwritten.map((path) => ({ path, message: 'changed since' }));
    throw new StorageError('does-not-apply', 'what it changed was changed since', { problems });
  }
  const title = first.split('\n', 1).join('').slice(0, MAX_TITLE).toWellFormed();
  const message = `Revert "${title}"\n\nThis reverts commit ${id}.`;
  return { ops: inverse.ops, message };
}
