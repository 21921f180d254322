import { expect, test } from 'vitest';
import type { Resolver } from '#resolver';
import { type Files, RuntimeError } from '#runtime';
import { fakeRuntime, manualClock } from '#runtime/fake';
import { cachePath, keepCache, MIN_SAVE_SECONDS, SAVE_MS } from './cache-file.ts';

const NOON = 1_800_000_000;
const PATH = cachePath('/data');

/** A resolver whose cache is one number, and the disk it is kept on. */
function stand(
  more: { readonly files?: Files; readonly isSet?: boolean; readonly now?: number } = {},
) {
  const clock = manualClock({ now: more.now ?? NOON, isSet: more.isSet ?? true });
  const events: string[] = [];
  const runtime = fakeRuntime({ clock });
  const files = more.files ?? runtime.files;
  let writes = 0;
  const counted: Files = {
    ...files,
    replace(path, data, mode) {
      writes++;
      expect([path, mode]).toEqual([PATH, 0o600]);
      return files.replace(path, data, mode);
    },
  };
  let restored: Uint8Array | undefined;
  const resolver: Pick<Resolver, 'saveCache' | 'restoreCache'> = {
    saveCache: () => (clock.isSet() ? Uint8Array.of(7) : undefined),
    restoreCache(bytes) {
      restored = bytes;
      return { ok: true, facts: 1, written: NOON };
    },
  };
  const log = (_: string, event: string) => void events.push(event);
  return {
    clock,
    files,
    events,
    writes: () => writes,
    restored: () => restored,
    keep: () => keepCache({ files: counted, clock, log }, '/data', resolver),
  };
}

test('is written when we stop and read when we start', async () => {
  const first = stand();
  const running = await first.keep();
  await running[Symbol.asyncDispose]();
  expect(first.restored()).toBeUndefined();
  const second = stand({ files: first.files, now: NOON + 10 });
  await using _kept = await second.keep();
  expect(second.restored()).toEqual(Uint8Array.of(7));
});

test.each([
  { after: MIN_SAVE_SECONDS - 1, writes: 0, why: 'written within the hour, by the run before' },
  { after: MIN_SAVE_SECONDS, writes: 1, why: 'longer ago' },
])('a stop $after s later: $why', async ({ after, writes }) => {
  const { files } = stand();
  await files.replace(PATH, Uint8Array.of(7));
  const next = stand({ files, now: NOON + after });
  const kept = await next.keep();
  await kept[Symbol.asyncDispose]();
  expect(next.writes()).toBe(writes);
});

test('and every few hours while running', async () => {
  const { clock, keep, writes } = stand();
  await using _ = await keep();
  expect(writes()).toBe(0);
  for (let day = 0; day < 4; day++) await clock.advance(SAVE_MS);
  expect(writes()).toBe(4);
});

test('also when the date turned out to be wrong: what was written then is from the future', async () => {
  const { clock, keep, writes } = stand();
  await using _ = await keep();
  await clock.advance(SAVE_MS);
  clock.set(NOON - 300 * 86_400);
  await clock.advance(SAVE_MS);
  expect(writes()).toBe(2);
});

test('not while there is no date', async () => {
  const { keep, writes } = stand({ isSet: false });
  const kept = await keep();
  await kept[Symbol.asyncDispose]();
  expect(writes()).toBe(0);
});

test('a disk that fails is no reason to stop', async () => {
  const { files } = stand();
  const failing: Files = {
    ...files,
    read: () => Promise.reject(new RuntimeError('io', 'no')),
    replace: () => Promise.reject(new RuntimeError('no-space', 'full')),
  };
  const { keep, events } = stand({ files: failing });
  const kept = await keep();
  await kept[Symbol.asyncDispose]();
  expect(events).toEqual(['cache-not-read', 'cache-not-saved']);
});
