/** Whoever has a removed device may give anything: what of it is kept. */

import { expect, test } from 'vitest';
import { type DeviceKeys, generateDeviceKeys } from '#identity';
import { fakeRuntime } from '#runtime/fake';
import { openStore, realmKey, type Store, sealPage } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { createAllowance } from './allowance.ts';
import { createOwnLate, takeLate } from './late.ts';

const { crypto, clock } = fakeRuntime();
const KEY = realmKey(crypto, new Uint8Array(32).fill(1));
const [founder, thief, friend] = [
  await generateDeviceKeys(crypto),
  await generateDeviceKeys(crypto),
  await generateDeviceKeys(crypto),
];

async function open({ id: deviceId, signing }: DeviceKeys, realm?: string): Promise<Store> {
  const signer = crypto.signer('ed25519', signing.privateKey);
  const writer = { deviceId, name: 'Device', signer };
  const options = { directory: '/data/store', writer, ...(realm ? { realm } : {}) };
  return openStore(fakeRuntime(), options);
}

/** A home whose owners wrote one name each, and what the others hold of it. */
async function household() {
  const home = await open(founder);
  for (const [index, { id, signing }] of [friend, thief].entries()) {
    const signingKey = encodeBase64(signing.publicKey);
    const value = { role: 'owner', rank: index + 2, signingKey };
    await commit(home, { op: 'set', path: `devices/${id}`, value });
  }
  const [away, near] = [await follow(home, thief), await follow(home, friend)];
  const twin = await follow(home, thief);
  await write(away, 'honest');
  await home.importCommits(await away.exportMissing(home.vector()));
  return { home, away, near, twin };
}

async function follow(home: Store, keys: DeviceKeys): Promise<Store> {
  const store = await open(keys, home.realm);
  await store.importCommits(await home.exportMissing({}));
  return store;
}

function commit(store: Store, op: Parameters<Store['commit']>[0]['ops'][number]) {
  return store.commit({ ops: [op], message: 'Change', via: 'test' });
}

const write = (store: Store, name: string, text = '') =>
  commit(store, { op: 'set', path: `names/${name}`, value: { text } });

const remove = (home: Store, lastSeq = 1) =>
  commit(home, { op: 'revoke', path: `devices/${thief.id}`, lastSeq });

function take(to: Store, page: Uint8Array, allowance = createAllowance(clock, 0)) {
  return takeLate({ crypto, store: () => to, keys: () => [KEY], allowance }, thief.id, page);
}

async function give(from: Store, to: Store): Promise<number> {
  const page = sealPage(crypto, KEY, to.realm, await from.exportMissing(to.vector()));
  return (await take(to, page)).stored;
}

/** What a removed device offers by itself. */
const owedBy = (store: Store) =>
  createOwnLate(
    () => store,
    thief.id,
    async (frames) => sealPage(crypto, KEY, store.realm, frames),
  );

const namesIn = (store: Store) => [...(store.state().get('names')?.keys() ?? [])];

test('what came late is kept, once, and counts for nothing', async () => {
  const { home, away } = await household();
  await write(away, 'late');
  await remove(home);
  expect([await give(away, home), await give(away, home)]).toEqual([1, 0]);
  expect([namesIn(home), (await home.late()).map(({ count }) => count)]).toEqual([['honest'], [1]]);
});

test('two removed it: what comes behind the earlier end is late', async () => {
  const { home, away, near } = await household();
  await write(away, 'late');
  await remove(near, 2);
  await remove(home);
  await home.importCommits(await near.exportMissing(home.vector()));
  expect(await give(away, home)).toBe(1);
  expect([namesIn(home), (await home.late()).map(({ count }) => count)]).toEqual([['honest'], [1]]);
});

test('nothing of a device that was not removed, which has another way', async () => {
  const { home, away } = await household();
  await write(away, 'late');
  expect(await give(away, home)).toBe(0);
});

test('nothing that others wrote', async () => {
  const { home, near } = await household();
  await write(near, 'other');
  await remove(home);
  expect(await give(near, home)).toBe(0);
});

