/**
 * The checkpoint: the state at some commit, so that opening verifies only what came later.
 *
 * It is a shortcut and never an authority. It counts only if the signed commit it names has the
 * tree that its state makes; otherwise the history is verified from the start.
 */

import type { Files } from '#runtime';
import { decodeText, encodeText } from './bytes.ts';
import type { CommitId } from './commit.ts';
import { StorageError } from './error.ts';
import { canonicalize, isObject, type JsonObject, parseCanonical } from './json.ts';
import type { State } from './op.ts';
import { parsePath } from './path.ts';

/** A state and the commit it is said to be the state of. */
export type Checkpoint = {
  readonly head: CommitId;
  readonly state: State;
};

/**
 * Tells whether the log grew enough for a new checkpoint: four times the state, so that all
 * checkpoints together cost a quarter of the log's bytes, and never for less than 64 KiB.
 */
export function isCheckpointDue(grown: number, checkpointSize: number): boolean {
  return grown >= Math.max(64 * 1024, 4 * checkpointSize);
}

/** One line with the format and the head; then a line per record: path, space, canonical JSON. */
const MAGIC = 'nymote checkpoint 1 ';

/** Reads the checkpoint; undefined when there is none, 'bad' when it cannot be read. */
export async function readCheckpoint(
  files: Pick<Files, 'read'>,
  directory: string,
): Promise<Checkpoint | undefined | 'bad'> {
  const bytes = await files.read(path(directory));
  return bytes === undefined ? undefined : (parse(decodeText(bytes)) ?? 'bad');
}

/** Replaces the checkpoint and returns how many bytes it has. */
export async function writeCheckpoint(
  files: Pick<Files, 'replace'>,
  directory: string,
  { head, state }: Checkpoint,
): Promise<number> {
  const lines = [`${MAGIC}${head}\n`];
  for (const [name, collection] of state) {
    for (const [key, record] of collection) lines.push(`${name}/${key} ${canonicalize(record)}\n`);
  }
  const bytes = encodeText(lines.join(''));
  await files.replace(path(directory), bytes, 0o600);
  return bytes.length;
}

function parse(text: string | undefined): Checkpoint | undefined {
  const lines = text?.split('\n') ?? [];
  const first = lines[0] ?? '';
  if (!first.startsWith(MAGIC)) return undefined;
  const state = new Map<string, Map<string, JsonObject>>();
  for (const line of lines.slice(1, -1)) {
    const space = line.indexOf(' ');
    const at = parsePath(line.slice(0, space));
    const record = parseRecord(line.slice(space + 1));
    if (at === undefined || record === undefined) return undefined;
    const collection = state.get(at.collection) ?? new Map<string, JsonObject>();
    state.set(at.collection, collection.set(at.key, record));
  }
  return { head: first.slice(MAGIC.length), state };
}

function parseRecord(text: string): JsonObject | undefined {
  try {
    const value = parseCanonical(text);
    return isObject(value) ? value : undefined;
  } catch (cause) {
    if (cause instanceof StorageError) return undefined;
    throw cause;
  }
}

function path(directory: string): string {
  return `${directory}/checkpoint.json`;
}
