/**
 * Endpoints as the kernel has them: `sockaddr_in` and `sockaddr_in6`.
 *
 * @see ip(7), ipv6(7)
 */

import { isIP, SocketAddress } from 'node:net';
import { AF_INET, AF_INET6, allocate } from './batch-native.ts';
import type { Endpoint } from './index.ts';

/** The structure for an address literal, or undefined where it is none. */
export function parseAddress({ address, port }: Endpoint): Uint8Array | undefined {
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return undefined;
  const bytes = allocate(family === 4 ? 16 : 28);
  bytes[0] = family === 4 ? AF_INET : AF_INET6;
  bytes[2] = port >> 8;
  bytes[3] = port;
  if (family === 4) bytes.set(address.split('.').map(Number), 4);
  else bytes.set(parse6(address), 8);
  return bytes;
}

function parse6(address: string): Uint8Array {
  // The one form of an address, without a tail of IPv4 but for mapped ones, which sockets of ours are not.
  const text = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const groups = [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The endpoint in a structure that the kernel filled in. */
export function printName(bytes: Uint8Array): Endpoint {
  const port = ((bytes[2] as number) << 8) | (bytes[3] as number);
  if (bytes[0] !== AF_INET6) return { address: bytes.subarray(4, 8).join('.'), port };
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[8 + index * 2] as number) << 8) | (bytes[9 + index * 2] as number)).toString(16),
  );
  const { address } = new SocketAddress({ family: 'ipv6', address: groups.join(':') });
  return { address, port };
}
