import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import { createSealing } from '../peers/sealed.ts';
import type { RealmDevice } from '../project.ts';
import { giveNewKey, readRealmKeys, wasGiven } from './keys.ts';
import { tendKeys } from './tend-keys.ts';

async function household(isFirst: boolean) {
  const runtime = fakeRuntime();
  const { crypto, random, clock, log } = runtime;
  const signing = await crypto.generateSigningKey('ed25519');
  const signer = crypto.signer('ed25519', signing.privateKey);
  const store = await openStore(runtime, {
    directory: '/data/store',
    writer: { deviceId: 'self', name: 'Router', signer },
  });
  const own = crypto.generateAgreementKey();
  const sealing = createSealing(crypto, random, own);
  const self = { id: 'self', publicKey: own.publicKey, kind: 'node' } as RealmDevice;
  const gone = { id: 'gone', publicKey: crypto.generateAgreementKey().publicKey };
  const key = giveNewKey({ crypto, sealing }, random, store.state(), [self, gone]);
  await store.commit({ ops: [key], message: 'Begin', via: 'test' });
  const members: RealmDevice[] = [self, { ...self, ...gone }];
  const tending = tendKeys({
    ...{ clock, crypto, random, log, sealing },
    store: () => store,
    devices: () => members,
    isFirst: () => isFirst,
  });
  const counted = () => readRealmKeys({ crypto, sealing }, store.state(), 'self').length;
  const remove = async (): Promise<void> => {
    members.pop();
    const ops = [{ op: 'set', path: 'names/nas', value: {} }] as const;
    await store.commit({ ops, message: 'Something', via: 'test' });
  };
  return { store, clock, counted, remove, stop: tending.stop };
}

test.each([
  { isFirst: true, wait: 2_000, why: 'the most senior owner at once' },
  { isFirst: false, wait: 700_000, why: 'the others when it did not' },
])('a key that a removed device has is changed once: $why', async ({ isFirst, wait }) => {
  const { store, clock, counted, remove } = await household(isFirst);
  await clock.advance(wait);
  expect(counted()).toBe(1);
  await remove();
  await clock.advance(500);
  expect(counted()).toBe(1);
  for (let step = 0; step < 3; step++) await clock.advance(wait);
  expect(counted()).toBe(2);
  expect(wasGiven(store.state(), 'gone')).toHaveLength(1);
});

test('nothing is written after it was stopped', async () => {
  const { clock, counted, remove, stop } = await household(true);
  await remove();
  stop();
  await clock.advance(10_000);
  expect(counted()).toBe(1);
});
