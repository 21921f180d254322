/**
 * What the executable for routers does as one of its own threads: it has no other script to give
 * them than the program itself.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { serveBatches } from '#resolver';
import { openBunBatchIo } from '#runtime/bun';

/** Serves datagrams until told to end. */
export async function serveThread(): Promise<void> {
  serveBatches(await openBunBatchIo(workerData, (sound) => parentPort?.postMessage(sound)));
}
