/**
 * The addresses of a NAT64: IPv4 ones inside IPv6 ones, and how its prefix is found out.
 *
 * @see RFC 6052 §2.2: the form of the address  @see RFC 7050 §3: discovery
 * @see RFC 8880: the name that discovery asks for
 */

import { parseIpv6 } from '../message/wire/address-text.ts';

/** A prefix of RFC 6052 §2.2. */
export type Nat64Prefix = { readonly octets: Uint8Array; readonly length: number };

/** Any range of IPv6 addresses. */
export type Ipv6Range = { readonly octets: Uint8Array; readonly length: number };

const LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96];

/** Bits 64 to 71 of the address are zero (RFC 6052 §2.2). */
const RESERVED = 8;

/** The addresses of ipv4only.arpa, which nobody else has (RFC 7050 §2.2). */
export const WELL_KNOWN_ADDRESSES: readonly Uint8Array[] = [
  new Uint8Array([192, 0, 0, 170]),
  new Uint8Array([192, 0, 0, 171]),
];

/** Reads `64:ff9b::/96`; other lengths than RFC 6052's, and bits behind them, are refused. */
export function parseNat64Prefix(text: string): Nat64Prefix | undefined {
  const range = parseIpv6Range(text);
  const isPrefix = range !== undefined && LENGTHS.includes(range.length);
  return isPrefix && range.octets[RESERVED] === 0 ? range : undefined;
}

/** Reads `2001:db8::/32`; bits behind the length are refused. */
export function parseIpv6Range(text: string): Ipv6Range | undefined {
  const [address = '', bits = '', ...more] = text.split('/');
  const octets = parseIpv6(address);
  const length = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (octets === undefined || more.length > 0 || !(length <= 128)) return undefined;
  const range = { octets, length };
  return octets.every((octet, at) => (octet & ~maskAt(length, at) & 0xff) === 0)
    ? range
    : undefined;
}

/** Whether the address lies in the range. */
export function isInRange(address: Uint8Array, { octets, length }: Ipv6Range): boolean {
  return (
    address.length === octets.length &&
    octets.every((octet, at) => octet === ((address[at] ?? 0) & maskAt(length, at)))
  );
}

/** The bits of octet `at` that a prefix of `length` covers. */
function maskAt(length: number, at: number): number {
  const bits = Math.min(Math.max(length - at * 8, 0), 8);
  return (0xff << (8 - bits)) & 0xff;
}

/** The IPv6 address for an IPv4 one (RFC 6052 §2.2). */
export function translated({ octets, length }: Nat64Prefix, ipv4: Uint8Array): Uint8Array {
  const made = octets.slice();
  placesOf(length).forEach((at, index) => {
    made[at] = ipv4[index] ?? 0;
  });
  return made;
}

/** The IPv4 address in an IPv6 one of this prefix. */
export function embedded(prefix: Nat64Prefix, ipv6: Uint8Array): Uint8Array | undefined {
  if (!isInRange(ipv6, prefix)) return undefined;
  return Uint8Array.from(placesOf(prefix.length), (at) => ipv6[at] ?? 0);
}

/** Where the four octets are. */
function placesOf(length: number): number[] {
  const places: number[] = [];
  for (let at = length / 8; places.length < 4; at++) if (at !== RESERVED) places.push(at);
  return places;
}

/** The prefix that an address of ipv4only.arpa was made with; undefined when it is not clear. */
export function prefixIn(ipv6: Uint8Array): Nat64Prefix | undefined {
  if (ipv6.length !== 16) return undefined;
  const lengths = LENGTHS.filter((length) =>
    WELL_KNOWN_ADDRESSES.some((known) =>
      placesOf(length).every((at, index) => ipv6[at] === known[index]),
    ),
  );
  const [length] = lengths;
  if (length === undefined || lengths.length > 1 || ipv6[RESERVED] !== 0) return undefined;
  const octets = Uint8Array.from(ipv6, (octet, at) => (at < length / 8 ? octet : 0));
  return { octets, length };
}

/** 64:ff9b::/96, with which only global addresses can be reached (RFC 6052 §3.1). */
export const WELL_KNOWN: Nat64Prefix = {
  octets: Uint8Array.from({ length: 16 }, (_, at) => [0, 0x64, 0xff, 0x9b][at] ?? 0),
  length: 96,
};

/** Whether it is that one. */
export function isWellKnown({ octets, length }: Nat64Prefix): boolean {
  return length === WELL_KNOWN.length && octets.join() === WELL_KNOWN.octets.join();
}
