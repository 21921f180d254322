/** Ctrl-C, SIGTERM and a terminal that goes away: the first is a wish, the second an order. */

import { EXIT } from '../cli/verbs.ts';

/** One wish to stop may arrive twice: from a terminal or a supervisor, and from launch.mjs. */
const ECHO_MS = 1_000;

/** Until this is called, a signal ends us at once, whatever we wait for; so does a second one. */
export function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let first: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      first ??= performance.now();
      if (performance.now() - first > ECHO_MS) process.exit(EXIT.failed);
      resolve();
    });
  }
  return promise;
}
