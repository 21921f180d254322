/** Fields that are lists to the end of the RDATA: character strings, names, record types. */

import { type Name, printName, skipName, trustedName } from '../name.ts';
import { typeName, typeNumber } from '../type.ts';
import { type Field, join, writeNumber } from './field.ts';
import { quote, takeBare, takeName, takeString, type Words } from './words.ts';

/** Between `least` and `most` character strings (RFC 1035 §3.3.14). */
export function stringsField(least = 1, most = Infinity): Field<readonly Uint8Array[]> {
  return {
    skip(bytes, at, end) {
      let next = at;
      let count = 0;
      for (; next < end; count++) next += 1 + (bytes[next] as number);
      return next === end && count >= least && count <= most ? end : -1;
    },
    read(bytes, at, next) {
      const strings: Uint8Array[] = [];
      for (let i = at; i < next; i += 1 + (bytes[i] as number)) {
        strings.push(bytes.slice(i + 1, i + 1 + (bytes[i] as number)));
      }
      return strings;
    },
    write: (strings) => join(strings.flatMap((string) => [writeNumber(string.length, 1), string])),
    print: (strings) => strings.map(quote).join(' '),
    parse(words) {
      const strings = takeAll(words, takeString);
      const fits = strings?.every((string) => string.length <= 255);
      return fits && strings && strings.length >= least && strings.length <= most
        ? strings
        : undefined;
    },
  };
}

/** Any number of names, never compressed nor changed. */
export function namesField(): Field<readonly Name[]> {
  return {
    skip(bytes, at, end) {
      let next = at;
      while (next >= 0 && next < end) next = skipName(bytes, next, end);
      return next;
    },
    read(bytes, at, next) {
      const names: Name[] = [];
      for (let i = at; i < next; ) {
        const after = skipName(bytes, i, next);
        names.push(trustedName(bytes.slice(i, after)));
        i = after;
      }
      return names;
    },
    write: (names) => join(names.map((name) => name.wire)),
    print: (names) => names.map(printName).join(' '),
    parse: (words) => takeAll(words, takeName),
  };
}

/** The types that exist at a name, ascending (RFC 4034 §4.1.2). */
export function typesField(): Field<readonly number[]> {
  return {
    skip: skipTypes,
    read: readTypes,
    write: writeTypes,
    print: (types) => types.map(typeName).join(' '),
    parse(words) {
      const types = takeAll(words, (rest) => typeNumber(takeBare(rest) ?? ''));
      return types && [...new Set(types)].sort((a, b) => a - b);
    },
  };
}

/** Takes all words that are left, or nothing when one of them is not right. */
function takeAll<T>(words: Words, take: (words: Words) => T | undefined): T[] | undefined {
  const taken: T[] = [];
  while (words.at < words.list.length) {
    const value = take(words);
    if (value === undefined) return undefined;
    taken.push(value);
  }
  return taken;
}

function skipTypes(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  let last = -1;
  while (next < end) {
    if (next + 2 > end) return -1;
    const window = bytes[next] as number;
    const length = bytes[next + 1] as number;
    next += 2 + length;
    if (window <= last || length === 0 || length > 32 || next > end) return -1;
    // Trailing zero octets must be left out, so that there is one form only.
    if (bytes[next - 1] === 0) return -1;
    last = window;
  }
  return next;
}

function readTypes(bytes: Uint8Array, at: number, next: number): number[] {
  const types: number[] = [];
  for (let i = at; i < next; i += 2 + (bytes[i + 1] as number)) {
    const window = (bytes[i] as number) * 256;
    const length = bytes[i + 1] as number;
    for (let bit = 0; bit < length * 8; bit++) {
      const octet = bytes[i + 2 + (bit >> 3)] as number;
      if (octet & (0x80 >> (bit & 7))) types.push(window + bit);
    }
  }
  return types;
}

function writeTypes(types: readonly number[]): Uint8Array {
  const windows = new Map<number, number[]>();
  for (const type of [...types].sort((a, b) => a - b)) {
    const bits = windows.get(type >> 8) ?? [];
    const octet = (type & 0xff) >> 3;
    while (bits.length <= octet) bits.push(0);
    bits[octet] = (bits[octet] as number) | (0x80 >> (type & 7));
    windows.set(type >> 8, bits);
  }
  return join([...windows].map(([window, bits]) => Uint8Array.of(window, bits.length, ...bits)));
}
