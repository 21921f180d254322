/**
 * A realm on a blank machine again, from a backup and the recovery phrase.
 *
 *     <data>/restoring     there while it is not whole: the next attempt goes on from there
 *
 * The realm's id comes last, as with joining: until then the directory counts as empty.
 */

import { decodeKeyFile } from '#identity';
import type { Runtime } from '#runtime';
import { openStore, StorageError, type Store } from '#storage';
import { decodeZoneKeys, restoringMark } from '../realm.ts';
import { BackupError, type BackupErrorCode } from './error.ts';
import { bringBack, findReadable, type Report } from './read.ts';
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
  /** Newer lists that cannot be read. */
  readonly damaged: readonly string[];
  readonly apex: string;
};

const SECRET_MODE = 0o600;
/** What is there when a realm, or the beginning of one, is. */
const OCCUPANTS = ['realm', 'device.json', 'zone.json', 'joining'];

/** Restores into a directory in which no realm is. `phrase` is what the recovery phrase stands for. */
export async function restore(
  runtime: Pick<Runtime, 'files' | 'crypto' | 'clock' | 'log'>,
  directory: string,
  target: Target,
  reading: {
    readonly identities: readonly string[];
    readonly phrase: Recovery | undefined;
    readonly report: Report;
  },
): Promise<Restored> {
  const { files, crypto } = runtime;
  const mark = restoringMark(directory);
  await files.makeDirectory(directory, 0o700);
  if ((await files.read(mark)) === undefined) await requireBlank(runtime, directory);
  const { found, damaged } = await findReadable(crypto, target);
  if (found === undefined) throw new BackupError('no-backup', `${target.name} holds no backup`);
  await files.replace(mark, new Uint8Array(0), SECRET_MODE);
  const { realm, number, at } = found.manifest;
  await using store = await openRestoring(runtime, directory, realm);
  const { identities, phrase, report } = reading;
  const into = { store, identities, withKeys: true, report };
  const { commits, secrets } = await bringBack(crypto, target, found, into).catch(
    (thrown: unknown) => {
      throw damaged.length === 0 ? thrown : noneGood(target, damaged, thrown);
    },
  );
  requireOwnRealm(store, phrase);
  if (secrets === undefined) throw new BackupError('damaged', 'the backup holds no keys');
  checkSecrets(runtime, secrets, found.manifest.device);
  // The realm's id came last: with it, only the mark was left to take away, and keys may be newer.
  const isWhole = (await files.read(`${directory}/realm`)) !== undefined;
  for (const [name, text] of isWhole ? [] : Object.entries(secrets.files)) {
    await files.replace(`${directory}/${name}`, new TextEncoder().encode(text), SECRET_MODE);
  }
  await files.replace(`${directory}/realm`, new TextEncoder().encode(`${realm}\n`));
  await files.remove(mark);
  const apex = String(store.state().get('realm')?.get('settings')?.['apex']);
  return { realm, heads: store.heads, commits, number, at, damaged, apex };
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

/** What an older list names may be gone or replaced by now: the newer one is what is wrong then. */
const OUTDATED: ReadonlySet<BackupErrorCode> = new Set(['missing', 'damaged', 'no-backup']);

function noneGood(target: Target, [newest]: readonly string[], thrown: unknown): unknown {
  if (!(thrown instanceof BackupError) || !OUTDATED.has(thrown.code)) return thrown;
  return new BackupError(
    thrown.code,
    `${target.name}: the list ${newest} or its signature is damaged, and the one before it does not help: ${thrown.message}`,
    thrown,
  );
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
  if (thrown instanceof StorageError) return `the history in the backup is bad: ${thrown.message}`;
  return undefined;
}
