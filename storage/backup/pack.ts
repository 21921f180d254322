/**
 * A git pack (version 2, SHA-256), written: objects one after the other, and a checksum.
 *
 * Streams are zlib without compression. A directory that resembles its earlier version is written
 * as a delta to it, or ten thousand commits to a big one would be ten thousand big directories.
 *
 * Padding that no tool complains about lies inside the zlib stream of the last object, as blocks
 * that hold nothing: they inflate to nothing, so the object and its name stay the same.
 *
 * @see Documentation/gitformat-pack of Git
 * @see RFC 1951 §3.2.4 and §3.2.6: blocks of no bytes
 */

import type { Crypto } from '#runtime';
import { concat, encodeText, u32 } from '../format/bytes.ts';
import type { GitObject, NamedObject } from '../format/object.ts';
import { deflateStored } from '../format/zlib.ts';
import { makeDelta } from './delta.ts';

/** An object's place in the pack, for its index. */
export type PackEntry = {
  readonly hash: Uint8Array;
  readonly offset: number;
  readonly end: number;
};

/** A finished pack. */
export type Pack = { readonly bytes: Uint8Array; readonly entries: readonly PackEntry[] };

/** A pack being written. */
export type PackWriter = {
  /** Bytes so far, with the checksum to come. */
  readonly size: number;
  /** Adds an object unless it is in. */
  add(object: NamedObject): void;
  /** The same for one of several versions, made of the `earlier` one where that is in. */
  addVersion(object: NamedObject, earlier: string | undefined): void;
  /** Ends the pack with `padding` bytes that mean nothing: none, or at least MIN_PADDING. */
  finish(padding?: number): Pack;
};

/** So many bytes of padding can be made, and every number of them above. */
export const MIN_PADDING = 20;

/** Whoever reads an object reads those it is made of first. Git itself makes chains of fifty. */
const MAX_CHAIN = 50;
const HEADER_BYTES = 12;
const HASH_BYTES = 32;
const ZLIB_HEADER_BYTES = 2;

const TYPE: Readonly<Record<GitObject['type'], number>> = { commit: 1, tree: 2, blob: 3 };
export const OFS_DELTA = 6;

/** A stored block of no bytes, and one behind an equally empty one of fixed codes. */
const FIVE = [0, 0, 0, 0xff, 0xff];
const SIX = [2, 0, 0, 0, 0xff, 0xff];

/** A body that later ones may resemble, and how many it is made of itself. */
type Base = { readonly body: Uint8Array; readonly offset: number; readonly chain: number };

/** Begins a pack. */
export function createPack(crypto: Pick<Crypto, 'hash'>): PackWriter {
  const parts: Uint8Array[] = [];
  const entries: PackEntry[] = [];
  const ids = new Set<string>();
  /** Of everything that has versions only the last one: memory is for the present. */
  const bases = new Map<string, Base>();
  let offset = HEADER_BYTES;

  const put = (head: Uint8Array, stream: Uint8Array, hash: Uint8Array): void => {
    const end = offset + head.length + stream.length;
    entries.push({ hash, offset, end });
    parts.push(head, stream);
    offset = end;
  };

  const putWhole = ({ type, body, hash }: NamedObject): void =>
    put(entryHead(TYPE[type], body.length), deflateStored(body), hash);

  const deltaTo = (base: Base | undefined, { body }: NamedObject): Uint8Array | undefined => {
    if (base === undefined || base.chain >= MAX_CHAIN) return undefined;
    const delta = makeDelta(base.body, body);
    return delta.length < body.length / 2 ? delta : undefined;
  };

  return {
    get size() {
      return offset + HASH_BYTES;
    },
    add(object) {
      if (ids.has(object.id)) return;
      ids.add(object.id);
      putWhole(object);
    },
    addVersion(object, earlier = '') {
      if (ids.has(object.id)) return;
      ids.add(object.id);
      const base = bases.get(earlier);
      bases.delete(earlier);
      const at = offset;
      const delta = deltaTo(base, object);
      if (base === undefined || delta === undefined) {
        putWhole(object);
        bases.set(object.id, { body: object.body, offset: at, chain: 0 });
      } else {
        const head = [entryHead(OFS_DELTA, delta.length), distanceBytes(offset - base.offset)];
        put(concat(head), deflateStored(delta), object.hash);
        bases.set(object.id, { body: object.body, offset: at, chain: base.chain + 1 });
      }
    },
    finish(padding = 0) {
      const last = parts.pop();
      const ends = padStream(last ?? new Uint8Array(0), padding);
      const head = concat([encodeText('PACK'), u32(2), u32(entries.length)]);
      const bytes = concat([head, ...parts, ends, new Uint8Array(HASH_BYTES)]);
      parts.length = 0;
      bytes.set(crypto.hash('sha256', bytes.subarray(0, -HASH_BYTES)), bytes.length - HASH_BYTES);
      return { bytes, entries: entries.with(-1, lengthen(entries, padding)) };
    },
  };
}

function lengthen(entries: readonly PackEntry[], by: number): PackEntry {
  const last = entries.at(-1);
  if (last === undefined) throw new Error('unreachable: a pack of nothing');
  return { ...last, end: last.end + by };
}

/** Puts empty blocks in front of the blocks of a stream. */
function padStream(stream: Uint8Array, padding: number): Uint8Array {
  if (padding === 0) return stream;
  const sixes = padding % FIVE.length;
  const fives = (padding - sixes * SIX.length) / FIVE.length;
  if (fives < 0) throw new Error(`unreachable: ${padding} bytes of padding`);
  const blocks = new Uint8Array(padding);
  for (let i = 0; i < sixes; i++) blocks.set(SIX, i * SIX.length);
  for (let i = 0; i < fives; i++) blocks.set(FIVE, sixes * SIX.length + i * FIVE.length);
  return concat([
    stream.subarray(0, ZLIB_HEADER_BYTES),
    blocks,
    stream.subarray(ZLIB_HEADER_BYTES),
  ]);
}

/** The type and the size: four bits of it first, then seven a byte. */
function entryHead(type: number, size: number): Uint8Array {
  const bytes = [(type << 4) | (size & 15)];
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1] = (bytes.at(-1) as number) | 128;
    bytes.push(rest & 127);
  }
  return Uint8Array.from(bytes);
}

/** How far back the base is: seven bits a byte, the highest first, and each but the last plus one. */
function distanceBytes(distance: number): Uint8Array {
  const bytes = [distance & 127];
  for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor(rest / 128)) {
    rest -= 1;
    bytes.unshift((rest & 127) | 128);
  }
  return Uint8Array.from(bytes);
}
