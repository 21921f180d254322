/** Waiting for what comes about in its own time. */

import { setTimeout as sleep } from 'node:timers/promises';

/** Far more than anything takes; a machine may have other things to do. */
export const PATIENCE_MS = 90_000;

/** What `expect.poll` is given. */
export const PATIENCE = { timeout: PATIENCE_MS, interval: 100 };

/** Looks again and again until it is so. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  pauseMs = 20,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await sleep(pauseMs);
  }
}
