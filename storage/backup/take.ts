/**
 * A store takes over what a bundle or another repository holds; the store verifies it all (I3).
 */

import type { Crypto } from '#runtime';
import type { CommitId } from '../commit.ts';
import { StorageError } from '../error.ts';
import { canonicalize } from '../json.ts';
import { buildTree, collectionTree, type GitObject, recordBlob } from '../object.ts';
import type { Store } from '../store.ts';
import { parseBundle } from './bundle.ts';
import { type Find, recount } from './recount.ts';
import { readPack } from './unpack.ts';

/** What taking over needs of a store. */
export type Taker = Pick<Store, 'importCommits' | 'holds'>;

/** Called after each page, with the commits taken over and those there are. */
export type Taken = (done: number, of: number) => void;

/** Takes over the commits of `heads` and their past, found by `find`; how many were new. */
export async function takeHistory(
  store: Taker,
  find: Find,
  heads: readonly CommitId[],
  report: Taken = () => undefined,
): Promise<number> {
  let added = 0;
  for await (const { frames, done, of } of recount(find, heads, (id) => store.holds(id))) {
    const imported = await store.importCommits(frames);
    const [first] = imported.refused;
    if (first !== undefined) throw first.reason;
    added += imported.added;
    report(done, of);
  }
  return added;
}

/** Takes over a bundle; an incremental one needs what it builds on to be there. */
export async function takeBundle(
  crypto: Pick<Crypto, 'hash'>,
  store: Taker & Edge,
  bytes: Uint8Array,
  report?: Taken,
): Promise<number> {
  const { prerequisites, refs, pack } = parseBundle(bytes);
  // Git leaves out what its reader has at the commits that the bundle builds on.
  const known = await objectsAt(crypto, store, prerequisites);
  const { find } = await readPack(crypto, pack, async (id) => known.get(id));
  const heads = [...new Set(refs.map(({ id }) => id))];
  return takeHistory(store, (id) => find(id) ?? known.get(id), heads, report);
}

type Edge = Pick<Store, 'contentAt' | 'read' | 'holds'>;

/** All that is in the trees of some commits. */
async function objectsAt(
  crypto: Pick<Crypto, 'hash'>,
  store: Edge,
  commits: readonly CommitId[],
): Promise<ReadonlyMap<string, GitObject>> {
  const objects = new Map<string, GitObject>();
  for (const id of commits) {
    if (!store.holds(id)) {
      throw new StorageError('unknown-parent', `it builds on the commit ${id}, which is not here`);
    }
    const content = await store.contentAt(id);
    const { ops } = await store.read(id);
    const { root, others } = buildTree(crypto, content, canonicalize(ops));
    for (const object of [root, ...others]) objects.set(object.id, object);
    for (const collection of content.state.values()) {
      const tree = collectionTree(crypto, collection);
      objects.set(tree.id, tree);
      for (const record of collection.values()) {
        const blob = recordBlob(crypto, record);
        objects.set(blob.id, blob);
      }
    }
  }
  return objects;
}
