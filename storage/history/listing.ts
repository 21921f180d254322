/**
 * The history for people: listed, by whom, where, why and when.
 */

import type { Commit, CommitId } from '../format/commit.ts';
import { overlaps } from '../format/path.ts';
import type { History } from './history.ts';

/** Which commits to list, newest first. */
export type LogQuery = {
  /** At most 1,000; 50 when absent. */
  readonly limit?: number;
  /** A collection, record or field. */
  readonly path?: string;
  /** Only older ones than this commit. */
  readonly before?: CommitId;
  /** The id of the device that wrote it. */
  readonly device?: string;
  /** Who: the device's name or the door the wish came through has this in it, in whatever case. */
  readonly person?: string;
  /** Why: the message has this in it, in whatever case. */
  readonly reason?: string;
  /** From this second on, and before that one, by the clocks of those who wrote. */
  readonly since?: number;
  readonly until?: number;
};

const DEFAULT_LOG = 50;
const MAX_LOG = 1000;

/** Lists commits, newest first: children before parents. */
export async function listCommits(history: History, query: LogQuery): Promise<readonly Commit[]> {
  const { order } = history;
  const { before, device, limit = DEFAULT_LOG } = query;
  const most = Math.min(Math.max(limit, 0), MAX_LOG);
  const commits: Commit[] = [];
  let at = before === undefined ? order.length : order.indexOf(history.find(before) ?? -1);
  while (commits.length < most && --at >= 0) {
    const index = order[at] as number;
    if (device !== undefined && history.entries.at(index)?.device !== device) continue;
    const commit = await history.show(index);
    if (fits(commit, query)) commits.push(commit);
  }
  return commits;
}

function fits(
  { name, via, message, at, ops }: Commit,
  { path, person, reason, since, until }: LogQuery,
): boolean {
  return (
    (path === undefined || ops.some((op) => overlaps(op.path, path))) &&
    (person === undefined || contains(name, person) || contains(via, person)) &&
    (reason === undefined || contains(message, reason)) &&
    (since === undefined || at >= since) &&
    (until === undefined || at < until)
  );
}

function contains(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}
