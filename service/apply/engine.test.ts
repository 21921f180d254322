/** How a change goes, and how it ends. */

import { expect, test } from 'vitest';
import { RuntimeError } from '#runtime';
import { COMMIT, LAN, open, SELF, ZONE } from './engine.fixture.ts';
import { printJournal } from './journal.ts';
import { GREEN_MS, type Pending } from './plan.ts';
import { partOf } from './render.ts';
import { Router } from './router.fixture.ts';

test('what the guard said before it was armed is no word on the change', async () => {
  const home = await open(new Router());
  const arming = Promise.withResolvers<void>();
  const asking = Promise.withResolvers<void>();
  home.router.slow = { arm: arming.promise, status: asking.promise };
  await home.set(ZONE, 'CET');
  await home.pass(6_000);
  arming.resolve();
  await home.pass(1_000);
  asking.resolve();
  await home.pass(2 * GREEN_MS);
  expect(home.status()).toMatchObject({ outcome: 'confirmed' });
});

test('a plain change is confirmed by health, and the store says so', async () => {
  const home = await open(new Router());
  await home.set(ZONE, 'CET');
  expect(home.status()).toMatchObject({ pending: { kind: 'plain' } });
  await home.pass(2 * GREEN_MS);
  expect(home.status()).toMatchObject({ outcome: 'confirmed', reason: 'everything works' });
  expect(home.status()).not.toHaveProperty('pending');
  const { seq } = home.store;
  await home.pass(200_000);
  expect(home.store.seq).toBe(seq);
});

test('what could not be said at the time is said after the next change', async () => {
  let isBehind = false;
  const home = await open(new Router(), { isBehind: () => isBehind });
  await home.set(ZONE, 'CET');
  isBehind = true;
  await home.pass(2 * GREEN_MS);
  expect(home.status()).toHaveProperty('pending');
  isBehind = false;
  const ops = [{ op: 'set', path: 'names/x', value: {} }] as const;
  await home.store.commit({ ...COMMIT, ops });
  await home.pass(1_000);
  expect(home.status()).toMatchObject({ outcome: 'confirmed', reason: 'everything works' });
});

test('what the head lets go of is as it was before', async () => {
  const home = await open(new Router());
  await home.set(ZONE, 'CET');
  await home.pass(2 * GREEN_MS);
  await home.store.commit({ ...COMMIT, ops: [{ op: 'del', path: `options/${ZONE}` }] });
  await home.pass(2 * GREEN_MS);
  expect(home.router.values.get(ZONE)).toBe('UTC');
  expect(home.engine.state().originals).toEqual({});
});

test.each([
  { mayConfirm: true, outcome: 'confirmed', why: 'who may' },
  { mayConfirm: false, outcome: undefined, why: 'who may not' },
])('a commit confirms a risky change: $why', async ({ mayConfirm, outcome }) => {
  const home = await open(new Router(), { mayConfirm });
  await home.set(LAN, '2');
  await home.pass(3 * GREEN_MS);
  const id = home.engine.state().pending?.id ?? '';
  const value = { device: SELF, at: 0 };
  await home.store.commit({ ...COMMIT, ops: [{ op: 'set', path: `confirmations/${id}`, value }] });
  await home.pass(GREEN_MS);
  expect(home.engine.state().settled?.outcome).toBe(outcome);
});

test('a power cut in the window is a rollback, and nothing is tried again by itself', async () => {
  const router = new Router();
  const first = await open(router);
  await first.set(LAN, '2');
  expect(router.values.get(LAN)).toBe('2');
  router.end('rolled-back', 'power-cut');
  const home = await open(router, {
    runtime: router.boot({ files: first.runtime.files.restart() }),
  });
  await home.pass(120_000);
  expect(router.values.get(LAN)).toBe('1');
  expect(home.status()).toMatchObject({
    outcome: 'rolled-back',
    reason: 'the power went before it was confirmed',
  });
  await home.engine.again();
  await home.pass(1_000);
  expect(router.values.get(LAN)).toBe('2');
});

