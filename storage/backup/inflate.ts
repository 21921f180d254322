/**
 * The zlib format, read: git's packs hold one stream after the other, and only reading one to its
 * end tells where the next begins.
 *
 * Bounded by the size that the caller expects; preset dictionaries are refused.
 *
 * @see RFC 1950 §2.2: header and Adler-32
 * @see RFC 1951 §3.2: blocks, and Huffman codes by their lengths
 */

import { readU32 } from '../format/bytes.ts';
import { adler32 } from '../format/zlib.ts';

/** What a stream held, and where it ends. */
export type Inflated = { readonly data: Uint8Array; readonly end: number };

/** Deflate cannot say more than this with one byte (258 bytes by two codes of one bit each). */
const MAX_RATIO = 1032;
const MAX_CODE_BITS = 15;
const END_OF_BLOCK = 256;

/** RFC 1951 §3.2.5: what the length and distance codes begin at, and their extra bits. */
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
];
const LENGTH_EXTRA = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12_289, 16_385, 24_577,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** RFC 1951 §3.2.7: the order in which the lengths of code lengths are written. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A Huffman code: how many codes each length has, and the symbols in the order of their codes. */
type Code = { readonly counts: Uint16Array; readonly symbols: Uint16Array };

type Codes = { readonly literals: Code; readonly distances: Code };

/** Bits of `bytes`; beyond the end it says so once and for all. */
type Bits = {
  readonly bytes: Uint8Array;
  at: number;
  hold: number;
  held: number;
  isCut: boolean;
};

type Output = { readonly data: Uint8Array; length: number };

/** Reads the stream at `offset` that is to hold `size` bytes; undefined when it does not. */
export function inflate(bytes: Uint8Array, offset: number, size: number): Inflated | undefined {
  if (size > (bytes.length - offset) * MAX_RATIO) return undefined;
  const inflated = inflateInto(bytes, offset, size);
  return inflated?.data.length === size ? inflated : undefined;
}

/** Reads a stream of unknown size, at most `limit` bytes. */
export function inflateWhole(bytes: Uint8Array, limit: number): Uint8Array | undefined {
  for (let room = bytes.length; ; room *= 4) {
    const inflated = inflateInto(bytes, 0, Math.min(room, limit));
    if (inflated !== undefined || room >= limit) return inflated?.data;
  }
}

function inflateInto(bytes: Uint8Array, offset: number, room: number): Inflated | undefined {
  const [method, flags] = [bytes[offset], bytes[offset + 1]];
  if (method === undefined || flags === undefined) return undefined;
  const isZlib = (method & 15) === 8 && ((method << 8) | flags) % 31 === 0 && (flags & 32) === 0;
  if (!isZlib) return undefined;
  const bits: Bits = { bytes, at: offset + 2, hold: 0, held: 0, isCut: false };
  const output: Output = { data: new Uint8Array(room), length: 0 };
  let isLast = false;
  while (!isLast) {
    isLast = take(bits, 1) === 1;
    if (!readBlock(bits, output) || bits.isCut) return undefined;
  }
  const data = output.data.subarray(0, output.length);
  if (readU32(bytes, bits.at) !== adler32(data)) return undefined;
  return { data, end: bits.at + 4 };
}

function readBlock(bits: Bits, output: Output): boolean {
  switch (take(bits, 2)) {
    case 0:
      return copyStored(bits, output);
    case 1:
      return decode(bits, output, FIXED);
    case 2: {
      const codes = readCodes(bits);
      return codes !== undefined && decode(bits, output, codes);
    }
    default:
      return false;
  }
}

function copyStored(bits: Bits, output: Output): boolean {
  bits.hold = 0;
  bits.held = 0;
  const { bytes, at } = bits;
  const [low = 0, high = 0, lowInverted = 0, highInverted] = bytes.subarray(at, at + 4);
  if (highInverted === undefined) return false;
  const length = low | (high << 8);
  if ((length ^ 0xffff) !== (lowInverted | (highInverted << 8))) return false;
  const start = at + 4;
  if (start + length > bytes.length || output.length + length > output.data.length) return false;
  output.data.set(bytes.subarray(start, start + length), output.length);
  output.length += length;
  bits.at = start + length;
  return true;
}

function decode(bits: Bits, output: Output, { literals, distances }: Codes): boolean {
  const { data } = output;
  for (;;) {
    const symbol = nextSymbol(bits, literals);
    if (symbol === END_OF_BLOCK) return true;
    if (symbol === undefined || bits.isCut) return false;
    if (symbol < END_OF_BLOCK) {
      if (output.length === data.length) return false;
      data[output.length++] = symbol;
    } else if (!copyBack(bits, output, symbol - END_OF_BLOCK - 1, distances)) {
      return false;
    }
  }
}

