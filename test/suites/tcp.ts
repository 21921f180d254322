/**
 * What every Tcp must do.
 */

import { afterEach, describe, expect, test } from 'vitest';
import type { Connection, Endpoint, Listener, Path, Tcp } from '#runtime';
import { takePort } from './ports.ts';

/** Runs the suite over TCP and a unix socket; `path` gives a name nobody has used. */
export function tcpSuite(
  name: string,
  open: () => { readonly tcp: Tcp; readonly path: string },
): void {
  const held: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const each of held.splice(0).reverse()) await each[Symbol.asyncDispose]();
  });
  const hold = <T extends AsyncDisposable>(each: T): T => {
    held.push(each);
    return each;
  };
  const localOf = (kind: string, path: string): Endpoint | Path =>
    kind === 'path' ? { path } : { address: kind, port: 0 };

  describe(`${name} tcp`, () => {
    test.each(['127.0.0.1', '::1', 'path'])(
      'bytes go both ways in order, over %s',
      async (kind) => {
        const { tcp, path } = open();
        const listener = hold(await tcp.listen(localOf(kind, path), echo));
        const connection = hold(await tcp.connect(listener.local));
        const sent = Uint8Array.from({ length: 200_000 }, (_, index) => index % 251);
        await connection.write(sent.subarray(0, 1));
        await connection.write(sent.subarray(1));
        const back = await readBytes(connection, sent.length);
        expect(Buffer.from(back).equals(sent)).toBe(true);
      },
    );

    test('received ends when the other side closes, after all it wrote', async () => {
      const { tcp } = open();
      const heard: Promise<string>[] = [];
      const listener = hold(
        await tcp.listen({ address: '127.0.0.1', port: 0 }, (connection) => {
          heard.push(readAll(connection));
          void connection.write(text('hello'));
        }),
      );
      const connection = await tcp.connect(listener.local);
      await connection.write(text('bye'));
      expect(await readBytes(connection, 5)).toEqual(text('hello'));
      await connection[Symbol.asyncDispose]();
      expect(await heard[0]).toBe('bye');
    });

    test('received ends when the other side aborts, or we do', async () => {
      const { tcp } = open();
      const accepted: Connection[] = [];
      const listener = hold(
        await tcp.listen({ address: '127.0.0.1', port: 0 }, (connection) => {
          accepted.push(connection);
          if (accepted.length === 1) connection.abort();
        }),
      );
      expect(await readAll(hold(await tcp.connect(listener.local)))).toBe('');
      const own = hold(await tcp.connect(listener.local));
      const reading = readAll(own);
      own.abort();
      expect(await reading).toBe('');
      await expect(own.write(text('x'))).rejects.toMatchObject({ name: 'RuntimeError' });
    });

    test('both ends know each other', async () => {
      const { tcp } = open();
      const seen: (Endpoint | Path)[] = [];
      const listener = hold(
        await tcp.listen({ address: '127.0.0.1', port: 0 }, (connection) => {
          seen.push(connection.remote);
          echo(connection);
        }),
      );
      const connection = hold(await tcp.connect(listener.local, { localAddress: '127.0.0.1' }));
      await connection.write(text('x'));
      await readBytes(connection, 1);
      expect(connection.remote).toEqual(listener.local);
      expect(seen).toEqual([{ address: '127.0.0.1', port: expect.any(Number) }]);
    });

    test('a taken address is address-in-use, a released one is free', async () => {
      const { tcp, path } = open();
      for (const local of [{ address: '127.0.0.1', port: await takePort() }, { path }]) {
        const first: Listener = await tcp.listen(local, echo);
        const second = tcp.listen(first.local, echo);
        await expect(second).rejects.toMatchObject({ code: 'address-in-use' });
        await first[Symbol.asyncDispose]();
        hold(await tcp.listen(first.local, echo));
      }
    });

    test('nobody there is refused, a missing path not-found', async () => {
      const { tcp, path } = open();
      const listener = await tcp.listen({ address: '127.0.0.1', port: await takePort() }, echo);
      await listener[Symbol.asyncDispose]();
      await expect(tcp.connect(listener.local)).rejects.toMatchObject({ code: 'refused' });
      await expect(tcp.connect({ path })).rejects.toMatchObject({ code: 'not-found' });
    });

    test('closing the listener ends its connections', async () => {
      const { tcp } = open();
      const listener = await tcp.listen({ address: '127.0.0.1', port: 0 }, echo);
      const connection = hold(await tcp.connect(listener.local));
      await connection.write(text('x'));
      await readBytes(connection, 1);
      await listener[Symbol.asyncDispose]();
      expect(await readAll(connection)).toBe('');
    });
  });
}

function echo(connection: Connection): void {
  void sendBack(connection);
}

async function sendBack(connection: Connection): Promise<void> {
  for await (const chunk of connection.received()) await connection.write(chunk);
  await connection[Symbol.asyncDispose]();
}

async function readBytes(connection: Connection, count: number): Promise<Uint8Array> {
  const all = new Uint8Array(count);
  let filled = 0;
  for await (const chunk of connection.received()) {
    all.set(chunk, filled);
    filled += chunk.length;
    if (filled >= count) break;
  }
  return all.subarray(0, filled);
}

async function readAll(connection: Connection): Promise<string> {
  let all = '';
  for await (const chunk of connection.received()) all += new TextDecoder().decode(chunk);
  return all;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
