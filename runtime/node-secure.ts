/**
 * Going out under TLS by node:tls, and under HTTP/2 by node:http2.
 *
 * A name is checked by the rules of PKIX against the authorities that the runtime brings or is told
 * of (NODE_EXTRA_CA_CERTS); a pin against the server's own key, with or without a name.
 *
 * @see RFC 8310 §8.1 (names), RFC 7858 §4.2 (pins), RFC 9325 §3.1.1 (nothing below TLS 1.2)
 */

import { createHash } from 'node:crypto';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp,
} from 'node:http2';
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import {
  type Connection,
  type Endpoint,
  type HttpSession,
  RuntimeError,
  type SecureOptions,
} from './index.ts';
import { errnoOf, translate } from './node-errors.ts';
import { connectionOf } from './node-tcp.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** A stream under TLS with who is meant; fails as the seam says. */
export async function connectSecurely(
  remote: Endpoint,
  options: SecureOptions & { readonly protocols: readonly string[] },
): Promise<Connection> {
  return connectionOf(await handshake(remote, options), remote);
}

/** HTTP/2 with who is meant. */
export async function openSession(remote: Endpoint, options: SecureOptions): Promise<HttpSession> {
  const socket = await handshake(remote, { ...options, protocols: ['h2'] });
  if (socket.alpnProtocol !== 'h2') {
    socket.destroy();
    throw new RuntimeError('io', `${remote.address} port ${remote.port} speaks no HTTP/2`);
  }
  const session = connectHttp(`https://${authorityOf(remote)}`, {
    createConnection: () => socket,
  });
  session.on('error', () => undefined);
  return {
    get isOpen() {
      return !session.closed && !session.destroyed && !socket.destroyed;
    },
    fetch: (request) => exchange(session, request),
    async [Symbol.asyncDispose]() {
      session.destroy();
      socket.destroy();
    },
  };
}

function handshake(
  remote: Endpoint,
  options: SecureOptions & { readonly protocols: readonly string[] },
): Promise<TLSSocket> {
  const { name, pins, protocols, timeoutMs = CONNECT_TIMEOUT_MS, localAddress } = options;
  const doing = `cannot connect to ${remote.address} port ${remote.port}`;
  if (name === undefined && pins === undefined) {
    return Promise.reject(
      new RuntimeError('untrusted', `${doing}: nothing says who that should be`),
    );
  }
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: remote.address,
      port: remote.port,
      ALPNProtocols: [...protocols],
      minVersion: 'TLSv1.2',
      rejectUnauthorized: name !== undefined,
      ...(name === undefined || isIP(name) !== 0 ? {} : { servername: name }),
      ...(name === undefined
        ? {}
        : { checkServerIdentity: (_, peer) => checkServerIdentity(name, peer) }),
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    const fail = (thrown: unknown) => {
      clearTimeout(timer);
      socket.on('error', () => undefined);
      socket.destroy();
      reject(translateSecure(thrown, doing));
    };
    const timer = setTimeout(
      () => fail(new RuntimeError('timeout', `${doing}: no answer in ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.once('error', fail);
    socket.once('close', () => fail(new RuntimeError('refused', `${doing}: closed`)));
    socket.once('secureConnect', () => {
      if (pins !== undefined && !isPinned(socket, pins)) {
        return fail(new RuntimeError('untrusted', `${doing}: its key is none of those pinned`));
      }
      clearTimeout(timer);
      socket.removeAllListeners('error').removeAllListeners('close');
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** SHA-256 of the SubjectPublicKeyInfo; of the server itself, since nobody checked its issuers. */
function isPinned(socket: TLSSocket, pins: readonly string[]): boolean {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
  return key !== undefined && pins.includes(createHash('sha256').update(key).digest('base64'));
}

/** What OpenSSL says of certificates that it does not accept; the rest is the network's. */
const UNTRUSTED = /^(ERR_TLS_CERT|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED|INVALID_|HOSTNAME_)/;

function translateSecure(thrown: unknown, doing: string): RuntimeError {
  const code = errnoOf(thrown) ?? '';
  if (thrown instanceof Error && UNTRUSTED.test(code)) {
    return new RuntimeError('untrusted', `${doing}: ${WORDS[code] ?? thrown.message}`, thrown);
  }
  return translate(thrown, doing);
}

/** Alike on Node and Bun, whose TLS libraries use other words. */
const WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself, by no authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority nobody knows',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an authority nobody knows',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority nobody knows',
};

const authorityOf = ({ address, port }: Endpoint) =>
  `${address.includes(':') ? `[${address}]` : address}:${port}`;

/** Answers whose content is read; refusals have none for us. */
const WITH_CONTENT = new Set([200, 207]);

/** Sends the request with its whole body; resolves when the answer's headers are here. */
async function exchange(session: ClientHttp2Session, request: Request): Promise<Response> {
  const { host, pathname, search } = new URL(request.url);
  const body = new Uint8Array(await request.arrayBuffer());
  return new Promise((resolve, reject) => {
    const fail = (thrown: unknown) => reject(translate(thrown, `cannot fetch from ${host}`));
    let stream: ClientHttp2Stream;
    try {
      const fields = {
        ...Object.fromEntries(request.headers),
        ':method': request.method,
        ':scheme': 'https',
        ':authority': host,
        ':path': `${pathname}${search}`,
      };
      // Said for all methods: Node takes it that a GET or DELETE has ended, and no other.
      stream = session.request(fields, { endStream: body.length === 0 });
    } catch (thrown) {
      return fail(thrown);
    }
    stream.setTimeout(REQUEST_TIMEOUT_MS, () => stream.close());
    request.signal.addEventListener('abort', () => stream.close());
    stream.once('error', fail);
    stream.once('close', () => fail(new RuntimeError('io', `${host} gave no answer`)));
    stream.once('response', (fields) => {
      const { ':status': status = 0, 'content-type': type } = fields;
      const content = Readable.toWeb(stream) as ReadableStream<Uint8Array>;
      const headers = type === undefined ? {} : { 'content-type': type };
      resolve(new Response(WITH_CONTENT.has(status) ? content : null, { status, headers }));
    });
    if (body.length > 0) stream.end(body);
  });
}
