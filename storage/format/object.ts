/**
 * Git's objects in the SHA-256 format: blobs and trees of a state, and their names.
 *
 * Nothing here is stored. A state's tree is computed when it is needed and remembered as long as
 * the (immutable) collections and records it came from live. Unsupported: modes other than plain
 * files and directories.
 *
 * @see Documentation/gitformat-pack and technical/hash-function-transition of Git
 */

import type { Crypto } from '#runtime';
import type { FieldConflict, Merged } from '../merge/merged.ts';
import { concat, encodeHex, encodeText } from './bytes.ts';
import { canonicalize, type JsonObject } from './json.ts';
import type { Collection } from './op.ts';
import { fileName } from './path.ts';

/** A git object before it has a name. */
export type GitObject = {
  readonly type: 'blob' | 'tree' | 'commit';
  readonly body: Uint8Array;
};

/** An object with its name, as git prints it (64 hex digits) and as trees hold it. */
export type NamedObject = GitObject & { readonly id: string; readonly hash: Uint8Array };

type Entry = {
  readonly mode: '100644' | '40000';
  readonly name: string;
  readonly hash: Uint8Array;
};

const encoder = new TextEncoder();

/** Most objects fit. Ten thousand are named when a store is opened, and each would leave a copy. */
const scratch = new Uint8Array(32 * 1024);

/** What trees hold of records and collections. */
const hashes = new WeakMap<JsonObject | Collection, Uint8Array>();
const blobs = new WeakMap<readonly FieldConflict[], NamedObject>();

/** Fields, rivals, and the rival itself. */
const AROUND_VALUES = 3;

/** The object as git hashes and stores it: header, zero byte, body. */
export function encodeObject(object: GitObject): Uint8Array {
  return concat([encodeText(`${object.type} ${object.body.length}\0`), object.body]);
}

/** The name of an object: SHA-256 over its header and body. */
export function nameObject(crypto: Pick<Crypto, 'hash'>, object: GitObject): NamedObject {
  const { type, body } = object;
  const { written } = encoder.encodeInto(`${type} ${body.length}\0`, scratch);
  const end = written + body.length;
  if (end <= scratch.length) scratch.set(body, written);
  const bytes = end <= scratch.length ? scratch.subarray(0, end) : encodeObject(object);
  const hash = crypto.hash('sha256', bytes);
  return { ...object, id: encodeHex(hash), hash };
}

/** What of a state is in a commit's tree. */
export type Content = Pick<Merged, 'state' | 'conflicts'>;

/**
 * The tree of a commit: the records it leaves, `.nymote/ops.json` with what it did, and
 * `.nymote/conflicts/<collection>/<key>.json` with what nobody has decided yet.
 */
export function buildTree(
  crypto: Pick<Crypto, 'hash'>,
  { state, conflicts }: Content,
  ops: string,
): { readonly root: NamedObject; readonly others: readonly NamedObject[] } {
  const blob = nameObject(crypto, { type: 'blob', body: encodeText(ops) });
  const undecided = conflictTrees(crypto, conflicts);
  const own: Entry[] = [{ mode: '100644', name: 'ops.json', hash: blob.hash }];
  const [top] = undecided;
  if (top !== undefined) own.push({ mode: '40000', name: 'conflicts', hash: top.hash });
  const nymote = nameTree(crypto, own);
  const entries: Entry[] = [{ mode: '40000', name: '.nymote', hash: nymote.hash }];
  for (const [name, collection] of state) {
    entries.push({ mode: '40000', name, hash: collectionHash(crypto, collection) });
  }
  return { root: nameTree(crypto, entries), others: [nymote, blob, ...undecided] };
}

/** The tree `conflicts` and all that is in it; nothing while there are none. */
function conflictTrees(
  crypto: Pick<Crypto, 'hash'>,
  conflicts: Content['conflicts'],
): readonly NamedObject[] {
  const byCollection = Map.groupBy(conflicts, ([path]) => path.slice(0, path.indexOf('/')));
  const objects: NamedObject[] = [];
  const top: Entry[] = [];
  for (const [name, records] of byCollection) {
    const entries = records.map(([path, list]): Entry => {
      const blob = conflictBlob(crypto, list);
      objects.push(blob);
      return { mode: '100644', name: fileName(path.slice(name.length + 1)), hash: blob.hash };
    });
    const tree = nameTree(crypto, entries);
    objects.push(tree);
    top.push({ mode: '40000', name, hash: tree.hash });
  }
  return top.length === 0 ? [] : [nameTree(crypto, top), ...objects];
}

/** The rivals of each field, the effective one first; what was deleted has no value. */
function conflictBlob(
  crypto: Pick<Crypto, 'hash'>,
  conflicts: readonly FieldConflict[],
): NamedObject {
  const known = blobs.get(conflicts);
  if (known !== undefined) return known;
  const fields = conflicts.map(({ field, rivals }) => [
    field,
    rivals.map(({ dot, value }) => ({
      device: dot.device,
      seq: dot.seq,
      ...(value === undefined ? {} : { value }),
    })),
  ]);
  // A value may be as deep as an op allows; what is around it here does not count.
  const text = canonicalize(Object.fromEntries(fields), -AROUND_VALUES);
  const blob = nameObject(crypto, { type: 'blob', body: encodeText(`${text}\n`) });
  blobs.set(conflicts, blob);
  return blob;
}

/** The tree of one collection: a file per record. */
export function collectionTree(crypto: Pick<Crypto, 'hash'>, collection: Collection): NamedObject {
  const entries: Entry[] = [];
  for (const [key, record] of collection) {
    const hash = hashes.get(record) ?? recordBlob(crypto, record).hash;
    entries.push({ mode: '100644', name: fileName(key), hash });
  }
  const tree = nameTree(crypto, entries);
  hashes.set(collection, tree.hash);
  return tree;
}

/** The name of a collection's tree, as trees hold it. */
export function collectionHash(crypto: Pick<Crypto, 'hash'>, collection: Collection): Uint8Array {
  return hashes.get(collection) ?? collectionTree(crypto, collection).hash;
}

/** The blob of one record: its canonical JSON and a newline. */
export function recordBlob(crypto: Pick<Crypto, 'hash'>, record: JsonObject): NamedObject {
  const blob = nameObject(crypto, { type: 'blob', body: encodeText(`${canonicalize(record)}\n`) });
  hashes.set(record, blob.hash);
  return blob;
}

/** Sorts `entries` in place: they are made for this. */
function nameTree(crypto: Pick<Crypto, 'hash'>, entries: Entry[]): NamedObject {
  entries.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  let length = 0;
  for (const { mode, name } of entries) length += mode.length + name.length + 34;
  const body = new Uint8Array(length);
  let offset = 0;
  for (const { mode, name, hash } of entries) {
    // A big collection is written for every commit to it; one buffer is three times as fast.
    offset += encoder.encodeInto(`${mode} ${name}\0`, body.subarray(offset)).written;
    body.set(hash, offset);
    offset += hash.length;
  }
  return nameObject(crypto, { type: 'tree', body });
}

/** Git sorts a directory as if its name ended in a slash. Our names are ASCII. */
function orderOf({ mode, name }: Entry): string {
  return mode === '40000' ? `${name}/` : name;
}
