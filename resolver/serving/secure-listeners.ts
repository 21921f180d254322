/**
 * Listeners under TLS: DoT and DoH, before the same pipeline as the others.
 *
 * @see RFC 7858 (DoT; ALPN by RFC 7858's registration "dot"), RFC 8484 (DoH)
 */

import type {
  ConnectionRoom,
  Credentials,
  Endpoint,
  Listener,
  Runtime,
  SecureListener,
} from '#runtime';
import { createDohService } from './doh.ts';
import type { Handle } from './response.ts';
import { awaitAddress, isMissing } from './server.ts';
import { createTcpService, MAX_UNREAD_BYTES, WRITE_MILLISECONDS } from './tcp-connection.ts';

const DOT_PROTOCOL = 'dot';

/** Of one address: a browser opens one connection, a household behind NAT some dozens. */
const DOH_ROOM: ConnectionRoom = {
  connections: 512,
  perSource: 64,
  unread: { octets: MAX_UNREAD_BYTES, milliseconds: WRITE_MILLISECONDS },
};

export type SecureListeners = AsyncDisposable & {
  /** Where it listens by now. */
  readonly dot: readonly Endpoint[];
  readonly doh: readonly Endpoint[];
  /** Holds from the next handshake on. Throws RuntimeError 'bad-key', and then nothing changed. */
  replaceCredentials(credentials: Credentials): void;
};

type Seams = Pick<Runtime, 'clock' | 'tls' | 'http'> & { readonly log?: Runtime['log'] };

/**
 * Listens on all endpoints or on none; fails as the seams do, also with 'bad-key'. An address that
 * this machine does not have yet is waited for.
 */
export async function startSecureListeners(
  runtime: Seams,
  options: {
    readonly dot: readonly Endpoint[];
    readonly doh: readonly Endpoint[];
    readonly credentials: Credentials;
  },
  handle: Handle,
): Promise<SecureListeners> {
  const { clock, tls, http } = runtime;
  const dotService = createTcpService(clock, handle, 'dot');
  const dohService = createDohService(clock, handle);
  const dot: SecureListener[] = [];
  const doh: SecureListener[] = [];
  const opened: AsyncDisposable[] = [dotService];
  let { credentials } = options;
  let isClosed = false;
  const close = async () => {
    isClosed = true;
    await Promise.all(opened.map((each) => each[Symbol.asyncDispose]()));
  };

  const openDot = (endpoint: Endpoint) =>
    tls.listen(endpoint, { credentials, protocols: [DOT_PROTOCOL] }, dotService.accept);
  const openDoh = (endpoint: Endpoint) =>
    http.listenSecurely(endpoint, credentials, dohService, DOH_ROOM);

  async function listen(
    endpoint: Endpoint,
    open: (endpoint: Endpoint) => Promise<SecureListener>,
    into: SecureListener[],
  ): Promise<void> {
    const before = credentials;
    const listener = await open(endpoint);
    // Replaced meanwhile.
    if (credentials !== before) listener.replaceCredentials(credentials);
    opened.push(listener);
    if (isClosed) await close();
    else into.push(listener);
  }

  const all = [
    ...options.dot.map((endpoint) => ({ endpoint, open: openDot, into: dot })),
    ...options.doh.map((endpoint) => ({ endpoint, open: openDoh, into: doh })),
  ];
  try {
    for (const { endpoint, open, into } of all) {
      await listen(endpoint, open, into).catch((thrown: unknown) => {
        if (!isMissing(thrown)) throw thrown;
        opened.push(awaitAddress(runtime, endpoint, () => listen(endpoint, open, into)));
      });
    }
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return {
    get dot() {
      return dot.map(endpointOf);
    },
    get doh() {
      return doh.map(endpointOf);
    },
    replaceCredentials(next) {
      for (const listener of [...dot, ...doh]) listener.replaceCredentials(next);
      credentials = next;
    },
    [Symbol.asyncDispose]: close,
  };
}

function endpointOf({ local }: Listener): Endpoint {
  if ('path' in local) throw new Error('unreachable: TLS is over TCP');
  return local;
}
