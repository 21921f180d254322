/**
 * The machine's two clocks and its timers.
 */

import type { Clock } from './index.ts';

/**
 * No wall clock can rightly show less: this program did not exist before.
 * Routers without a battery boot in 1970 or at the date of their firmware.
 */
const RELEASE = Date.UTC(2026, 0, 1);

/** setTimeout fires at once for anything longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. */
export function nodeClock(): Clock {
  return {
    now: () => Date.now() / 1000,
    monotonic: () => performance.now(),
    isSet: () => Date.now() >= RELEASE,
    sleep,
    after(milliseconds, callback) {
      const timer = setTimeout(callback, withinRange(milliseconds));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, withinRange(milliseconds));
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Timers beyond 24 days fire early, at 24 days: every caller looks at the clock again anyway. */
function withinRange(milliseconds: number): number {
  return Math.min(Math.max(milliseconds, 0), LONGEST_TIMER_MS);
}