function copyBack(bits: Bits, output: Output, index: number, distances: Code): boolean {
  const base = LENGTH_BASE[index];
  if (base === undefined) return false;
  const length = base + take(bits, LENGTH_EXTRA[index] ?? 0);
  const code = nextSymbol(bits, distances);
  const start = code === undefined ? undefined : DISTANCE_BASE[code];
  if (code === undefined || start === undefined) return false;
  const distance = start + take(bits, DISTANCE_EXTRA[code] ?? 0);
  const { data } = output;
  if (distance > output.length || output.length + length > data.length) return false;
  // Byte by byte: what is copied may begin inside what the copy makes.
  for (let i = 0; i < length; i++, output.length++) {
    data[output.length] = data[output.length - distance] as number;
  }
  return true;
}

/** The next `count` bits, the first one lowest. */
function take(bits: Bits, count: number): number {
  while (bits.held < count) {
    const byte = bits.bytes[bits.at];
    if (byte === undefined) bits.isCut = true;
    else bits.at += 1;
    bits.hold |= (byte ?? 0) << bits.held;
    bits.held += 8;
  }
  const value = bits.hold & ((1 << count) - 1);
  bits.hold >>>= count;
  bits.held -= count;
  return value;
}

/** Codes of one length are consecutive numbers, so counting tells which one it is. */
function nextSymbol(bits: Bits, { counts, symbols }: Code): number | undefined {
  let code = 0;
  let first = 0;
  let index = 0;
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    code |= take(bits, 1);
    const count = counts[length] as number;
    if (code - count < first) return symbols[index + code - first];
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  return undefined;
}

/** Undefined when the lengths name more codes than there are. */
function buildCode(lengths: readonly number[]): Code | undefined {
  const counts = new Uint16Array(MAX_CODE_BITS + 1);
  for (const length of lengths) counts[length] = (counts[length] as number) + 1;
  const offsets = [0, 0];
  let left = 1;
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    const count = counts[length] as number;
    left = left * 2 - count;
    if (left < 0) return undefined;
    offsets[length + 1] = (offsets[length] as number) + count;
  }
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length === 0) return;
    symbols[offsets[length] as number] = symbol;
    offsets[length] = (offsets[length] as number) + 1;
  });
  return { counts, symbols };
}

function readCodes(bits: Bits): Codes | undefined {
  const literalCount = take(bits, 5) + 257;
  const distanceCount = take(bits, 5) + 1;
  const lengthCount = take(bits, 4) + 4;
  const ofLengths = Array.from({ length: ORDER.length }, () => 0);
  for (const index of ORDER.slice(0, lengthCount)) ofLengths[index] = take(bits, 3);
  const code = buildCode(ofLengths);
  const lengths = code && readLengths(bits, code, literalCount + distanceCount);
  if (lengths === undefined) return undefined;
  const literals = buildCode(lengths.slice(0, literalCount));
  const distances = buildCode(lengths.slice(literalCount));
  return literals && distances && { literals, distances };
}

function readLengths(bits: Bits, code: Code, count: number): number[] | undefined {
  const lengths: number[] = [];
  while (lengths.length < count) {
    const symbol = nextSymbol(bits, code);
    const run = symbol === undefined || bits.isCut ? undefined : readRun(bits, symbol, lengths);
    if (run === undefined) return undefined;
    for (let i = 0; i < run.times; i++) lengths.push(run.length);
  }
  return lengths.length === count ? lengths : undefined;
}

/** RFC 1951 §3.2.7: a length, the one before again, or zeros. */
function readRun(
  bits: Bits,
  symbol: number,
  before: readonly number[],
): { readonly length: number; readonly times: number } | undefined {
  if (symbol < 16) return { length: symbol, times: 1 };
  if (symbol === 17) return { length: 0, times: 3 + take(bits, 3) };
  if (symbol === 18) return { length: 0, times: 11 + take(bits, 7) };
  const length = before.at(-1);
  return length === undefined ? undefined : { length, times: 3 + take(bits, 2) };
}

/** RFC 1951 §3.2.6. */
const FIXED: Codes = {
  literals: required(
    Array.from({ length: 288 }, (_, symbol) =>
      symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
    ),
  ),
  distances: required(Array.from({ length: 30 }, () => 5)),
};

function required(lengths: readonly number[]): Code {
  const code = buildCode(lengths);
  if (code === undefined) throw new Error('unreachable: the fixed codes are too many');
  return code;
}
