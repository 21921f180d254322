/**
 * A store takes over what a bundle or another repository holds; the store verifies it all (I3).
 */

import type { Crypto } from '#runtime';
import type { CommitId } from '../commit.ts';
import type { Store } from '../store.ts';
import { parseBundle } from './bundle.ts';
import { type Find, recount } from './recount.ts';
import { readLoose, readPack } from './unpack.ts';

/** What taking over needs of a store. */
export type Taker = Pick<Store, 'importCommits' | 'holds' | 'git'>;

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
  store: Taker,
  bytes: Uint8Array,
  report?: Taken,
): Promise<number> {
  const { refs, pack } = parseBundle(bytes);
  // Git leaves out of a bundle what its reader is said to have.
  const { find } = await readPack(crypto, pack, async (id) => {
    const file = await store.git(`objects/${id.slice(0, 2)}/${id.slice(2)}`);
    return file && readLoose(file.body);
  });
  return takeHistory(store, find, [...new Set(refs.map(({ id }) => id))], report);
}
