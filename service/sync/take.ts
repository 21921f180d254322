/** Taking over a page of sealed commits, whoever sent it. */

import type { Crypto } from '#runtime';
import { type Envelope, openPage, readEnvelopes, type Store } from '#storage';
import type { Allowance } from './allowance.ts';
import type { RealmKeys } from './keys.ts';
import { joined } from './limited.ts';

export type Taking = {
  readonly crypto: Crypto;
  readonly store: () => Store;
  readonly keys: () => RealmKeys;
  /** Undefined while joining: all of a history is wanted. */
  readonly allowance?: Allowance | undefined;
};

export type Taken =
  | {
      readonly ok: true;
      readonly added: number;
      /** Commits that nobody here can read, or that do not verify. */
      readonly refused: number;
      readonly waiting: number;
      /** Commits of authors that wrote too much lately; they come later. */
      readonly putOff: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Opens, verifies and keeps what is new; only what was kept counts against its author. */
export async function takePage(
  { crypto, store, keys, allowance }: Taking,
  page: Uint8Array,
): Promise<Taken> {
  const read = readEnvelopes(page);
  if (!read.ok) return read;
  const isNew = read.envelopes.filter(({ id }) => !store().holds(id));
  const wanted = isNew.filter(({ device }) => allowance?.admits(device) ?? true);
  const taken = await openAll({ crypto, store, keys }, wanted);
  if (!taken.ok) return taken;
  for (const { id, device, bytes } of wanted) {
    if (store().holds(id)) allowance?.spend(device, bytes.length);
  }
  return { ...taken, putOff: isNew.length - wanted.length };
}

/** A page may bring the key to the rest of it. */
async function openAll(
  { crypto, store, keys }: Taking,
  envelopes: readonly Envelope[],
): Promise<Exclude<Taken, { ok: true }> | Omit<Extract<Taken, { ok: true }>, 'putOff'>> {
  let sealed = envelopes;
  let total = 0;
  let bad = 0;
  for (;;) {
    const bytes = sealed.map((envelope) => envelope.bytes);
    const size = bytes.reduce((sum, { length }) => sum + length, 0);
    const before = keys().length;
    const opened = openPage(crypto, keys(), store().realm, joined(bytes, size));
    if (!opened.ok) return opened;
    const { added, refused, waiting } = await store().importCommits(opened.frames);
    total += added;
    bad += refused.length;
    const isDone = opened.unreadable.length === 0 || keys().length === before;
    const refusedInAll = bad + opened.unreadable.length;
    if (isDone) return { ok: true, added: total, waiting: waiting.length, refused: refusedInAll };
    sealed = opened.unreadable;
  }
}
