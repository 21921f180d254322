/**
 * The history as a git repository, read over HTTP by `git clone` without any git on our side.
 *
 * This is git's "dumb" protocol: a few fixed files, and loose objects by name, made on the fly from
 * the log. The index of names is built on the first request and grows with the history; until then
 * nothing is kept. Long histories are served as packs (backup/segments.ts), and only what is not in
 * one as loose objects. Heads that no commit joins yet are branches. Not served: pushing.
 *
 * @see Documentation/gitprotocol-http of Git, "Dumb Clients"
 */

import type { Crypto } from '#runtime';
import { createSegments } from '../backup/segments.ts';
import { StorageError } from '../error.ts';
import { encodeText } from '../format/bytes.ts';
import {
  buildTree,
  collectionTree,
  encodeObject,
  type NamedObject,
  nameObject,
  recordBlob,
} from '../format/object.ts';
import { deflateStored } from '../format/zlib.ts';
import { type Merged, NOTHING } from '../merge/merged.ts';
import type { History } from './history.ts';

/** A file of the repository. */
export type GitFile = { readonly body: Uint8Array; readonly type: string };

/** The repository's files by path, undefined for what it does not have. */
export type GitView = (path: string) => Promise<GitFile | undefined>;

const LIST_OF_PACKS = 'objects/info/packs';
const PACKS = 'objects/pack/';
const OBJECT = /^objects\/([0-9a-f]{2})\/([0-9a-f]{62})$/;

/** The files of one line or a few. */
const FIXED: Readonly<Record<string, (history: History) => string | undefined>> = {
  HEAD: () => 'ref: refs/heads/main\n',
  'info/refs': (history) => listHeads(history),
  // For whoever clones a pruned history: `git clone --template` with this file, or into `.git`.
  shallow: ({ base }) => base && `${base.id}\n`,
};

/** Makes the view of a history that may grow. `history` is asked each time: it may be replaced. */
export function createGitView(crypto: Pick<Crypto, 'hash'>, history: () => History): GitView {
  /** Where each object first appeared. */
  let index = new Map<string, number>();
  let indexed = 0;
  let source: History | undefined;
  let building: Promise<unknown> = Promise.resolve();
  const segments = createSegments(crypto, history);

  const extend = async (): Promise<void> => {
    const current = history();
    if (source !== current) {
      index = new Map();
      indexed = 0;
      source = current;
    }
    // Git asks for a pack only when the object is not to be had alone.
    if (indexed < segments.packed()) {
      index = new Map();
      indexed = segments.packed();
    }
    while (indexed < current.entries.length) {
      for (const { id } of await listObjects(crypto, current, indexed)) {
        if (!index.has(id)) index.set(id, indexed);
      }
      indexed += 1;
    }
  };

  const inTurn = <Made>(make: () => Promise<Made>): Promise<Made> => {
    const making = building.then(make);
    building = making.catch(() => undefined);
    return making;
  };

  return async (path) => {
    const fixed = FIXED[path]?.(history());
    if (fixed !== undefined) return text(fixed);
    if (path === LIST_OF_PACKS) return text(`${await inTurn(() => segments.list())}\n`);
    if (path.startsWith(PACKS)) {
      const body = await inTurn(() => segments.find(path.slice(PACKS.length)));
      return body && { body, type: 'application/octet-stream' };
    }
    const match = OBJECT.exec(path);
    if (match === null) return undefined;
    await inTurn(extend);
    const id = `${match[1]}${match[2]}`;
    const at = index.get(id);
    if (at === undefined) return undefined;
    const object = (await listObjects(crypto, history(), at)).find((item) => item.id === id);
    if (object === undefined) throw new Error(`unreachable: object ${id} is gone`);
    return { body: deflateStored(encodeObject(object)), type: 'application/x-git-loose-object' };
  };
}

/** The objects that a commit may have brought: those its parent cannot have had come among them. */
async function listObjects(
  crypto: Pick<Crypto, 'hash'>,
  history: History,
  index: number,
): Promise<NamedObject[]> {
  const { commit, ops } = await history.read(index);
  const after = await readable(history, index);
  if (after === undefined) return [];
  const [parent] = commit.parents;
  const before = (await readable(history, history.find(parent ?? ''))) ?? NOTHING;
  const { root, others } = buildTree(crypto, after, ops);
  const objects: NamedObject[] = [
    nameObject(crypto, { type: 'commit', body: commit.bytes }),
    root,
    ...others,
  ];
  for (const [name, collection] of after.state) {
    const old = before.state.get(name);
    if (old === collection) continue;
    objects.push(collectionTree(crypto, collection));
    for (const [key, record] of collection) {
      if (old?.get(key) !== record) objects.push(recordBlob(crypto, record));
    }
  }
  return objects;
}

/** The state at an index, undefined inside a hole: what is lost is served as missing. */
async function readable(history: History, index: number | undefined): Promise<Merged | undefined> {
  if (index === undefined) return undefined;
  try {
    return await history.stateAt(index);
  } catch (cause) {
    if (cause instanceof StorageError && cause.code === 'corrupt') return undefined;
    throw cause;
  }
}

/** `main` and HEAD are the head that the store itself lists first; the others have names of theirs. */
function listHeads({ heads }: History): string {
  return heads
    .map((id, at) => `${id}\trefs/heads/${at === 0 ? 'main' : `head-${at + 1}`}\n`)
    .join('');
}

function text(body: string): GitFile {
  return { body: encodeText(body), type: 'text/plain' };
}
