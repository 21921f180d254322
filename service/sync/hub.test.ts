import { expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { fakeRuntime, type ManualClock } from '#runtime/fake';
import { openStore } from '#storage';
import type { RealmDevice } from '../project.ts';
import { hubOf, joinHub, tendHub, watchHub } from './hub.ts';

const HUB = 'https://hub.example';
const OTHER = 'https://other.example';
const COMMIT = { message: 'Change', via: 'test' };

/** Somebody with another device, and a hub that answers so. */
async function owner(answer: (path: string) => number, body = () => new Response().body) {
  const asked: string[] = [];
  const runtime = fakeRuntime();
  const { crypto, log } = runtime;
  const keys = await generateDeviceKeys(crypto);
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const store = await openStore(runtime, {
    directory: '/data/store',
    writer: { deviceId: keys.id, name: 'laptop', signer },
    genesis: { settings: { apex: 'alice.nymote' } },
  });
  const other = { id: 'desk', kind: 'node', signingKey: 'key', role: 'owner' } as RealmDevice;
  const needs = {
    ...{ crypto, log, signer, store: () => store, devices: () => [other], isFirst: () => true },
    http: {
      fetch: async ({ url }: Request) => {
        const { host, pathname } = new URL(url);
        asked.push(`${host} ${pathname.replace(/^.*?\/v1\/[^/]*/, '')}`);
        return new Response(body(), { status: answer(pathname) });
      },
    },
  };
  const use = (url: string) =>
    store.commit({ ...COMMIT, ops: [{ op: 'set', path: 'realm/hub', value: { url } }] });
  return { store, needs, asked, use, clock: runtime.clock };
}

test.each([
  { status: 403, code: 'denied', says: 'it does not take this invitation.', why: 'a used code' },
  { status: 404, code: 'denied', says: 'there is no hub at this address.', why: 'a web server' },
  { status: 405, code: 'denied', says: 'there is no hub at this address.', why: 'a static one' },
  { status: 507, code: 'denied', says: 'it has no room left.', why: 'full' },
  { status: 418, code: 'denied', says: 'it answered 418.', why: 'anything else' },
  {
    status: 429,
    code: 'unavailable',
    says: 'it was asked too often; try again in a minute.',
    why: 'tired',
  },
  {
    status: 503,
    code: 'unavailable',
    says: 'it is busy, or its database is away; try again in a minute.',
    why: 'PostgreSQL restarts',
  },
  {
    status: 502,
    code: 'unavailable',
    says: 'the proxy before it cannot reach it; try again in a minute.',
    why: 'the hub restarts',
  },
])('a hub that answers $status refuses in words: $why', async ({ status, code, says }) => {
  const { store, needs } = await owner(() => status);
  const { head } = store;
  await expect(joinHub(needs, HUB, 'code', 'cli')).rejects.toMatchObject({
    code,
    message: `The hub refused: ${says}`,
  });
  expect(store.head).toBe(head);
});

test('a hub that gets busy in between is asked again by the same words', async () => {
  let isBusy = true;
  const { store, needs } = await owner((path) =>
    isBusy && path.includes('/members/') ? 503 : 200,
  );
  await expect(joinHub(needs, HUB, 'code', 'cli')).rejects.toMatchObject({
    code: 'unavailable',
    message:
      'The hub has your realm, but not all your devices yet (the hub answered 503): do the same again in a minute.',
  });
  expect(hubOf(store)).toBeUndefined();
  isBusy = false;
  await joinHub(needs, HUB, '', 'cli');
  expect(hubOf(store)).toBe(HUB);
});

/** Less time than a silent hub is listened to. */
async function soon(clock: ManualClock, isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !isSo(); turn++) {
    await clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('another hub is told of everybody, whoever joined it', async () => {
  const { needs, asked, use, clock } = await owner(() => 200);
  const tending = tendHub(needs);
  for (const url of [HUB, OTHER]) {
    await use(url);
    const told = `${new URL(url).host} /members/desk`;
    await soon(clock, () => asked.includes(told));
    expect(asked).toContain(told);
  }
  tending.stop();
});

test('who uses another hub listens to that one', async () => {
  const silent = () => new ReadableStream();
  const { needs, asked, use, clock } = await owner(() => 200, silent);
  await use(HUB);
  const watching = watchHub(needs, clock, () => undefined);
  for (const url of [HUB, OTHER]) {
    await use(url);
    const listens = `${new URL(url).host} /watch`;
    await soon(clock, () => asked.includes(listens));
    expect(asked).toContain(listens);
  }
  watching.stop();
});