test('nothing under a number that counts: it would be a fork, and void what is honest', async () => {
  const { home, twin } = await household();
  await write(twin, 'forged');
  await remove(home);
  expect(await give(twin, home)).toBe(0);
  expect([namesIn(home), await home.late()]).toEqual([['honest'], []]);
});

test('no more than a household looks through, also after it decided', async () => {
  const { home, away } = await household();
  await remove(home);
  for (let count = 0; count < 70; count++) await write(away, `late${count}`);
  expect(await give(away, home)).toBe(64);
  expect(await give(away, home)).toBe(0);
  await home.decideLate(thief.id, { via: 'test', adopts: false });
  expect([await give(away, home), await home.late()]).toEqual([0, []]);
});

test('nothing that is large, nor waited for what builds on that', async () => {
  const { home, away } = await household();
  await remove(home);
  await write(away, 'small');
  await write(away, 'late', 'x'.repeat(20_000));
  await write(away, 'later');
  await tell(home, away);
  const page = (await owedBy(away).page()) as Uint8Array;
  expect(await take(home, page)).toEqual({ stored: 1, left: 0 });
});

/** Who was removed has heard of it. */
async function tell(home: Store, away: Store): Promise<void> {
  await away.importCommits(await home.exportMissing(away.vector()));
}

test('it is owed until it was taken, and what is late by another end too', async () => {
  const { home, away, near } = await household();
  await write(away, 'late');
  const late = owedBy(away);
  expect(late.isOwed()).toBe(false);
  await remove(near, 2);
  await tell(near, away);
  expect([late.isOwed(), await late.page()]).toEqual([false, undefined]);
  await write(away, 'later').catch(() => undefined);
  await remove(home);
  await tell(home, away);
  expect(late.isOwed()).toBe(true);
  expect(await take(home, (await late.page()) as Uint8Array)).toEqual({ stored: 1, left: 0 });
  late.taken();
  expect(late.isOwed()).toBe(false);
  // Who has it already took it.
  expect(await take(home, (await late.page()) as Uint8Array)).toEqual({ stored: 0, left: 0 });
});

test('what builds on what is not here yet comes again', async () => {
  const { home, away, near } = await household();
  await write(near, 'other');
  await tell(near, away);
  await write(away, 'late');
  await remove(home);
  await tell(home, away);
  const page = (await owedBy(away).page()) as Uint8Array;
  expect(await take(home, page)).toEqual({ stored: 0, left: 1 });
  await tell(near, home);
  expect(await take(home, page)).toEqual({ stored: 0, left: 0 });
  expect((await home.late()).map(({ count }) => count)).toEqual([1]);
});

test('so does what is too much for now', async () => {
  const { home, away } = await household();
  await write(away, 'late');
  await remove(home);
  await tell(home, away);
  const page = (await owedBy(away).page()) as Uint8Array;
  const spent = { admits: () => false, spend: () => undefined, limited: () => [thief.id] };
  expect(await take(home, page, spent)).toEqual({ stored: 0, left: 1 });
  expect(await take(home, page)).toEqual({ stored: 1, left: 0 });
});

test('nor does what is from before history begins now, and all that builds on it', async () => {
  const { home, away, near } = await household();
  await write(away, 'late');
  await write(away, 'later');
  const late = await away.exportMissing({ ...away.vector(), [thief.id]: [[1, '']] });
  await remove(home);
  for (let count = 0; count < 5; count++) await write(home, `name${count}`);
  const all = { days: 0, commits: 1 };
  for (let round = 0; round < 2; round++) {
    await tell(home, near);
    await write(near, `heard${round}`);
    await tell(near, home);
    await home.prune('test', all);
  }
  expect(home.base()).toBeDefined();
  const page = sealPage(crypto, KEY, home.realm, late);
  expect(await take(home, page)).toEqual({ stored: 0, left: 0 });
});

test('all that is taken goes in one piece', async () => {
  const { home, away } = await household();
  for (let count = 0; count < 20; count++) await write(away, `late${count}`, 'x'.repeat(15_000));
  await remove(home);
  await tell(home, away);
  const page = (await owedBy(away).page()) as Uint8Array;
  expect(await take(home, page)).toEqual({ stored: 20, left: 0 });
});
