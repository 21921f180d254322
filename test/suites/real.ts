/**
 * The real runtime of whatever runs the tests: Node, or Bun, for which test/conformance/bun.test.ts is.
 */

import type { Runtime } from '#runtime';
import { bunRuntime } from '#runtime/bun';
import { nodeRuntime } from '#runtime/node';

const isBun = 'bun' in process.versions;

/** Its name, for the titles of suites. */
export const REAL = isBun ? 'bun' : 'node';

/** The machine itself; what it logs is dropped. */
export function realRuntime(): Runtime {
  const log = () => undefined;
  return isBun ? bunRuntime({ log }) : nodeRuntime({ log });
}
