/**
 * A realm for the tests of this folder: one writer with a fixed key, on a machine of the caller's.
 */

import type { Crypto, Signer } from '#runtime';
import type { Writer } from './changes/draft.ts';
import { StorageError } from './error.ts';
import type { Op } from './format/op.ts';
import type { StoreOptions, StoreRuntime } from './realm.ts';
import { openStore, type Store } from './store.ts';
import type { Vector } from './sync/export.ts';

export const DIRECTORY = '/data/store';

/** RFC 8410 §7: everything before the seed of an Ed25519 private key. */
const PKCS8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/** An Ed25519 signer whose seed is one byte, repeated. */
export function signerOf(crypto: Crypto, seed: number): Signer {
  return crypto.signer('ed25519', Uint8Array.of(...PKCS8, ...new Uint8Array(32).fill(seed)));
}

/** The founder in every test. */
export function founderOf(crypto: Crypto): Writer {
  return { deviceId: 'router', name: 'Router', signer: signerOf(crypto, 1) };
}

/** Opens the founder's store on a machine. */
export function openFounder(
  runtime: StoreRuntime,
  options: Partial<StoreOptions> = {},
): Promise<Store> {
  const writer = founderOf(runtime.crypto);
  return openStore(runtime, { directory: DIRECTORY, writer, ...options });
}

/** Opens a store that only takes commits over. */
export function openReplica(
  runtime: StoreRuntime,
  options: Partial<StoreOptions> = {},
): Promise<Store> {
  return openStore(runtime, { directory: DIRECTORY, ...options });
}

/** Who holds the founder's commits up to this number. */
export function upTo(seq: number): Vector {
  return seq === 0 ? {} : { router: [[seq, '']] };
}

/** Takes commits over, and throws what was refused first or that they wait. */
export async function take(store: Store, bytes: Uint8Array): Promise<{ added: number }> {
  const { added, refused, waiting } = await store.importCommits(bytes);
  const [first] = refused;
  if (first !== undefined) throw first.reason;
  if (waiting.length > 0) throw new StorageError('unknown-parent', 'it waits for its past');
  return { added };
}

/** A draft that sets one record. */
export function setName(key: string, value: number): { ops: Op[]; message: string; via: string } {
  const op: Op = { op: 'set', path: `names/${key}`, value: { value } };
  return { ops: [op], message: `Set ${key}`, via: 'test' };
}
