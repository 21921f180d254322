/**
 * apk's binary database (ADB), the container of version 3 packages: values, schemas, blocks.
 *
 * A value is a 32-bit word, type in the high four bits; what does not fit in the rest stands at an
 * offset from the start of the database. Everything is little-endian. Equal data is written once, in
 * the order in which apk-tools writes it, so that our bytes are those of `apk mkpkg`.
 *
 * @see apk-tools doc/apk-v3.5.scd, src/adb.h, src/adb.c
 */

/** A value word. */
export type AdbValue = number;

export const ADB_NULL: AdbValue = 0;

const TYPE = {
  int: 0x1000_0000,
  int32: 0x2000_0000,
  int64: 0x3000_0000,
  blob8: 0x8000_0000,
  blob16: 0x9000_0000,
  blob32: 0xa000_0000,
  object: 0xe000_0000,
} as const;

const MAX_IMMEDIATE = 0x0fff_ffff;

/** Blocks of a file: the database, signatures, file contents. */
export const ADB_BLOCK = { adb: 0, signature: 1, data: 2 } as const;

/** "pckg", the schema of packages. */
export const PACKAGE_SCHEMA = 0x676b_6370;

const MAGIC = 0x2e42_4441;
/** From here on a block needs an extended header. */
const MAX_BLOCK = 0x3fff_ffff;

/** Collects values and lays them out. */
export type AdbWriter = {
  /** Text or bytes; an empty one is NULL. `isOwn` keeps it from being shared with equal bytes. */
  blob(data: string | Uint8Array, isOwn?: boolean): AdbValue;
  int(value: number): AdbValue;
  /** Slots in order from 1; trailing NULLs are cut, and nothing at all is NULL. */
  object(slots: readonly AdbValue[]): AdbValue;
  /** Arrays are written as objects; readers take both. */
  array(values: readonly AdbValue[]): AdbValue;
  /** The finished database with its root. */
  finish(root: AdbValue): Buffer;
};

/** Starts an empty database. */
export function createAdb(): AdbWriter {
  const parts: Uint8Array[] = [Buffer.alloc(8)];
  const known = new Map<string, AdbValue>();
  let length = 8;

  const append = (bytes: Uint8Array, align: number, isOwn = false): number => {
    const key = `${align}:${Buffer.from(bytes).toString('latin1')}`;
    const same = isOwn ? undefined : known.get(key);
    if (same !== undefined) return same;
    const gap = -length & (align - 1);
    parts.push(Buffer.alloc(gap), bytes);
    const at = length + gap;
    length = at + bytes.length;
    if (!isOwn) known.set(key, at);
    return at;
  };

  const words = (values: readonly number[]): AdbValue => {
    let used = values.length;
    while (used > 0 && values[used - 1] === ADB_NULL) used -= 1;
    if (used === 0) return ADB_NULL;
    const bytes = Buffer.alloc(4 * (used + 1));
    bytes.writeUInt32LE(used + 1, 0);
    for (let slot = 0; slot < used; slot += 1) {
      bytes.writeUInt32LE(values[slot] ?? ADB_NULL, 4 * (slot + 1));
    }
    return value(TYPE.object, append(bytes, 4));
  };

  return {
    blob(data, isOwn) {
      const bytes = Buffer.from(data);
      if (bytes.length === 0) return ADB_NULL;
      const { type, width } = sizeOf(bytes.length);
      const head = Buffer.alloc(width);
      head.writeUIntLE(bytes.length, 0, width);
      return value(type, append(Buffer.concat([head, bytes]), width, isOwn));
    },
    int(number) {
      if (number <= MAX_IMMEDIATE) return value(TYPE.int, number);
      const isWide = number > 0xffff_ffff;
      const bytes = Buffer.alloc(isWide ? 8 : 4);
      if (isWide) bytes.writeBigUInt64LE(BigInt(number));
      else bytes.writeUInt32LE(number);
      return value(isWide ? TYPE.int64 : TYPE.int32, append(bytes, 4));
    },
    object: words,
    array: words,
    finish(root) {
      const whole = Buffer.concat(parts);
      whole.writeUInt32LE(root, 4);
      return whole;
    },
  };
}

/** The byte offset a blob's contents have in the database. */
export function offsetOfBlob8(blob: AdbValue): number {
  return (blob & MAX_IMMEDIATE) + 1;
}

/** The first eight bytes of an uncompressed file. */
export function fileHeader(schema: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(schema, 4);
  return head;
}

/** One block: type and length in a word, the payload, zeroes up to a multiple of eight. */
export function block(type: number, payload: readonly Uint8Array[]): Buffer {
  const length = payload.reduce((sum, part) => sum + part.length, 4);
  if (length > MAX_BLOCK) throw new Error('a block of 1 GiB: extended headers are not written');
  const head = Buffer.alloc(4);
  head.writeUInt32LE(((type << 30) | length) >>> 0, 0);
  return Buffer.concat([head, ...payload, Buffer.alloc(-length & 7)]);
}

function value(type: number, rest: number): AdbValue {
  if (rest > MAX_IMMEDIATE) throw new Error('a database over 256 MiB');
  return (type | rest) >>> 0;
}

function sizeOf(length: number): { readonly type: number; readonly width: number } {
  if (length <= 0xff) return { type: TYPE.blob8, width: 1 };
  if (length <= 0xffff) return { type: TYPE.blob16, width: 2 };
  return { type: TYPE.blob32, width: 4 };
}
