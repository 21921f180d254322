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
import { StorageError } from '../error.ts';
import { concat, encodeHex } from '../format/bytes.ts';
import { type CommitId, type ParsedCommit, parseCommit } from '../format/commit.ts';
import { decodeFrame, measureFrame } from '../format/frame.ts';
import {
  buildTree,
  type Content,
  collectionHash,
  collectionTree,
  nameObject,
  recordBlob,
} from '../format/object.ts';
import type { State } from '../format/op.ts';
import type { Vector } from '../sync/export.ts';
import { encodeBundleHeader } from './bundle.ts';
import { createPack, MIN_PADDING, type PackWriter } from './pack.ts';

/** How far a history is told: the last number of each device, and the ends. */
export type Reach = {
  readonly vector: Vector;
  readonly heads: readonly CommitId[];
};

/** What is asked of a history. The store is one. */
export type Told = {
  /** Frames of the commits beyond `vector`, in causal order; empty when there are none. */
  exportMissing(vector: Vector, limit: number, isBare: true): Promise<Uint8Array>;
  contentAt(id: CommitId): Promise<Content>;
  readonly heads: readonly CommitId[];
  /** Where a pruned history begins. */
  base?(): Uint8Array | undefined;
  holds?(id: CommitId): boolean;
};

/** A bundle, and how far it goes. */
export type Stretch = {
  readonly bundle: Uint8Array;
  readonly reach: Reach;
  readonly commits: number;
};

/** Nothing told yet. */
export const BEGINNING: Reach = { vector: {}, heads: [] };

/** A bundle is ended when it has grown beyond this: it is in memory several times, sealed and not. */
const MAX_STRETCH = 4 * 1024 * 1024;

/** What is asked for at once: every page is looked for in the whole history. */
const PAGE = 1024 * 1024;

/** Bundles what comes after `after`; undefined when nothing does. */
export async function gather(
  crypto: Pick<Crypto, 'hash'>,
  told: Told,
  earlier: Reach,
  limit = MAX_STRETCH,
): Promise<Stretch | undefined> {
  const pack = createPack(crypto);
  const base = told.base?.();
  // What a bundle would build on may have been dropped: then it begins anew, with the base.
  const isCut = base !== undefined && !earlier.heads.every((id) => told.holds?.(id));
  const isBased = base !== undefined && (isCut || earlier.heads.length === 0);
  const after = isCut ? BEGINNING : earlier;
  let { vector } = after;
  const ends = createEnds(after.heads);
  let before: State = new Map();
  for (const head of after.heads) before = (await told.contentAt(head)).state;
  for await (const telling of retell(crypto, told, vector)) {
    addCommit(crypto, pack, before, telling);
    before = telling.content.state;
    vector = extendVector(vector, telling.commit);
    ends.add(telling.commit);
    if (pack.size >= limit) break;
  }
  const commits = ends.count();
  if (commits === 0) return undefined;
  const heads = ends.heads(told.heads);
  const blob = isBased ? nameObject(crypto, { type: 'blob', body: base }) : undefined;
  if (blob !== undefined) pack.add(blob);
  const header = encodeBundleHeader(heads, isBased ? [] : ends.needed(), blob?.id);
  const bundle = concat([header, pack.finish(padding(header.length + pack.size)).bytes]);
  return { bundle, reach: { vector, heads }, commits };
}

/** A commit, what it did, and what it left. */
export type Telling = {
  readonly commit: ParsedCommit;
  readonly ops: string;
  readonly content: Content;
};

/** Tells the commits beyond `after`, parents first, a page at a time. */
export async function* retell(
  crypto: Pick<Crypto, 'hash'>,
  told: Told,
  after: Vector,
): AsyncGenerator<Telling> {
  let vector = after;
  const seen = new Set<CommitId>();
  for (;;) {
    const before = seen.size;
    for (const { commit: bytes, ops } of framesIn(await told.exportMissing(vector, PAGE, true))) {
      const commit = parseCommit(crypto, bytes);
      // Of a device that used a number twice more may be told than is missing.
      if (seen.has(commit.id)) continue;
      seen.add(commit.id);
      vector = extendVector(vector, commit);
      yield { commit, ops, content: await told.contentAt(commit.id) };
    }
    if (seen.size === before) return;
  }
}

/**
 * The vector of what it says and one commit more. Of a device that used a number twice every commit
 * from there on is named, because numbers say nothing of it any more.
 */
function extendVector(vector: Vector, { device, seq, id }: ParsedCommit): Vector {
  const known = Object.hasOwn(vector, device) ? (vector[device] ?? []) : [];
  const isForked = known.length > 1 || known.some(([last]) => last >= seq);
  return { ...vector, [device]: isForked ? [...known, [seq, id]] : [[seq, id]] };
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
    /** In the order of `known`, which begins with the one that a clone shows. */
    heads(known: readonly CommitId[]): CommitId[] {
      const first = known.filter((id) => heads.has(id));
      return [...new Set([...first, ...[...heads].reverse()])];
    },
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

/** Adds a commit and what of its tree is not in the state `before`, which a reader has. */
export function addCommit(
  crypto: Pick<Crypto, 'hash'>,
  pack: Pick<PackWriter, 'add' | 'addVersion'>,
  before: State,
  { commit, ops, content }: Telling,
): void {
  for (const [name, collection] of content.state) {
    const old = before.get(name);
    if (old === collection) continue;
    for (const [key, record] of collection) {
      if (old?.get(key) !== record) pack.add(recordBlob(crypto, record));
    }
    const base = old && encodeHex(collectionHash(crypto, old));
    pack.addVersion(collectionTree(crypto, collection), base);
  }
  const { root, others } = buildTree(crypto, content, ops);
  if (root.id !== commit.tree) {
    throw new StorageError('wrong-tree', `no state makes the tree of ${commit.id}`);
  }
  for (const object of [...others, root]) pack.add(object);
  pack.add(nameObject(crypto, { type: 'commit', body: commit.bytes }));
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
