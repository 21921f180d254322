/** The script of a thread on Node: opens its sockets and lets the module it was given serve them. */

import { parentPort, workerData } from 'node:worker_threads';
import { openBatchIo, type ThreadData } from './batch-io.ts';
import { loadNative } from './node-batch.ts';

const data = workerData as ThreadData;
const native = loadNative();
if (typeof native === 'string') throw new Error(native);
const { serveBatches } = await import(data.module);
serveBatches(openBatchIo(native, data, (sound) => parentPort?.postMessage(sound)));
