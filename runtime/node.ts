/**
 * The outside world on Node 22.18 or later.
 */

import { randomFillSync } from 'node:crypto';
import type { Log, Random, Runtime } from './index.ts';
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
    batchUdp: openNodeBatch(log),
  };
}

const systemRandom: Random = (length) => randomFillSync(new Uint8Array(length));
