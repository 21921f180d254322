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
import { createTcpService, MAX_UNREAD_BYTES, WRITE_MILLISECONDS } from './tcp-connection.ts';

const DOT_PROTOCOL = 'dot';

/** Of one address: a browser opens one connection, a household behind NAT some dozens. */
const DOH_ROOM: ConnectionRoom = {
  connections: 512,
  perSource: 64,
  unread: { octets: MAX_UNREAD_BYTES, milliseconds: WRITE_MILLISECONDS },
};

export type SecureListeners = AsyncDisposable & {
  readonly dot: readonly Endpoint[];
  readonly doh: readonly Endpoint[];
  /** Holds from the next handshake on. Throws RuntimeError 'bad-key', and then nothing changed. */
  replaceCredentials(credentials: Credentials): void;
};

/** Listens on all endpoints or on none; fails as the seams do, also with 'bad-key'. */
export async function startSecureListeners(
  { clock, tls, http }: Pick<Runtime, 'clock' | 'tls' | 'http'>,
  options: {
    readonly dot: readonly Endpoint[];
    readonly doh: readonly Endpoint[];
    readonly credentials: Credentials;
  },
  handle: Handle,
): Promise<SecureListeners> {
  await using opening = new AsyncDisposableStack();
  const { credentials } = options;
  const dotService = opening.use(createTcpService(clock, handle, 'dot'));
  const dohService = createDohService(clock, handle);
  const dot: SecureListener[] = [];
  const doh: SecureListener[] = [];
  for (const endpoint of options.dot) {
    const wanted = { credentials, protocols: [DOT_PROTOCOL] };
    dot.push(opening.use(await tls.listen(endpoint, wanted, dotService.accept)));
  }
  for (const endpoint of options.doh) {
    doh.push(opening.use(await http.listenSecurely(endpoint, credentials, dohService, DOH_ROOM)));
  }
  const opened = opening.move();
  return {
    dot: dot.map(endpointOf),
    doh: doh.map(endpointOf),
    replaceCredentials(next) {
      for (const listener of [...dot, ...doh]) listener.replaceCredentials(next);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function endpointOf({ local }: Listener): Endpoint {
  if ('path' in local) throw new Error('unreachable: TLS is over TCP');
  return local;
}
