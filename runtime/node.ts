/**
 * The outside world on Node 22.18 or later.
 */

import { randomFillSync } from 'node:crypto';
import type { Log, Random, Runtime } from './index.ts';
import { memoryBytes } from './memory.ts';
import { openNodeBatch } from './node-batch.ts';
import { nodeClock } from './node-clock.ts';
import { nodeCrypto } from './node-crypto.ts';
import { nodeExec } from './node-exec.ts';
import { nodeFiles } from './node-files.ts';
import { nodeHttp } from './node-http.ts';
import { lineLog } from './node-log.ts';
import { nodeTcp } from './node-tcp.ts';
import { nodeTls } from './node-tls.ts';
import { nodeUdp } from './node-udp.ts';

export type RuntimeOptions = { readonly log?: Log; readonly logTo?: 'stdout' | 'stderr' };

/** The real machine. Logs go to standard error unless told, or unless `log` takes them. */
export function nodeRuntime(options: RuntimeOptions = {}): Runtime {
  const log = options.log ?? lineLog(options.logTo ?? 'stderr');
  return {
    clock: nodeClock(),
    random: systemRandom,
    crypto: nodeCrypto(systemRandom),
    udp: nodeUdp(),
    tcp: nodeTcp(),
    tls: nodeTls(),
    http: nodeHttp(log),
    exec: nodeExec(),
    files: nodeFiles(),
    log,
    memoryBytes: memoryBytes(),
    batchUdp: openNodeBatch(log),
  };
}

const BLOCK_OCTETS = 4096;
const SHORT_OCTETS = 16;

const block = new Uint8Array(BLOCK_OCTETS);
let given = BLOCK_OCTETS;

/**
 * Ids, ports and letters' case are drawn for each question, and a call takes as long for a block
 * as for two octets. What may be a key is never part of one.
 */
const systemRandom: Random = (length) => {
  if (length > SHORT_OCTETS) return randomFillSync(new Uint8Array(length));
  if (given + length > BLOCK_OCTETS) {
    randomFillSync(block);
    given = 0;
  }
  const drawn = block.slice(given, given + length);
  // What was given is nowhere else.
  block.fill(0, given, given + length);
  given += length;
  return drawn;
};
