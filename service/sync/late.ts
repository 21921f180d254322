/**
 * What a device wrote after it was removed and before it heard of that: a household may want it still.
 *
 * The device gives it together with the bad news, and again to whomever it can reach until one of the
 * others took it. It counts for nothing, is verified like all else, and is little: who stole the
 * device could make up any amount.
 */

import { readEnvelopes, type State, type Store } from '#storage';
import type { SealFrames } from './keys.ts';
import { joined } from './limited.ts';
import { type Taking, takePage } from './take.ts';

/** Commits of one removed device that are kept, and bytes of each. */
const MAX_LATE = 64;
const MAX_BYTES = 16 * 1_024;

/** What this device wrote after its end. */
export type OwnLate = {
  /** There is something, and nobody has taken it. */
  readonly isOwed: () => boolean;
  /** It, sealed. */
  readonly page: () => Promise<Uint8Array | undefined>;
  /** One of the others has it. */
  readonly taken: () => void;
};

/** Who took it nobody remembers after a restart: then it is offered once more. */
export function createOwnLate(store: () => Store, self: string, seal: SealFrames): OwnLate {
  let taken: string | undefined;
  const find = (): { readonly lastSeq: number; readonly name: string } | undefined => {
    const lastSeq = store().revoked().get(self);
    if (lastSeq === undefined) return undefined;
    const late = (store().vector()[self] ?? []).filter(([seq]) => seq > lastSeq);
    return late.length === 0 ? undefined : { lastSeq, name: JSON.stringify([lastSeq, late]) };
  };
  return {
    isOwed() {
      const late = find();
      return late !== undefined && late.name !== taken;
    },
    async page() {
      const late = find();
      if (late === undefined) return undefined;
      const held = { ...store().vector(), [self]: [[late.lastSeq, '']] as const };
      const frames = await store().exportMissing(held, MAX_LATE * MAX_BYTES);
      return frames.length === 0 ? undefined : seal(frames);
    },
    taken() {
      taken = find()?.name;
    },
  };
}

/** How many commits were new, and how many it should give again because they do not fit yet. */
export type LateTaken = { readonly stored: number; readonly left: number };

/** Keeps it for an owner to decide about. */
export async function takeLate(
  taking: Taking,
  device: string,
  page: Uint8Array,
): Promise<LateTaken> {
  const { store } = taking;
  const lastSeq = store().revoked().get(device);
  const read = readEnvelopes(page);
  if (lastSeq === undefined || !read.ok) return NOTHING;
  const room = Math.max(0, MAX_LATE - (await countLate(store(), device)));
  // Another commit under a number that counts would be a fork, and void what is honest.
  const late = read.envelopes.filter(
    ({ device: author, seq }) => author === device && seq > lastSeq,
  );
  const large = late.filter(({ bytes }) => bytes.length > MAX_BYTES).map(({ seq }) => seq);
  // What builds on something that is not taken never fits.
  const end = Math.min(...large, Number.POSITIVE_INFINITY);
  const wanted = late.filter(({ seq, id }) => seq < end && !store().holds(id)).slice(0, room);
  if (wanted.length === 0) return NOTHING;
  const size = wanted.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const bytes = wanted.map((envelope) => envelope.bytes);
  const taken = await takePage(taking, joined(bytes, size));
  if (!taken.ok) return NOTHING;
  const missing = wanted.filter(({ id }) => !store().holds(id)).length;
  // What waits for others' commits, or for room, comes again; not where those may be dropped for good.
  const waiting = store().base() === undefined ? taken.waiting : 0;
  return { stored: taken.added, left: Math.min(missing, taken.putOff + waiting) };
}

const NOTHING: LateTaken = { stored: 0, left: 0 };

async function countLate(store: Store, device: string): Promise<number> {
  const open = (await store.late()).find((late) => late.device === device)?.count ?? 0;
  return open + decidedOf(store.merged(), device);
}

function decidedOf(state: State, device: string): number {
  const decided = state.get('late')?.get(device)?.['decided'];
  return Array.isArray(decided) ? decided.length : 0;
}
