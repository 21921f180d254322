/**
 * Streams under TLS by node:tls; the client's side is node-secure.ts's.
 *
 * A handshake costs us a signature and the other side nothing, so the ones under way are limited
 * in number and in time.
 *
 * @see RFC 9325 §3.1.1: nothing below TLS 1.2
 */

import {
  createSecureContext,
  createServer,
  type Server,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { type Credentials, RuntimeError, type SecureListener, type Tls } from './index.ts';
import { connectSecurely } from './node-secure.ts';
import { connectionOf, remoteOf, startListening } from './node-tcp.ts';
import { createRoom } from './room.ts';

/** Milliseconds a handshake may take: some round trips on a bad mobile network. */
const HANDSHAKE_TIMEOUT_MS = 5_000;
/** Secured connections, unless told otherwise. */
const MAX_CONNECTIONS = 512;
/** Handshakes under way, in all and for one address. */
const MAX_HANDSHAKES = 128;
const MAX_HANDSHAKES_PER_CLIENT = 32;

/** The machine's TLS. */
export function nodeTls(): Tls {
  return { listen, connect: connectSecurely };
}

async function listen(...[local, options, accept]: Parameters<Tls['listen']>) {
  const { credentials, protocols } = options;
  const open = new Set<TLSSocket>();
  const server = createServer(
    { ...tlsOptions(credentials, protocols), allowHalfOpen: true, noDelay: true },
    (socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      const protocol = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined;
      accept(connectionOf(socket, remoteOf(socket, local)), protocol);
    },
  );
  return openSecurely(server, local, async (closed) => {
    for (const socket of open) socket.destroy();
    await closed;
  });
}

/** What every TLS server of ours is made with. Throws RuntimeError 'bad-key'. */
export function tlsOptions(credentials: Credentials, protocols: readonly string[]): TlsOptions {
  checkCredentials(credentials);
  const { certificate: cert, key } = credentials;
  return {
    ...{ cert, key },
    ALPNProtocols: [...protocols],
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
}

/** Lets a TLS server listen; `end` ends what is open when it closes. */
export async function openSecurely(
  server: Server,
  local: Parameters<Tls['listen']>[0],
  end: (closed: Promise<unknown>) => Promise<void>,
  connections: number = MAX_CONNECTIONS,
): Promise<SecureListener> {
  const handshakes = limitHandshakes(server);
  // Those that choose between connections must see more than all places hold.
  server.maxConnections = connections + 2 * MAX_HANDSHAKES;
  return {
    local: await startListening(server, local),
    replaceCredentials(credentials) {
      checkCredentials(credentials);
      server.setSecureContext({ cert: credentials.certificate, key: credentials.key });
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      handshakes.abort();
      await end(closed);
    },
  };
}

function checkCredentials({ certificate: cert, key }: Credentials): void {
  try {
    createSecureContext({ cert, key });
  } catch (thrown) {
    throw new RuntimeError('bad-key', 'the certificate and its key are of no use', thrown);
  }
}

type Incoming = Pick<TLSSocket, 'remoteAddress' | 'remotePort'>;

/** Node shows the raw socket first and the secured one later: only their other end is the same. */
export const nameOf = (socket: Incoming) => `${socket.remoteAddress} ${socket.remotePort}`;

/** Turns away who begins more handshakes than anybody needs. */
function limitHandshakes(server: Server): { abort(): void } {
  const room = createRoom(MAX_HANDSHAKES, MAX_HANDSHAKES_PER_CLIENT);
  server.on('connection', (socket: TLSSocket) => {
    const { remoteAddress = '' } = socket;
    const leave = room.enter(nameOf(socket), remoteAddress, () => socket.destroy());
    if (leave === undefined) socket.destroy();
    else socket.once('close', leave);
  });
  server.on('secureConnection', (socket: TLSSocket) => room.leave(nameOf(socket)));
  // Without a listener Bun would report them as nobody's errors.
  server.on('tlsClientError', (_thrown: Error, socket: TLSSocket) => {
    room.leave(nameOf(socket));
    socket.destroy();
  });
  return { abort: room.endAll };
}
