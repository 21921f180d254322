/**
 * RDATA as typed values, as text, and in canonical form, all from wire/layout.ts.
 *
 * @see RFC 3597: what is unknown stays as it is
 * @see RFC 4034 §6.2 and RFC 6840 §5.1: which names are signed in lower case
 */

import { LOWER } from './name.ts';
import { TYPE } from './type.ts';
import { type Field, join } from './wire/field.ts';
import { type LAYOUT, type Layout, layoutOf } from './wire/layout.ts';
import { parseRaw, printRaw } from './wire/octets-field.ts';
import type { Words } from './wire/words.ts';

/** RDLENGTH has 16 bits (RFC 1035 §3.2.1). */
const MAX_RDATA = 0xffff;

type Values<Row> = { readonly [F in keyof Row]: Row[F] extends Field<infer T> ? T : never };

/** The RDATA of each known type as a value; `type` tells them apart. */
export type Rdata = {
  [K in keyof typeof LAYOUT]: { readonly type: K } & Values<(typeof LAYOUT)[K]>;
}[keyof typeof LAYOUT];

/** The RDATA value of one type: `RdataOf<'SOA'>`. */
export type RdataOf<K extends Rdata['type']> = Extract<Rdata, { readonly type: K }>;

const mnemonics = new Map<number, string>(
  Object.entries(TYPE).map(([name, number]) => [number, name]),
);

/**
 * The value of uncompressed RDATA.
 *
 * Undefined when the type is unknown, the octets do not fit it, or what they say has no meaning
 * (an SVCB record that lacks a mandatory key, a LOC record of another version).
 */
export function decodeRdata(type: number, rdata: Uint8Array): Rdata | undefined {
  const layout = layoutOf(type);
  if (layout === undefined) return undefined;
  const value: Record<string, unknown> = { type: mnemonics.get(type) };
  let at = 0;
  for (const [name, field] of layout.fields) {
    const next = field.skip(rdata, at, rdata.length);
    if (next < 0) return undefined;
    const read = field.read(rdata, at, next);
    if (read === undefined) return undefined;
    value[name] = read;
    at = next;
  }
  return at === rdata.length ? (value as Rdata) : undefined;
}

/** As `decodeRdata`, for one type that the caller knows. */
export function decodeRdataAs<K extends Rdata['type']>(
  type: K,
  rdata: Uint8Array,
): RdataOf<K> | undefined {
  return decodeRdata(TYPE[type], rdata) as RdataOf<K> | undefined;
}

/** The octets of a value. A value out of range is our own mistake and throws. */
export function encodeRdata(data: Rdata): Uint8Array {
  const values = data as unknown as Readonly<Record<string, unknown>>;
  const { fields } = layoutOf(TYPE[data.type]) as Layout;
  return join(fields.map(([name, field]) => field.write(values[name])));
}

/** Tells whether uncompressed RDATA has the form its type demands; unknown types may be anything. */
export function isWellFormed(type: number, rdata: Uint8Array): boolean {
  const layout = layoutOf(type);
  if (layout === undefined) return true;
  let at = 0;
  for (const [, field] of layout.fields) {
    at = field.skip(rdata, at, rdata.length);
    if (at < 0) return false;
  }
  return at === rdata.length;
}

/**
 * RDATA as it is signed and compared: names in lower case where RFC 4034 §6.2 says so.
 *
 * RFC 6840 §5.1 took NSEC's next name off that list. What does not fit its type stays as it is.
 */
export function canonicalRdata(type: number, rdata: Uint8Array): Uint8Array {
  const layout = layoutOf(type);
  if (!layout?.lowers) return rdata;
  const canonical = Uint8Array.from(rdata);
  let at = 0;
  for (const [, field] of layout.fields) {
    const next = field.skip(rdata, at, rdata.length);
    if (next < 0) return rdata;
    if (field.rule !== undefined && field.rule !== 'exact') {
      for (let i = at; i < next; i++) canonical[i] = LOWER[rdata[i] as number] as number;
    }
    at = next;
  }
  return canonical;
}

/** RDATA as a zone file has it; `\# n hex` (RFC 3597 §5) for what has no other form. */
export function printRdata(type: number, rdata: Uint8Array): string {
  const values = decodeRdata(type, rdata) as Readonly<Record<string, unknown>> | undefined;
  const layout = layoutOf(type);
  if (values === undefined || layout === undefined) return printRaw(rdata);
  const words = layout.fields.map(([name, field]) => field.print(values[name]));
  return words.filter((word) => word !== '').join(' ');
}

/** RDATA from all the words that are left, or undefined. */
export function rdataFromWords(type: number, words: Words): Uint8Array | undefined {
  const first = words.list[words.at];
  if (first?.text === '\\#' && !first.quoted) {
    words.at++;
    const raw = parseRaw(words);
    return raw !== undefined && isWellFormed(type, raw) ? raw : undefined;
  }
  const layout = layoutOf(type);
  if (layout === undefined) return undefined;
  const pieces: Uint8Array[] = [];
  for (const [, field] of layout.fields) {
    const value = field.parse(words);
    if (value === undefined) return undefined;
    pieces.push(field.write(value));
  }
  const rdata = join(pieces);
  return words.at === words.list.length && rdata.length <= MAX_RDATA ? rdata : undefined;
}
