import { afterEach, expect, test, vi } from 'vitest';
import { manualClock, seededRandom } from '#runtime/fake';
import { clockSuite } from './clock.ts';
import { REAL, realRuntime } from './real.ts';

clockSuite(REAL, () => {
  const { clock } = realRuntime();
  return { clock, pass: (milliseconds) => clock.sleep(milliseconds) };
});

clockSuite('fake', () => {
  const clock = manualClock();
  return { clock, pass: clock.advance };
});

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  { date: '1970-01-01T00:05:00Z', isSet: false, why: 'a router that has just booted' },
  { date: '2025-10-17T00:00:00Z', isSet: false, why: 'the date of its firmware' },
  { date: '2026-11-20T12:00:00Z', isSet: true, why: 'NTP has answered' },
])('the wall clock at $date is set: $isSet ($why)', ({ date, isSet }) => {
  vi.useFakeTimers({ now: new Date(date) });
  expect(realRuntime().clock.isSet()).toBe(isSet);
});

test('a manual clock stands still, and fires what follows from a timer at its own time', async () => {
  const clock = manualClock();
  const fired: number[] = [];
  const follow = async () => {
    await clock.sleep(100);
    fired.push(clock.monotonic());
    await clock.sleep(100);
    fired.push(clock.monotonic());
  };
  const following = follow();
  await clock.advance(1_000);
  await following;
  expect(fired).toEqual([100, 200]);
  expect(clock.monotonic()).toBe(1_000);
});

test('a manual clock without a date gets one', async () => {
  const clock = manualClock({ isSet: false, now: 0 });
  await clock.advance(5_000);
  expect(clock.isSet()).toBe(false);
  expect(clock.now()).toBe(5);
  clock.set(1_800_000_000);
  await clock.advance(1_000);
  expect(clock.isSet()).toBe(true);
  expect(clock.now()).toBe(1_800_000_001);
  expect(clock.monotonic()).toBe(6_000);
});

test('seeded randomness repeats with its seed, whatever the sizes asked for', () => {
  const whole = seededRandom(7)(100);
  const random = seededRandom(7);
  const parts = [1, 0, 64, 35].flatMap((length) => [...random(length)]);
  expect(parts).toEqual([...whole]);
  expect(seededRandom(8)(100)).not.toEqual(whole);
});

test('real randomness does not repeat', () => {
  const { random } = realRuntime();
  expect(random(0)).toHaveLength(0);
  expect(random(32)).toHaveLength(32);
  expect(random(32)).not.toEqual(random(32));
});
