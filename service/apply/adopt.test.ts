/** An option that somebody removed by hand, and that the head is to let go of: nothing is given back. */

import { expect, test } from 'vitest';
import { RuntimeError } from '#runtime';
import { type FakeFiles, fakeRuntime, PowerCut } from '#runtime/fake';
import { COMMIT, type Home, open, SELF, ZONE } from './engine.fixture.ts';
import { GREEN_MS } from './plan.ts';
import { Router } from './router.fixture.ts';

async function letGo({ store }: Home): Promise<void> {
  await store.commit({ ...COMMIT, ops: [{ op: 'del', path: `options/${ZONE}` }] });
}

/** Somebody removed by hand what was confirmed. */
async function removedByHand(files?: FakeFiles): Promise<Home> {
  const router = new Router();
  const home = await open(router, { runtime: router.boot(files && { files }) });
  await home.set(ZONE, 'CET');
  await home.pass(2 * GREEN_MS);
  home.router.values.delete(ZONE);
  return home;
}

/** What it holds when the head has let go. */
async function leftWhenLetGo(home: Home): Promise<string | undefined> {
  await letGo(home);
  await home.pass(2 * GREEN_MS);
  return home.router.values.get(ZONE);
}

test('it stays away', async () => {
  const home = await removedByHand();
  expect(await home.engine.adopt([ZONE], () => letGo(home))).toBe(true);
  await home.pass(2 * GREEN_MS);
  expect(home.router.values.has(ZONE)).toBe(false);
  expect(home.status()).toMatchObject({ outcome: 'confirmed', reason: 'it was so already' });
  expect(home.engine.state()).toMatchObject({ originals: {} });
  expect(home.engine.state()).not.toHaveProperty('adopting');
});

const PROPOSAL = `proposals/${SELF}.1`;

async function propose({ store }: Home): Promise<void> {
  const value = { ops: [{ op: 'del', path: `options/${ZONE}` }] };
  await store.commit({ ...COMMIT, ops: [{ op: 'set', path: PROPOSAL, value }] });
  throw new Error('another owner has to agree');
}

const refuse = () => Promise.reject(new Error('the head has moved'));

test.each<{
  commit: (home: Home) => Promise<void>;
  next?: (home: Home) => Promise<void>;
  left: string | undefined;
  why: string;
}>([
  { commit: refuse, left: 'UTC', why: 'it was refused' },
  { commit: propose, left: undefined, why: 'it waits for another owner, who agrees later' },
  {
    commit: propose,
    next: async ({ store }) => {
      await store.commit({ ...COMMIT, ops: [{ op: 'del', path: PROPOSAL }] });
    },
    left: 'UTC',
    why: 'another owner turned it down',
  },
  {
    commit: propose,
    next: async ({ engine, pass, router }) => {
      await engine.again();
      await pass(2 * GREEN_MS);
      expect(router.values.get(ZONE)).toBe('CET');
    },
    left: 'UTC',
    why: 'it waited, and somebody put back what the head says',
  },
])('what was there before us is known as long as the head has a word on it: $why', async (row) => {
  const { commit, next = async () => undefined, left } = row;
  const home = await removedByHand();
  await expect(home.engine.adopt([ZONE], () => commit(home))).rejects.toThrow();
  await home.pass(2 * GREEN_MS);
  expect(home.engine.state().originals).toEqual({ [ZONE]: 'UTC' });
  await next(home);
  await home.pass(2 * GREEN_MS);
  await home.engine.stop();
  // Also a later life knows.
  const runtime = home.router.boot({ files: home.runtime.files.restart() });
  const again = await open(home.router, { runtime });
  await again.pass(GREEN_MS);
  expect(await leftWhenLetGo(again)).toBe(left);
  expect(again.engine.state().originals).toEqual({});
});

test('what cannot be remembered is not begun', async () => {
  const { files } = fakeRuntime();
  let isFull = false;
  const replace: typeof files.replace = async (...args) => {
    if (isFull) throw new RuntimeError('no-space', 'the disk is full');
    return files.replace(...args);
  };
  const home = await removedByHand(Object.assign(Object.create(files), { replace }));
  isFull = true;
  expect(await home.engine.adopt([ZONE], () => letGo(home))).toBe(false);
  isFull = false;
  expect(home.store.state().get('options')?.has(ZONE)).toBe(true);
  expect(await leftWhenLetGo(home)).toBe('UTC');
});

/** A machine that is off does nothing more, and says so to nobody but the test. */
function halting<T extends object>(target: T, halted: () => void): T {
  return new Proxy(target, {
    get(of, name) {
      const value = Reflect.get(of, name);
      if (typeof value !== 'function') return value;
      return async (...args: readonly unknown[]) => {
        try {
          const result = await value.apply(of, args);
          return name === 'openAppend' ? halting(result, halted) : result;
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error;
          halted();
          return new Promise<never>(() => undefined);
        }
      };
    },
  });
}

test.each(['lost', 'kept', 'torn'] as const)(
  'the power goes at any step: either the head lets go and it stays away, or all is as it was (%s)',
  async (unsynced) => {
    const ends = new Set<boolean>();
    for (let step = 1, isCut = true; isCut; step++) {
      const { files } = fakeRuntime();
      const halted = Promise.withResolvers<true>();
      const first = await removedByHand(halting(files, () => halted.resolve(true)));
      files.crashAt(files.steps + step, unsynced);
      const adopting = first.engine.adopt([ZONE], () => letGo(first));
      const done = adopting.then(() => first.pass(GREEN_MS)).then(() => false);
      isCut = await Promise.race([halted.promise, done]);
      const { router } = first;
      const home = await open(router, { runtime: router.boot({ files: files.restart() }) });
      await home.pass(2 * GREEN_MS);
      const isGone = home.store.state().get('options')?.has(ZONE) !== true;
      ends.add(isGone);
      expect(router.values.has(ZONE), `step ${step}`).toBe(false);
      expect(home.engine.state().originals, `step ${step}`).toEqual(
        isGone ? {} : { [ZONE]: 'UTC' },
      );
      if (!isGone) expect(await leftWhenLetGo(home), `step ${step}`).toBe('UTC');
    }
    expect(ends).toEqual(new Set([false, true]));
  },
);
