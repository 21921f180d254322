/**
 * The simple kinds of field that RDATA is made of. wire/layout.ts puts them together.
 *
 * Each kind knows its extent (`skip`), its value (`read`, `write`), its text (`print`, `parse`),
 * and, for a domain name, how compression and the canonical form treat it. All that is done with
 * RDATA elsewhere follows from this.
 */

import { type Name, printName, skipName, trustedName } from '../name.ts';
import { typeName, typeNumber } from '../type.ts';
import { parseIpv4, parseIpv6, printIpv4, printIpv6 } from './address-text.ts';
import { parseDuration, parseTime, printTime } from './time-text.ts';
import { takeBare, takeName, type Words } from './words.ts';

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
  /**
   * The value of a field that `skip` measured.
   *
   * Undefined when its octets have no meaning that we know: the record is passed on all the same.
   */
  read(bytes: Uint8Array, at: number, next: number): T | undefined;
  /** The octets of a value. */
  write(value: T): Uint8Array;
  /** The words of a value, or nothing. */
  print(value: T): string;
  /** The value that the next words stand for. */
  parse(words: Words): T | undefined;
};

/** A domain name. */
export function nameField(rule: NameRule): Field<Name> {
  return {
    rule,
    skip: skipName,
    read: (bytes, at, next) => trustedName(bytes.slice(at, next)),
    write: (name) => name.wire,
    print: printName,
    parse: takeName,
  };
}

/** How a number is spelled; decimal unless said otherwise. */
type Spelling = { print(value: number): string; parse(text: string): number | undefined };

const decimal: Spelling = {
  print: String,
  parse: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined),
};

/** An unsigned number of 1 to 6 octets. */
export function numberField(width: number, spelling: Spelling = decimal): Field<number> {
  return {
    skip: (_, at, end) => (at + width <= end ? at + width : -1),
    read: (bytes, at) => readNumber(bytes, at, width),
    write: (value) => writeNumber(value, width),
    print: (value) => spelling.print(value),
    parse(words) {
      const text = takeBare(words);
      const value = text === undefined ? undefined : spelling.parse(text);
      return value !== undefined && value < 256 ** width ? value : undefined;
    },
  };
}

/** A number of which some have mnemonics; they are printed and, like the number, read. */
export function codeField(width: number, codes: Readonly<Record<string, number>>): Field<number> {
  const mnemonics = new Map(Object.entries(codes).map(([name, code]) => [code, name]));
  return numberField(width, {
    print: (value) => mnemonics.get(value) ?? String(value),
    parse: (text) =>
      Object.hasOwn(codes, text.toUpperCase()) ? codes[text.toUpperCase()] : decimal.parse(text),
  });
}

/** Mnemonics of RFC 4034 §A.1 and what was added since; read, but never printed. */
const ALGORITHM: Readonly<Record<string, number>> = {
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  'DSA-NSEC3-SHA1': 6,
  'RSASHA1-NSEC3-SHA1': 7,
  RSASHA256: 8,
  RSASHA512: 10,
  'ECC-GOST': 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
};

/** A DNSSEC algorithm. */
export function algorithmField(): Field<number> {
  const field = codeField(1, ALGORITHM);
  return { ...field, print: String };
}

/** A record type as a number. */
export function typeField(): Field<number> {
  return numberField(2, { print: typeName, parse: typeNumber });
}

/** A time as signatures have it (RFC 4034 §3.1.5). */
export function timeField(): Field<number> {
  return numberField(4, { print: printTime, parse: parseTime });
}

/** Seconds, read with units too. */
export function durationField(): Field<number> {
  return numberField(4, { print: String, parse: parseDuration });
}

/** Reads an unsigned number; the caller has seen to it that the octets are there. */
export function readNumber(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

/** Writes an unsigned number; one that does not fit is our own mistake and throws. */
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

/** Exactly `width` octets, spelled in one word. */
function octetsField(
  width: number,
  print: (octets: Uint8Array) => string,
  parse: (text: string) => Uint8Array | undefined,
): Field<Uint8Array> {
  return {
    skip: (_, at, end) => (at + width <= end ? at + width : -1),
    read: (bytes, at, next) => bytes.slice(at, next),
    write(value) {
      if (value.length !== width) throw new RangeError(`${value.length} octets, not ${width}`);
      return value;
    },
    print,
    parse(words) {
      const text = takeBare(words);
      return text === undefined ? undefined : parse(text);
    },
  };
}

export function ipv4Field(): Field<Uint8Array> {
  return octetsField(4, printIpv4, parseIpv4);
}

export function ipv6Field(): Field<Uint8Array> {
  return octetsField(16, printIpv6, parseIpv6);
}

/** Pairs of hexadecimal digits with hyphens (RFC 7043 §3.2 and §4.2). */
export function euiField(width: 6 | 8): Field<Uint8Array> {
  return groupedField(width, 1, '-');
}

/** Four groups of up to four hexadecimal digits with colons (RFC 6742 §2.1.2). */
export function locatorField(): Field<Uint8Array> {
  return groupedField(8, 2, ':');
}

function groupedField(width: number, group: 1 | 2, separator: string): Field<Uint8Array> {
  const shape = group === 1 ? /^[0-9a-f]{2}$/i : /^[0-9a-f]{1,4}$/i;
  return octetsField(
    width,
    (octets) =>
      Array.from({ length: width / group }, (_, i) =>
        readNumber(octets, i * group, group)
          .toString(16)
          .padStart(2 * group, '0'),
      ).join(separator),
    (text) => {
      const groups = text.split(separator, width + 1);
      if (groups.length !== width / group || !groups.every((digits) => shape.test(digits))) {
        return undefined;
      }
      return join(groups.map((digits) => writeNumber(Number.parseInt(digits, 16), group)));
    },
  );
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
