/**
 * What a device that was removed is told when it asks: its own removal, and what that builds on, so
 * that it can verify it. Sealed with a key that it still has; all of this was written before anybody
 * gave out a key that it has not.
 */

import type { Crypto } from '#runtime';
import { readEnvelopes, type Store, sealPage, type Vector } from '#storage';
import { encodeHex } from '../hex.ts';
import { type RealmKeys, wasGiven } from './keys.ts';
import { joined } from './limited.ts';

type Needs = {
  readonly crypto: Crypto;
  readonly store: () => Store;
  readonly keys: () => RealmKeys;
};

const GONE = 410;
/** Commits below a removal that are looked at for one who asks. */
const MAX_PAST = 20_000;
/** What is read of the history for one page; what does not fit comes with the next request. */
const PAGE_BYTES = 512 * 1024;

/** Tells whether a device was a member once, as the keys that it was given tell. */
export function wasMember(store: Pick<Store, 'state'>, device: string): boolean {
  return wasGiven(store.state(), device).length > 0;
}

/** Answers one who was removed; `looked` at so many commits for it. */
type Farewell = (
  device: string,
  known: Vector | undefined,
) => Promise<{ readonly response: Response; readonly looked: number }>;

/** 410 with a page, or 404 as to anybody else. */
export function createFarewell({ crypto, store, keys }: Needs): Farewell {
  /** A removal stays one; looking for it reads the history. */
  const removals = new Map<string, string>();

  const find = async (device: string): Promise<string | undefined> => {
    const id = removals.get(device) ?? (await findRemoval(store(), device))?.id;
    if (id !== undefined) removals.set(device, id);
    return id;
  };

  return async (device, known) => {
    const given = wasGiven(store().state(), device);
    const key = keys().find(({ id }) => given.includes(encodeHex(id)));
    const removal = known && key && (await find(device));
    if (!known || !key || !removal) {
      return { response: new Response(null, { status: 404 }), looked: 0 };
    }
    const past = await pastOf(store(), removal, known);
    const frames = await store().exportMissing(known, PAGE_BYTES);
    const read = readEnvelopes(sealPage(crypto, () => key, store().realm, frames));
    const told = read.ok ? read.envelopes.filter(({ id }) => past.has(id)) : [];
    const bytes = told.map((envelope) => envelope.bytes);
    const size = bytes.reduce((sum, { length }) => sum + length, 0);
    const response = new Response(new Uint8Array(joined(bytes, size)), { status: GONE });
    return { response, looked: past.size };
  };
}

/** The commit that removed a device. */
export async function findRemoval(
  store: Pick<Store, 'log'>,
  device: string,
): Promise<{ readonly id: string; readonly name: string; readonly at: number } | undefined> {
  const path = `devices/${device}`;
  const commits = await store.log({ path, limit: 100 });
  return commits.find(({ ops }) => ops.some((op) => op.op === 'revoke' && op.path === path));
}

/** A commit and what it builds on, as far as somebody lacks it. */
async function pastOf(store: Store, id: string, known: Vector): Promise<ReadonlySet<string>> {
  const past = new Set<string>();
  const open = [id];
  for (let next = open.pop(); next !== undefined && past.size < MAX_PAST; next = open.pop()) {
    if (past.has(next) || !store.holds(next)) continue;
    const { device, seq, parents } = await store.read(next);
    const isHeld = (known[device] ?? []).some(([last]) => seq <= last);
    if (isHeld) continue;
    past.add(next);
    open.push(...parents);
  }
  return past;
}
