/** Two devices that meet: whoever asks, both know afterwards what either one knew. */

import { describe, expect, test } from 'vitest';
import { type DeviceKeys, generateDeviceKeys } from '#identity';
import type { Signer } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { openStore, realmKey, type Store, sealFrame, sealPage } from '#storage';
import { encodeBase64 } from '../base64.ts';
import type { RealmDevice } from '../project.ts';
import { createAllowance } from './allowance.ts';
import { createBookmark } from './bookmark.ts';
import { exchange } from './exchange.ts';
import { createSyncServer, type SyncParties } from './serve.ts';
import { takePage } from './take.ts';

const { crypto, clock } = fakeRuntime();
const KEY = realmKey(crypto, new Uint8Array(32).fill(1));
const WRONG = realmKey(crypto, new Uint8Array(32).fill(2));

type Device = { readonly keys: DeviceKeys; readonly signer: Signer; readonly store: Store };

async function openDevice(realm?: string, keys?: DeviceKeys): Promise<Device> {
  const own = keys ?? (await generateDeviceKeys(crypto));
  const signer = crypto.signer('ed25519', own.signing.privateKey);
  const writer = { deviceId: own.id, name: 'Device', signer };
  const options = { directory: '/data/store', writer, ...(realm ? { realm } : {}) };
  return { keys: own, signer, store: await openStore(fakeRuntime(), options) };
}

/** Three owners of one realm, who hold its beginning. */
async function household(): Promise<[Device, Device, Device]> {
  const first = await openDevice();
  const { realm } = first.store;
  const others = [await openDevice(realm), await openDevice(realm)] as const;
  for (const [index, { keys }] of others.entries()) {
    const signingKey = encodeBase64(keys.signing.publicKey);
    const value = { role: 'owner', rank: index + 2, signingKey };
    const set = { op: 'set', path: `devices/${keys.id}`, value } as const;
    await first.store.commit({ ops: [set], message: 'Let in', via: 'test' });
  }
  for (const other of others) await copy(first, other);
  return [first, ...others];
}

async function copy(from: Device, to: Device): Promise<void> {
  await to.store.importCommits(await from.store.exportMissing(to.store.vector()));
}

async function write({ store }: Device, value: string): Promise<void> {
  const set = { op: 'set', path: 'names/a', value: { value } } as const;
  await store.commit({ ops: [set], message: 'Set', via: 'test' });
}

function partiesOf({ store }: Device, devices: readonly Device[]): SyncParties {
  const known = devices.map(
    ({ keys }) =>
      ({
        ...{ id: keys.id, kind: 'node' },
        signingKey: encodeBase64(keys.signing.publicKey),
      }) as RealmDevice,
  );
  return {
    ...{ clock, crypto, store: () => store, devices: () => known, keys: () => [KEY] },
    seal: async (frames) => sealPage(crypto, KEY, store.realm, frames),
    allowance: createAllowance(clock, 0),
  };
}

/** One exchange, which `from` asks for. */
function meet(from: Device, to: Device, of: readonly Device[]) {
  const serve = createSyncServer(partiesOf(to, of), () => undefined);
  const asking = { ...partiesOf(from, of), signer: from.signer, http: { fetch: serve } };
  return exchange(asking, { name: 'the other', url: 'http://192.0.2.1:51821' });
}

describe('two branches of one device', () => {
  test.each([
    { one: 1, other: 1, why: 'one number' },
    { one: 1, other: 3, why: 'the branch elsewhere is longer' },
    { one: 3, other: 1, why: 'the branch here is longer' },
  ])('are on both sides after one exchange: $why', async ({ one, other }) => {
    const [a, b, c] = await household();
    const twin = await openDevice(a.store.realm, c.keys);
    await copy(c, twin);
    for (let turn = 0; turn < one; turn++) await write(c, `one ${turn}`);
    for (let turn = 0; turn < other; turn++) await write(twin, `other ${turn}`);
    await copy(c, a);
    await copy(twin, b);
    await meet(a, b, [a, b, c]);
    expect(a.store.vector()[c.keys.id]).toHaveLength(2);
    expect(b.store.vector()).toEqual(a.store.vector());
    expect(await meet(a, b, [a, b, c])).toMatchObject({ pulled: 0, pushed: 0 });
  });

  test('known to one side only are on both, whoever asks', async () => {
    for (const isAsked of [true, false]) {
      const [a, b, c] = await household();
      const twin = await openDevice(a.store.realm, c.keys);
      await copy(c, twin);
      await write(c, 'one');
      await write(twin, 'other');
      for (const from of [c, twin]) await copy(from, a);
      await copy(c, b);
      const all = [a, b, c];
      await (isAsked ? meet(b, a, all) : meet(a, b, all));
      expect(b.store.vector()[c.keys.id]).toHaveLength(2);
      expect(b.store.head).toBe(a.store.head);
    }
  });
});

