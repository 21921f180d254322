import { expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { signRequest } from '../peers/signed-request.ts';
import type { RealmDevice } from '../project.ts';
import { createAllowance } from './allowance.ts';
import { createSyncServer } from './serve.ts';

const runtime = fakeRuntime();
const { crypto, clock } = runtime;
const keys = await generateDeviceKeys(crypto);
const signer = crypto.signer('ed25519', keys.signing.privateKey);
const writer = { deviceId: keys.id, name: 'Router', signer };
const store = await openStore(runtime, { directory: '/data/store', writer });
const signingKey = encodeBase64(keys.signing.publicKey);
const device = { id: keys.id, kind: 'node', signingKey } as RealmDevice;

const serve = () =>
  createSyncServer(
    {
      ...{ clock, crypto, store: () => store, devices: () => [device], keys: () => [] },
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
