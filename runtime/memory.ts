/** How much memory there is for us. */

import { totalmem } from 'node:os';

/** Bytes of the machine, or of our control group when that has fewer. */
export function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
