/** The script of a thread on Bun: opens its sockets and lets the module it was given serve them. */

import { parentPort, workerData } from 'node:worker_threads';
import { openBunBatchIo } from './bun-batch.ts';

const io = await openBunBatchIo(workerData, (sound) => parentPort?.postMessage(sound));
const { serveBatches } = await import(workerData.module);
serveBatches(io);
