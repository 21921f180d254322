/**
 * Bytes as text and back: UTF-8, hex, base64, and big-endian numbers.
 *
 * Only well-formed input has a meaning: the decoders return undefined for anything else.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const BASE64_VALUE = Int8Array.from({ length: 128 }, (_, code) =>
  BASE64.indexOf(String.fromCharCode(code)),
);

const HEX = encoder.encode('0123456789abcdef');

/** The UTF-8 bytes of `text`. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, undefined when they are not UTF-8. A byte order mark is kept. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Lower-case hex. */
export function encodeHex(bytes: Uint8Array): string {
  const digits = new Uint8Array(bytes.length * 2);
  let at = 0;
  for (const byte of bytes) {
    digits[at++] = HEX[byte >>> 4] as number;
    digits[at++] = HEX[byte & 15] as number;
  }
  // In one piece: a text that was put together keeps its parts, and the commits' names are held.
  return decoder.decode(digits);
}

/** Base64 with padding (RFC 4648 §4). */
export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b, c] = [bytes[i], bytes[i + 1], bytes[i + 2]];
    const word = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    text += BASE64.charAt(word >>> 18) + BASE64.charAt((word >>> 12) & 63);
    text += b === undefined ? '=' : BASE64.charAt((word >>> 6) & 63);
    text += c === undefined ? '=' : BASE64.charAt(word & 63);
  }
  return text;
}

/** The bytes of padded base64; undefined for any other spelling of them. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - padding;
  if (text.length % 4 !== 0) return undefined;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let word = 0;
  for (let i = 0, at = 0; i < text.length; i++) {
    const value = i < digits ? BASE64_VALUE[text.charCodeAt(i)] : 0;
    if (value === undefined || value < 0) return undefined;
    word = (word << 6) | value;
    if (i % 4 !== 3) continue;
    bytes[at++] = word >>> 16;
    bytes[at++] = word >>> 8;
    bytes[at++] = word;
    word = 0;
  }
  // Bits that the padding leaves over must be zero, or one value would have many spellings.
  return padding === 0 || encodeBase64(bytes.slice(-3 + padding)) === text.slice(-4)
    ? bytes
    : undefined;
}

/** Joins byte strings. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Tells whether two byte strings are the same. Not for secrets: the time depends on them. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Tells whether `start` stands at `offset`. */
export function startsWith(bytes: Uint8Array, offset: number, start: Uint8Array): boolean {
  return start.every((byte, at) => bytes[offset + at] === byte);
}

/** A number as four bytes, most significant first. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** The four-byte number at `offset`, undefined when it does not fit. */
export function readU32(bytes: Uint8Array, offset: number): number | undefined {
  if (offset < 0 || offset + 4 > bytes.length) return undefined;
  let value = 0;
  for (let at = offset; at < offset + 4; at++) value = (value << 8) | (bytes[at] as number);
  return value >>> 0;
}
