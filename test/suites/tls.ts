/**
 * What every Tls must do; `connect` brings a client of whatever stands behind it.
 */

import { afterEach, describe, expect, test } from 'vitest';
import type { Connection, Credentials, Endpoint, Tls } from '#runtime';

export const LOCAL: Endpoint = { address: '127.0.0.1', port: 0 };

/** A client's end: writes, reads until the end, closes. */
export type Client = {
  write(text: string): void;
  end(): void;
  readonly heard: Promise<string>;
};

/** Runs the suite; `credentials` must be good ones. */
export function tlsSuite(
  name: string,
  open: () => Promise<{
    readonly tls: Tls;
    readonly credentials: Credentials;
    readonly connect: (to: Endpoint) => Promise<Client>;
  }>,
): void {
  const held: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const each of held.splice(0).reverse()) await each[Symbol.asyncDispose]();
  });
  const hold = <T extends AsyncDisposable>(each: T): T => {
    held.push(each);
    return each;
  };

  describe(`${name} tls`, () => {
    test('bytes go both ways, and the protocol is known', async () => {
      const { tls, credentials, connect } = await open();
      const seen: unknown[] = [];
      const options = { credentials, protocols: ['dot'] };
      const listener = hold(
        await tls.listen(LOCAL, options, (connection, protocol) => {
          seen.push(protocol, 'address' in connection.remote && connection.remote.address);
          shout(connection);
        }),
      );
      const client = await connect(endpointOf(listener.local));
      client.write('quiet');
      client.end();
      expect(await client.heard).toBe('QUIET');
      expect(seen).toEqual(['dot', '127.0.0.1']);
    });

    test('closing the listener ends its connections', async () => {
      const { tls, credentials, connect } = await open();
      const listener = await tls.listen(LOCAL, { credentials, protocols: ['dot'] }, shout);
      const client = await connect(endpointOf(listener.local));
      await listener[Symbol.asyncDispose]();
      expect(await client.heard).toBe('');
    });

    test('credentials that are none are said so, and those in use stay', async () => {
      const { tls, credentials, connect } = await open();
      const bad = { certificate: 'no', key: 'no' };
      const listening = tls.listen(LOCAL, { credentials: bad, protocols: ['dot'] }, shout);
      await expect(listening).rejects.toMatchObject({ code: 'bad-key' });
      const options = { credentials, protocols: ['dot'] };
      const listener = hold(await tls.listen(LOCAL, options, shout));
      expect(() => listener.replaceCredentials(bad)).toThrow(
        expect.objectContaining({ code: 'bad-key' }),
      );
      const client = await connect(endpointOf(listener.local));
      client.write('still');
      client.end();
      expect(await client.heard).toBe('STILL');
    });

    test('a taken port is', async () => {
      const { tls, credentials } = await open();
      const options = { credentials, protocols: ['dot'] };
      const listener = hold(await tls.listen(LOCAL, options, shout));
      const again = tls.listen(endpointOf(listener.local), options, shout);
      await expect(again).rejects.toMatchObject({ code: 'address-in-use' });
    });
  });
}

/** Sends everything back in capitals, until the other side ends. */
export function shout(connection: Connection): void {
  void shoutBack(connection);
}

async function shoutBack(connection: Connection): Promise<void> {
  for await (const chunk of connection.received()) {
    const text = new TextDecoder().decode(chunk).toUpperCase();
    await connection.write(new TextEncoder().encode(text));
  }
  await connection[Symbol.asyncDispose]();
}

/** Where a listener on TCP is. */
export function endpointOf(local: Endpoint | { readonly path: string }): Endpoint {
  if ('path' in local) throw new Error('unreachable: not on TCP');
  return local;
}
