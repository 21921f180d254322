/**
 * A stretch of history as a git bundle that stock git clones, or fetches from.
 *
 * Objects are computed commit by commit, in causal order, and a stretch ends when it is large
 * enough: a long history becomes several bundles, each building on the one before, so that memory
 * is bounded by one of them. The size says little about the content: it is padded.
 *
 * @see Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs"
 *   (PoPETs 2019), §4: Padmé
 */

import type { Crypto } from '#runtime';
import { concat } from '../bytes.ts';
import { type CommitId, parseCommit } from '../commit.ts';
import { StorageError } from '../error.ts';
import { decodeFrame, measureFrame } from '../frame.ts';
import { buildTree, collectionTree, nameObject, recordBlob } from '../object.ts';
import { EMPTY, type State } from '../op.ts';
import type { Store } from '../store.ts';
import { encodeBundleHeader } from './bundle.ts';
import { createPack, MIN_PADDING, type PackWriter } from './pack.ts';

/** How far a history is told: the last number of each device, and the ends. */
export type Reach = {
  readonly vector: Readonly<Record<string, number>>;
  readonly heads: readonly CommitId[];
};

/** What is asked of a history. The store is one. */
export type Told = {
  /** Frames of the commits beyond `vector`, in causal order; empty when there are none. */
  exportAfter(vector: Reach['vector']): Promise<Uint8Array>;
  stateAt(id: CommitId): Promise<State>;
};

/** The store as a history. */
export function tell(store: Pick<Store, 'exportSince' | 'stateAt'>): Told {
  return {
    exportAfter: (vector) => store.exportSince(Math.max(0, ...Object.values(vector))),
    stateAt: (id) => store.stateAt(id),
  };
}

/** A bundle, and how far it goes. */
export type Stretch = {
  readonly bundle: Uint8Array;
  readonly reach: Reach;
  readonly commits: number;
};

/** Nothing told yet. */
export const BEGINNING: Reach = { vector: {}, heads: [] };

/** A bundle is ended when it has grown beyond this: it is held in memory, sealed and not. */
const MAX_STRETCH = 16 * 1024 * 1024;

/** Bundles what comes after `after`; undefined when nothing does. */
export async function gather(
  crypto: Pick<Crypto, 'hash'>,
  told: Told,
  after: Reach,
  limit = MAX_STRETCH,
): Promise<Stretch | undefined> {
  const pack = createPack(crypto);
  const vector = { ...after.vector };
  const ends = createEnds(after.heads);
  let before = EMPTY;
  for (const head of after.heads) before = await told.stateAt(head);
  while (pack.size < limit) {
    const page = await told.exportAfter(vector);
    if (page.length === 0) break;
    for (const { commit: bytes, ops } of framesIn(page)) {
      const commit = parseCommit(crypto, bytes);
      const state = await told.stateAt(commit.id);
      addState(crypto, pack, before, state);
      addTree(crypto, pack, { state, ops, tree: commit.tree });
      pack.add(nameObject(crypto, { type: 'commit', body: bytes }));
      before = state;
      vector[commit.device] = commit.seq;
      ends.add(commit);
      if (pack.size >= limit) break;
    }
  }
  const commits = ends.count();
  if (commits === 0) return undefined;
  const heads = ends.heads();
  const header = encodeBundleHeader(heads, ends.needed());
  const bundle = concat([header, pack.finish(padding(header.length + pack.size)).bytes]);
  return { bundle, reach: { vector, heads }, commits };
}

/** Follows which commits nothing builds on yet, and which earlier ones are built on. */
function createEnds(earlier: readonly CommitId[]) {
  const heads = new Set(earlier);
  const needed = new Set<CommitId>();
  const own = new Set<CommitId>();
  return {
    add({ id, parents }: { readonly id: CommitId; readonly parents: readonly CommitId[] }): void {
      own.add(id);
      heads.add(id);
      for (const parent of parents) {
        heads.delete(parent);
        if (!own.has(parent)) needed.add(parent);
      }
    },
    count: () => own.size,
    /** The newest one first. */
    heads: () => [...heads].reverse(),
    needed: () => [...needed],
  };
}

/** A size that many others are rounded to as well: at most an eighth more, and logarithmic leakage. */
export function padme(size: number): number {
  if (size < 2) return size;
  const exponent = Math.floor(Math.log2(size));
  const significant = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** Math.max(0, exponent - significant);
  return Math.ceil(size / step) * step;
}

function padding(size: number): number {
  const wanted = padme(size);
  if (wanted === size) return 0;
  return wanted - size >= MIN_PADDING ? wanted - size : padme(size + MIN_PADDING) - size;
}

/** Records and directories that are others than before. */
function addState(
  crypto: Pick<Crypto, 'hash'>,
  pack: PackWriter,
  before: State,
  state: State,
): void {
  for (const [name, collection] of state) {
    const old = before.get(name);
    if (old === collection) continue;
    for (const [key, record] of collection) {
      if (old?.get(key) !== record) pack.add(recordBlob(crypto, record));
    }
    pack.addVersion(collectionTree(crypto, collection), old && collectionTree(crypto, old).id);
  }
}

function addTree(
  crypto: Pick<Crypto, 'hash'>,
  pack: PackWriter,
  { state, ops, tree }: { readonly state: State; readonly ops: string; readonly tree: string },
): void {
  const { root, nymote, ops: blob } = buildTree(crypto, state, ops);
  if (root.id !== tree) throw new StorageError('wrong-tree', `no state makes the tree ${tree}`);
  for (const object of [blob, nymote, root]) pack.add(object);
}

function* framesIn(page: Uint8Array): Generator<{ commit: Uint8Array; ops: string }> {
  let offset = 0;
  while (offset < page.length) {
    const span = measureFrame(page, offset);
    const frame = span && decodeFrame(page, span);
    if (span === undefined || frame === undefined) throw new Error('unreachable: no frame of ours');
    offset = span.end;
    yield frame;
  }
}
