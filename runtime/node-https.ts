/**
 * HTTP over TLS by node:http2, which also speaks HTTP/1.1 to who asks for it (ALPN).
 *
 * @see RFC 9113 §3.2, RFC 7301
 * @see CVE-2023-44487: Node itself ends sessions that only open and reset streams
 */

import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ConnectionRoom, Credentials, Endpoint, SecureListener } from './index.ts';
import { openSecurely, tlsOptions } from './node-tls.ts';

/** Of one address: a browser opens one, a household behind NAT some dozens. */
const ROOM: ConnectionRoom = { connections: Number.POSITIVE_INFINITY, perSource: 64 };
const MAX_STREAMS = 100;
const MAX_HEADER_BYTES = 16 * 1024;
/** Megabytes that one session may make us hold. */
const MAX_SESSION_MEGABYTES = 2;
/** Milliseconds without a frame or a request. */
const IDLE_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** How long running answers may take to finish when the server closes. */
const CLOSE_GRACE_MS = 500;

/** Listens; `listener` gets requests of both versions. */
export async function listenSecurely(
  local: Endpoint,
  credentials: Credentials,
  listener: (incoming: Http2ServerRequest, outgoing: Http2ServerResponse) => void,
  { connections, perSource }: ConnectionRoom = ROOM,
): Promise<SecureListener> {
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<TLSSocket>();
  const server = createSecureServer(
    {
      ...tlsOptions(credentials, ['h2', 'http/1.1']),
      allowHTTP1: true,
      maxSessionMemory: MAX_SESSION_MEGABYTES,
      settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: MAX_HEADER_BYTES },
    },
    (incoming, outgoing) => {
      mendAuthority(incoming);
      listener(incoming, outgoing);
    },
  );
  // Of HTTP/1.1, for which node:http2 takes no options.
  Object.assign(server, {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
  });
  server.on('secureConnection', (socket) => {
    const { remoteAddress: address } = socket;
    const mine = [...sockets].filter(({ remoteAddress }) => remoteAddress === address).length;
    if (mine >= perSource || sockets.size >= connections) socket.destroy();
    sockets.add(socket);
    // Bun knows no timeouts of the server's for HTTP/1.1; a session of HTTP/2 has its own.
    if (socket.alpnProtocol !== 'h2') socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
    session.setTimeout(IDLE_TIMEOUT_MS, () => session.destroy());
  });
  return openSecurely(server, local, async (closed) => {
    for (const session of sessions) session.close();
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, CLOSE_GRACE_MS);
    await closed;
    clearTimeout(timer);
  });
}

/** Knot's kdig names a server with an IPv6 address without the brackets of RFC 3986 §3.2.2. */
function mendAuthority({ headers }: Http2ServerRequest): void {
  const { ':authority': authority } = headers;
  if (authority !== undefined && isIPv6(authority)) headers[':authority'] = `[${authority}]`;
}
