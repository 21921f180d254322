/**
 * Whole households in one thread, with everything that can go wrong between and inside devices.
 * More by hand: `NYMOTE_RUNS=10000 NYMOTE_SEED=1`.
 */

import { expect, test } from 'vitest';
import { failureOf, playSeed } from './run.fixture.ts';
import type { Script } from './script.fixture.ts';

const RUNS = Number(process.env['NYMOTE_RUNS'] ?? 200);
const FIRST = Number(process.env['NYMOTE_SEED'] ?? 1);

test(`${RUNS} households end as one`, { timeout: 300_000 + RUNS * 300 }, async () => {
  const failures: unknown[] = [];
  for (let seed = FIRST; seed < FIRST + RUNS && failures.length < 5; seed++) {
    await playSeed(seed).catch((cause: unknown) => failures.push(cause));
  }
  expect(failures).toEqual([]);
});

/** Runs that went wrong once, as short as they could be made. */
const ONCE_WRONG: readonly { readonly script: Script; readonly why: string }[] = [
  {
    why: 'what is held of a fork is told in one way, in whatever order it came',
    script: {
      devices: 5,
      topology: 'all',
      events: [
        ['copy', 246, 41149, 61060, 46014],
        ['copy', 155, 48265, 46508, 12449],
        ['write', 8, 35074, 59125, 39901],
        ['write', 251, 35560, 14241, 54653],
        ['write', 209, 5388, 57442, 29804],
      ],
    },
  },
  {
    why: 'the phrase typed in twice, apart: neither overwrites the other',
    script: {
      devices: 3,
      topology: 'all',
      events: [
        ['phrase', 126, 49657, 37738, 12070],
        ['phrase', 58, 46074, 4275, 63983],
      ],
    },
  },
  {
    why: 'and its conflicts name both commits, on every device',
    script: {
      devices: 4,
      topology: 'third',
      events: [
        ['phrase', 140, 33081, 61094, 4189],
        ['phrase', 63, 57135, 29278, 14866],
      ],
    },
  },
  {
    why: 'a device that forked is not told that a change is done which counts for nothing',
    script: {
      devices: 3,
      topology: 'line',
      events: [
        ['copy', 218, 58579, 21438, 8189],
        ['write', 119, 13903, 34314, 57379],
        ['write', 134, 34811, 47419, 59209],
        ['copy', 226, 50159, 16586, 35516],
        ['pull', 219, 55118, 30043, 14114],
        ['write', 94, 27586, 65165, 4389],
      ],
    },
  },
];

test.each(ONCE_WRONG)('$why', async ({ script }) => {
  expect(await failureOf(script)).toBeUndefined();
});
