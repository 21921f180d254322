/**
 * What a device wrote after it was removed and before it heard of that: a household may want it still.
 *
 * The device gives it together with the bad news, once. It counts for nothing, is verified like all
 * else, and is little: who stole the device could make up any amount.
 */

import { deviceId } from '#identity';
import { readEnvelopes, type State, type Store } from '#storage';
import type { SealFrames } from './keys.ts';
import { joined } from './limited.ts';
import { type Taking, takePage } from './take.ts';

/** Commits of one removed device that are kept, and bytes of each. */
const MAX_LATE = 64;
const MAX_BYTES = 16 * 1_024;

type Giving = Pick<Taking, 'crypto' | 'store'> & {
  readonly seal: SealFrames;
  readonly signer: { readonly publicKey: Uint8Array };
};

/** What this device wrote after its end, sealed; undefined while it belongs to the realm. */
export async function findOwnLate({
  crypto,
  store,
  seal,
  signer,
}: Giving): Promise<Uint8Array | undefined> {
  const self = deviceId(crypto, signer.publicKey);
  const lastSeq = store().revoked().get(self);
  if (lastSeq === undefined) return undefined;
  const vector = store().vector();
  if (!(vector[self] ?? []).some(([seq]) => seq > lastSeq)) return undefined;
  const frames = await store().exportMissing({ ...vector, [self]: [[lastSeq, '']] });
  return frames.length === 0 ? undefined : seal(frames);
}

/** Keeps it for an owner to decide about; tells how many commits were new. */
export async function takeLate(taking: Taking, device: string, page: Uint8Array): Promise<number> {
  const { store } = taking;
  const lastSeq = store().revoked().get(device);
  const read = readEnvelopes(page);
  if (lastSeq === undefined || !read.ok) return 0;
  const room = Math.max(0, MAX_LATE - (await countLate(store(), device)));
  const wanted = read.envelopes
    .filter(({ device: author, seq, id, bytes }) => {
      // Another commit under a number that counts would be a fork, and void what is honest.
      const isOwn = author === device && seq > lastSeq;
      return isOwn && bytes.length <= MAX_BYTES && !store().holds(id);
    })
    .slice(0, room);
  if (wanted.length === 0) return 0;
  const size = wanted.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const bytes = wanted.map((envelope) => envelope.bytes);
  const taken = await takePage(taking, joined(bytes, size));
  return taken.ok ? taken.added : 0;
}

async function countLate(store: Store, device: string): Promise<number> {
  const open = (await store.late()).find((late) => late.device === device)?.count ?? 0;
  return open + decidedOf(store.merged(), device);
}

function decidedOf(state: State, device: string): number {
  const decided = state.get('late')?.get(device)?.['decided'];
  return Array.isArray(decided) ? decided.length : 0;
}
