/**
 * Refreshes behind an answer what is asked for again and again, before it ends: nobody waits for it
 * then. What was asked for once is let go.
 *
 * A refresh has a budget of its own, smaller than a question's, and only so many are under way.
 */

import type { Clock, Log } from '#runtime';
import type { Name } from '../message/name.ts';
import { fullBudget, MAX_SENDS_PER_NAME } from '../recursion/budget.ts';
import type { Validation } from '../recursion/validation.ts';
import type { Cache } from './cache.ts';

/** Refreshes under way at once: those who wait for an answer come first (I6). */
export const MAX_REFRESHES = 8;

type Parts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly cache: Pick<Cache, 'noteAsked'>;
  readonly validation: Pick<Validation, 'refresh'>;
  readonly isWanted: boolean;
};

/** The same answers, with what they were made from refreshed in time. */
export function withPrefetch(
  { resolve }: Pick<Validation, 'resolve'>,
  { clock, log, cache, validation, isWanted }: Parts,
): Pick<Validation, 'resolve'> {
  if (!isWanted) return { resolve };
  let underWay = 0;
  const monotonic = () => clock.monotonic() / 1000;

  async function refresh(name: Name, type: number): Promise<void> {
    underWay++;
    try {
      const budget = { ...fullBudget(monotonic()), sends: MAX_SENDS_PER_NAME };
      await validation.refresh(name, type, budget);
    } catch (error) {
      log('error', 'refresh-failed', { error: String(error) });
    } finally {
      underWay--;
    }
  }

  return {
    async resolve(name, type, budget, unchecked) {
      const found = await resolve(name, type, budget, unchecked);
      if (underWay < MAX_REFRESHES && cache.noteAsked(name, type, monotonic())) {
        void refresh(name, type);
      }
      return found;
    },
  };
}
