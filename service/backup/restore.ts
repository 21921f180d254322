/**
 * A realm on a blank machine again, from a backup and the recovery phrase.
 *
 *     <data>/restoring     there while it is not whole: the next attempt goes on from there
 *     <data>/restored      left for the first start: others may know what it wrote since
 *
 * The realm's id comes last, as with joining: until then the directory counts as empty.
 */

import { decodeKeyFile } from '#identity';
import type { Runtime } from '#runtime';
import { openStore, StorageError, type Store } from '#storage';
import { decodeZoneKeys, restoredMark, restoringMark } from '../realm.ts';
import { BackupError, type BackupErrorCode } from './error.ts';
import { bringBack, type Found, findLists, type Report } from './read.ts';
import { type Recovery, recoveryOf } from './recovery.ts';
import type { Secrets } from './secrets.ts';
import type { Target } from './target.ts';

/** What came back. */
export type Restored = {
  readonly realm: string;
  readonly heads: readonly string[];
  readonly commits: number;
  /** Number and date of the list, by which people know whether it is the newest. */
  readonly number: number;
  readonly at: number;
  /** Newer backups, of which something is damaged or gone. */
  readonly damaged: readonly { readonly number: number; readonly why: string }[];
  readonly apex: string;
};

const SECRET_MODE = 0o600;
/** What is there when a realm, or the beginning of one, is. */
const OCCUPANTS = ['realm', 'device.json', 'zone.json', 'joining'];

type Reading = {
  readonly identities: readonly string[];
  readonly phrase: Recovery | undefined;
  readonly report: Report;
};

/**
 * Restores into a directory in which no realm is: the newest backup, or the one before where that is
 * damaged. `phrase` is what the recovery phrase stands for.
 */
export async function restore(
  runtime: Pick<Runtime, 'files' | 'crypto' | 'clock' | 'log'>,
  directory: string,
  target: Target,
  reading: Reading,
): Promise<Restored> {
  const { files, crypto } = runtime;
  await files.makeDirectory(directory, 0o700);
  const isBegun = (await files.read(restoringMark(directory))) !== undefined;
  if (!isBegun) await requireBlank(runtime, directory);
  const failed: { readonly number: number; readonly error: BackupError }[] = [];
  for await (const { number, found } of findLists(crypto, target)) {
    try {
      if (found instanceof BackupError) throw found;
      const restored = await restoreFrom(runtime, directory, target, found, reading);
      const damaged = failed.map((each) => ({ number: each.number, why: each.error.message }));
      return { ...restored, damaged };
    } catch (thrown) {
      if (!(thrown instanceof BackupError) || !OUTDATED.has(thrown.code)) throw thrown;
      failed.push({ number, error: thrown });
    }
  }
  throw noneGood(
    target,
    failed.map(({ error }) => error),
  );
}

async function restoreFrom(
  runtime: Parameters<typeof restore>[0],
  directory: string,
  target: Target,
  found: Found,
  { identities, phrase, report }: Reading,
): Promise<Omit<Restored, 'damaged'>> {
  const { files, crypto } = runtime;
  const mark = restoringMark(directory);
  await files.replace(mark, new Uint8Array(0), SECRET_MODE);
  const { realm, number, at } = found.manifest;
  await using store = await openRestoring(runtime, directory, realm);
  const into = { store, identities, withKeys: true, report };
  const { secrets } = await bringBack(crypto, target, found, into);
  requireOwnRealm(store, phrase);
  if (secrets === undefined) throw new BackupError('damaged', 'the backup holds no keys');
  checkSecrets(runtime, secrets, found.manifest.device);
  // The realm's id came last: with it, only the mark was left to take away, and keys may be newer.
  const isWhole = (await files.read(`${directory}/realm`)) !== undefined;
  for (const [name, text] of isWhole ? [] : Object.entries(secrets.files)) {
    await files.replace(`${directory}/${name}`, new TextEncoder().encode(text), SECRET_MODE);
  }
  if (!isWhole) await files.replace(restoredMark(directory), new Uint8Array(0), SECRET_MODE);
  await files.replace(`${directory}/realm`, new TextEncoder().encode(`${realm}\n`));
  await files.remove(mark);
  const apex = String(store.state().get('realm')?.get('settings')?.['apex']);
  return { realm, heads: store.heads, commits: store.seq, number, at, apex };
}

/** The store as far as it was filled; an attempt from another place may have left another realm. */
async function openRestoring(
  runtime: Parameters<typeof openStore>[0],
  directory: string,
  realm: string,
): Promise<Store> {
  try {
    return await openStore(runtime, { directory: `${directory}/store`, realm });
  } catch (thrown) {
    if (!(thrown instanceof StorageError) || thrown.code !== 'other-realm') throw thrown;
    throw new BackupError(
      'not-blank',
      `${directory} holds an unfinished restore of another realm: empty it, or restore into another --data`,
      thrown,
    );
  }
}

/** A backup that fails so may have a good one before it; a wrong key opens that neither. */
const OUTDATED: ReadonlySet<BackupErrorCode> = new Set(['missing', 'damaged', 'no-backup']);

/** What an older list names may be gone or replaced by now: the newest one is what is wrong then. */
function noneGood({ name }: Target, [newest, ...older]: readonly BackupError[]): BackupError {
  if (newest === undefined) return new BackupError('no-backup', `${name} holds no backup`);
  const [next] = older.filter(({ message }) => message !== newest.message);
  if (next === undefined) return newest;
  const words = `${newest.message}, and the one before it does not help: ${next.message}`;
  return new BackupError(next.code, words, next);
}

/** Nothing of a realm is overwritten, ever. */
async function requireBlank({ files }: Pick<Runtime, 'files'>, directory: string): Promise<void> {
  const names = await files.list(directory);
  const commits = await files.list(`${directory}/store`);
  const found = OCCUPANTS.filter((name) => names.includes(name));
  if (found.length === 0 && commits.length === 0) return;
  throw new BackupError(
    'not-blank',
    `there is a realm in ${directory} already; restore into another --data`,
  );
}

/** Anybody can seal a realm of their own for a known key; ours names the key itself. */
function requireOwnRealm(store: Store, phrase: Recovery | undefined): void {
  if (phrase === undefined) return;
  const named = recoveryOf(store.state());
  const pairs = [
    [phrase.id, named.id],
    [phrase.recipient, named.recipient],
  ].filter(([own, theirs]) => own !== undefined && theirs !== undefined);
  if (pairs.length > 0 && pairs.every(([own, theirs]) => own === theirs)) return;
  throw new BackupError(
    'untrusted',
    'this realm does not name your recovery phrase: it is not yours',
  );
}

function checkSecrets({ crypto }: Pick<Runtime, 'crypto'>, secrets: Secrets, device: string): void {
  const keys = decodeKeyFile(crypto, new TextEncoder().encode(secrets.files['device.json']));
  const zone = decodeZoneKeys(secrets.files['zone.json']);
  if (keys.ok && keys.keys.id === device && zone !== undefined) return;
  throw new BackupError('damaged', 'the keys in the backup are not those of its device');
}

/** Words for what the store refuses while it is filled. */
export function explainRefusal(thrown: unknown): string | undefined {
  if (thrown instanceof BackupError) return thrown.message;
  if (thrown instanceof StorageError) return `that history is bad: ${thrown.message}`;
  return undefined;
}
