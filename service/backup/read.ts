/**
 * Reading a backup: into an empty store to go on with, or into a scratch one to see that it can be.
 *
 * The target is believed nothing. Every file is held against the list, the history against the
 * realm's own signatures, and the list, last, against the keys that the history names.
 */

import type { Crypto } from '#runtime';
import {
  type BackupFile,
  chainOf,
  MAX_MANIFEST,
  type Manifest,
  manifestNames,
  manifestNumbers,
  readManifest,
  type Store,
  takeBundle,
} from '#storage';
import { encodeBase64 } from '../base64.ts';
import { sha256 as digestOf } from './digest.ts';
import { BackupError } from './error.ts';
import { unseal } from './seal.ts';
import { decodeSecrets, type Secrets } from './secrets.ts';
import type { Target } from './target.ts';

/** How far a long work is. */
export type Progress = { readonly step: string; readonly done: number; readonly of: number };

export type Report = (progress: Progress) => void;

/** The newest list of a target. */
export type Found = {
  readonly manifest: Manifest;
  readonly signedBy: Uint8Array;
  /** Over the list's bytes. */
  readonly sha256: string;
};

type Hashing = Pick<Crypto, 'hash' | 'verify'>;

/** Reads the newest list; undefined when there is none. Throws 'damaged' when it cannot be read. */
export async function findNewest(crypto: Hashing, target: Target): Promise<Found | undefined> {
  const [number] = manifestNumbers(await target.list());
  return number === undefined ? undefined : readList(crypto, target, number);
}

/** A list, or why it cannot be read: who wrote it may have lost its power, and is gone now. */
export type Listed = { readonly number: number; readonly found: Found | BackupError };

/** The lists of a target, newest first. */
export async function* findLists(crypto: Hashing, target: Target): AsyncGenerator<Listed> {
  for (const number of manifestNumbers(await target.list()).slice(0, MAX_LISTS)) {
    const found = await readList(crypto, target, number).catch((thrown: unknown) => {
      if (!(thrown instanceof BackupError) || thrown.code !== 'damaged') throw thrown;
      return thrown;
    });
    yield { number, found };
  }
}

/** A target may list as many as it likes. */
const MAX_LISTS = 16;

async function readList(crypto: Hashing, target: Target, number: number): Promise<Found> {
  const names = manifestNames(number);
  const list = await target.get(names.list, MAX_MANIFEST);
  const sig = await target.get(names.sig, MAX_MANIFEST);
  const read = list && sig && readManifest(crypto, list, sig);
  if (list === undefined || read === undefined || read.manifest.number !== number) {
    throw new BackupError(
      'damaged',
      `${target.name}: the list ${names.list} or its signature is damaged`,
    );
  }
  return { ...read, sha256: digestOf(crypto, list) };
}

/** What a list brought back. */
export type Brought = { readonly commits: number; readonly secrets: Secrets | undefined };

/**
 * Reads what `found` lists into `store`: history, then who signed the list, then the keys, unless
 * `withKeys` is false. Nothing of it is lost when it fails on the way; it can be called again.
 */
export async function bringBack(
  crypto: Hashing,
  target: Target,
  found: Found,
  {
    store,
    identities,
    withKeys,
    report,
  }: {
    readonly store: Store;
    readonly identities: readonly string[];
    readonly withKeys: boolean;
    readonly report: Report;
  },
): Promise<Brought> {
  const { manifest } = found;
  const chain = chainOf(manifest);
  const last = chain.at(-1);
  if (last === undefined) throw new BackupError('no-backup', 'the list names no history');
  let commits = 0;
  for (const [index, file] of chain.entries()) {
    report({ step: 'read', done: index, of: chain.length });
    const bundle = await open(crypto, target, file, identities);
    commits += await takeBundle(crypto, store, bundle, (done, of) =>
      report({ step: 'verify', done, of }),
    );
  }
  checkReached(store, last);
  checkSigner(store, found, target);
  const keys = manifest.files.findLast(({ kind }) => kind === 'keys');
  if (!withKeys || keys === undefined) return { commits, secrets: undefined };
  const secrets = decodeSecrets(await open(crypto, target, keys, identities));
  if (secrets?.realm !== manifest.realm) {
    throw new BackupError('damaged', `${keys.name} holds no keys of this realm`);
  }
  return { commits, secrets };
}

async function open(
  crypto: Hashing,
  target: Target,
  { name, size, sha256 }: BackupFile,
  identities: readonly string[],
): Promise<Uint8Array> {
  const sealed = await target.get(name, size);
  if (sealed === undefined) {
    throw new BackupError('missing', `${target.name} does not have ${name}, which the list names`);
  }
  if (sealed.length < size) {
    throw new BackupError('damaged', `${name} is cut short: ${sealed.length} of ${size} bytes`);
  }
  if (sealed.length !== size || digestOf(crypto, sealed) !== sha256) {
    throw new BackupError('damaged', `${target.name} gives another ${name} than was written`);
  }
  return unseal(identities, sealed, name);
}

function checkReached(store: Store, { reach, name }: BackupFile): void {
  const missing = reach.heads.filter((id) => !store.holds(id));
  if (missing.length === 0) return;
  throw new BackupError('damaged', `${name} does not reach the commit ${missing.join(', ')}`);
}

function checkSigner(store: Store, { manifest, signedBy }: Found, target: Target): void {
  const key = store.state().get('devices')?.get(manifest.device)?.['signingKey'];
  if (key === encodeBase64(signedBy)) return;
  throw new BackupError(
    'untrusted',
    `${target.name}: the list is signed by nobody of this realm; somebody else put it there`,
  );
}
