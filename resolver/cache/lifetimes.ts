/**
 * Lifetimes by the wall clock, for resolvers whose date is set from outside: packagers and
 * conformance suites move it to see TTLs and signatures end.
 *
 * A date that goes back would make what is cached live longer than its TTL, so it is forgotten then.
 * Timers and round-trip times stay with the monotonic clock.
 */

import type { Clock } from '#runtime';

/** Seconds that a date may go back without a word: clocks that are disciplined do so all the time. */
const SLACK = 1;

/** A clock whose `monotonic` follows the date; `forget` is called when that goes back. */
export function wallLifetimes(clock: Clock, forget: () => void): Clock {
  let latest = clock.now();
  return {
    ...clock,
    monotonic() {
      const now = clock.now();
      if (now < latest - SLACK) forget();
      latest = now;
      return now * 1000;
    },
  };
}
