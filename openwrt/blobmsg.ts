/**
 * blobmsg: the typed, self-describing values that travel on ubus.
 *
 * Every value is an attribute: a big-endian word (bit 31 set, type in bits 24–30, length in bits
 * 0–23, its own four bytes included), a name, and the value, padded to a multiple of four. The
 * format is libubox's `blob.h` and `blobmsg.h`. This file knows no message and no socket; it never
 * throws on bytes it reads, and what it allocates is bounded by what it was given.
 */

/** What a blobmsg attribute can hold. INT64 beyond 2^53 is a bigint, BOOL is libubox's INT8. */
export type BlobValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly BlobValue[]
  | BlobTable;

/** Named values, in the order in which they were written. */
export type BlobTable = { readonly [name: string]: BlobValue };

/** Why bytes are no blobmsg. */
export type BlobProblem = 'truncated' | 'bad-length' | 'bad-name' | 'bad-value' | 'too-deep';

export type BlobResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: BlobProblem };

/** The blobmsg type numbers, as a method's signature names them (libubox `blobmsg.h`). */
export const BLOB_TYPE = {
  unspecified: 0,
  array: 1,
  table: 2,
  string: 3,
  int64: 4,
  int32: 5,
  int16: 6,
  bool: 7,
  double: 8,
} as const;

/** Deeper values are refused: nothing on a router nests so far, and each level costs stack. */
const MAX_DEPTH = 32;

/** 24 bits of length. */
export const MAX_BLOB_LENGTH = 0xff_ffff;

const EXTENDED = 0x8000_0000;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Writes the members of a table, without an attribute around them: the form of ubus DATA. */
export function encodeBlobTable(table: BlobTable): Uint8Array {
  return joinBytes(
    Object.entries(table).map(([name, value]) => encodeAttribute(name, value, MAX_DEPTH)),
  );
}

/** Reads what `encodeBlobTable` writes. A name that is repeated keeps its last value. */
export function decodeBlobTable(bytes: Uint8Array): BlobResult<BlobTable> {
  return decodeMembers(bytes, MAX_DEPTH, true);
}

/** One attribute of a blob, before anyone asks what it means. */
export type BlobAttribute = {
  readonly id: number;
  readonly extended: boolean;
  readonly payload: Uint8Array;
};

/** Splits a container's bytes into its attributes. */
export function splitBlob(bytes: Uint8Array): BlobResult<readonly BlobAttribute[]> {
  const view = viewOf(bytes);
  const attributes: BlobAttribute[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 4) return { ok: false, reason: 'truncated' };
    const word = view.getUint32(at);
    const length = word & MAX_BLOB_LENGTH;
    if (length < 4) return { ok: false, reason: 'bad-length' };
    const padded = pad(length);
    if (padded > bytes.length - at) return { ok: false, reason: 'truncated' };
    attributes.push({
      id: (word >>> 24) & 0x7f,
      extended: word >= EXTENDED,
      payload: bytes.subarray(at + 4, at + length),
    });
    at += padded;
  }
  return { ok: true, value: attributes };
}

/** Writes one attribute, padded. Throws when the payload needs more than 24 bits of length. */
export function encodeBlob(id: number, payload: Uint8Array, extended = false): Uint8Array {
  const length = payload.length + 4;
  if (length > MAX_BLOB_LENGTH) throw new RangeError('a blob holds less than 16 MiB');
  const bytes = new Uint8Array(pad(length));
  viewOf(bytes).setUint32(0, ((extended ? EXTENDED : 0) | (id << 24) | length) >>> 0);
  bytes.set(payload, 4);
  return bytes;
}

/** Joins byte strings. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function encodeAttribute(name: string, value: BlobValue, depth: number): Uint8Array {
  if (depth === 0) throw new RangeError(`a blobmsg value nests at most ${MAX_DEPTH} deep`);
  const { type, bytes } = encodeValue(value, depth);
  return encodeBlob(type, joinBytes([encodeName(name), bytes]), true);
}

/** Name length, name and NUL, so that with the attribute's head it is a multiple of four. */
function encodeName(name: string): Uint8Array {
  const text = encodeText(name);
  const bytes = new Uint8Array(pad(2 + text.length));
  viewOf(bytes).setUint16(0, text.length - 1);
  bytes.set(text, 2);
  return bytes;
}

/** Text and NUL. C readers stop at the first NUL, so one inside becomes U+FFFD and hides nothing. */
function encodeText(text: string): Uint8Array {
  return encoder.encode(`${text.replaceAll('\0', '\ufffd')}\0`);
}

function encodeValue(
  value: BlobValue,
  depth: number,
): { readonly type: number; readonly bytes: Uint8Array } {
  if (value === null) return { type: BLOB_TYPE.unspecified, bytes: new Uint8Array() };
  switch (typeof value) {
    case 'boolean':
      return { type: BLOB_TYPE.bool, bytes: Uint8Array.of(value ? 1 : 0) };
    case 'number':
      return encodeNumber(value);
    case 'bigint':
      return { type: BLOB_TYPE.int64, bytes: int64(value) };
    case 'string':
      return { type: BLOB_TYPE.string, bytes: encodeText(value) };
    default:
      return encodeContainer(value, depth);
  }
}

