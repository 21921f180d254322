import { expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { createSealing } from '../peers/sealed.ts';
import { signRequest } from '../peers/signed-request.ts';
import type { RealmDevice } from '../project.ts';
import { createAllowance } from './allowance.ts';
import { giveNewKey, type RealmKeys, readRealmKeys } from './keys.ts';
import { createSyncServer } from './serve.ts';

const runtime = fakeRuntime();
const { crypto, clock } = runtime;
const keys = await generateDeviceKeys(crypto);
const signer = crypto.signer('ed25519', keys.signing.privateKey);
const writer = { deviceId: keys.id, name: 'Router', signer };
const store = await openStore(runtime, { directory: '/data/store', writer });
const signingKey = encodeBase64(keys.signing.publicKey);
const device = {
  ...{ id: keys.id, kind: 'node', signingKey, publicKey: keys.agreement.publicKey },
} as RealmDevice;

const serve = (realmKeys: RealmKeys = []) =>
  createSyncServer(
    {
      ...{ clock, crypto, store: () => store, devices: () => [device], keys: () => realmKeys },
      seal: async (frames) => frames,
      allowance: createAllowance(clock, 0),
    },
    () => undefined,
  );

const BODY = new TextEncoder().encode('{}');
const url = `http://192.0.2.1:51821/sync/v1/${store.realm}/pull`;
const signed = () => signRequest(crypto, signer, { method: 'POST', url, body: BODY });

/** The request with a body that tells when it is read. */
function withBody(headers: Headers, body: ReadableStream): Request {
  return new Request(url, { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
}

test('who is a member is answered', async () => {
  expect((await serve()(await signed())).status).toBe(200);
});

test("a body is not read for who only knows a member's name", async () => {
  const { headers } = await signed();
  headers.set('signature', `nymote=:${encodeBase64(new Uint8Array(64))}:`);
  let isRead = false;
  const pull = (): void => {
    isRead = true;
  };
  const body = new ReadableStream({ pull }, { highWaterMark: 0 });
  expect((await serve()(withBody(headers, body))).status).toBe(404);
  expect(isRead).toBe(false);
});

test('who was removed and says that it lacks everything is told so some times, not for ever', async () => {
  const thief = await generateDeviceKeys(crypto);
  const sealing = createSealing(crypto, runtime.random, keys.agreement);
  const holder = { id: thief.id, publicKey: thief.agreement.publicKey };
  const given = giveNewKey({ crypto, sealing }, runtime.random, store.state(), [device, holder]);
  const path = `devices/${thief.id}`;
  const value = { role: 'device', signingKey: encodeBase64(thief.signing.publicKey) };
  const write = (op: Parameters<typeof store.commit>[0]['ops'][number]) =>
    store.commit({ ops: [op], message: 'Change', via: 'test' });
  await write(given);
  for (let count = 0; count < 300; count++) {
    await write({ op: 'set', path: 'names/a', value: { count } });
  }
  await write({ op: 'set', path, value });
  await write({ op: 'revoke', path, lastSeq: 0 });
  await write({ op: 'del', path });
  const key = readRealmKeys({ crypto, sealing }, store.state(), keys.id);
  const server = serve(key);
  const former = crypto.signer('ed25519', thief.signing.privateKey);
  const ask = async (method: string): Promise<number> =>
    (await server(await signRequest(crypto, former, { method, url, body: BODY }))).status;
  // What costs next to nothing may be asked some hundred times.
  for (let count = 0; count < 292; count++) expect(await ask('PUT')).toBe(404);
  const told = [];
  for (let count = 0; count < 6; count++) told.push(await ask('POST'));
  expect(told).toEqual([410, 410, 410, 429, 429, 429]);
  await clock.advance(1_000);
  expect(await ask('POST')).toBe(410);
});

test('bodies that never end fill no memory: some are read at a time', async () => {
  const server = serve();
  const { headers } = await signed();
  const slow = Array.from({ length: 40 }, () => server(withBody(headers, new ReadableStream())));
  expect((await server(await signed())).status).toBe(429);
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(30_000);
  const statuses = (await Promise.all(slow)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 429)).toHaveLength(24);
  expect((await server(await signed())).status).toBe(200);
});
