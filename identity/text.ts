/**
 * Bytes as text and back: base64 (RFC 4648 §4, §5) and base32, each with one spelling only.
 */

/** Lower-case RFC 4648 §6 without padding: safe in file names, DNS labels and URLs. */
export const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** Crockford's digits: no I, L, O or U, which people misread. */
export const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Writes five bits a digit, the last one filled up with zeros. */
export function encodeBase32(bytes: Uint8Array, digits: string): string {
  let text = '';
  let [bits, held] = [0, 0];
  for (const octet of bytes) {
    bits = (bits << 8) | octet;
    held += 8;
    while (held >= 5) {
      held -= 5;
      text += digits.charAt((bits >> held) & 31);
    }
    bits &= 31;
  }
  return held === 0 ? text : text + digits.charAt((bits << (5 - held)) & 31);
}

/** The bytes, without the bits that fill no octet; undefined for a digit that is none. */
export function decodeBase32(text: string, digits: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let [bits, held, filled] = [0, 0, 0];
  for (const digit of text) {
    const value = digits.indexOf(digit);
    if (value < 0) return undefined;
    bits = ((bits << 5) | value) & 0xfff;
    held += 5;
    if (held >= 8) {
      held -= 8;
      bytes[filled] = (bits >> held) & 0xff;
      filled += 1;
    }
  }
  return bytes;
}

/** RFC 4648 §4, with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const octet of bytes) binary += String.fromCharCode(octet);
  return btoa(binary);
}

/** The bytes; undefined for anything that `encodeBase64` would not have written. */
export function decodeBase64(text: string): Uint8Array | undefined {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return encodeBase64(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 4648 §5 without padding. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
