/**
 * Octets as hexadecimal, Base32hex and Base64: RFC 4648 §8, §7, §4 and §5.
 *
 * One form only is read back: right padding, no stray bits. Case is free where RFC 4648 says so.
 */

/** How octets are spelled: `bits` for each character of `alphabet`. */
export type Base = {
  readonly bits: number;
  readonly alphabet: string;
  readonly padding: number;
  readonly values: Readonly<Record<string, number>>;
};

/** Zone files write it in upper case (RFC 4034 §5.3 takes either). */
export const HEX: Base = base(4, '0123456789ABCDEF', 0);
/** Without padding, as hashed owner names have it (RFC 5155 §3.3). */
export const BASE32: Base = base(5, '0123456789abcdefghijklmnopqrstuv', 0);
export const BASE64: Base = base(
  6,
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  4,
);
/** For URLs, without padding (RFC 8484 §6). */
export const BASE64URL: Base = base(
  6,
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
  0,
);

function base(bits: number, alphabet: string, padding: number): Base {
  const spellings = bits === 6 ? [alphabet] : [alphabet.toLowerCase(), alphabet.toUpperCase()];
  const values = spellings.flatMap((letters) => [...letters].map((letter, i) => [letter, i]));
  return { bits, alphabet, padding, values: Object.fromEntries(values) };
}

/** Spells octets. */
export function toDigits({ bits, alphabet, padding }: Base, octets: Uint8Array): string {
  let text = '';
  let held = 0;
  let count = 0;
  for (const octet of octets) {
    held = (held << 8) | octet;
    count += 8;
    while (count >= bits) {
      count -= bits;
      text += alphabet[held >> count] as string;
      held &= (1 << count) - 1;
    }
  }
  if (count > 0) text += alphabet[held << (bits - count)] as string;
  if (padding > 0) while (text.length % padding > 0) text += '=';
  return text;
}

/** The octets that `text` spells, or undefined when it is not exactly such a spelling. */
export function fromDigits({ bits, padding, values }: Base, text: string): Uint8Array | undefined {
  const digits = padding > 0 ? text.replace(/={1,2}$/, '') : text;
  if (padding > 0 && text.length % padding > 0) return undefined;
  const octets = new Uint8Array((digits.length * bits) >> 3);
  let held = 0;
  let count = 0;
  let at = 0;
  for (const digit of digits) {
    const value = values[digit];
    if (value === undefined) return undefined;
    held = (held << bits) | value;
    count += bits;
    if (count >= 8) {
      count -= 8;
      octets[at++] = held >> count;
      held &= (1 << count) - 1;
    }
  }
  // A digit of nothing but spare bits, or a spare bit that is set, would be a second spelling.
  return count >= bits || held !== 0 ? undefined : octets;
}
