/**
 * A store takes over what a bundle or another repository holds; the store verifies it all (I3).
 */

import type { Crypto } from '#runtime';
import { StorageError } from '../error.ts';
import type { CommitId } from '../format/commit.ts';
import type { GitObject, NamedObject } from '../format/object.ts';
import type { State } from '../format/op.ts';
import type { Store } from '../store.ts';
import { BASE_REF, parseBundle } from './bundle.ts';
import { addCommit, retell, type Told } from './gather.ts';
import { type Find, recount } from './recount.ts';
import { readPack } from './unpack.ts';

/** What taking over needs of a store. */
export type Taker = Pick<Store, 'importCommits' | 'holds' | 'problems' | 'takeBase'>;

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
  // Where commits are missing among those held, all are offered: they may be what is missing.
  const isWhole = !store.problems.some(({ code }) => code === 'missing-commits');
  const isHeld = (id: CommitId): boolean => isWhole && store.holds(id);
  for await (const { frames, done, of } of recount(find, heads, isHeld)) {
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
  store: Taker & Told,
  bytes: Uint8Array,
  report?: Taken,
): Promise<number> {
  const { prerequisites, refs, pack } = parseBundle(bytes);
  const missing = prerequisites.find((id) => !store.holds(id));
  if (missing !== undefined) {
    throw new StorageError(
      'unknown-parent',
      `it builds on the commit ${missing}, which is not here`,
    );
  }
  // Git leaves out what a reader has who has the commits that the bundle builds on.
  const lookup = (ids: ReadonlySet<string>) => findObjects(crypto, store, ids);
  const { find } = await readPack(crypto, pack, lookup);
  const base = refs.find(({ name }) => name === BASE_REF);
  if (base !== undefined) await store.takeBase(find(base.id)?.body ?? new Uint8Array(0));
  const heads = [...new Set(refs.filter((ref) => ref !== base).map(({ id }) => id))];
  const findAnywhere: Find = async (id) => find(id) ?? (await lookup(new Set([id]))).get(id);
  return takeHistory(store, findAnywhere, heads, report);
}

/** Looks for objects in the whole history; ours never need it, those of stock git may. */
async function findObjects(
  crypto: Pick<Crypto, 'hash'>,
  told: Told,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, GitObject>> {
  const found = new Map<string, GitObject>();
  const keep = (object: NamedObject): void => {
    if (wanted.has(object.id)) found.set(object.id, object);
  };
  const sieve = { add: keep, addVersion: keep };
  let before: State = new Map();
  for await (const telling of retell(crypto, told, {})) {
    addCommit(crypto, sieve, before, telling);
    before = telling.content.state;
    if (found.size === wanted.size) break;
  }
  return found;
}
