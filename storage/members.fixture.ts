/**
 * Devices with real keys and ids, and states that know them, for the tests of rights.
 */

import { fakeRuntime } from '#runtime/fake';
import { encodeBase64 } from './bytes.ts';
import type { JsonObject } from './json.ts';
import { isNamedAfter } from './members.ts';
import type { State } from './op.ts';
import { signerOf } from './realm.fixture.ts';

export const { crypto } = fakeRuntime();

/** A device that could exist: its id is the hash of its key. */
export type Someone = {
  readonly id: string;
  readonly path: string;
  readonly publicKey: Uint8Array;
  /** As records spell it. */
  readonly signingKey: string;
};

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** The device whose seed is one byte, repeated. */
export function someone(seed: number): Someone {
  const { publicKey } = signerOf(crypto, seed);
  const octets = crypto.hash('sha256', publicKey).subarray(0, 16);
  const bits = [...octets].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  const digits = bits.padEnd(130, '0').match(/.{5}/g) ?? [];
  const id = digits.map((digit) => BASE32[Number.parseInt(digit, 2)]).join('');
  if (!isNamedAfter(crypto, id, publicKey)) throw new Error('unreachable: two spellings of an id');
  return { id, path: `devices/${id}`, publicKey, signingKey: encodeBase64(publicKey) };
}

/** A state of records by path. */
export function stateOf(records: Readonly<Record<string, JsonObject>>): State {
  const state = new Map<string, Map<string, JsonObject>>();
  for (const [path, record] of Object.entries(records)) {
    const [collection = '', key = ''] = path.split('/');
    const all = state.get(collection) ?? new Map<string, JsonObject>();
    state.set(collection, all.set(key, record));
  }
  return state;
}
