/**
 * Fields of octets without inner form: keys, digests, signatures, character strings.
 *
 * Either counted by a length in front or all that is left of the RDATA.
 */

import { BASE32, BASE64, type Base, fromDigits, HEX, toDigits } from './digits.ts';
import { type Field, join, readNumber, writeNumber } from './field.ts';
import { quote, takeBare, takeJoined, takeString, type Words } from './words.ts';

type Text = Pick<Field<Uint8Array>, 'print' | 'parse'>;

/**
 * All octets to the end, as digits that may be split by spaces.
 *
 * Fewer than `least` are no key, digest or signature: such a record has no meaning.
 */
export function restField(base: 'hex' | 'base64', least: 0 | 1 = 1): Field<Uint8Array> {
  const digits = base === 'hex' ? HEX : BASE64;
  const field = rest({
    print: (octets) => toDigits(digits, octets),
    parse(words) {
      const text = takeJoined(words);
      const octets = text === undefined ? undefined : fromDigits(digits, text);
      return octets && octets.length >= least ? octets : undefined;
    },
  });
  return {
    ...field,
    read: (bytes, at, next) => (next - at < least ? undefined : bytes.slice(at, next)),
  };
}

/** All octets to the end, as one quoted string that may be longer than 255. */
export function restStringField(): Field<Uint8Array> {
  return rest({ print: quote, parse: takeString });
}

/** All octets to the end, in the form of RFC 3597 §5 only. */
export function rawField(): Field<Uint8Array> {
  return rest({ print: printRaw, parse: () => undefined });
}

/** All octets to the end after `0x`; dots between digits are read over (RFC 1706 §6). */
export function nsapField(): Field<Uint8Array> {
  return rest({
    print: (octets) => `0x${toDigits(HEX, octets)}`,
    parse(words) {
      const text = takeBare(words);
      return text?.slice(0, 2).toLowerCase() === '0x'
        ? fromDigits(HEX, text.slice(2).replaceAll('.', ''))
        : undefined;
    },
  });
}

function rest(text: Text): Field<Uint8Array> {
  return {
    skip: (_, _at, end) => end,
    read: (bytes, at, next) => bytes.slice(at, next),
    write: (value) => value,
    ...text,
  };
}

/** `\# n hex`: RFC 3597 §5. */
export function printRaw(octets: Uint8Array): string {
  return octets.length === 0 ? '\\# 0' : `\\# ${octets.length} ${toDigits(HEX, octets)}`;
}

/** The octets after `\#`: their number, then hexadecimal digits. */
export function parseRaw(words: Words): Uint8Array | undefined {
  const length = takeBare(words);
  const text = takeJoined(words);
  if (length === undefined || text === undefined || !/^\d{1,5}$/.test(length)) return undefined;
  const octets = fromDigits(HEX, text);
  return octets?.length === Number(length) ? octets : undefined;
}

/** Octets behind a length of `width` octets; at least `smallest`. */
function countedField(width: 1 | 2, smallest: number, text: Text): Field<Uint8Array> {
  return {
    skip(bytes, at, end) {
      if (at + width > end) return -1;
      const length = readNumber(bytes, at, width);
      const next = at + width + length;
      return length >= smallest && next <= end ? next : -1;
    },
    read: (bytes, at, next) => bytes.slice(at + width, next),
    write: (value) => join([writeNumber(value.length, width), value]),
    print: text.print,
    parse(words) {
      const octets = text.parse(words);
      const fits = octets && octets.length >= smallest && octets.length < 256 ** width;
      return fits ? octets : undefined;
    },
  };
}

/** A character string: RFC 1035 §3.3. */
export function stringField(): Field<Uint8Array> {
  return countedField(1, 0, { print: quote, parse: takeString });
}

/** A CAA tag: letters and digits go without quotes (RFC 8659 §4.1). */
export function tagField(): Field<Uint8Array> {
  const print = (octets: Uint8Array) => {
    const quoted = quote(octets);
    return /^"[0-9a-z]+"$/i.test(quoted) ? quoted.slice(1, -1) : quoted;
  };
  return countedField(1, 1, { print, parse: takeString });
}

/** A salt: hexadecimal, or a hyphen for none (RFC 5155 §3.3). */
export function saltField(): Field<Uint8Array> {
  return countedField(1, 0, {
    print: (octets) => (octets.length === 0 ? '-' : toDigits(HEX, octets)),
    parse(words) {
      const text = takeBare(words);
      return text === undefined ? undefined : fromDigits(HEX, text === '-' ? '' : text);
    },
  });
}

/** A hashed owner name (RFC 5155 §3.1.7). */
export function hashField(): Field<Uint8Array> {
  return countedField(1, 1, {
    print: (octets) => toDigits(BASE32, octets),
    parse(words) {
      const text = takeBare(words);
      return text === undefined ? undefined : fromDigits(BASE32, text);
    },
  });
}

/** Octets with their number in front in text as well (RFC 8945 §4.2 as BIND writes it). */
export function sizedField(): Field<Uint8Array> {
  return countedField(2, 0, {
    print: (octets) => (octets.length === 0 ? '0' : `${octets.length} ${toDigits(BASE64, octets)}`),
    parse(words) {
      const length = takeBare(words);
      if (length === '0') return new Uint8Array(0);
      const text = takeBare(words);
      const octets = text === undefined ? undefined : fromDigits(BASE64, text);
      return octets !== undefined && String(octets.length) === length ? octets : undefined;
    },
  });
}

/** Digits of one word. */
export function takeDigits(words: Words, base: Base): Uint8Array | undefined {
  const text = takeBare(words);
  return text === undefined ? undefined : fromDigits(base, text);
}
