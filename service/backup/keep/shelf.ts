/**
 * What is kept for one guest: the files of a backup in a directory of their own, and nothing else.
 *
 * A file is written once: the guest's lists are numbered and all other names are random. Only the
 * signature of a list that is not there yet may be replaced, since a backup that was cut short
 * between the two goes on with the same number. Writes leave the old or the new state (I7); what a
 * power cut left of one is removed when the shelf is opened.
 */

import type { AppendFile, Files } from '#runtime';
import { createSerially } from '../../serially.ts';

/** The names that a backup has (storage/backup/manifest.ts): nothing else is taken. */
const NAME = /^(?:[0-9a-z]{26}\.age|[0-9]{8,15}\.json(?:\.sig)?)$/;
/** What `Files.replace` leaves of a file when the power goes. */
const LEFTOVER = /\.new$/;
const SECRET_MODE = 0o600;
/** Small files take a block each, of nearly every file system. */
const BLOCK_BYTES = 4_096;
/** A list names at most 4,096 files. */
const MAX_FILES = 5_000;

/** How a write ended: 'taken' is a name that has another content already. */
export type Put = 'created' | 'same' | 'replaced' | 'taken' | 'full';

export type Kept = { readonly name: string; readonly size: number };

/** One guest's files. */
export type Shelf = {
  /** Bytes, as the quota counts them. */
  readonly used: () => number;
  list(): Promise<readonly Kept[]>;
  /** Undefined when it is not there; who gets it closes it. */
  open(name: string): Promise<AppendFile | undefined>;
  put(name: string, bytes: Uint8Array, quota: number): Promise<Put>;
  /** Whether it was there. */
  remove(name: string): Promise<boolean>;
  /** Removes everything. */
  clear(): Promise<number>;
};

/** Tells whether a text names a file of a backup. */
export const isKeptName = (text: string): boolean => NAME.test(text);

/** What a file counts. */
const charge = (size: number): number => Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;

/** Opens a guest's directory. */
export async function openShelf(files: Files, directory: string): Promise<Shelf> {
  const sizes = await measure(files, directory);
  const serially = createSerially();
  const pathOf = (name: string): string => `${directory}/${name}`;
  const used = (): number => [...sizes.values()].reduce((sum, size) => sum + charge(size), 0);
  const names = async () => (await files.list(directory)).filter(isKeptName);

  async function put(name: string, bytes: Uint8Array, quota: number): Promise<Put> {
    const held = await files.read(pathOf(name));
    if (held !== undefined && isEqual(held, bytes)) return 'same';
    if (held !== undefined && !isReplaceable(name, await names())) return 'taken';
    const before = held === undefined ? 0 : charge(held.length);
    const isFull =
      used() - before + charge(bytes.length) > quota ||
      (held === undefined && sizes.size >= MAX_FILES);
    if (isFull) return 'full';
    await files.makeDirectory(directory, 0o700);
    await files.replace(pathOf(name), bytes, SECRET_MODE);
    sizes.set(name, bytes.length);
    return held === undefined ? 'created' : 'replaced';
  }

  async function remove(name: string): Promise<boolean> {
    const isThere = (await names()).includes(name);
    await files.remove(pathOf(name));
    return sizes.delete(name) || isThere;
  }

  return {
    used,
    list: async () => (await names()).map((name) => ({ name, size: sizes.get(name) ?? 0 })),
    open: (name) =>
      serially(async () => {
        // Opening makes what is not there: somebody may have taken it off the disk.
        const isThere = isKeptName(name) && (await names()).includes(name);
        return isThere ? files.openAppend(pathOf(name)) : undefined;
      }),
    put: (name, bytes, quota) => serially(() => put(name, bytes, quota)),
    remove: (name) => serially(() => remove(name)),
    clear: () =>
      serially(async () => {
        const all = await names();
        for (const name of all) await remove(name);
        return all.length;
      }),
  };
}

async function measure(files: Files, directory: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const name of await files.list(directory)) {
    const path = `${directory}/${name}`;
    if (isKeptName(name)) {
      await using file = await files.openAppend(path);
      sizes.set(name, file.size);
    } else if (LEFTOVER.test(name)) {
      await files.remove(path);
    }
  }
  return sizes;
}

function isReplaceable(name: string, names: readonly string[]): boolean {
  return name.endsWith('.sig') && !names.includes(name.slice(0, -'.sig'.length));
}

const isEqual = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => other[index] === byte);
