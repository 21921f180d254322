import { expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import { exchange } from './exchange.ts';

const runtime = fakeRuntime();
const { crypto, clock } = runtime;
const keys = await generateDeviceKeys(crypto);
const signer = crypto.signer('ed25519', keys.signing.privateKey);
const writer = { deviceId: keys.id, name: 'Router', signer };
const store = await openStore(runtime, { directory: '/data/store', writer });

test.each([
  { holds: {}, pages: 1, why: 'holds nothing of it' },
  { holds: { [keys.id]: 0 }, pages: 1, why: 'still holds nothing' },
  { holds: { somebody: 9 }, pages: 2, why: 'holds something else once' },
])('who says that it stored a page and $why is not given it for ever', async ({ holds, pages }) => {
  let pushes = 0;
  const fetch = async ({ url }: Request): Promise<Response> => {
    if (!url.endsWith('push')) return new Response(null, { headers: { 'nymote-holds': '{}' } });
    pushes += 1;
    return Response.json({ stored: 1, holds });
  };
  const asking = {
    ...{ crypto, clock, signer, store: () => store, keys: () => [], http: { fetch } },
    seal: async (frames: Uint8Array) => frames,
  };
  await exchange(asking, { name: 'hub', url: 'http://hub.example' });
  expect(pushes).toBe(pages);
});
