/**
 * The realm's own keys: what commits are sealed with on their way, and how every full device gets them.
 *
 *     keys/<id of the key>   { after?, <device>: { sealed }, … }
 *
 * A copy lies in the store for each full device, sealed for its WireGuard key by whoever admitted it.
 * When a device is removed a new key comes after the old one, and what is written from then on is
 * nothing to it.
 */

import type { Crypto, Random } from '#runtime';
import { type RealmKey, realmKey, type State } from '#storage';
import { decodeBase64, encodeBase64 } from '../base64.ts';
import type { Sealing } from '../peers/sealed.ts';
import type { RealmDevice } from '../project.ts';

/** What opens envelopes, the one to seal with first. */
export type RealmKeys = readonly RealmKey[];

/** An op that gives keys away. */
export type KeyOp = {
  readonly op: 'set';
  readonly path: string;
  readonly value: { readonly [field: string]: string | { readonly sealed: string } };
};

type Needs = { readonly crypto: Pick<Crypto, 'hash'>; readonly sealing: Sealing };
type Holder = Pick<RealmDevice, 'id' | 'publicKey'>;

const PURPOSE = 'realm key';
const KEY_BYTES = 32;
const COLLECTION = 'keys';

/** The keys that this device was given, the newest first. */
export function readRealmKeys({ crypto, sealing }: Needs, state: State, self: string): RealmKeys {
  const found: (RealmKey & { readonly depth: number })[] = [];
  for (const [name, record] of state.get(COLLECTION) ?? []) {
    const copy = record[self];
    const secret = isCopy(copy) ? openCopy(sealing, copy.sealed) : undefined;
    if (secret?.length !== KEY_BYTES) continue;
    const key = realmKey(crypto, secret);
    // A copy under a wrong name would split the realm in two that do not understand each other.
    if (hex(key.id) === name) found.push({ ...key, depth: depthOf(state, name) });
  }
  return found.sort((a, b) => b.depth - a.depth || (hex(a.id) < hex(b.id) ? -1 : 1));
}

/** The first key of a realm, or the next one, for these devices. */
export function giveNewKey(
  { crypto, sealing }: Needs,
  random: Random,
  state: State,
  holders: readonly Holder[],
): KeyOp {
  const secret = random(KEY_BYTES);
  const last = newest(state);
  const copies = holders.flatMap(({ id, publicKey }) => {
    const sealed = sealing.seal(publicKey, PURPOSE, secret);
    return sealed ? [[id, { sealed: pack(sealing.publicKey, sealed) }] as const] : [];
  });
  const after = last === undefined ? {} : { after: last };
  const path = `${COLLECTION}/${hex(realmKey(crypto, secret).id)}`;
  return { op: 'set', path, value: { ...after, ...Object.fromEntries(copies) } };
}

/** Copies of all our keys for a device that has none yet. */
export function shareKeys(
  sealing: Sealing,
  keys: RealmKeys,
  { id, publicKey }: Holder,
): readonly {
  readonly op: 'set';
  readonly path: string;
  readonly value: { readonly sealed: string };
}[] {
  return keys.flatMap((key) => {
    const sealed = sealing.seal(publicKey, PURPOSE, key.secret);
    if (sealed === undefined) return [];
    const path = `${COLLECTION}/${hex(key.id)}/${id}`;
    return [{ op: 'set' as const, path, value: { sealed: pack(sealing.publicKey, sealed) } }];
  });
}

/** How many keys came before; a circle, which nobody writes, ends at its length. */
function depthOf(state: State, name: string): number {
  const keys = state.get(COLLECTION);
  const seen = new Set<string>();
  let at: unknown = name;
  while (typeof at === 'string' && !seen.has(at)) {
    seen.add(at);
    at = keys?.get(at)?.['after'];
  }
  return seen.size;
}

function newest(state: State): string | undefined {
  const names = [...(state.get(COLLECTION)?.keys() ?? [])];
  return names.sort((a, b) => depthOf(state, b) - depthOf(state, a) || (a < b ? -1 : 1))[0];
}

function isCopy(value: unknown): value is { readonly sealed: string } {
  return typeof (value as { sealed?: unknown } | undefined)?.sealed === 'string';
}

/** Who sealed it goes before it. */
function pack(from: Uint8Array, sealed: Uint8Array): string {
  return encodeBase64(Uint8Array.from([...from, ...sealed]));
}

function openCopy(sealing: Sealing, text: string): Uint8Array | undefined {
  let bytes: Uint8Array;
  try {
    bytes = decodeBase64(text);
  } catch {
    return undefined;
  }
  return sealing.open(bytes.subarray(0, KEY_BYTES), PURPOSE, bytes.subarray(KEY_BYTES));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
