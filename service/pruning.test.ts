import { expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import type { Runtime } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { openStore, type Store } from '#storage';
import { encodeBase64 } from './base64.ts';
import { sayObstacle } from './faces/kept-words.ts';
import { joinHome, twoHomes } from './homes.fixture.ts';
import { keepOf, startPruning } from './pruning.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const KEEP = { days: 30, commits: 5, megabytes: 1 };

type Needs = Parameters<typeof startPruning>[0];

type World = {
  isRemoved: boolean;
  isBehind: boolean;
  isSet: boolean;
  isCurrent: boolean;
  progress: { readonly done: number; readonly of: number } | undefined;
  pending: object | undefined;
  keep: ReturnType<typeof keepOf>;
};

/** A router whose history is 1.2 MB, nearly all of it old. */
async function home() {
  const runtime = fakeRuntime();
  const { crypto, clock } = runtime;
  const signing = await crypto.generateSigningKey('ed25519');
  const signer = crypto.signer('ed25519', signing.privateKey);
  const writer = { deviceId: 'self', name: 'Router', signer };
  const world: World = {
    ...{ isRemoved: false, isBehind: false, isSet: true, isCurrent: true, keep: KEEP },
    ...{ progress: undefined, pending: undefined },
  };
  const isBehind = (): boolean => world.isBehind;
  const store = await openStore(runtime, { directory: '/data/store', writer, isBehind });
  const write = async (value: string) => {
    const ops = [{ op: 'set', path: 'notes/n', value: { value } }] as const;
    await store.commit({ ops, message: 'Note', via: 'test' });
  };
  for (let count = 0; count < 60; count++) await write(`${count}${'x'.repeat(20_000)}`);
  await clock.advance(40 * DAY);
  for (let count = 0; count < 5; count++) await write(`${count}`);
  const needs: Needs = {
    ...{ ...runtime, store, acknowledged: () => ({}) },
    clock: { ...clock, isSet: () => world.isSet },
    current: {
      projection: () => ({ settings: { history: world.keep } }),
      isRemoved: () => world.isRemoved,
    },
    sync: {
      standings: () => [
        { ...{ name: 'desk', ago: 1, problem: undefined, refused: 0 }, progress: world.progress },
      ],
    },
    engine: { state: () => ({ pending: world.pending }) as never },
    backups: { isCurrent: async () => world.isCurrent, whileIdle: (action) => action() },
  };
  return {
    ...{ runtime, store, write, world, needs },
    count: async () => (await store.retention()).commits,
  };
}

test('old history goes by itself once there is much, nobody changes anything, and then no more', async () => {
  const { runtime, store, write, needs, count } = await home();
  const { clock } = runtime;
  const state = store.state();
  using pruning = startPruning(needs);
  await clock.advance(20 * MINUTE);
  expect([await count(), pruning.isBig()]).toEqual([66, true]);
  await clock.advance(30 * MINUTE);
  expect([await count(), pruning.isBig(), pruning.obstacle()]).toEqual([7, false, undefined]);
  expect(store.state().get('notes')).toEqual(state.get('notes'));
  await write('more');
  const { steps } = runtime.files;
  await clock.advance(10 * DAY);
  expect([await count(), runtime.files.steps]).toEqual([8, steps]);
});

test.each<{ readonly why: string; readonly but: Partial<World>; readonly kind?: string }>([
  { why: 'this device was removed', but: { isRemoved: true }, kind: 'removed' },
  { why: 'the date is not known', but: { isSet: false }, kind: 'busy' },
  { why: 'it came from a backup and met nobody since', but: { isBehind: true }, kind: 'busy' },
  { why: 'a device catches up', but: { progress: { done: 1, of: 2 } }, kind: 'busy' },
  { why: 'a change is on trial', but: { pending: {} }, kind: 'busy' },
  { why: 'the last backup failed', but: { isCurrent: false }, kind: 'no-backup' },
  { why: 'all of it is to be kept', but: { keep: { days: 30, commits: 5 } } },
  { why: 'it is not much yet', but: { keep: { ...KEEP, megabytes: 2 } } },
  { why: 'it is young', but: { keep: { ...KEEP, days: 60 } }, kind: 'young' },
])('nothing goes while $why, and afterwards it does', async ({ but, kind }) => {
  const { runtime, world, needs, count } = await home();
  const before = { ...world };
  Object.assign(world, but);
  using pruning = startPruning(needs);
  await runtime.clock.advance(2 * DAY);
  expect([await count(), pruning.obstacle()?.kind]).toEqual([66, kind]);
  Object.assign(world, before);
  await runtime.clock.advance(2 * DAY);
  expect(await count()).toBe(7);
});

test('nothing goes in the minutes after a change, nor after it was stopped', async () => {
  const { runtime, write, needs, count } = await home();
  const { clock } = runtime;
  const pruning = startPruning(needs);
  for (let minutes = 0; minutes < 120; minutes += 10) {
    await write(`at ${minutes}`);
    await clock.advance(10 * MINUTE);
  }
  expect([await count(), pruning.obstacle()]).toEqual([78, { kind: 'busy' }]);
  pruning[Symbol.dispose]();
  await clock.advance(2 * DAY);
  expect(await count()).toBe(78);
});

/** A second owner, and its keys. */
async function letIn(crypto: Runtime['crypto'], store: Store) {
  const keys = await generateDeviceKeys(crypto);
  const signingKey = encodeBase64(keys.signing.publicKey);
  const value = { role: 'owner', rank: 2, signingKey, name: 'Laptop' };
  const admit = { op: 'set', path: `devices/${keys.id}`, value } as const;
  await store.commit({ ops: [admit], message: 'Let it in', via: 'test' });
  return keys;
}

test('nothing goes that somebody decides with, nor before the others have heard of it', async () => {
  const { runtime, store, write, needs, count } = await home();
  const { crypto, clock } = runtime;
  const keys = await letIn(crypto, store);
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const writer = { deviceId: keys.id, name: 'Laptop', signer };
  const other = await openStore(fakeRuntime(), { directory: '/s', realm: store.realm, writer });
  for (let page = 0; page < 20; page++) {
    await other.importCommits(await store.exportMissing(other.vector()));
  }
  await write('mine');
  const ops = [{ op: 'set', path: 'notes/n', value: { value: 'theirs' } }] as const;
  await other.commit({ ops, message: 'Note', via: 'test' });
  await store.importCommits(await other.exportMissing(store.vector()));
  using pruning = startPruning(needs);
  await clock.advance(2 * DAY);
  expect([await count(), pruning.obstacle()]).toEqual([69, { kind: 'undecided' }]);
  await store.resolve('notes/n/value', 'ours', 'test');
  await clock.advance(2 * DAY);
  expect(pruning.obstacle()).toEqual({ kind: 'waiting', names: ['Laptop'] });
  expect(await count()).toBeGreaterThanOrEqual(70);
});

test('where two owners have to declare it, that is said, and no disk blamed', async () => {
  const { runtime, store, needs, count } = await home();
  const { crypto, clock } = runtime;
  const keys = await letIn(crypto, store);
  const rule = { op: 'set', path: 'realm/settings/twoOwners', value: ['realm'] } as const;
  await store.commit({ ops: [rule], message: 'Two owners', via: 'test' });
  const acknowledged = () => ({ [keys.id]: { self: store.seq } });
  using pruning = startPruning({ ...needs, acknowledged });
  await clock.advance(60 * MINUTE);
  expect([await count(), pruning.obstacle()]).toEqual([68, { kind: 'two-owners' }]);
  expect(sayObstacle(pruning)).toEqual([expect.stringContaining('needs two owners here')]);
});

test('a disk that refuses is not tried again before a week', async () => {
  const { runtime, needs, count } = await home();
  const { clock, files } = runtime;
  files.failAt(files.steps + 1, 'no-space');
  using pruning = startPruning(needs);
  await clock.advance(4 * DAY);
  expect([await count(), pruning.obstacle()]).toEqual([66, { kind: 'disk' }]);
  await clock.advance(7 * DAY);
  expect(await count()).toBe(7);
});

test('what one owner has forgotten is dropped by the others themselves, whatever they keep', async () => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  expect((await a.run('history keep all')).stdout).toContain('Nothing is dropped by itself.');
  await clock.advance(5 * MINUTE);
  expect((await b.run('status')).stdout).toContain('Nothing is dropped by itself.');
  expect((await a.run('history forget --yes')).stdout).toContain('desktop must hear of it first');
  await clock.advance(4 * 60 * MINUTE);
  const kept = [await a.json('history'), await b.json('history')];
  expect(kept).toMatchObject([{ isPruned: true }, { isPruned: true }]);
  expect((await b.run('device add phone')).exitCode).toBe(0);
  await clock.advance(5 * MINUTE);
  expect((await a.run('device list')).stdout).toContain('phone');
});

test.each([
  {
    line: 'history keep 365 --above 16',
    kept: { days: 365, least: 400, megabytes: 16 },
    why: 'all said',
  },
  {
    line: 'history keep 90 --commits 50',
    kept: { days: 90, least: 50, megabytes: 8 },
    why: 'a size is the default',
  },
  { line: 'history keep soon', kept: undefined, why: 'no number' },
  { line: 'history keep 3', kept: undefined, why: 'less than devices are away for' },
])('$line ($why)', async ({ line, kept }) => {
  const { a } = twoHomes();
  await using _ = await a.start();
  expect((await a.run(line)).exitCode === 0).toBe(kept !== undefined);
  expect(await a.json('history')).toMatchObject(kept ?? { days: 180, least: 400, megabytes: 8 });
});

test('without a word 180 days stay, and more until it takes 8 MB', () => {
  expect(keepOf({})).toEqual({ days: 180, commits: 400, megabytes: 8 });
});