test('only we were restarted: the change goes on', async () => {
  const router = new Router();
  const first = await open(router);
  await first.set(ZONE, 'CET');
  const home = await open(router, {
    runtime: router.boot({ files: first.runtime.files.restart() }),
  });
  await home.pass(2 * GREEN_MS);
  expect(home.status()).toMatchObject({ outcome: 'confirmed' });
});

test('a change is called by the commit that asked for it, also when it had to wait', async () => {
  const home = await open(new Router());
  await home.set(LAN, '2');
  await home.set(LAN, '3');
  home.engine.undo('phone');
  await home.pass(3_000);
  const [asked] = await home.store.log({ path: `options/${LAN}`, limit: 1 });
  expect(home.engine.state().pending?.commit).toBe(asked?.id);
  expect(home.store.head).not.toBe(asked?.id);
});

test('a change on trial can have more time', async () => {
  const home = await open(new Router());
  expect(await home.engine.extend(600)).toBe(false);
  await home.set(LAN, '2');
  await home.pass(3_000);
  expect(home.engine.secondsLeft()).toBe(9);
  expect(await home.engine.extend(600)).toBe(true);
  expect(home.engine.secondsLeft()).toBe(600);
  // The next one has its own.
  const first = home.engine.state().pending?.id;
  await home.set(LAN, '3');
  await home.engine.extend(600);
  home.engine.undo('phone');
  const next = () => home.engine.state().pending?.id ?? first;
  for (let turn = 0; turn < 1_000 && next() === first; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(next()).not.toBe(first);
  expect(home.engine.secondsLeft()).toBeUndefined();
});

test('a change that was cut off before it was written is written, however late the guard answers', async () => {
  const router = new Router();
  const home = await open(router);
  await home.set(ZONE, 'CET');
  await home.engine.stop();
  const cut = home.engine.state().pending;
  router.values.set(ZONE, 'UTC');
  const runtime = router.boot({ files: home.runtime.files });
  const journal = new TextEncoder().encode(
    printJournal({
      originals: {},
      isForced: false,
      pending: { ...cut, phase: 'arming' } as Pending,
    }),
  );
  await runtime.files.replace('/data/apply.json', journal);
  router.isMute = true;
  const again = await open(router, { runtime });
  await again.pass(2 * GREEN_MS);
  expect(again.engine.state().settled).toBeUndefined();
  router.isMute = false;
  await again.pass(3 * GREEN_MS);
  expect(router.values.get(ZONE)).toBe('CET');
  expect(again.engine.state().settled?.outcome).toBe('confirmed');
  expect(again.engine.state().originals).toEqual({ [ZONE]: 'UTC' });
});

test.each([
  {
    meanwhile: (router: Router) => router.end('rolled-back', 'deadline'),
    why: 'the guard took it back',
  },
  {
    meanwhile: (router: Router) => {
      router.secondsLeft = 3;
    },
    why: 'the guard is about to take it back',
  },
])('what takes too long to write is not written unguarded: $why', async ({ meanwhile }) => {
  const home = await open(new Router());
  const staging = Promise.withResolvers<void>();
  home.router.slow = { stage: staging.promise };
  await home.set(ZONE, 'CET');
  await home.pass(6_000);
  meanwhile(home.router);
  await home.pass(6_000);
  staging.resolve();
  await home.pass(6_000);
  expect(home.router.values.get(ZONE)).toBe('UTC');
  expect(home.router.kept).toBeUndefined();
  expect(home.status()).toMatchObject({
    outcome: 'rolled-back',
    reason: 'writing it took so long that nobody could have confirmed it',
  });
});

test('what was taken back does not come back with the next change, after a restart neither', async () => {
  const router = new Router();
  const first = await open(router);
  await first.set(LAN, '2');
  await first.set(ZONE, 'CET');
  router.end('rolled-back', 'power-cut');
  const home = await open(router, {
    runtime: router.boot({ files: first.runtime.files.restart() }),
  });
  await home.pass(120_000);
  expect([router.values.get(LAN), router.values.get(ZONE)]).toEqual(['1', 'UTC']);
  await home.store.commit({ ...COMMIT, ops: [{ op: 'del', path: `options/${LAN}` }] });
  await home.pass(2 * GREEN_MS);
  expect([router.values.get(LAN), router.values.get(ZONE)]).toEqual(['1', 'CET']);
  expect(home.status()).toMatchObject({ outcome: 'confirmed' });
});

test.each([
  { slow: 'arm', why: 'before it is written' },
  { slow: 'stage', why: 'while it is being written' },
] as const)('a person takes a change back $why: nothing of it stays', async ({ slow }) => {
  const home = await open(new Router());
  const busy = Promise.withResolvers<void>();
  home.router.slow = { [slow]: busy.promise };
  await home.set(ZONE, 'CET');
  home.engine.undo('phone');
  await home.pass(3_000);
  busy.resolve();
  await home.pass(3_000);
  expect(home.router.values.get(ZONE)).toBe('UTC');
  expect(home.status()).toMatchObject({ outcome: 'rolled-back', reason: 'phone asked for it' });
});

test.each([
  { good: 0, outcome: 'failed', why: 'it is not begun' },
  { good: 1, outcome: 'rolled-back', why: 'it is not written' },
])('what cannot be remembered is not done: $why', async ({ good, outcome }) => {
  const router = new Router();
  const { files } = router.runtime;
  let journals = 0;
  const replace: typeof files.replace = async (path, ...rest) => {
    const isFull = path === '/data/apply.json' && ++journals > good;
    if (isFull) throw new RuntimeError('no-space', 'the disk is full');
    return files.replace(path, ...rest);
  };
  const full = Object.assign(Object.create(files), { replace });
  const home = await open(router, { runtime: { ...router.runtime, files: full } });
  await home.set(ZONE, 'CET');
  await home.pass(3_000);
  expect(router.values.get(ZONE)).toBe('UTC');
  expect(router.kept).toBeUndefined();
  expect(home.status()).toMatchObject({ outcome });
});

test("somebody else's change is waited for", async () => {
  const router = new Router();
  router.isBusy = true;
  const home = await open(router);
  await home.set(ZONE, 'CET');
  await home.pass(130_000);
  expect(router.values.get(ZONE)).toBe('UTC');
  expect(home.status()).toBeUndefined();
  router.isBusy = false;
  await home.pass(70_000);
  expect(router.values.get(ZONE)).toBe('CET');
});

test('a check that fails since takes the change back at the deadline; one that failed before does not', async () => {
  const router = new Router();
  router.failing = ['tunnels'];
  const home = await open(router);
  await home.set(ZONE, 'CET');
  router.failing = ['tunnels', 'default route'];
  await home.pass(2 * GREEN_MS);
  expect(home.engine.state().pending?.failing).toEqual(['default route']);
  router.end('rolled-back', 'deadline');
  await home.pass(3_000);
  expect(home.status()).toMatchObject({
    outcome: 'rolled-back',
    reason: 'at the deadline this did not work: default route',
  });
});

test('another device tries it first', async () => {
  const home = await open(new Router());
  const first = { device: 'first', option: ZONE, value: 'CET' };
  await home.store.commit({ ...COMMIT, ops: [{ op: 'set', path: 'options/first', value: first }] });
  await home.set(ZONE, 'CET', { firstOn: 'first' });
  await home.pass(10_000);
  expect(home.router.values.get(ZONE)).toBe('UTC');
  expect(home.engine.state().wanted?.waitsFor).toBe('first');
  const part = partOf(home.runtime.crypto, home.store.state(), 'first');
  const value = { part, outcome: 'confirmed', at: 0 };
  await home.store.commit({ ...COMMIT, ops: [{ op: 'set', path: 'status/first', value }] });
  await home.pass(2_000);
  expect(home.router.values.get(ZONE)).toBe('CET');
});

test('a state that breaks the rules is not applied', async () => {
  let problem: string | undefined = 'two devices are called nas';
  const home = await open(new Router(), { problem: () => problem });
  await home.set(ZONE, 'CET');
  await home.pass(5_000);
  expect(home.engine.problem()).toBe('two devices are called nas');
  expect(home.router.values.get(ZONE)).toBe('UTC');
  problem = undefined;
  await home.pass(70_000);
  expect(home.router.values.get(ZONE)).toBe('CET');
});
