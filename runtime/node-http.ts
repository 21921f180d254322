/**
 * HTTP by node:http, with the web's Request and Response on both sides.
 *
 * The server side is @hono/node-server's adaptor; the client is ours because the built-in fetch
 * reaches no unix socket. It follows no redirect and keeps no connection. Under TLS it believes the
 * authorities that the runtime brings or is told of (NODE_EXTRA_CA_CERTS).
 */

import {
  createServer,
  type Server as HttpServer,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Server } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { getRequestListener, RequestError } from '@hono/node-server';
import {
  type ConnectionRoom,
  type Endpoint,
  type Http,
  type Listener,
  type Log,
  type Path,
  RuntimeError,
} from './index.ts';
import { translate } from './node-errors.ts';
import { listenSecurely } from './node-https.ts';
import { openSession } from './node-secure.ts';
import { remoteOf, startListening } from './node-tcp.ts';
import { sourceOf } from './room.ts';

/** Headers must come quickly; bodies may be slow (a phone uploading a backup). */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 120_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** For one source: browsers open six, and who holds all of them shuts others out. */
const ROOM: ConnectionRoom = { connections: 512, perSource: 64 };

/** How long running answers may take to finish when the server closes; streams never would. */
const CLOSE_GRACE_MS = 500;

const FETCH_TIMEOUT_MS = 30_000;

/** Statuses whose Response may have no body (Fetch standard, "null body status"). */
const NULL_BODY = new Set([101, 204, 205, 304]);

/** What accepts the connections of an HTTP server, and ends those that are left. */
export type Acceptor = { readonly server: Server; readonly closeAllConnections: () => void };

/** The machine's HTTP; the HTTP server itself accepts, unless `accept` names somebody else. */
export function nodeHttp(log: Log, accept: (http: HttpServer) => Acceptor = acceptItself): Http {
  return {
    connect: openSession,
    listen: (local, handle, room = ROOM) => listen(log, accept, { local, handle, room }),
    listenSecurely: (local, credentials, handle, room) => {
      const listener = listenerOf(log, local, handle);
      return listenSecurely(local, credentials, listener, room);
    },
    fetch: fetchOver,
  };
}

const acceptItself = (server: HttpServer): Acceptor => ({
  server,
  closeAllConnections: () => server.closeAllConnections(),
});

async function listen(
  log: Log,
  accept: (http: HttpServer) => Acceptor,
  {
    local,
    handle,
    room,
  }: {
    readonly local: Endpoint | Path;
    readonly handle: (request: Request, from: Endpoint | Path) => Response | Promise<Response>;
    readonly room: ConnectionRoom;
  },
): Promise<Listener> {
  const listener = listenerOf(log, local, handle);
  const http = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  const { server, closeAllConnections } = accept(http);
  server.maxConnections = room.connections;
  limitSources(server, room.perSource);
  const bound = await startListening(server, local);
  return {
    local: bound,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      http.closeIdleConnections();
      const timer = setTimeout(closeAllConnections, CLOSE_GRACE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

function limitSources(server: Server, perSource: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    const { remoteAddress } = socket;
    // Whoever reaches a unix socket is ourselves.
    if (remoteAddress === undefined) return;
    const source = sourceOf(remoteAddress);
    const count = (open.get(source) ?? 0) + 1;
    open.set(source, count);
    socket.once('close', () => {
      const left = (open.get(source) ?? 1) - 1;
      if (left === 0) open.delete(source);
      else open.set(source, left);
    });
    if (count > perSource) socket.destroy();
  });
}

function listenerOf(
  log: Log,
  local: Endpoint | Path,
  handle: (request: Request, from: Endpoint | Path) => Response | Promise<Response>,
): ReturnType<typeof getRequestListener> {
  return getRequestListener(
    (request, { incoming }) => handle(request, remoteOf(incoming.socket, local)),
    {
      overrideGlobalObjects: false,
      errorHandler(thrown) {
        // What cannot be made a Request, say for its Host, is the client's mistake.
        if (thrown instanceof RequestError) return new Response(null, { status: 400 });
        log('error', 'http-handler-failed', { error: String(thrown) });
        return new Response(null, { status: 500 });
      },
    },
  );
}

async function fetchOver(
  request: Request,
  options: { readonly path?: string; readonly timeoutMs?: number } = {},
): Promise<Response> {
  const url = new URL(request.url);
  const doing = `cannot fetch ${url.origin}${options.path === undefined ? '' : ` at ${options.path}`}`;
  try {
    return responseOf(await exchange(request, url, options));
  } catch (thrown) {
    if (request.signal.aborted) throw new RuntimeError('timeout', `${doing}: given up`, thrown);
    throw translate(thrown, doing);
  }
}

/** Sends the request; resolves when the answer's headers are here. */
function exchange(
  request: Request,
  url: URL,
  options: { readonly path?: string; readonly timeoutMs?: number },
): Promise<IncomingMessage> {
  const { path, timeoutMs = FETCH_TIMEOUT_MS } = options;
  const isSecure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const outgoing = (isSecure ? httpsRequest : httpRequest)({
      ...(path === undefined
        ? { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || (isSecure ? 443 : 80) }
        : { socketPath: path }),
      agent: false,
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers: { host: url.host, ...Object.fromEntries(request.headers) },
      maxHeaderSize: MAX_HEADER_BYTES,
      signal: request.signal,
    });
    const timer = setTimeout(() => {
      outgoing.destroy(new RuntimeError('timeout', `no answer in ${timeoutMs} ms`));
    }, timeoutMs);
    outgoing.once('close', () => clearTimeout(timer));
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      clearTimeout(timer);
      // An answer that breaks off errors its own stream; this is for the request's side.
      outgoing.on('error', () => undefined);
      resolve(incoming);
    });
    if (request.body === null) outgoing.end();
    else pipeline(Readable.fromWeb(request.body as NodeReadableStream), outgoing).catch(reject);
  });
}

function responseOf(incoming: IncomingMessage): Response {
  const headers = new Headers();
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index] ?? '', incoming.rawHeaders[index + 1] ?? '');
  }
  const status = incoming.statusCode ?? 0;
  if (NULL_BODY.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(incoming) as ReadableStream<Uint8Array>, { status, headers });
}
