/**
 * Where on Earth: the LOC record of RFC 1876.
 *
 * Only version 0 with values in range has a text form; anything else stays opaque (§2).
 */

import { type Field, join, readNumber, writeNumber } from './field.ts';
import { takeBare, type Words } from './words.ts';

/**
 * A place. Sizes and altitude are in centimetres, altitude from 100 km below the sea; angles are in
 * thousandths of a second of arc, from 2^31.
 */
export type Location = {
  readonly size: number;
  readonly horizontalPrecision: number;
  readonly verticalPrecision: number;
  readonly latitude: number;
  readonly longitude: number;
  readonly altitude: number;
};

const SIZE = 16;
const CENTRE = 2 ** 31;
const ARC_DEGREE = 3_600_000;
const SEA_LEVEL = 10_000_000;

/** The whole RDATA of a LOC record. */
export function locationField(): Field<Location> {
  return {
    // Other versions may be of any length.
    skip: (bytes, at, end) => (at < end && (bytes[at] !== 0 || at + SIZE === end) ? end : -1),
    read: (bytes, at) => (bytes[at] === 0 ? readLocation(bytes, at) : undefined),
    write: (value) =>
      join([
        Uint8Array.of(
          0,
          packSize(value.size),
          packSize(value.horizontalPrecision),
          packSize(value.verticalPrecision),
        ),
        writeNumber(value.latitude, 4),
        writeNumber(value.longitude, 4),
        writeNumber(value.altitude, 4),
      ]),
    print: (value) =>
      [
        printAngle(value.latitude, 'N', 'S'),
        printAngle(value.longitude, 'E', 'W'),
        `${printMetres(value.altitude - SEA_LEVEL)}m`,
        `${printMetres(value.size)}m`,
        `${printMetres(value.horizontalPrecision)}m`,
        `${printMetres(value.verticalPrecision)}m`,
      ].join(' '),
    parse: parseLocation,
  };
}

function readLocation(bytes: Uint8Array, at: number): Location | undefined {
  const size = unpackSize(bytes[at + 1] as number);
  const horizontalPrecision = unpackSize(bytes[at + 2] as number);
  const verticalPrecision = unpackSize(bytes[at + 3] as number);
  const latitude = readNumber(bytes, at + 4, 4);
  const longitude = readNumber(bytes, at + 8, 4);
  const altitude = readNumber(bytes, at + 12, 4);
  if (size === undefined || horizontalPrecision === undefined) return undefined;
  if (verticalPrecision === undefined) return undefined;
  if (Math.abs(latitude - CENTRE) > 90 * ARC_DEGREE) return undefined;
  if (Math.abs(longitude - CENTRE) > 180 * ARC_DEGREE) return undefined;
  return { size, horizontalPrecision, verticalPrecision, latitude, longitude, altitude };
}

/** A digit and a power of ten (RFC 1876 §2); zero has one form only. */
function unpackSize(octet: number): number | undefined {
  const digit = octet >> 4;
  const power = octet & 15;
  if (digit > 9 || power > 9 || (digit === 0 && power > 0)) return undefined;
  return digit * 10 ** power;
}

/** Rounds down to what can be said; a number out of range is our own mistake. */
function packSize(centimetres: number): number {
  let digit = centimetres;
  let power = 0;
  for (; digit >= 10; power++) digit = Math.floor(digit / 10);
  if (power > 9) throw new RangeError(`${centimetres} cm is too much for a LOC record`);
  return (digit << 4) | power;
}

function printAngle(value: number, positive: string, negative: string): string {
  const offset = value - CENTRE;
  const angle = Math.abs(offset);
  const degrees = Math.floor(angle / ARC_DEGREE);
  const minutes = Math.floor(angle / 60_000) % 60;
  const seconds = Math.floor(angle / 1000) % 60;
  const thousandths = String(angle % 1000).padStart(3, '0');
  return `${degrees} ${minutes} ${seconds}.${thousandths} ${offset < 0 ? negative : positive}`;
}

function printMetres(centimetres: number): string {
  const size = Math.abs(centimetres);
  const sign = centimetres < 0 ? '-' : '';
  return `${sign}${Math.floor(size / 100)}.${String(size % 100).padStart(2, '0')}`;
}

function parseLocation(words: Words): Location | undefined {
  const latitude = parseAngle(words, 90, 'N', 'S');
  const longitude = latitude === undefined ? undefined : parseAngle(words, 180, 'E', 'W');
  const altitude = parseMetres(takeBare(words), true);
  if (latitude === undefined || longitude === undefined || altitude === undefined) return undefined;
  // The defaults of RFC 1876 §3.
  const size = parseSize(words, 100);
  const horizontalPrecision = parseSize(words, 1_000_000);
  const verticalPrecision = parseSize(words, 1000);
  if (size === undefined || horizontalPrecision === undefined) return undefined;
  if (verticalPrecision === undefined) return undefined;
  if (altitude + SEA_LEVEL < 0 || altitude + SEA_LEVEL > 0xffffffff) return undefined;
  return {
    size,
    horizontalPrecision,
    verticalPrecision,
    latitude,
    longitude,
    altitude: altitude + SEA_LEVEL,
  };
}

/** Degrees, then perhaps minutes, then perhaps seconds, then the letter. */
function parseAngle(
  words: Words,
  most: number,
  positive: string,
  negative: string,
): number | undefined {
  const parts: string[] = [];
  let letter = '';
  while (parts.length <= 3) {
    const word = takeBare(words);
    if (word === undefined) return undefined;
    letter = word.toUpperCase();
    if (letter === positive || letter === negative) break;
    parts.push(word);
  }
  const [degrees = '', minutes = '0', seconds = '0'] = parts;
  if (parts.length > 3 || !/^\d{1,3}$/.test(degrees) || !/^\d{1,2}$/.test(minutes)) {
    return undefined;
  }
  const fine = /^(\d{1,2})(?:\.(\d{1,3}))?$/.exec(seconds);
  if (fine === null || Number(minutes) > 59 || Number(fine[1]) > 59) return undefined;
  const angle =
    Number(degrees) * ARC_DEGREE +
    Number(minutes) * 60_000 +
    Number(fine[1]) * 1000 +
    Number((fine[2] ?? '').padEnd(3, '0'));
  if (angle > most * ARC_DEGREE) return undefined;
  return letter === positive ? CENTRE + angle : CENTRE - angle;
}

/** Centimetres from metres with at most two decimals; the `m` may be missing. */
function parseMetres(text: string | undefined, signed: boolean): number | undefined {
  const parts = /^(-?)(\d{1,8})(?:\.(\d{1,2}))?m?$/.exec(text ?? '');
  if (parts === null || (parts[1] === '-' && !signed)) return undefined;
  const size = Number(parts[2]) * 100 + Number((parts[3] ?? '').padEnd(2, '0'));
  return parts[1] === '-' ? -size : size;
}

function parseSize(words: Words, standard: number): number | undefined {
  if (words.at === words.list.length) return standard;
  const size = parseMetres(takeBare(words), false);
  return size === undefined || size > 9e9 ? undefined : unpackSize(packSize(size));
}
