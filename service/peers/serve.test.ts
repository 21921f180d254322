import { expect, test } from 'vitest';
import { RuntimeError, type RuntimeErrorCode } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import { homeOf, twoHomes } from '../homes.fixture.ts';
import { hearReplicas } from './serve.ts';

const ID = 'a'.repeat(26);
const HOUR_MS = 3_600_000;

async function listening() {
  const runtime = fakeRuntime();
  const { crypto, clock } = runtime;
  const { privateKey } = await crypto.generateSigningKey('ed25519');
  const signer = crypto.signer('ed25519', privateKey);
  const writer = { deviceId: ID, name: 'a', signer };
  const store = await openStore(runtime, { directory: '/data/store', writer });
  const hear = hearReplicas(runtime, store);
  const tell = async (...endpoints: string[]) => {
    hear({ device: ID, endpoints });
    // Commits are done in turn: one that does nothing ends after those before it.
    await store.revert('none', 'test').catch(() => undefined);
    return store.state().get('devices')?.get(ID)?.['endpoints'];
  };
  return { clock, store, tell };
}

test('where a device can be reached becomes a commit, once', async () => {
  const { store, tell } = await listening();
  expect(await tell('192.0.2.1:1')).toEqual(['192.0.2.1:1']);
  const { head } = store;
  await tell('192.0.2.1:1');
  expect(store.head).toBe(head);
});

test('a device that moves all the time does not fill the history (I6), one that moves can', async () => {
  const { clock, store, tell } = await listening();
  for (let port = 1; port <= 1_000; port++) await tell(`192.0.2.1:${port}`);
  expect(store.seq).toBeLessThan(12);
  await clock.advance(HOUR_MS);
  expect(await tell('192.0.2.9:9')).toEqual(['192.0.2.9:9']);
});

test('of a device that is not there nothing is kept', async () => {
  const { store } = await listening();
  const { head } = store;
  hearReplicas(fakeRuntime(), store)({ device: 'b'.repeat(26), endpoints: ['192.0.2.1:1'] });
  await store.revert('none', 'test').catch(() => undefined);
  expect(store.head).toBe(head);
});

test.each([
  { missing: { '::': 'unreachable' }, warnings: 0, why: 'a machine without IPv6' },
  { missing: { '0.0.0.0': 'unreachable' }, warnings: 0, why: 'a machine without IPv4' },
  { missing: { '0.0.0.0': 'unreachable', '::': 'unreachable' }, warnings: 2, why: 'neither' },
  { missing: { '::': 'address-in-use' }, warnings: 1, why: 'somebody else has it on IPv6' },
] as const)('the control port: $why', async ({ missing, warnings }) => {
  const { a } = twoHomes();
  const { http } = a.runtime;
  const codes: Partial<Record<string, RuntimeErrorCode>> = missing;
  const listen: typeof http.listen = async (local, handle) => {
    const code = 'port' in local && local.port === 51_821 ? codes[local.address] : undefined;
    if (code !== undefined) throw new RuntimeError(code, `no ${JSON.stringify(local)}`);
    return http.listen(local, handle);
  };
  const home = homeOf({ ...a.runtime, http: { ...http, listen } }, a.config);
  await using nymote = await home.start();
  const said = nymote.warnings.filter((warning) => warning.startsWith('Other devices cannot come'));
  expect(said).toHaveLength(warnings);
});
