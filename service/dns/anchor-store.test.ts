import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { configOf } from '../homes.fixture.ts';
import { openRealm } from '../realm.ts';
import { followWithStore } from './anchor-store.ts';

const CONFIG = configOf({ endpoints: '192.0.2.1' });
const PENDING = {
  ...{ rdata: Uint8Array.of(1, 1, 3, 13, 7), state: 'add-pend' as const },
  ...{ since: 1_795_000_000, until: 1_797_592_000 },
};
const VALID = { ...PENDING, state: 'valid' as const };

const always = () => true;

test('what changes is a commit each, and the next start knows it', async () => {
  const runtime = fakeRuntime();
  {
    await using realm = await openRealm(runtime, CONFIG);
    const { save, saved } = followWithStore(runtime, realm.store, always);
    expect(saved).toEqual([]);
    save([]);
    save([PENDING]);
    save([VALID]);
    await runtime.clock.settle();
    expect(followWithStore(runtime, realm.store, always).saved).toEqual([VALID]);
    const commits = await realm.store.log({ limit: 5 });
    expect(commits.filter(({ via }) => via === 'rfc5011').map(({ message }) => message)).toEqual([
      "The root's keys: valid",
      "The root's keys: add-pend",
    ]);
  }
  await using again = await openRealm(runtime, CONFIG);
  const { save, saved } = followWithStore(runtime, again.store, always);
  expect(saved).toEqual([VALID]);
  save([]);
  await runtime.clock.settle();
  expect(again.store.state().get('anchors')?.get('root')).toBeUndefined();
});

test('who may not write does not try', async () => {
  const runtime = fakeRuntime();
  await using realm = await openRealm(runtime, CONFIG);
  const seq = realm.store.seq;
  followWithStore(runtime, realm.store, () => false).save([PENDING]);
  await runtime.clock.advance(1000);
  expect(realm.store.seq).toBe(seq);
});

test.each([
  { keys: [{ key: 'AQEDDQc=', state: 'trusted', since: 1, until: 2 }], why: 'no such state' },
  { keys: 'AQEDDQc=', why: 'no list' },
  { keys: [{ key: 'AYEDDQc=', state: 'valid', since: 1, until: 2 }], why: 'a revoked key' },
])('the store takes nothing else: $why', async ({ keys }) => {
  const runtime = fakeRuntime();
  await using realm = await openRealm(runtime, CONFIG);
  const ops = [{ op: 'set', path: 'anchors/root', value: { keys } }] as const;
  await expect(realm.store.commit({ ops, message: 'a lie', via: 'test' })).rejects.toMatchObject({
    code: 'invalid',
  });
});
