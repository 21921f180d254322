/** What a device that somebody stole can write into the others before it is removed. */

import { expect, test } from 'vitest';
import { manualClock } from '#runtime/fake';
import { createAllowance } from './allowance.ts';

const HOUR_MS = 3_600_000;
const DAY_SECONDS = 86_400;

/** How many commits of so many bytes are taken before one is put off. */
function flood(
  allowance: ReturnType<typeof createAllowance>,
  author: string,
  bytes: number,
): number {
  for (let count = 0; count < 1_000_000; count++) {
    if (!allowance.admits(author)) return count;
    allowance.spend(author, bytes);
  }
  throw new Error('there is no end to it');
}

test.each([
  { bytes: 500, away: 0, takes: [4_096, 4_200], why: 'small ones: by their number' },
  { bytes: 100_000, away: 0, takes: [80, 90], why: 'large ones: by what they weigh' },
  { bytes: 500, away: 200 * DAY_SECONDS, takes: [1_000_000, 1_300_000], why: 'after 200 days' },
  { bytes: 500, away: -5, takes: [4_096, 4_200], why: 'a clock that was set back' },
])('one author: $why', async ({ bytes, away, takes: [least = 0, most = 0] }) => {
  const allowance = createAllowance(manualClock(), away);
  if (least >= 1_000_000) {
    for (let count = 0; count < least; count++) allowance.spend('a', bytes);
    expect(allowance.admits('a')).toBe(true);
    return;
  }
  const taken = flood(allowance, 'a', bytes);
  expect(taken).toBeGreaterThanOrEqual(least);
  expect(taken).toBeLessThanOrEqual(most);
  expect(allowance.limited()).toEqual(['a']);
});

test('what was put off comes with time, and is forgotten after it', async () => {
  const clock = manualClock();
  const allowance = createAllowance(clock, 0);
  flood(allowance, 'a', 500);
  await clock.advance(2 * HOUR_MS);
  expect(allowance.limited()).toEqual([]);
  const again = flood(allowance, 'a', 500);
  expect(again).toBeGreaterThan(500);
  expect(again).toBeLessThan(600);
});

test('devices that it lets in give it no more than four shares; the others can still end it', () => {
  const allowance = createAllowance(manualClock(), 0);
  let bytes = 0;
  for (let device = 0; device < 100; device++) {
    bytes += flood(allowance, `sub${device}`, 10_000) * 10_000;
  }
  expect(bytes).toBeLessThan(40 << 20);
  expect(allowance.admits('owner')).toBe(true);
  allowance.spend('owner', 2_000);
  expect(allowance.admits('owner')).toBe(true);
});

test('names that somebody invents cost no memory and nobody its share', () => {
  const allowance = createAllowance(manualClock(), 0);
  flood(allowance, 'a', 500);
  for (let i = 0; i < 100_000; i++) allowance.admits(`invented${i}`);
  expect(allowance.admits('a')).toBe(false);
  expect(allowance.limited()).toEqual(['a']);
});
