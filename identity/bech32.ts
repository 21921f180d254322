/**
 * Bech32 as age writes its keys; writing only, because age itself reads them.
 *
 * @see BIP 173: checksum and alphabet. age lifts its limit of 90 characters.
 * @see age, "The X25519 recipient type": https://c2sp.org/age
 */

import { encodeBase32 } from './text.ts';

const DIGITS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM_DIGITS = 6;

/** The bytes under a prefix of lower-case ASCII, with their checksum. */
export function encodeBech32(prefix: string, bytes: Uint8Array): string {
  const data = encodeBase32(bytes, DIGITS);
  const values = [
    ...Array.from(prefix, (character) => character.charCodeAt(0) >> 5),
    0,
    ...Array.from(prefix, (character) => character.charCodeAt(0) & 31),
    ...Array.from(data, (digit) => DIGITS.indexOf(digit)),
    ...new Array<number>(CHECKSUM_DIGITS).fill(0),
  ];
  const remainder = values.reduce(step, 1) ^ 1;
  let checksum = '';
  for (let shift = 5 * (CHECKSUM_DIGITS - 1); shift >= 0; shift -= 5) {
    checksum += DIGITS.charAt((remainder >>> shift) & 31);
  }
  return `${prefix}1${data}${checksum}`;
}

/** One digit more in the remainder of the division by BIP 173's polynomial. */
function step(remainder: number, value: number): number {
  const top = remainder >>> 25;
  const shifted = ((remainder & 0x1ffffff) << 5) ^ value;
  return GENERATOR.reduce((sum, term, bit) => ((top >>> bit) & 1 ? sum ^ term : sum), shifted);
}
