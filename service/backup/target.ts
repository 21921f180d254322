/**
 * Where backups go, as four verbs. No place is trusted: what it takes is read back, what it gives
 * is checked.
 */

import { RuntimeError } from '#runtime';
import { BackupError } from './error.ts';

/** A place for files. Every failure is a BackupError. */
export type Target = {
  /** As people know it; without credentials. */
  readonly name: string;
  list(): Promise<readonly string[]>;
  /** Undefined when it is not there; at most `limit` bytes and one more are read. */
  get(name: string, limit: number): Promise<Uint8Array | undefined>;
  put(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
};

/** Says who we are to a target: a user and password for WebDAV, a key id and its secret for S3. */
export type Credentials = {
  readonly user: string;
  readonly secret: string;
  readonly region?: string;
};

/** What the world says, as this folder says it. */
export async function translated<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (thrown) {
    if (!(thrown instanceof RuntimeError)) throw thrown;
    throw new BackupError(CODES[thrown.code] ?? 'io', `${name}: ${thrown.message}`, thrown);
  }
}

const CODES: Readonly<Record<string, BackupError['code']>> = {
  denied: 'denied',
  untrusted: 'denied',
  'no-space': 'no-space',
  refused: 'unreachable',
  unreachable: 'unreachable',
  timeout: 'unreachable',
};

/** Names that are ours; a server may list anything. */
export const isName = (text: string): boolean => /^[0-9a-z][0-9a-z.]{0,99}$/.test(text);

/** Writes a file and reads it back: a target's word is not enough. */
export async function putVerified(target: Target, name: string, bytes: Uint8Array): Promise<void> {
  await target.put(name, bytes);
  const back = await target.get(name, bytes.length);
  const isSame =
    back !== undefined &&
    back.length === bytes.length &&
    back.every((byte, index) => byte === bytes[index]);
  if (isSame) return;
  const found = back === undefined ? 'does not have it' : 'gives back something else';
  throw new BackupError('target-lies', `${target.name} said that it took ${name}, and ${found}`);
}
