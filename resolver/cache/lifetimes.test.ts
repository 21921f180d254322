import { expect, test } from 'vitest';
import type { Clock } from '#runtime';
import { wallLifetimes } from './lifetimes.ts';

test.each([
  { dates: [100, 160], forgets: 0, why: 'time goes on' },
  { dates: [100, 99.5], forgets: 0, why: 'clocks are disciplined' },
  { dates: [100, 40], forgets: 1, why: 'what is cached would outlive its TTL' },
  { dates: [100, 40, 41], forgets: 1, why: 'once for each step back' },
])('$dates: $why', ({ dates, forgets }) => {
  let [now = 0] = dates;
  let count = 0;
  const clock = { now: () => now } as Clock;
  const wall = wallLifetimes(clock, () => count++);
  for (const date of dates) {
    now = date;
    expect(wall.monotonic()).toBe(date * 1000);
  }
  expect(count).toBe(forgets);
});
