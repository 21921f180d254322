/**
 * The outside world on Bun 1.4.
 *
 * Bun passes the seam suites with the adapters for Node: its node:crypto, node:fs, node:dgram,
 * node:net and node:http, execa, @hono/node-server and @peculiar/webcrypto all work there. Three
 * things are different, or were looked at closer:
 * - Its BoringSSL has no Ed448, so that is verified in plain arithmetic; in pieces, where others have
 *   their turn meanwhile: a thread for it would take more memory than the few zones are worth.
 * - Its node:http ignores `ipv6Only`, so that `::` cannot be had beside `0.0.0.0`; its node:net does
 *   not, and accepts for it.
 * - Bun.udpSocket echoes a datagram with 5.6 µs of CPU where its node:dgram takes 7.0 (Node: 9.6),
 *   but it cannot set the receive buffer, and a burst that does not fit is lost.
 */

import type { Server as HttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { openBunBatch } from './bun-batch.ts';
import { verifyEd448, verifyInPieces } from './ed448.ts';
import type { Runtime } from './index.ts';
import { nodeRuntime, type RuntimeOptions } from './node.ts';
import { type Acceptor, nodeHttp } from './node-http.ts';

/** The real machine, seen through Bun. Logs go to standard error unless told, or unless `log` takes them. */
export function bunRuntime(options: RuntimeOptions = {}): Runtime {
  const runtime = nodeRuntime(options);
  const { verify, verifyElsewhere } = runtime.crypto;
  return {
    ...runtime,
    http: nodeHttp(runtime.log, acceptByNet),
    batchUdp: openBunBatch(runtime.log),
    crypto: {
      ...runtime.crypto,
      verify: (algorithm, publicKey, data, signature) =>
        algorithm === 'ed448'
          ? verifyEd448(publicKey, data, signature)
          : verify(algorithm, publicKey, data, signature),
      verifyElsewhere: (algorithm, publicKey, data, signature) =>
        algorithm === 'ed448'
          ? byTurns(verifyInPieces(publicKey, data, signature))
          : verifyElsewhere(algorithm, publicKey, data, signature),
    },
  };
}

/** Does a piece of work, lets the loop turn once, and so on. */
async function byTurns<Result>(work: Generator<void, Result>): Promise<Result> {
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    const piece = work.next();
    if (piece.done) return piece.value;
  }
}

function acceptByNet(http: HttpServer): Acceptor {
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    http.emit('connection', socket);
  });
  return {
    server,
    closeAllConnections() {
      for (const socket of open) socket.destroy();
    },
  };
}
