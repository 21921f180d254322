/**
 * Whole households in one thread, with everything that can go wrong between and inside devices
 * (reference: storage.md §5, L1). More by hand: `NYMOTE_RUNS=10000 NYMOTE_SEED=1`.
 */

import { expect, test } from 'vitest';
import { failureOf, playSeed } from './run.fixture.ts';
import type { Script } from './script.fixture.ts';

const RUNS = Number(process.env['NYMOTE_RUNS'] ?? 300);
const FIRST = Number(process.env['NYMOTE_SEED'] ?? 1);

test(`${RUNS} households end as one`, { timeout: 60_000 + RUNS * 300 }, async () => {
  const failures: unknown[] = [];
  for (let seed = FIRST; seed < FIRST + RUNS && failures.length < 5; seed++) {
    await playSeed(seed).catch((cause: unknown) => failures.push(cause));
  }
  expect(failures).toEqual([]);
});

/** Runs that went wrong once, as short as they could be made. */
const ONCE_WRONG: readonly { readonly script: Script; readonly why: string }[] = [];

test.each(ONCE_WRONG)('$why', async ({ script }) => {
  expect(await failureOf(script)).toBeUndefined();
});
