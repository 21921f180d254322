/**
 * From a repository's objects back to commits that a store takes over.
 *
 * Nothing is believed here: what comes out are frames, and the store verifies each (I3). Only what
 * a commit needs is read of it: the commit, and the ops that its tree binds.
 */

import { StorageError } from '../error.ts';
import { concat, decodeText, encodeHex, encodeText } from '../format/bytes.ts';
import type { CommitId } from '../format/commit.ts';
import { encodeFrame } from '../format/frame.ts';
import type { GitObject } from '../format/object.ts';

/** Gives an object by its name, wherever it lies; undefined when it is nowhere. */
export type Find = (id: string) => Promise<GitObject | undefined> | GitObject | undefined;

/** Frames in causal order, and how many commits are told with them. */
export type Page = { readonly frames: Uint8Array; readonly done: number; readonly of: number };

/** As much as is verified without a pause for anything else. */
const PAGE = 128 * 1024;
/** Nobody's configuration has changed so often. */
const MAX_COMMITS = 1_000_000;
const HASH_BYTES = 32;

/**
 * Tells the history of `heads` in pages, oldest first, down to commits that are `held`.
 * Throws 'corrupt' when objects are missing or are not what they should be.
 */
export async function* recount(
  find: Find,
  heads: readonly CommitId[],
  held: (id: CommitId) => boolean,
): AsyncGenerator<Page> {
  const order = await orderCommits(find, heads, held);
  let frames: Uint8Array[] = [];
  let size = 0;
  let done = 0;
  for (const id of order) {
    const commit = await required(find, id, 'commit');
    const frame = encodeFrame({ commit, ops: await findOps(find, commit) });
    if (frame === undefined) throw new StorageError('too-large', `commit ${id} is too large`);
    if (size + frame.length > PAGE && frames.length > 0) {
      yield { frames: concat(frames), done, of: order.length };
      frames = [];
      size = 0;
    }
    frames.push(frame);
    size += frame.length;
    done += 1;
  }
  if (frames.length > 0) yield { frames: concat(frames), done, of: order.length };
}

/** Parents before children; by a stack of our own, because a history is deeper than the machine's. */
async function orderCommits(
  find: Find,
  heads: readonly CommitId[],
  held: (id: CommitId) => boolean,
): Promise<CommitId[]> {
  const order: CommitId[] = [];
  const seen = new Set<CommitId>();
  const stack: { readonly id: CommitId; readonly isLeft: boolean }[] = [];
  const enter = (ids: readonly CommitId[]): void => {
    for (const id of ids) if (!seen.has(id) && !held(id)) stack.push({ id, isLeft: false });
  };
  enter(heads);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.isLeft) {
      order.push(next.id);
      continue;
    }
    if (seen.has(next.id)) continue;
    seen.add(next.id);
    if (seen.size > MAX_COMMITS) throw new StorageError('too-large', 'too many commits');
    stack.push({ id: next.id, isLeft: true });
    enter(parentsOf(await required(find, next.id, 'commit')));
  }
  return order;
}

/** Only the header's lines; the store reads the rest. */
function parentsOf(commit: Uint8Array): CommitId[] {
  const text = decodeText(commit)?.split('\nauthor ', 1)[0] ?? '';
  return [...text.matchAll(/^parent ([0-9a-f]{64})$/gm)].map(([, id = '']) => id);
}

async function findOps(find: Find, commit: Uint8Array): Promise<string> {
  const [, tree] = /^tree ([0-9a-f]{64})\n/.exec(decodeText(commit.subarray(0, 70)) ?? '') ?? [];
  if (tree === undefined) throw new StorageError('corrupt', 'a commit without a tree');
  const root = await required(find, tree, 'tree');
  const nymote = entryOf(root, '40000', '.nymote');
  const ops = nymote && entryOf(await required(find, nymote, 'tree'), '100644', 'ops.json');
  if (ops === undefined) throw new StorageError('corrupt', 'a commit that says not what it did');
  const text = decodeText(await required(find, ops, 'blob'));
  if (text === undefined) throw new StorageError('corrupt', 'ops that are no text');
  return text;
}

/** The name of an entry's object: mode, space, file name, zero byte, hash. */
function entryOf(tree: Uint8Array, mode: string, name: string): string | undefined {
  const wanted = encodeText(`${mode} ${name}\0`);
  for (let at = 0; at < tree.length; ) {
    const start = tree.indexOf(0, at) + 1;
    if (start === 0) return undefined;
    const isIt = start - at === wanted.length && wanted.every((byte, i) => tree[at + i] === byte);
    if (isIt) return encodeHex(tree.subarray(start, start + HASH_BYTES));
    at = start + HASH_BYTES;
  }
  return undefined;
}

async function required(find: Find, id: string, type: GitObject['type']): Promise<Uint8Array> {
  const object = await find(id);
  if (object?.type === type) return object.body;
  throw new StorageError('corrupt', `the ${type} ${id} is missing`);
}
