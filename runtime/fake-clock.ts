/**
 * A clock that moves only when told, and randomness that repeats.
 */

import { createHash } from 'node:crypto';
import type { Clock, Random } from './index.ts';

/** A clock in the hand of a test. */
export type ManualClock = Clock & {
  /** Lets time pass: fires every timer that falls due, in order, and lets its followers run. */
  advance(milliseconds: number): Promise<void>;
  /** Lets everything that waits for no timer run. */
  settle(): Promise<void>;
  /** Sets the wall clock (seconds since 1970), as NTP would; the monotonic clock does not move. */
  set(now: number): void;
};

/** 2026-11-20T12:00:00Z: any date will do, but a date it must be. */
const NOON = 1_795_176_000;

type Timer = { readonly at: number; readonly order: number; readonly fire: () => void };

/** Makes a clock that stands still at `now`; `isSet: false` until `set` is called. */
export function manualClock(
  options: { readonly now?: number; readonly isSet?: boolean } = {},
): ManualClock {
  const timers = new Set<Timer>();
  let wallAtZero = options.now ?? NOON;
  let isSet = options.isSet ?? true;
  let elapsed = 0;
  let order = 0;

  const schedule = (milliseconds: number, fire: () => void) => {
    order += 1;
    const timer: Timer = { at: elapsed + Math.max(0, milliseconds), order, fire };
    timers.add(timer);
    return () => {
      timers.delete(timer);
    };
  };

  const advance = async (milliseconds: number) => {
    const target = elapsed + milliseconds;
    await settle();
    for (let next = earliest(timers, target); next; next = earliest(timers, target)) {
      timers.delete(next);
      elapsed = next.at;
      next.fire();
      await settle();
    }
    elapsed = target;
  };

  return {
    now: () => wallAtZero + elapsed / 1000,
    monotonic: () => elapsed,
    isSet: () => isSet,
    sleep: (milliseconds, signal) => sleepOn(schedule, milliseconds, signal),
    after: schedule,
    advance,
    settle,
    set(now) {
      wallAtZero = now - elapsed / 1000;
      isSet = true;
    },
  };
}

function earliest(timers: ReadonlySet<Timer>, target: number): Timer | undefined {
  let first: Timer | undefined;
  for (const timer of timers) {
    if (timer.at > target) continue;
    if (first === undefined || timer.at < first.at) first = timer;
    else if (timer.at === first.at && timer.order < first.order) first = timer;
  }
  return first;
}

function sleepOn(
  schedule: (milliseconds: number, fire: () => void) => () => void,
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const abort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = schedule(milliseconds, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** One turn of the real event loop: every promise that can go on has gone on by then. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Random bytes that are the same in every run with the same seed. */
export function seededRandom(seed: number | string): Random {
  let block = 0;
  let pool = new Uint8Array(0);
  return (length) => {
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      if (pool.length === 0) {
        pool = new Uint8Array(createHash('sha512').update(`${seed}:${block}`).digest());
        block += 1;
      }
      const taken = pool.subarray(0, length - filled);
      bytes.set(taken, filled);
      filled += taken.length;
      pool = pool.subarray(taken.length);
    }
    return bytes;
  };
}
