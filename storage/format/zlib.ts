/**
 * The zlib format without compression: git asks for the format, and a LAN does not mind the bytes.
 *
 * @see RFC 1950 §2.2 and §8.2: header and Adler-32
 * @see RFC 1951 §3.2.4: stored blocks
 */

import { concat, u32 } from './bytes.ts';

/** A stored block's length has 16 bits. */
const BLOCK = 65_535;
/** The largest prime below 2^16. */
const ADLER_MODULUS = 65_521;
/** So many bytes cannot overflow the sums of Adler-32. */
const ADLER_CHUNK = 5552;

/** Wraps `data` as a zlib stream of stored blocks. */
export function deflateStored(data: Uint8Array): Uint8Array {
  // 0x7801: deflate with a 32 KiB window, check bits included.
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  let offset = 0;
  do {
    const block = data.subarray(offset, offset + BLOCK);
    offset += block.length;
    const { length } = block;
    const isLast = offset >= data.length ? 1 : 0;
    parts.push(Uint8Array.of(isLast, length, length >>> 8, ~length, ~length >>> 8), block);
  } while (offset < data.length);
  return concat([...parts, u32(adler32(data))]);
}

/** The checksum at the end of a zlib stream (RFC 1950 §8.2). */
export function adler32(data: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let start = 0; start < data.length; start += ADLER_CHUNK) {
    for (const byte of data.subarray(start, start + ADLER_CHUNK)) {
      low += byte;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return high * 65_536 + low;
}
