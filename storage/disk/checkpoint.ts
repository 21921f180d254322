/**
 * The checkpoint: the states at the heads of a moment, so that opening verifies only what came later.
 *
 * It is a shortcut and never an authority. It counts only if it is whole and the signed commits it
 * names have the trees that its states make; otherwise the history is verified from the start.
 *
 *     nymote checkpoint 2 <SHA-256 of what follows, in hex>
 *     head ["<commit>","<realm>","<founder>",{device: seq},{revoked device: seq}]
 *     collection/key [alive dots, gone dots, {field: entries}]        and so on, for each head
 */

import { type Crypto, type Files, type Runtime, RuntimeError } from '#runtime';
import { decodeText, encodeHex, encodeText } from '../format/bytes.ts';
import type { CommitId } from '../format/commit.ts';
import type { Json } from '../format/json.ts';
import type { History } from '../history/history.ts';
import { type Entry, type Merged, type MergedRecord, NOTHING } from '../merge/merged.ts';
import { reveal } from '../merge/reveal.ts';
import type { Root } from '../rights/verify.ts';

/** States and the commits they are said to be the states of. */
export type Checkpoint = {
  readonly root: Root;
  readonly states: ReadonlyMap<CommitId, Merged>;
};

/** Writes checkpoints of a history when it has grown enough. */
export type Checkpoints = {
  /** Bytes of commits came that no checkpoint covers. */
  grow(bytes: number): void;
  /**
   * Whether the log grew by four times the state, so that all checkpoints together cost a quarter
   * of the log's bytes, and never for less than 64 KiB.
   */
  isDue(): boolean;
  hasGrown(): boolean;
  /** One that cannot be written costs time at the next opening; later ones are tried again. */
  write(root: Root | undefined, history: History): Promise<void>;
};

/** With more heads than this no checkpoint is written: each costs a whole state. */
const MAX_HEADS = 4;
const MIN_GROWTH = 64 * 1024;

const MAGIC = 'nymote checkpoint 2 ';
const HEAD = 'head ';

/** Reads the checkpoint; undefined when there is none, 'bad' when it cannot be used. */
export async function readCheckpoint(
  crypto: Pick<Crypto, 'hash'>,
  files: Pick<Files, 'read'>,
  directory: string,
): Promise<Checkpoint | undefined | 'bad'> {
  const bytes = await files.read(checkpointPath(directory));
  if (bytes === undefined) return undefined;
  try {
    return parse(crypto, bytes) ?? 'bad';
  } catch {
    // A right sum around what nobody wrote: it is only a shortcut.
    return 'bad';
  }
}

/** Replaces the checkpoint and returns how many bytes it has. */
async function writeCheckpoint(
  crypto: Pick<Crypto, 'hash'>,
  files: Pick<Files, 'replace'>,
  directory: string,
  { root, states }: Checkpoint,
): Promise<number> {
  const lines: string[] = [];
  for (const [id, { vector, revoked, collections }] of states) {
    const numbers = [Object.fromEntries(vector), Object.fromEntries(revoked)];
    lines.push(`${HEAD}${JSON.stringify([id, root.realm, root.founder, ...numbers])}\n`);
    for (const [name, records] of collections) {
      for (const [key, { alive, gone, fields }] of records) {
        const record = [alive, gone, Object.fromEntries(fields)];
        lines.push(`${name}/${key} ${JSON.stringify(record)}\n`);
      }
    }
  }
  const body = encodeText(lines.join(''));
  const first = encodeText(`${MAGIC}${encodeHex(crypto.hash('sha256', body))}\n`);
  const bytes = new Uint8Array(first.length + body.length);
  bytes.set(first);
  bytes.set(body, first.length);
  await files.replace(checkpointPath(directory), bytes, 0o600);
  return bytes.length;
}

/** Makes the writer for a directory whose log has `grown` bytes beyond its checkpoint. */
export function createCheckpoints(
  { crypto, files, log }: Pick<Runtime, 'crypto' | 'files' | 'log'>,
  directory: string,
  grown: number,
): Checkpoints {
  let bytes = grown;
  let size = 0;
  return {
    grow: (more) => {
      bytes += more;
    },
    isDue: () => bytes >= Math.max(MIN_GROWTH, 4 * size),
    hasGrown: () => bytes > 0,
    async write(root, history) {
      const { heads } = history;
      if (root === undefined || heads.length > MAX_HEADS) return;
      bytes = 0;
      try {
        const states = new Map<CommitId, Merged>();
        for (const id of heads) states.set(id, await history.join([id]));
        size = await writeCheckpoint(crypto, files, directory, { root, states });
      } catch (cause) {
        if (!(cause instanceof RuntimeError)) throw cause;
        log('warn', 'store-checkpoint-failed', { reason: cause.code });
      }
    },
  };
}

function parse(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array): Checkpoint | undefined {
  const end = MAGIC.length + 65;
  const first = decodeText(bytes.subarray(0, end));
  const body = bytes.subarray(end);
  // Only our own writing gets beyond this line.
  if (first !== `${MAGIC}${encodeHex(crypto.hash('sha256', body))}\n`) return undefined;
  const lines = decodeText(body)?.split('\n').slice(0, -1) ?? [];
  const states = new Map<CommitId, Merged>();
  const read = new Map<string, MergedRecord>();
  let root: Root | undefined;
  for (let at = 0; at < lines.length; ) {
    const head = lines[at] ?? '';
    if (!head.startsWith(HEAD)) return undefined;
    let next = at + 1;
    while (next < lines.length && !lines[next]?.startsWith(HEAD)) next += 1;
    const [id, realm, founder, vector, revoked] = JSON.parse(head.slice(HEAD.length));
    root = { realm, founder };
    states.set(id, parseState(lines.slice(at + 1, next), toMap(vector), toMap(revoked), read));
    at = next;
  }
  return root && { root, states };
}

/**
 * Reads records as they are written here; throws what is no such text. States that share what was
 * `read` share their equal records, as they did before they were written.
 */
export function parseState(
  lines: readonly string[],
  vector: ReadonlyMap<string, number>,
  revoked: ReadonlyMap<string, number>,
  read = new Map<string, MergedRecord>(),
): Merged {
  const collections = new Map<string, Map<string, MergedRecord>>();
  const paths: string[] = [];
  for (const line of lines) {
    const space = line.indexOf(' ');
    const record = line.slice(0, space);
    const slash = record.indexOf('/');
    const name = record.slice(0, slash);
    const collection = collections.get(name) ?? new Map<string, MergedRecord>();
    const parsed = read.get(line) ?? parseRecord(line.slice(space + 1));
    read.set(line, parsed);
    collections.set(name, collection.set(record.slice(slash + 1), parsed));
    paths.push(record);
  }
  return reveal(NOTHING, { vector, collections, revoked }, paths);
}

function parseRecord(text: string): MergedRecord {
  const [alive, gone, fields] = JSON.parse(text);
  const entries = toMap<readonly Entry[]>(fields);
  for (const entry of [...entries.values()].flat()) {
    if ('value' in entry) freeze(entry.value);
  }
  return { alive, gone, fields: entries };
}

function toMap<T>(object: Readonly<Record<string, T>>): Map<string, T> {
  return new Map(Object.entries(object));
}

function freeze(value: Json): void {
  if (typeof value !== 'object' || value === null) return;
  for (const item of Object.values(value)) freeze(item);
  Object.freeze(value);
}

/** Where the file lies. */
export function checkpointPath(directory: string): string {
  return `${directory}/checkpoint.json`;
}
