/**
 * Whole households in one thread, with everything that can go wrong between and inside devices.
 * More by hand: `NYMOTE_RUNS=10000 NYMOTE_SEED=1`.
 */

import { expect, test } from 'vitest';
import { Broken } from './check.fixture.ts';
import type { Mistake } from './deeds.fixture.ts';
import { failureOf, playSeed } from './run.fixture.ts';
import { type Script, scriptOf } from './script.fixture.ts';

const RUNS = Number(process.env['NYMOTE_RUNS'] ?? 120);
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
  {
    why: 'nobody drops what came before a beginning beside which it has something',
    script: {
      devices: 3,
      topology: 'line',
      events: [
        ['write', 147, 20847, 58303, 35850],
        ['pull', 1, 33616, 49277, 56448],
        ['forget', 139, 32012, 36922, 49070],
      ],
    },
  },
  {
    why: 'the commit with which history begins cannot be taken back, and that is said',
    script: {
      devices: 4,
      topology: 'third',
      events: [
        ['season', 238, 13229, 12327, 62221],
        ['forget', 208, 1109, 29960, 34847],
        ['revert', 4, 63972, 2996, 34690],
      ],
    },
  },
  {
    why: 'a beginning that comes late is no news to whoever dropped more since',
    script: {
      devices: 6,
      topology: 'all',
      events: [
        ['forget', 175, 54243, 52474, 3904],
        ['forget', 31, 49158, 63697, 62763],
        ['send', 245, 5027, 46368, 19396],
        ['forget', 130, 24770, 16031, 6091],
        ['deliver', 117, 32407, 11311, 32555],
      ],
    },
  },
  {
    why: 'what a device wrote of itself while it was removed is forgotten with it',
    script: {
      devices: 5,
      topology: 'all',
      events: [
        ['phrase', 204, 43082, 33137, 24496],
        ['write', 42, 39935, 21828, 24733],
        ['purge', 189, 25613, 37684, 56494],
        ['purge', 17, 23348, 9375, 22052],
      ],
    },
  },
  {
    why: 'what the phrase said beside a beginning is an alarm that lasts, also when others are heard',
    script: {
      devices: 4,
      topology: 'line',
      events: [
        ['phrase', 31, 42290, 57936, 4422],
        ['purge', 163, 61894, 39090, 42338],
        ['write', 209, 59508, 47079, 64935],
        ['write', 172, 41638, 14421, 13015],
        ['phrase', 127, 29966, 47296, 35323],
        ['resolve', 216, 64494, 50247, 40984],
        ['write', 96, 57416, 47526, 1754],
        ['gather', 75, 43873, 36973, 15764],
        ['write', 168, 34710, 50815, 20237],
      ],
    },
  },
];

test.each(ONCE_WRONG)('$why', async ({ script }) => {
  expect(await failureOf(script)).toBeUndefined();
});

/** Mistakes that a run notices, or it would not notice a real one either. */
const MISTAKES: readonly {
  readonly why: string;
  readonly mistake: Mistake;
  /** From here on it does not take long. */
  readonly first: number;
}[] = [
  { why: 'history is dropped before all have heard of it', mistake: 'haste', first: 32 },
  { why: 'what was forgotten is left in a file', mistake: 'leftover', first: 39 },
];

test.each(MISTAKES)('is caught: $why', { timeout: 60_000 }, async ({ mistake, first }) => {
  let failure: unknown;
  for (let seed = first; seed < first + 500 && failure === undefined; seed++) {
    failure = await failureOf(scriptOf(seed), mistake);
  }
  expect(failure).toBeInstanceOf(Broken);
});
