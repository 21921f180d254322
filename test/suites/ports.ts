/**
 * Ports for programs that are told theirs: none that the kernel gives to clients (32768 and above),
 * free at the moment, and each for one process of tests only. Whoever takes one keeps an abstract
 * socket of its number (unix(7)) until the process ends; of two that want the same, one gets it.
 */

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const LOWEST = 12_000;
const HIGHEST = 32_000;

/** A port that nobody has, on any address, for UDP or TCP, and that nobody else will be given. */
export async function takePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if ((await claim(port)) && (await isFree(port))) return port;
  }
}

/** Tells whether nobody has a port; a machine without IPv6 has nobody there. */
export async function isFree(port: number): Promise<boolean> {
  try {
    const server = createServer().listen({ port, host: '::' });
    await once(server, 'listening');
    await new Promise((resolve) => server.close(resolve));
    const socket = createSocket('udp6').bind(port, '::');
    await once(socket, 'listening');
    await new Promise<void>((resolve) => socket.close(resolve));
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'EADDRINUSE';
  }
}

async function claim(port: number): Promise<boolean> {
  const server = createServer().unref();
  try {
    await once(server.listen(`\0nymote-test-port-${port}`), 'listening');
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'EADDRINUSE';
  }
}
