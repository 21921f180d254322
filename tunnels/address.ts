/**
 * Overlay addresses that nobody has to assign.
 *
 * IPv6: a realm's /48 is `fd` and 40 bits of the hash of its id; a device's address is subnet 0 of
 * that and 64 bits of the hash of its WireGuard key. It follows from the two, never changes and
 * needs no registry. IPv4 is for what cannot speak IPv6: 22 bits do not suffice to go without
 * a registry, so an address is probed for and then kept in the store.
 *
 * @see RFC 4193 §3: unique local IPv6 unicast addresses
 * @see RFC 6598 §7: 100.64.0.0/10
 */

import type { Crypto } from '#runtime';
import { parseAddress, printAddress } from './ip.ts';

type Hashing = Pick<Crypto, 'hash'>;

/** The realm's /48, `fdxx:xxxx:xxxx::/48`. */
export function overlayPrefix(crypto: Hashing, realm: string): string {
  return `${printAddress(prefixBytes(crypto, realm))}/48`;
}

/** A device's IPv6 address in its realm, from its raw WireGuard public key. */
export function overlayAddress(crypto: Hashing, realm: string, publicKey: Uint8Array): string {
  const address = prefixBytes(crypto, realm);
  address.set(crypto.hash('sha256', publicKey).subarray(0, 8), 8);
  return printAddress(address);
}

/**
 * A free IPv4 address of 100.64.0.0/10 for a key, or undefined when all are taken.
 *
 * The same key gets the same address while it is free, so two devices that allocate without seeing
 * each other rarely choose the same.
 */
export function allocateIpv4(
  crypto: Hashing,
  taken: readonly string[],
  publicKey: Uint8Array,
): string | undefined {
  const isTaken = new Set(taken);
  const [a = 0, b = 0, c = 0] = crypto.hash('sha256', publicKey);
  const start = ((a << 16) | (b << 8) | c) % SHARED_SIZE;
  // No more than `taken` and the few that are never given can be in the way.
  for (let step = 0; step < SHARED_SIZE; step++) {
    const host = (start + step) % SHARED_SIZE;
    const address = printAddress(
      Uint8Array.of(100, 64 + (host >> 16), (host >> 8) & 255, host & 255),
    );
    if (!isNeverGiven(host, address) && !isTaken.has(address)) {
      return address;
    }
  }
  return undefined;
}

const SHARED_SIZE = 1 << 22;

/** First and last of each /24 confuse old programs; another overlay network's resolver lives in ours. */
function isNeverGiven(host: number, address: string): boolean {
  return (host & 255) === 0 || (host & 255) === 255 || address === '100.100.100.100';
}

function prefixBytes(crypto: Hashing, realm: string): Uint8Array {
  const bytes = parseAddress('fd00::') ?? new Uint8Array(16);
  bytes.set(crypto.hash('sha256', new TextEncoder().encode(realm)).subarray(0, 5), 1);
  return bytes;
}
