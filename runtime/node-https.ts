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
  type Http2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { isIPv6 } from 'node:net';
import type { ConnectionRoom, Credentials, Endpoint, SecureListener } from './index.ts';
import { nameOf, openSecurely, tlsOptions } from './node-tls.ts';
import { createRoom } from './room.ts';

/** Of one address: a browser opens one, a household behind NAT some dozens. */
const ROOM: ConnectionRoom = { connections: 512, perSource: 64 };
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
  listener: (incoming: Http2ServerRequest, outgoing: Http2ServerResponse) => Promise<unknown>,
  { connections, perSource, unread }: ConnectionRoom = ROOM,
): Promise<SecureListener> {
  const sessions = new Set<Http2Session>();
  const room = createRoom(connections, perSource);
  const noteUnread = unread === undefined ? () => undefined : limitUnread(unread);
  const server = createSecureServer(
    {
      ...tlsOptions(credentials, ['h2', 'http/1.1']),
      allowHTTP1: true,
      maxSessionMemory: MAX_SESSION_MEGABYTES,
      settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: MAX_HEADER_BYTES },
    },
    (incoming, outgoing) => {
      mendAuthority(incoming);
      const answered = room.ask(nameOf(incoming.socket));
      void listener(incoming, outgoing)
        .then(() => noteUnread(incoming.stream))
        .finally(answered);
    },
  );
  // Of HTTP/1.1, for which node:http2 takes no options.
  Object.assign(server, {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
  });
  server.on('secureConnection', (socket) => {
    const { remoteAddress = '' } = socket;
    const leave = room.enter(nameOf(socket), remoteAddress, () => socket.destroy());
    if (leave === undefined) socket.destroy();
    else socket.once('close', leave);
    // Bun knows no timeouts of the server's for HTTP/1.1; a session of HTTP/2 has its own.
    if (socket.alpnProtocol !== 'h2') socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => undefined);
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
    session.setTimeout(IDLE_TIMEOUT_MS, () => session.destroy());
  });
  const end = async (closed: Promise<unknown>) => {
    for (const session of sessions) session.close();
    const timer = setTimeout(room.endAll, CLOSE_GRACE_MS);
    await closed;
    clearTimeout(timer);
  };
  return openSecurely(server, local, end, connections);
}

/**
 * Ends connections whose answers are not read: what waits for them is our memory. Of HTTP/1.1 nothing
 * is read before the last answer has left.
 */
function limitUnread({ octets, milliseconds }: NonNullable<ConnectionRoom['unread']>) {
  const waiting = new WeakMap<Http2Session, Set<ServerHttp2Stream>>();
  return (stream: ServerHttp2Stream | undefined): void => {
    const session = stream?.session;
    if (stream === undefined || session === undefined) return;
    if (stream.destroyed || stream.writableFinished) return;
    const streams = waiting.get(session) ?? new Set();
    waiting.set(session, streams.add(stream));
    const timer = setTimeout(() => session.destroy(), milliseconds);
    const forget = () => {
      clearTimeout(timer);
      streams.delete(stream);
    };
    stream.once('finish', forget).once('close', forget);
    const unread = [...streams].reduce((sum, { writableLength }) => sum + writableLength, 0);
    if (unread > octets) session.destroy();
  };
}

/** Knot's kdig names a server with an IPv6 address without the brackets of RFC 3986 §3.2.2. */
function mendAuthority({ headers }: Http2ServerRequest): void {
  const { ':authority': authority } = headers;
  if (authority !== undefined && isIPv6(authority)) headers[':authority'] = `[${authority}]`;
}
