/** A hub over a real PostgreSQL, and members that exchange with it or push what they like. */

import { expect } from 'vitest';
import { type DeviceKeys, generateDeviceKeys } from '#identity';
import type { Signer } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { nodeRuntime } from '#runtime/node';
import { exchange, type HubSettings, inviteToHub, signRequest, startHub } from '#service';
import { openStore, readEnvelopes, realmKey, type Store, sealFrame, sealPage } from '#storage';
import { startPostgres } from './hub-stand.ts';

const runtime = nodeRuntime({ log: () => undefined });
const { crypto } = runtime;
const KEY = realmKey(crypto, new Uint8Array(32).fill(1));
const WRONG = realmKey(crypto, new Uint8Array(32).fill(2));

let settings: HubSettings;
let hub: string;

/** Starts PostgreSQL and a hub, for everything below. */
export async function startStand(): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await startPostgres());
  settings = {
    ...{ database: database.url, listen: { address: '127.0.0.1', port: 0 } },
    ...{ quota: 1 << 26, daily: 1 << 25, uses: 1, isProxied: false },
  };
  const { endpoint } = stack.use(await startHub(runtime, settings));
  hub = `http://127.0.0.1:${endpoint.port}`;
  return stack.move();
}

/** A device that holds the realm. */
export type Member = { readonly keys: DeviceKeys; readonly signer: Signer; readonly store: Store };

export async function openMember(realm?: string): Promise<Member> {
  const keys = await generateDeviceKeys(crypto);
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const writer = { deviceId: keys.id, name: keys.id.slice(0, 4), signer };
  const options = { directory: '/data/store', writer, ...(realm ? { realm } : {}) };
  return { keys, signer, store: await openStore(fakeRuntime(), options) };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** A realm on the hub: of its members all but the last one are honest. */
export async function household(count = 3, isFilled = true): Promise<Member[]> {
  const first = await openMember();
  const { realm } = first.store;
  const members = [first];
  while (members.length < count) members.push(await openMember(realm));
  for (const [index, { keys }] of members.entries()) {
    if (index === 0) continue;
    const value = { role: 'owner', rank: index + 1, signingKey: base64(keys.signing.publicKey) };
    await change(first, `devices/${keys.id}`, value);
  }
  await begin(first);
  for (const member of members.slice(1)) await admit(first, member);
  for (const other of members.slice(1)) await meet(first, other);
  // Whoever pushes has pulled before.
  if (isFilled) for (const member of members) await sync(member);
  return members;
}

export async function begin(first: Member): Promise<void> {
  const headers = { 'nymote-invite': await inviteToHub(runtime, settings) };
  expect((await ask(first, 'PUT', '', new Uint8Array(0), headers)).status).toBe(201);
}

export async function admit(first: Member, { keys }: Member): Promise<void> {
  const wish = JSON.stringify({ key: base64(keys.signing.publicKey), mayAdmit: false });
  const body = new TextEncoder().encode(wish);
  expect((await ask(first, 'PUT', `/members/${keys.id}`, body)).status).toBe(200);
}

export async function ask(
  { signer, store }: Member,
  method: string,
  path: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const url = `${hub}/sync/v1/${store.realm}${path}`;
  const request = await signRequest(crypto, signer, { method, url, body });
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  return fetch(request);
}

function change({ store }: Member, path: string, value: string | Record<string, string | number>) {
  return store.commit({ ops: [{ op: 'set', path, value }], message: `Set ${path}`, via: 'test' });
}

/** Two meet without the hub; the other one takes what it lacks. */
export async function meet(from: Member, to: Member): Promise<void> {
  await to.store.importCommits(await from.store.exportMissing(to.store.vector()));
}

export const sync = ({ store, signer }: Member) =>
  exchange(
    {
      ...{ clock: runtime.clock, crypto, http: runtime.http, signer },
      ...{ store: () => store, keys: () => [KEY] },
      seal: async (frames) => sealPage(crypto, KEY, store.realm, frames),
    },
    { name: 'hub', url: hub },
  );

export const push = async (member: Member, ...envelopes: Uint8Array[]): Promise<Response> => {
  const response = await ask(member, 'POST', '/push', new Uint8Array(Buffer.concat(envelopes)));
  expect(response.status).toBe(200);
  return response;
};

export const last = ({ store, keys }: Member): number => store.vector()[keys.id]?.[0]?.[0] ?? 0;

/** What nobody can read, under any name and number; or under the name of a real commit. */
export function garbage(
  { store }: Member,
  { id: device }: DeviceKeys,
  seq: number,
  { id = 'ab'.repeat(32), length = 40, realm = store.realm } = {},
): Uint8Array {
  return sealFrame(crypto, WRONG, realm, { device, seq, id }, new Uint8Array(length).fill(seq));
}

/** The real envelopes of what somebody holds. */
export async function envelopesOf({ store }: Member): Promise<readonly Uint8Array[]> {
  const read = readEnvelopes(sealPage(crypto, KEY, store.realm, await store.exportMissing({})));
  if (!read.ok) throw new Error(read.reason);
  return read.envelopes.map(({ bytes }) => bytes);
}

export const heads = (members: readonly Member[]): ReadonlySet<string> =>
  new Set(members.map(({ store }) => store.head));

export const write = (member: Member, value = 'x') => change(member, 'names/a', { value });

/** As much as one push may be. */
export function chunks(envelopes: readonly Uint8Array[]): Uint8Array[][] {
  const parts: Uint8Array[][] = [[]];
  let size = 0;
  for (const envelope of envelopes) {
    size += envelope.length;
    if (size > 90_000) parts.push([]);
    if (size > 90_000) size = envelope.length;
    parts.at(-1)?.push(envelope);
  }
  return parts.filter((part) => part.length > 0);
}
