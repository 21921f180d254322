/**
 * Lists of address prefixes: the APL record of RFC 3123.
 *
 * Families other than IPv4 and IPv6 have no text form, and neither has an item that breaks a rule;
 * such a record stays opaque.
 */

import { parseIpv4, parseIpv6, printIpv4, printIpv6 } from './address-text.ts';
import { type Field, join } from './field.ts';
import { takeBare, type Words } from './words.ts';

/** One item: `address` has 4 or 16 octets. */
export type AddressPrefix = {
  readonly negated: boolean;
  readonly address: Uint8Array;
  readonly length: number;
};

const HEAD = 4;

/** Any number of items to the end of the RDATA. */
export function prefixesField(): Field<readonly AddressPrefix[]> {
  return {
    skip(bytes, at, end) {
      let next = at;
      while (next < end) {
        if (next + HEAD > end) return -1;
        next += HEAD + ((bytes[next + 3] as number) & 0x7f);
      }
      return next === end ? end : -1;
    },
    read(bytes, at, next) {
      const prefixes: AddressPrefix[] = [];
      for (let i = at; i < next; i += HEAD + ((bytes[i + 3] as number) & 0x7f)) {
        const prefix = readPrefix(bytes, i);
        if (prefix === undefined) return undefined;
        prefixes.push(prefix);
      }
      return prefixes;
    },
    write: (prefixes) => join(prefixes.map(writePrefix)),
    print: (prefixes) => prefixes.map(printPrefix).join(' '),
    parse: parsePrefixes,
  };
}

function readPrefix(bytes: Uint8Array, at: number): AddressPrefix | undefined {
  const family = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  const length = bytes[at + 2] as number;
  const size = (bytes[at + 3] as number) & 0x7f;
  const width = family === 1 ? 4 : 16;
  if (family < 1 || family > 2 || size > width || length > width * 8) return undefined;
  // Trailing zeros must be left out (RFC 3123 §4).
  if (size > 0 && bytes[at + HEAD + size - 1] === 0) return undefined;
  const address = new Uint8Array(width);
  address.set(bytes.subarray(at + HEAD, at + HEAD + size));
  return { negated: (bytes[at + 3] as number) >= 0x80, address, length };
}

function writePrefix({ negated, address, length }: AddressPrefix): Uint8Array {
  let size = address.length;
  while (size > 0 && address[size - 1] === 0) size--;
  const head = [0, address.length === 4 ? 1 : 2, length, (negated ? 0x80 : 0) | size];
  return Uint8Array.of(...head, ...address.subarray(0, size));
}

function printPrefix({ negated, address, length }: AddressPrefix): string {
  const sign = negated ? '!' : '';
  return address.length === 4
    ? `${sign}1:${printIpv4(address)}/${length}`
    : `${sign}2:${printIpv6(address)}/${length}`;
}

function parsePrefixes(words: Words): AddressPrefix[] | undefined {
  const prefixes: AddressPrefix[] = [];
  while (words.at < words.list.length) {
    const parts = /^(!?)([12]):([0-9a-f.:]{2,45})\/(\d{1,3})$/i.exec(takeBare(words) ?? '');
    if (parts === null) return undefined;
    const [, sign, family, text = '', length] = parts;
    const address = family === '1' ? parseIpv4(text) : parseIpv6(text);
    if (address === undefined || Number(length) > address.length * 8) return undefined;
    prefixes.push({ negated: sign === '!', address, length: Number(length) });
  }
  return prefixes;
}
