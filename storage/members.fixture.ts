/**
 * Devices with real keys and ids, and states that know them, for the tests of rights.
 */

import { expect } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { encodeBase64 } from './format/bytes.ts';
import type { Json, JsonObject } from './format/json.ts';
import type { Op, State } from './format/op.ts';
import { signerOf } from './realm.fixture.ts';
import { isNamedAfter } from './rights/members.ts';
import { authorize, type RefusalReason } from './rights/rights.ts';

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

export const [recovery, ann, ben, tab, guest, hub, porter, fresh, other, porter2] = Array.from(
  { length: 10 },
  (_, index) => someone(index + 1),
) as [Someone, Someone, Someone, Someone, Someone, Someone, Someone, Someone, Someone, Someone];

export const set = (path: string, value: Json): Op => ({ op: 'set', path, value });
export const del = (path: string): Op => ({ op: 'del', path });
export const revoke = ({ path }: Someone, lastSeq: number): Op => ({ op: 'revoke', path, lastSeq });
export const member = ({ signingKey }: Someone, more: JsonObject = {}): JsonObject => ({
  name: 'x',
  signingKey,
  ...more,
});
export const PORTER = { role: 'device', grants: [{ prefix: 'devices', may: ['admit', 'revoke'] }] };

export const RECORDS = {
  'realm/settings': { user: 'ann' },
  'realm/recovery': { id: recovery.id, signingKey: recovery.signingKey },
  [ann.path]: member(ann, { role: 'owner', rank: 1 }),
  [ben.path]: member(ben, { role: 'owner', rank: 2 }),
  [tab.path]: member(tab),
  [guest.path]: member(guest, {
    role: 'guest',
    grants: [{ prefix: 'names/guest', may: ['write'] }],
  }),
  [hub.path]: member(hub, { role: 'hub', grants: [{ prefix: 'names', may: ['write'] }] }),
  [porter.path]: member(porter, PORTER),
  [porter2.path]: member(porter2, PORTER),
  'devices/plain': { name: 'printer' },
} as Record<string, JsonObject>;
export const PAST = stateOf(RECORDS);

/** A realm of an earlier version: a founder with an id of no special kind, and a replica. */
export const OLD = stateOf({
  'realm/settings': { user: 'ann' },
  'devices/router': { name: 'router', signingKey: ann.signingKey, writer: true },
  [tab.path]: member(tab),
});
export const ROUTER: Someone = { ...ann, id: 'router', path: 'devices/router' };

export type Row = {
  readonly by: Someone;
  readonly ops: readonly Op[];
  readonly is: RefusalReason | undefined;
  readonly why: string;
  readonly past?: State;
  readonly seq?: number;
};

export function ask({ by, ops, past = PAST, seq = 9 }: Row): RefusalReason | undefined {
  const author = { device: by.id, publicKey: by.publicKey, seq };
  return authorize(crypto, past, new Map(), author, ops)?.reason;
}

export const check = (row: Row) => expect(ask(row)).toBe(row.is);
export const newOwner = member(fresh, { role: 'owner', rank: 3 });