describe('what a device cannot read', () => {
  test('is not kept, and takes no number away from anybody', async () => {
    const [a, b, thief] = await household();
    const seq = (b.store.vector()[b.keys.id]?.[0]?.[0] ?? 0) + 1;
    await write(b, 'x');
    const id = b.store.head;
    const origin = { device: b.keys.id, seq, id };
    const frame = new Uint8Array(40);
    const page = sealFrame(crypto, WRONG, a.store.realm, origin, frame);
    const garbage = sealFrame(
      crypto,
      KEY,
      a.store.realm,
      { ...origin, id: 'ab'.repeat(32) },
      frame,
    );
    const taken = await takePage(
      partiesOf(a, [a, b, thief]),
      Uint8Array.from([...page, ...garbage]),
    );
    expect(taken).toMatchObject({ ok: true, added: 0, refused: 2 });
    await meet(b, a, [a, b, thief]);
    expect(a.store.head).toBe(id);
  });

  test('of a hub hides nothing behind it, and is fetched once', async () => {
    const [a, b] = await household();
    await write(b, 'x');
    const garbage = sealFrame(
      ...[crypto, WRONG, a.store.realm, { device: b.keys.id, seq: 1, id: 'ab'.repeat(32) }],
      new Uint8Array(40),
    );
    const real = sealPage(
      ...[crypto, KEY, a.store.realm, await b.store.exportMissing(a.store.vector())],
    );
    const asked: string[] = [];
    const fetch = async ({ url }: Request): Promise<Response> => {
      if (!url.includes('/pull')) return Response.json({ stored: 0, given: b.store.vector() });
      asked.push(new URL(url).search);
      const after = Number(new URL(url).searchParams.get('after') ?? 0);
      const body = [garbage, garbage, real][after] ?? new Uint8Array(0);
      const more = after < 2 ? { 'nymote-more': 'yes' } : {};
      const seen = String(Math.min(3, after + 1));
      return new Response(new Uint8Array(body), {
        headers: { ...more, 'nymote-seen': seen, 'nymote-holds': '{}', 'nymote-tips': '{}' },
      });
    };
    const asking = { ...partiesOf(a, []), signer: a.signer, http: { fetch } };
    const source = { name: 'hub', url: 'http://hub.example', bookmark: createBookmark() };
    expect(await exchange(asking, source)).toMatchObject({ pulled: 1, refused: 2 });
    expect(a.store.head).toBe(b.store.head);
    expect(await exchange(asking, source)).toMatchObject({ pulled: 0, refused: 0 });
    expect(asked).toEqual(['?after=0', '?after=1', '?after=2', '?after=3']);
    // A key may open what was passed over, and so may time.
    await exchange({ ...asking, keys: () => [KEY, WRONG] }, source);
    expect(asked.slice(4)).toEqual(['?after=0', '?after=1', '?after=2']);
    await clock.advance(3_600_000);
    await exchange({ ...asking, keys: () => [KEY, WRONG] }, source);
    expect(asked[7]).toBe('?after=0');
  });
});

test('numbers that a hub tells are not what it was given: too much for a header is asked for', async () => {
  const [a] = await household();
  const asked: string[] = [];
  const fetch = async ({ url }: Request): Promise<Response> => {
    asked.push(new URL(url).pathname.split('/').at(-1) ?? '');
    const holds = JSON.stringify({ [a.keys.id]: 9 });
    if (url.includes('/pull')) {
      return new Response(null, { headers: { 'nymote-seen': '0', 'nymote-holds': holds } });
    }
    return Response.json(
      url.endsWith('/state')
        ? { vector: { [a.keys.id]: [[9, 'ab']] }, given: {} }
        : { stored: 1, given: a.store.vector() },
    );
  };
  const asking = { ...partiesOf(a, []), signer: a.signer, http: { fetch } };
  expect(await exchange(asking, { name: 'hub', url: 'http://hub.example' })).toMatchObject({
    pushed: 1,
  });
  expect(asked).toEqual(['pull', 'state', 'push']);
});
