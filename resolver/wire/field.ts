/**
 * The kinds of field that RDATA is made of. wire/layout.ts puts them together.
 *
 * Each kind knows its extent (`skip`), its value (`read`, `write`), and, for a domain name, how
 * compression and the canonical form treat it. All that rdata.ts and message.ts do with RDATA
 * follows from this.
 */

import { type Name, skipName, trustedName } from '../name.ts';

/**
 * How the name in a field may be treated.
 *
 * - `compressed`: may be compressed in messages, lower case in canonical form (types of RFC 1035)
 * - `expanded`: is read compressed, never written so (RFC 3597 §4), lower case in canonical form
 * - `lowered`: never compressed, lower case in canonical form (RFC 4034 §6.2)
 * - `exact`: never compressed, never changed (RFC 3597 §4 and §7, RFC 6840 §5.1)
 */
export type NameRule = 'compressed' | 'expanded' | 'lowered' | 'exact';

/** One kind of field, with the type of its value. */
export type Field<T> = {
  /** Set when the field is one domain name. */
  readonly rule?: NameRule;
  /** The offset after the field that starts at `at`, or -1 when it is not well formed by `end`. */
  skip(bytes: Uint8Array, at: number, end: number): number;
  /** The value of a field that `skip` measured. */
  read(bytes: Uint8Array, at: number, next: number): T;
  /** The octets of a value. */
  write(value: T): Uint8Array;
};

/** A domain name. */
export function nameField(rule: NameRule): Field<Name> {
  return {
    rule,
    skip: skipName,
    read: (bytes, at, next) => trustedName(bytes.slice(at, next)),
    write: (name) => name.wire,
  };
}

/** An unsigned number of 1 to 6 octets. */
export function numberField(width: number): Field<number> {
  return {
    skip: (_, at, end) => (at + width <= end ? at + width : -1),
    read: (bytes, at) => readNumber(bytes, at, width),
    write: (value) => writeNumber(value, width),
  };
}

export function readNumber(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

export function writeNumber(value: number, width: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value >= 256 ** width) {
    throw new RangeError(`${value} is no unsigned number of ${width} octets`);
  }
  const bytes = new Uint8Array(width);
  for (let i = width - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) {
    bytes[i] = rest % 256;
  }
  return bytes;
}

/** Exactly `width` octets. */
export function octetsField(width: number): Field<Uint8Array> {
  return {
    skip: (_, at, end) => (at + width <= end ? at + width : -1),
    read: (bytes, at, next) => bytes.slice(at, next),
    write: (value) => {
      if (value.length !== width) throw new RangeError(`${value.length} octets, not ${width}`);
      return value;
    },
  };
}

/** All octets to the end of the RDATA. */
export function restField(): Field<Uint8Array> {
  return {
    skip: (_, _at, end) => end,
    read: (bytes, at, next) => bytes.slice(at, next),
    write: (value) => value,
  };
}

/** Octets behind a length of `width` octets. */
export function countedField(width: 1 | 2): Field<Uint8Array> {
  return {
    skip(bytes, at, end) {
      if (at + width > end) return -1;
      const next = at + width + readNumber(bytes, at, width);
      return next <= end ? next : -1;
    },
    read: (bytes, at, next) => bytes.slice(at + width, next),
    write: (value) => join([writeNumber(value.length, width), value]),
  };
}

/** One or more character strings to the end (RFC 1035 §3.3.14). */
export function stringsField(): Field<readonly Uint8Array[]> {
  return {
    skip(bytes, at, end) {
      let next = at;
      do {
        if (next >= end) return -1;
        next += 1 + (bytes[next] as number);
      } while (next < end);
      return next === end ? end : -1;
    },
    read(bytes, at, next) {
      const strings: Uint8Array[] = [];
      for (let i = at; i < next; i += 1 + (bytes[i] as number)) {
        strings.push(bytes.slice(i + 1, i + 1 + (bytes[i] as number)));
      }
      return strings;
    },
    write: (strings) => join(strings.flatMap((string) => [writeNumber(string.length, 1), string])),
  };
}

/** The types that exist at a name, ascending (RFC 4034 §4.1.2). */
export function typesField(): Field<readonly number[]> {
  return { skip: skipTypes, read: readTypes, write: writeTypes };
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
  const windows = new Map<number, Uint8Array>();
  for (const type of [...new Set(types)].sort((a, b) => a - b)) {
    const low = type & 0xff;
    const length = (low >> 3) + 1;
    const grown = new Uint8Array(length);
    grown.set(windows.get(type >> 8) ?? []);
    grown[low >> 3] = (grown[low >> 3] as number) | (0x80 >> (low & 7));
    windows.set(type >> 8, grown);
  }
  return join([...windows].flatMap(([window, bits]) => [Uint8Array.of(window, bits.length), bits]));
}

/** Puts pieces one after the other. */
export function join(pieces: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const piece of pieces) size += piece.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
