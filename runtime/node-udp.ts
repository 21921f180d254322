/**
 * Datagrams by node:dgram.
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import {
  type Endpoint,
  type LocalAddress,
  RuntimeError,
  type Udp,
  type UdpSocket,
} from './index.ts';
import { errnoOf, translate } from './node-errors.ts';
import { findPortHolder } from './port-holder.ts';

/** Room for bursts; the kernel cuts it to net.core.rmem_max without an error. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** The machine's datagram sockets. */
export function nodeUdp(): Udp {
  return { bind, addresses };
}

function addresses(): readonly LocalAddress[] | undefined {
  try {
    return Object.entries(networkInterfaces()).flatMap(([name, infos = []]) =>
      infos.map((info) => {
        const link = (info.family === 'IPv6' && info.scopeid) || 0;
        return { address: link === 0 ? info.address : `${info.address}%${name}`, link };
      }),
    );
  } catch {
    // A sandbox without netlink.
    return undefined;
  }
}

async function bind(
  local: Endpoint,
  receive: (data: Uint8Array, from: Endpoint) => void,
): Promise<UdpSocket> {
  const family = isIP(local.address);
  if (family === 0) throw new RuntimeError('unreachable', `${local.address} is no IP address`);
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    // '::' would take the port of 0.0.0.0 as well; each family has its own socket.
    ipv6Only: family === 6,
    recvBufferSize: RECEIVE_BUFFER_BYTES,
    // Addresses are literals: nothing to look up, and no turn of the event loop to wait for.
    lookup: (address, _options, callback) => callback(null, address, isIP(address)),
  });
  socket.on('message', (data, from) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    receive(bytes, { address: from.address, port: from.port });
  });
  try {
    // Without a look-up the event comes before bind() returns.
    const listening = once(socket, 'listening');
    socket.bind(local.port, local.address);
    await listening;
  } catch (thrown) {
    await close(socket);
    throw await bindError('udp', local, thrown);
  }
  // What a sent datagram meets on its way (ICMP) is a loss like any other.
  socket.on('error', () => undefined);
  const bound = socket.address();
  return {
    local: { address: bound.address, port: bound.port },
    send: (data, to) => send(socket, data, to),
    [Symbol.asyncDispose]: () => close(socket),
  };
}

function send(socket: Socket, data: Uint8Array, to: Endpoint): void {
  try {
    // Nobody to call back: that would be a turn of the event loop for each datagram.
    socket.send(data, to.port, to.address);
  } catch {
    // Closed already, or an address nobody can have: lost.
  }
}

function close(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve());
    } catch {
      resolve(); // Closed already.
    }
  });
}

/** The error of a failed bind; says who has the port where that can be found out. */
export async function bindError(
  kind: 'udp' | 'tcp',
  local: Endpoint,
  thrown: unknown,
): Promise<RuntimeError> {
  const where = `${kind} ${local.address} port ${local.port}`;
  if (errnoOf(thrown) !== 'EADDRINUSE') return translate(thrown, `cannot open ${where}`);
  const holder = await findPortHolder(kind, local);
  const words = holder === undefined ? 'another program' : holder;
  return new RuntimeError('address-in-use', `${where} is held by ${words}`, thrown);
}
