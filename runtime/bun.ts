/**
 * The outside world on Bun 1.4.
 *
 * Bun passes the seam suites with the adapters for Node: its node:crypto, node:fs, node:dgram,
 * node:net and node:http, execa, @hono/node-server and @peculiar/webcrypto all work there. So there
 * is one set of adapters; a seam gets its own here when a suite or a measurement asks for it.
 */

import type { Log, Runtime } from './index.ts';
import { nodeRuntime } from './node.ts';

/** The real machine, seen through Bun. Logs go to standard error unless `options.log` takes them. */
export function bunRuntime(options: { readonly log?: Log } = {}): Runtime {
  return nodeRuntime(options);
}
