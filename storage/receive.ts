/**
 * Commits from another device: bytes in, commits that may be appended out.
 *
 * The sender is believed nothing. Each commit must follow what is held, in signature, rights,
 * chain and tree (I3); what is held already changes nothing (I4). The first commit that does not
 * fit ends the reading; those before it stand.
 */

import type { Crypto } from '#runtime';
import { type ParsedCommit, parseCommit } from './commit.ts';
import { StorageError } from './error.ts';
import { decodeFrame, measureFrame } from './frame.ts';
import type { History } from './history.ts';
import { type Tip, verifyCommit } from './verify.ts';

/** A verified commit, its frame, and the tip it makes. */
export type Received = {
  readonly frame: Uint8Array;
  readonly commit: ParsedCommit;
  readonly tip: Tip;
};

/** What could be taken over, and why the rest could not. */
export type Reception = {
  readonly received: readonly Received[];
  readonly refused: StorageError | undefined;
};

/** One page of an exchange; a larger one is refused unread. */
export const MAX_PAGE = 1024 * 1024;

/** Reads frames and verifies them one after the other against `tips`, the ends to build on. */
export function receive(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  history: Pick<History, 'find' | 'entries'>,
  tips: readonly (Tip | undefined)[],
  bytes: Uint8Array,
): Reception {
  const received: Received[] = [];
  const ends = [...tips];
  const names = new Set<string>();
  let offset = 0;
  try {
    if (bytes.length > MAX_PAGE) throw new StorageError('too-large', 'more than one page');
    while (offset < bytes.length) {
      const span = measureFrame(bytes, offset);
      const content = span && decodeFrame(bytes, span);
      if (span === undefined || content === undefined) {
        throw new StorageError('corrupt', `no frame at byte ${offset}`);
      }
      offset = span.end;
      const commit = parseCommit(crypto, content.commit);
      if (history.find(commit.id) !== undefined || names.has(commit.id)) continue;
      const at = findEnd(ends, commit);
      if (isFork(history, ends[at], commit)) {
        throw new StorageError('fork', `${commit.device} wrote number ${commit.seq} twice`);
      }
      const tip = verifyCommit(crypto, ends[at], commit, content.ops);
      ends[at] = tip;
      names.add(commit.id);
      received.push({ frame: bytes.slice(span.offset, span.end), commit, tip });
    }
    return { received, refused: undefined };
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause;
    return { received, refused: cause };
  }
}

/** The end that the commit follows; the first one when it follows none, to be refused there. */
function findEnd(ends: readonly (Tip | undefined)[], commit: ParsedCommit): number {
  const at = ends.findIndex((end) => end !== undefined && end.id === commit.parents[0]);
  return Math.max(at, 0);
}

function isFork(
  history: Pick<History, 'entries'>,
  end: Tip | undefined,
  { realm, parents, device, seq }: ParsedCommit,
): boolean {
  if (end === undefined || end.id === parents[0] || realm !== end.realm) return false;
  return history.entries.some((entry) => entry.device === device && entry.seq === seq);
}
