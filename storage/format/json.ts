/**
 * JSON with exactly one spelling per value, so that it can be hashed and signed.
 *
 * The spelling is RFC 8785 (JSON Canonicalization Scheme) without fractions: numbers are integers
 * that every reader holds exactly. Reading accepts nothing but that spelling, which refuses
 * duplicate keys, invalid UTF-8, floats and white space by one comparison.
 *
 * @see RFC 8785 §3.2: serialization of primitives and sorting of properties
 * @see RFC 7493 §2: I-JSON, which asks for the same limits
 */

import { StorageError } from '../error.ts';

/** A value of the store. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A record of the store, or an object inside one. */
export type JsonObject = { readonly [key: string]: Json };

/** Nesting beyond this is refused before anything recurses into it. */
export const MAX_DEPTH = 16;

/** The canonical text of `value`. Throws 'invalid' for what has none. */
export function canonicalize(value: unknown, depth = 0): string {
  if (value === null || value === true || value === false) return String(value);
  if (typeof value === 'number') return canonicalizeNumber(value);
  if (typeof value === 'string') return canonicalizeString(value);
  if (depth >= MAX_DEPTH) throw new StorageError('invalid', 'nested too deeply');
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item) => canonicalize(item, depth + 1)).join(',')}]`;
  }
  if (isPlainObject(value)) return canonicalizeObject(value, depth);
  throw new StorageError('invalid', `a ${typeof value} is not JSON`);
}

/** The value of canonical text, frozen. Throws 'invalid' for any other text. */
export function parseCanonical(text: string): Json {
  if (isDeeperThan(text, MAX_DEPTH)) throw new StorageError('invalid', 'nested too deeply');
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StorageError('invalid', 'not JSON', { cause });
  }
  if (canonicalize(value) !== text) throw new StorageError('invalid', 'not canonical JSON');
  return freeze(value);
}

/** Tells objects from arrays and scalars. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function canonicalizeNumber(value: number): string {
  if (!Number.isSafeInteger(value)) {
    throw new StorageError('invalid', `${value} is not an integer that JSON holds exactly`);
  }
  // RFC 8785 §3.2.2.3: minus zero is written as zero.
  return String(value === 0 ? 0 : value);
}

function canonicalizeString(value: string): string {
  if (!value.isWellFormed()) throw new StorageError('invalid', 'a string is not Unicode');
  return JSON.stringify(value);
}

function canonicalizeObject(value: Readonly<Record<string, unknown>>, depth: number): string {
  const members = Object.keys(value)
    // RFC 8785 §3.2.3: sorted by UTF-16 code units, which is how JavaScript compares strings.
    .sort((a, b) => (a < b ? -1 : 1))
    .map((key) => {
      // As a property it would be the prototype in careless code that copies records.
      if (key === '__proto__') throw new StorageError('invalid', "the key '__proto__' is refused");
      return `${canonicalizeString(key)}:${canonicalize(value[key], depth + 1)}`;
    });
  return `{${members.join(',')}}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Counts brackets outside strings, so that no parser has to recurse into hostile text. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character === '"') i = endOfString(text, i);
    else if ('[{'.includes(character)) depth++;
    else if (']}'.includes(character)) depth--;
    if (depth > limit) return true;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

function freeze(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  for (const item of Object.values(value)) freeze(item);
  return Object.freeze(value);
}
