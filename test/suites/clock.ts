/**
 * What every Clock must do.
 */

import { describe, expect, test } from 'vitest';
import type { Clock } from '#runtime';

/** Runs the suite; `pass` lets that much time go by. */
export function clockSuite(
  name: string,
  open: () => { readonly clock: Clock; readonly pass: (milliseconds: number) => Promise<void> },
): void {
  describe(`${name} clock`, () => {
    test('both clocks go forward', async () => {
      const { clock, pass } = open();
      const [now, monotonic] = [clock.now(), clock.monotonic()];
      await pass(30);
      expect(clock.now()).toBeGreaterThan(now);
      expect(clock.monotonic()).toBeGreaterThanOrEqual(monotonic + 29);
    });

    test('the wall clock counts seconds', () => {
      const { clock } = open();
      expect(new Date(clock.now() * 1000).getUTCFullYear()).toBeGreaterThanOrEqual(2026);
      expect(clock.isSet()).toBe(true);
    });

    test('sleep ends after its time, not before', async () => {
      const { clock, pass } = open();
      let isOver = false;
      const sleeping = clock.sleep(40).then(() => {
        isOver = true;
      });
      await pass(10);
      expect(isOver).toBe(false);
      await pass(60);
      await sleeping;
      expect(isOver).toBe(true);
    });

    test('an aborted sleep rejects with the reason of the signal', async () => {
      const { clock } = open();
      const controller = new AbortController();
      const sleeping = clock.sleep(60_000, controller.signal);
      controller.abort('enough');
      await expect(sleeping).rejects.toBe('enough');
      await expect(clock.sleep(60_000, controller.signal)).rejects.toBe('enough');
    });

    test('after calls once, in order of time, and a cancelled one never', async () => {
      const { clock, pass } = open();
      const calls: string[] = [];
      clock.after(40, () => calls.push('late'));
      clock.after(5, () => calls.push('early'));
      clock.after(10, () => calls.push('never'))();
      await pass(120);
      expect(calls).toEqual(['early', 'late']);
    });
  });
}
