/**
 * Streams by node:net, over TCP and unix sockets.
 *
 * `received()` ends when the other side ends and when the connection breaks: a protocol sees from
 * its own framing whether something is missing.
 */

import { once } from 'node:events';
import { chmod, lstat, rm } from 'node:fs/promises';
import { createConnection, createServer, isIP, type Server, type Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import {
  type Connection,
  type Endpoint,
  type Listener,
  type Path,
  RuntimeError,
  type Tcp,
} from './index.ts';
import { errnoOf, translate } from './node-errors.ts';
import { bindError } from './node-udp.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** How long a closing connection may take to hand over what was written. */
const LINGER_MS = 2_000;

/** The machine's stream sockets. */
export function nodeTcp(): Tcp {
  return { listen, connect };
}

async function listen(
  local: Endpoint | Path,
  accept: (connection: Connection) => void,
): Promise<Listener> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    accept(connectionOf(socket, remoteOf(socket, local)));
  });
  const bound = await startListening(server, local);
  return {
    local: bound,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

async function connect(
  remote: Endpoint | Path,
  options: { readonly timeoutMs?: number; readonly localAddress?: string } = {},
): Promise<Connection> {
  const { timeoutMs = CONNECT_TIMEOUT_MS, localAddress } = options;
  const doing = `cannot connect to ${print(remote)}`;
  if ('address' in remote && isIP(remote.address) === 0) {
    throw new RuntimeError('unreachable', `${doing}: no IP address`);
  }
  const socket = createConnection({
    ...('path' in remote ? remote : { host: remote.address, port: remote.port, noDelay: true }),
    ...(localAddress === undefined ? {} : { localAddress }),
    allowHalfOpen: true,
  });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(timeoutMs) });
  } catch (thrown) {
    socket.on('error', () => undefined);
    socket.destroy();
    if (thrown instanceof Error && thrown.name === 'AbortError') {
      throw new RuntimeError('timeout', `${doing}: no answer in ${timeoutMs} ms`);
    }
    throw translate(thrown, doing);
  }
  return connectionOf(socket, remote);
}

/** A socket as the seam has it. */
export function connectionOf(socket: Socket, remote: Endpoint | Path): Connection {
  // Without a listener a reset would end the process; write() and received() tell their callers.
  socket.on('error', () => undefined);
  return {
    remote,
    received: () => receivedFrom(socket),
    write: (data) =>
      new Promise((resolve, reject) => {
        socket.write(data, (thrown) => {
          if (thrown === null || thrown === undefined) resolve();
          else reject(new RuntimeError('io', `cannot write to ${print(remote)}`, thrown));
        });
      }),
    abort: () => {
      socket.destroy();
    },
    [Symbol.asyncDispose]: () => closeGently(socket),
  };
}

async function* receivedFrom(socket: Socket): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
  } catch {
    // Reset, or aborted by us: over either way.
  }
}

async function closeGently(socket: Socket): Promise<void> {
  if (socket.closed) return;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.destroySoon();
  await closed;
  clearTimeout(timer);
}

/** Makes any kind of server listen; a unix socket is for its owner only. */
export async function startListening(
  server: Server,
  local: Endpoint | Path,
): Promise<Endpoint | Path> {
  if ('path' in local) {
    await listenOnPath(server, local.path);
    return local;
  }
  const family = isIP(local.address);
  if (family === 0) throw new RuntimeError('unreachable', `${local.address} is no IP address`);
  try {
    const listening = once(server, 'listening');
    server.listen({ host: local.address, port: local.port, ipv6Only: family === 6 });
    await listening;
  } catch (thrown) {
    throw await bindError('tcp', local, thrown);
  }
  // From here on it is about one connection that could not be accepted; without a listener it would
  // end the process.
  server.on('error', () => undefined);
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('unreachable: no TCP address');
  return { address: bound.address, port: bound.port };
}

async function listenOnPath(server: Server, path: string): Promise<void> {
  try {
    await tryPath(server, path);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EADDRINUSE') throw translate(thrown, `cannot listen on ${path}`);
    if (!(await isStale(path))) {
      throw new RuntimeError('address-in-use', `${path} is held by another program`, thrown);
    }
    await rm(path, { force: true });
    await tryPath(server, path).catch((again) => {
      throw translate(again, `cannot listen on ${path}`);
    });
  }
}

async function tryPath(server: Server, path: string): Promise<void> {
  const listening = once(server, 'listening');
  // The socket file is born with the umask, inside listen(); workers cannot set one.
  const before = isMainThread ? process.umask(0o177) : undefined;
  try {
    server.listen({ path });
  } finally {
    if (before !== undefined) process.umask(before);
  }
  await listening;
  await chmod(path, 0o600);
}

/** A socket file that nobody answers on: what a crash leaves behind. */
async function isStale(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined);
  if (status?.isSocket() !== true) return false;
  try {
    const connection = await connect({ path }, { timeoutMs: 1_000 });
    connection.abort();
    return false;
  } catch (thrown) {
    return thrown instanceof RuntimeError && thrown.code === 'refused';
  }
}

/** Who is on the other side of an accepted socket. */
export function remoteOf(
  socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined },
  local: Endpoint | Path,
): Endpoint | Path {
  if ('path' in local) return local;
  // Both are missing when the other side is gone already.
  return { address: socket.remoteAddress ?? '::', port: socket.remotePort ?? 0 };
}

function print(remote: Endpoint | Path): string {
  return 'path' in remote ? remote.path : `${remote.address} port ${remote.port}`;
}