function encodeContainer(value: readonly BlobValue[] | BlobTable, depth: number) {
  if (isList(value)) {
    const bytes = joinBytes(value.map((element) => encodeAttribute('', element, depth - 1)));
    return { type: BLOB_TYPE.array, bytes };
  }
  const members = Object.entries(value);
  const bytes = joinBytes(members.map(([name, item]) => encodeAttribute(name, item, depth - 1)));
  return { type: BLOB_TYPE.table, bytes };
}

/** As libubox's JSON does: INT32 where it fits, INT64 for larger integers, DOUBLE for the rest. */
function encodeNumber(value: number): { readonly type: number; readonly bytes: Uint8Array } {
  if (Object.is(value, value | 0)) {
    const bytes = new Uint8Array(4);
    viewOf(bytes).setInt32(0, value);
    return { type: BLOB_TYPE.int32, bytes };
  }
  if (Number.isSafeInteger(value) && value !== 0) {
    return { type: BLOB_TYPE.int64, bytes: int64(BigInt(value)) };
  }
  const bytes = new Uint8Array(8);
  viewOf(bytes).setFloat64(0, value);
  return { type: BLOB_TYPE.double, bytes };
}

function int64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigInt64(0, BigInt.asIntN(64, value));
  return bytes;
}

function decodeMembers(bytes: Uint8Array, depth: number, named: true): BlobResult<BlobTable>;
function decodeMembers(bytes: Uint8Array, depth: number, named: false): BlobResult<BlobValue[]>;
function decodeMembers(
  bytes: Uint8Array,
  depth: number,
  named: boolean,
): BlobResult<BlobTable | BlobValue[]> {
  if (depth === 0) return { ok: false, reason: 'too-deep' };
  const split = splitBlob(bytes);
  if (!split.ok) return split;
  const list: BlobValue[] = [];
  // No prototype: a member may be called `__proto__` or `constructor`.
  const table: Record<string, BlobValue> = Object.create(null);
  for (const attribute of split.value) {
    const member = decodeAttribute(attribute, depth);
    if (!member.ok) return member;
    if (named && member.value.name === '') return { ok: false, reason: 'bad-name' };
    if (named) table[member.value.name] = member.value.value;
    else list.push(member.value.value);
  }
  return { ok: true, value: named ? table : list };
}

function decodeAttribute(
  { id, extended, payload }: BlobAttribute,
  depth: number,
): BlobResult<{ readonly name: string; readonly value: BlobValue }> {
  if (!extended || payload.length < 2) return { ok: false, reason: 'bad-name' };
  const nameLength = viewOf(payload).getUint16(0);
  const head = pad(2 + nameLength + 1);
  if (head > payload.length || payload[2 + nameLength] !== 0) {
    return { ok: false, reason: 'bad-name' };
  }
  const name = decoder.decode(payload.subarray(2, 2 + nameLength));
  const decoded = decodeValue(id, payload.subarray(head), depth);
  return decoded.ok ? { ok: true, value: { name, value: decoded.value } } : decoded;
}

/** How many bytes each number has; BOOL is an INT8. */
const WIDTH: Readonly<Record<number, number>> = {
  [BLOB_TYPE.int64]: 8,
  [BLOB_TYPE.int32]: 4,
  [BLOB_TYPE.int16]: 2,
  [BLOB_TYPE.bool]: 1,
  [BLOB_TYPE.double]: 8,
};

function decodeValue(type: number, bytes: Uint8Array, depth: number): BlobResult<BlobValue> {
  if (type === BLOB_TYPE.unspecified) return { ok: true, value: null };
  if (type === BLOB_TYPE.array) return decodeMembers(bytes, depth - 1, false);
  if (type === BLOB_TYPE.table) return decodeMembers(bytes, depth - 1, true);
  if (type === BLOB_TYPE.string) return decodeText(bytes);
  return WIDTH[type] === bytes.length
    ? { ok: true, value: decodeNumber(type, viewOf(bytes)) }
    : { ok: false, reason: 'bad-value' };
}

function decodeNumber(type: number, view: DataView): boolean | number | bigint {
  switch (type) {
    case BLOB_TYPE.bool:
      return view.getInt8(0) !== 0;
    case BLOB_TYPE.int16:
      return view.getInt16(0);
    case BLOB_TYPE.int32:
      return view.getInt32(0);
    case BLOB_TYPE.int64: {
      const value = view.getBigInt64(0);
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : value;
    }
    default:
      return view.getFloat64(0);
  }
}

/** The text up to its first NUL, which must be there: libubox reads it so (`blobmsg_check_attr`). */
function decodeText(bytes: Uint8Array): BlobResult<string> {
  if (bytes.at(-1) !== 0) return { ok: false, reason: 'bad-value' };
  return { ok: true, value: decoder.decode(bytes.subarray(0, bytes.indexOf(0))) };
}

function isList(value: readonly BlobValue[] | BlobTable): value is readonly BlobValue[] {
  return Array.isArray(value);
}

function pad(length: number): number {
  return (length + 3) & ~3;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
