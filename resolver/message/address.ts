/**
 * Addresses as A and AAAA records carry them, and which of them a public delegation may name.
 *
 * @see RFC 5952: the one text form of an IPv6 address
 * @see RFC 6890: special-purpose addresses
 */

import { TYPE } from './type.ts';
import { parseIpv4, parseIpv6, printIpv4, printIpv6 } from './wire/address-text.ts';

/** The address literal in the RDATA of an A or AAAA record. */
export function printAddress(type: number, rdata: Uint8Array): string | undefined {
  if (type === TYPE.A && rdata.length === 4) return printIpv4(rdata);
  if (type === TYPE.AAAA && rdata.length === 16) return printIpv6(rdata);
  return undefined;
}

/**
 * Tells whether the address is in a private, local or otherwise special range.
 *
 * A public zone that names such a server would make us talk to the household's own machines.
 */
export function isSpecial(rdata: Uint8Array): boolean {
  if (rdata.length === 4) return isSpecialIpv4(rdata[0] ?? 0, rdata[1] ?? 0);
  const isMapped = rdata.subarray(0, 10).every((octet) => octet === 0);
  if (isMapped) return true;
  const [first = 0, second = 0] = rdata;
  // fc00::/7, fe80::/10, ff00::/8
  return (first & 0xfe) === 0xfc || (first === 0xfe && (second & 0xc0) === 0x80) || first === 0xff;
}

function isSpecialIpv4(first: number, second: number): boolean {
  if (first === 0 || first === 10 || first === 127 || first >= 224) return true;
  if (first === 100) return second >= 64 && second < 128;
  if (first === 169) return second === 254;
  if (first === 172) return second >= 16 && second < 32;
  return first === 192 && second === 168;
}

/** The one text form of an address literal, as sockets report it; other text is left alone. */
export function canonicalAddress(address: string): string {
  const octets = address.includes(':') ? parseIpv6(address) : undefined;
  return octets === undefined ? address : printIpv6(octets);
}

/** The octets of an address literal; a mapped one counts as the IPv4 address inside. */
export function addressOctets(address: string): Uint8Array | undefined {
  const [literal = ''] = address.split('%', 1);
  if (!literal.includes(':')) return parseIpv4(literal);
  const octets = parseIpv6(literal);
  if (octets === undefined) return undefined;
  const isMapped = MAPPED.every((octet, index) => octets[index] === octet);
  return isMapped ? octets.subarray(12) : octets;
}

/** ::ffff:0:0/96 (RFC 4291 §2.5.5.2). */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
