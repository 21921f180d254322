/** The identity in a HIP record: RFC 8005 §5, lengths first, then what they measure. */

import { BASE64, HEX, toDigits } from './digits.ts';
import { type Field, join, readNumber, writeNumber } from './field.ts';
import { takeDigits } from './octets-field.ts';
import { takeBare } from './words.ts';

/** A host identity tag, its public key and the key's algorithm. */
export type HostIdentity = {
  readonly algorithm: number;
  readonly tag: Uint8Array;
  readonly publicKey: Uint8Array;
};

const LENGTHS = 4;

/** Everything of a HIP record before its rendezvous servers. */
export function hostIdentityField(): Field<HostIdentity> {
  return {
    skip(bytes, at, end) {
      if (at + LENGTHS > end) return -1;
      const tag = bytes[at] as number;
      const key = readNumber(bytes, at + 2, 2);
      const next = at + LENGTHS + tag + key;
      return tag > 0 && key > 0 && next <= end ? next : -1;
    },
    read(bytes, at, next) {
      const middle = at + LENGTHS + (bytes[at] as number);
      return {
        algorithm: bytes[at + 1] as number,
        tag: bytes.slice(at + LENGTHS, middle),
        publicKey: bytes.slice(middle, next),
      };
    },
    write: ({ algorithm, tag, publicKey }) =>
      join([
        writeNumber(tag.length, 1),
        writeNumber(algorithm, 1),
        writeNumber(publicKey.length, 2),
        tag,
        publicKey,
      ]),
    print: ({ algorithm, tag, publicKey }) =>
      `${algorithm} ${toDigits(HEX, tag)} ${toDigits(BASE64, publicKey)}`,
    parse(words) {
      const algorithm = takeBare(words) ?? '';
      const tag = takeDigits(words, HEX);
      const publicKey = takeDigits(words, BASE64);
      if (!/^\d{1,3}$/.test(algorithm) || Number(algorithm) > 255) return undefined;
      if (!tag || tag.length === 0 || tag.length > 255) return undefined;
      if (!publicKey || publicKey.length === 0) return undefined;
      return { algorithm: Number(algorithm), tag, publicKey };
    },
  };
}
