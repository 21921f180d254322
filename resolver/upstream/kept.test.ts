import { beforeEach, expect, test } from 'vitest';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import { createKept, FIRST_PAUSE, KEPT_MILLISECONDS, type Kept, MAX_PAUSE } from './kept.ts';

type Fake = AsyncDisposable & { isOpen: boolean };

let runtime: FakeRuntime;
let opened: Fake[];
let isThere: boolean;
let attempts: number;
let kept: Kept<Fake>;

beforeEach(() => {
  runtime = fakeRuntime();
  opened = [];
  isThere = true;
  attempts = 0;
  kept = createKept(runtime.clock, async () => {
    attempts++;
    await runtime.clock.sleep(10);
    if (!isThere) throw new Error('nobody there');
    const connection: Fake = {
      isOpen: true,
      async [Symbol.asyncDispose]() {
        this.isOpen = false;
      },
    };
    opened.push(connection);
    return connection;
  });
});

/** Asks for the connection and lets time pass. */
async function get(milliseconds = 20): Promise<Fake | string> {
  const got = kept.get().catch((thrown: Error) => thrown.message);
  await runtime.clock.advance(milliseconds);
  return got;
}

test('one connection is opened for all who want it at once, and kept', async () => {
  const got = await Promise.all([get(), get(), get()]);
  expect(new Set(got).size).toBe(1);
  expect(await get()).toBe(got[0]);
  expect(attempts).toBe(1);
});

test('it ends when nobody uses it, and is opened again when somebody does', async () => {
  await get();
  await runtime.clock.advance(KEPT_MILLISECONDS - 100);
  kept.touch();
  await runtime.clock.advance(KEPT_MILLISECONDS - 100);
  expect(kept.isOpen).toBe(true);
  await runtime.clock.advance(200);
  expect([kept.isOpen, opened[0]?.isOpen]).toEqual([false, false]);
  expect(await get()).toBe(opened[1]);
});

test.each([
  { end: (one: Fake) => kept.drop(one), why: 'it was given up' },
  {
    end: (one: Fake) => {
      one.isOpen = false;
    },
    why: 'the other side closed it',
  },
])('a new one is opened at once when $why', async ({ end }) => {
  end((await get()) as Fake);
  expect(await get()).toBe(opened[1]);
});

test('while nobody is there, attempts get fewer, but never rare', async () => {
  isThere = false;
  for (let elapsed = 0; elapsed < 60_000; elapsed += 20) {
    expect(await get(20)).toBe('nobody there');
  }
  expect(attempts).toBeGreaterThan(60_000 / (MAX_PAUSE + 50));
  expect(attempts).toBeLessThan(12);
  isThere = true;
  await runtime.clock.advance(MAX_PAUSE);
  expect(await get()).toBe(opened[0]);
  // The pause is short again after that.
  kept.drop(opened[0] as Fake);
  isThere = false;
  await get();
  isThere = true;
  await runtime.clock.advance(FIRST_PAUSE);
  expect(await get()).toBe(opened[1]);
});

test('what is opened while it is closed does not stay open', async () => {
  const got = kept.get().catch((thrown: Error) => thrown.message);
  await kept[Symbol.asyncDispose]();
  await runtime.clock.advance(20);
  expect(await got).toBe('closed meanwhile');
  expect(opened[0]?.isOpen).toBe(false);
});
