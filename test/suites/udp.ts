/**
 * What every Udp must do.
 */

import { afterEach, describe, expect, test } from 'vitest';
import type { Endpoint, Udp, UdpSocket } from '#runtime';
import { takePort } from './ports.ts';

type Heard = { readonly data: number[]; readonly from: Endpoint };

/** Runs the suite on 127.0.0.1 and ::1; `pass` lets what was sent arrive: so much, or all there is. */
export function udpSuite(
  name: string,
  open: () => {
    readonly udp: Udp;
    readonly pass: (isHere?: () => boolean) => Promise<void>;
  },
): void {
  const sockets: UdpSocket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) await socket[Symbol.asyncDispose]();
  });

  const bind = async (udp: Udp, local: Endpoint) => {
    const heard: Heard[] = [];
    const socket = await udp.bind(local, (data, from) => heard.push({ data: [...data], from }));
    sockets.push(socket);
    return { socket, heard };
  };

  describe(`${name} udp`, () => {
    test.each(['127.0.0.1', '::1'])(
      'a datagram arrives whole, with its sender, on %s',
      async (address) => {
        const { udp, pass } = open();
        const one = await bind(udp, { address, port: 0 });
        const other = await bind(udp, { address, port: 0 });
        expect(one.socket.local.port).toBeGreaterThan(0);
        one.socket.send(Uint8Array.of(1, 2, 3), other.socket.local);
        one.socket.send(new Uint8Array(0), other.socket.local);
        await pass(() => other.heard.length >= 2);
        expect(other.heard).toEqual([
          { data: [1, 2, 3], from: one.socket.local },
          { data: [], from: one.socket.local },
        ]);
        expect(one.heard).toEqual([]);
      },
    );

    test('the buffer may be used again right after sending', async () => {
      const { udp, pass } = open();
      const one = await bind(udp, { address: '127.0.0.1', port: 0 });
      const data = Uint8Array.of(1);
      one.socket.send(data.slice(), one.socket.local);
      await pass(() => one.heard.length > 0);
      expect(one.heard.map(({ data: each }) => each)).toEqual([[1]]);
    });

    test('a wildcard hears its family only, beside the other family on the same port', async () => {
      const { udp, pass } = open();
      const port = await takePort();
      const six = await bind(udp, { address: '::', port });
      const four = await bind(udp, { address: '0.0.0.0', port });
      const sender4 = await bind(udp, { address: '127.0.0.1', port: 0 });
      const sender6 = await bind(udp, { address: '::1', port: 0 });
      sender4.socket.send(Uint8Array.of(4), { address: '127.0.0.1', port });
      sender6.socket.send(Uint8Array.of(6), { address: '::1', port });
      await pass(() => four.heard.length > 0 && six.heard.length > 0);
      expect(four.heard.map(({ data }) => data)).toEqual([[4]]);
      expect(six.heard.map(({ data }) => data)).toEqual([[6]]);
    });

    test('a port that is taken is address-in-use', async () => {
      const { udp } = open();
      const { socket } = await bind(udp, { address: '127.0.0.1', port: 0 });
      const again = udp.bind(socket.local, () => undefined);
      await expect(again).rejects.toMatchObject({ name: 'RuntimeError', code: 'address-in-use' });
    });

    test('an address of somebody else is unreachable', async () => {
      const { udp } = open();
      const bound = udp.bind({ address: '198.51.100.77', port: 0 }, () => undefined);
      await expect(bound).rejects.toMatchObject({ name: 'RuntimeError', code: 'unreachable' });
    });

    test('what cannot be sent is lost without an error', async () => {
      const { udp, pass } = open();
      const { socket, heard } = await bind(udp, { address: '127.0.0.1', port: 0 });
      socket.send(Uint8Array.of(1), { address: '::1', port: socket.local.port });
      socket.send(Uint8Array.of(2), { address: '127.0.0.1', port: 1 });
      await pass();
      await socket[Symbol.asyncDispose]();
      socket.send(Uint8Array.of(3), socket.local);
      await pass();
      expect(heard).toEqual([]);
    });

    test('the addresses of the interfaces are told, loopback among them', () => {
      const { udp } = open();
      const all = udp.addresses?.() ?? [];
      expect(all).toContainEqual({ address: '127.0.0.1', link: 0 });
      expect(all).toContainEqual({ address: '::1', link: 0 });
    });

    test('a closed port is free again', async () => {
      const { udp } = open();
      const { socket } = await bind(udp, { address: '127.0.0.1', port: await takePort() });
      await socket[Symbol.asyncDispose]();
      await socket[Symbol.asyncDispose]();
      const again = await bind(udp, socket.local);
      expect(again.socket.local).toEqual(socket.local);
    });
  });
}
