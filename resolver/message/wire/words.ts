/**
 * The words of a zone file's line, and character strings in them: RFC 1035 §5.1.
 *
 * A word keeps its escapes, because what they mean depends on what the word is.
 */

import { joinNames, type Name, parseNameText, ROOT, readEscape } from '../name.ts';

/** `quoted` when the whole word stood in quotes, which are not part of `text`. */
export type Word = { readonly text: string; readonly quoted: boolean };

/** Words being read; relative names end in `origin`. */
export type Words = { readonly list: readonly Word[]; at: number; readonly origin: Name };

/** The next word without quotes, and moves past it; undefined when there is none. */
export function takeBare(words: Words): string | undefined {
  const word = words.list[words.at];
  if (word === undefined || word.quoted) return undefined;
  words.at++;
  return word.text;
}

/** The word `back` places before the next one. */
export function earlierWord(words: Words, back: number): string | undefined {
  return words.list[words.at - back]?.text;
}

/** All remaining words in one, as hexadecimal and Base64 may be split at will. */
export function takeJoined(words: Words): string | undefined {
  let joined = '';
  while (words.at < words.list.length) {
    const text = takeBare(words);
    if (text === undefined) return undefined;
    joined += text;
  }
  return joined;
}

/** The next word as a character string of any length. */
export function takeString(words: Words): Uint8Array | undefined {
  const word = words.list[words.at];
  if (word === undefined) return undefined;
  words.at++;
  return octetsOf(word.text, word.quoted);
}

/** The next word as a name: `@`, absolute, or below the origin. */
export function takeName(words: Words): Name | undefined {
  const text = takeBare(words);
  return text === undefined ? undefined : resolveName(text, words.origin);
}

/** A name as a zone file writes it: `@` and a missing trailing dot mean the origin. */
export function resolveName(text: string, origin: Name): Name | undefined {
  if (text === '@') return origin;
  const parsed = parseNameText(text);
  if (parsed === undefined || parsed.absolute || origin === ROOT) return parsed?.name;
  return joinNames(parsed.name, origin);
}

const encoder = new TextEncoder();
const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** The octets that a word stands for; undefined for a bad escape or a stray quote. */
export function octetsOf(text: string, quoted: boolean): Uint8Array | undefined {
  const octets = encoder.encode(text);
  let size = 0;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] as number;
    if (octet === QUOTE && !quoted) return undefined;
    if (octet === BACKSLASH) {
      const escaped = readEscape(octets, at);
      if (escaped < 0) return undefined;
      octets[size++] = escaped;
      at += escaped >> 8;
    } else octets[size++] = octet;
  }
  return octets.slice(0, size);
}

const PRINTED: readonly string[] = Array.from({ length: 256 }, (_, octet) => {
  if (octet < 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`;
  return octet === BACKSLASH || octet === QUOTE
    ? `\\${String.fromCharCode(octet)}`
    : String.fromCharCode(octet);
});

/** A character string in quotes. */
export function quote(octets: Uint8Array): string {
  let text = '"';
  for (const octet of octets) text += PRINTED[octet] as string;
  return `${text}"`;
}
