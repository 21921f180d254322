/**
 * TLS over the network in memory: the plain stream, as if the handshake had gone well.
 *
 * Clients come with `Tcp.connect` and are taken to have offered the first protocol.
 */

import {
  type Credentials,
  RuntimeError,
  type SecureListener,
  type Tcp,
  type Tls,
} from './index.ts';

/** The TLS of a host with this `tcp`. */
export function fakeTls(tcp: Tcp): Tls {
  return {
    // Everybody is who they say they are.
    connect: (remote, { timeoutMs }) =>
      tcp.connect(remote, timeoutMs === undefined ? {} : { timeoutMs }),
    async listen(local, { credentials, protocols }, accept) {
      checkCredentials(credentials);
      return secured(await tcp.listen(local, (connection) => accept(connection, protocols[0])));
    },
  };
}

/** A listener that takes any credentials that look like some. */
export function secured(listener: Omit<SecureListener, 'replaceCredentials'>): SecureListener {
  return { ...listener, replaceCredentials: checkCredentials };
}

/** Throws RuntimeError 'bad-key' for what is not PEM at all. */
export function checkCredentials({ certificate, key }: Credentials): void {
  const arePem = [certificate, key].every((text) => text.startsWith('-----BEGIN '));
  if (!arePem) throw new RuntimeError('bad-key', 'the certificate and its key are of no use');
}
