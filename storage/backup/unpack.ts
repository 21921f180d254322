/**
 * A git pack, read: also one that stock git wrote, with deltas to earlier objects, to named ones,
 * and (in bundles) to objects that only the reader's repository has.
 *
 * Every byte may be somebody's attempt. Sizes are believed only as far as the bytes can hold them,
 * chains of deltas are bounded, and what everything inflates to together is bounded too.
 *
 * @see Documentation/gitformat-pack of Git
 */

import type { Crypto } from '#runtime';
import { StorageError } from '../error.ts';
import { encodeHex, encodeText, equalBytes, readU32 } from '../format/bytes.ts';
import { type GitObject, nameObject } from '../format/object.ts';
import { applyDelta } from './delta.ts';
import { inflate, inflateWhole } from './inflate.ts';
import { OFS_DELTA } from './pack.ts';

/** Objects by name. */
export type Objects = {
  readonly ids: () => Iterable<string>;
  readonly find: (id: string) => GitObject | undefined;
};

/** Looks for objects that are not in the pack. */
export type Lookup = (ids: ReadonlySet<string>) => Promise<ReadonlyMap<string, GitObject>>;

/** Whoever sends more than this sends no household's history. */
const MAX_PACK = 512 * 1024 * 1024;
/** A directory of a hundred thousand records. */
const MAX_OBJECT = 16 * 1024 * 1024;
/** All objects together: a pack of some megabytes must not keep a router busy for hours. */
const MAX_INFLATED = 8 * 1024 ** 3;
/** Git's own limit is 4,095. */
const MAX_CHAIN = 4095;
/** Bodies kept because others are made of them. */
const CACHE_BYTES = 16 * 1024 * 1024;

const HEADER_BYTES = 12;
const HASH_BYTES = 32;
const REF_DELTA = 7;
const TYPES: readonly (GitObject['type'] | undefined)[] = [undefined, 'commit', 'tree', 'blob'];

/** An entry as it lies in the pack; `base` is an offset, or a name. */
type Entry = {
  readonly offset: number;
  readonly end: number;
  readonly type: GitObject['type'] | undefined;
  readonly base: number | string | undefined;
  readonly data: number;
  readonly size: number;
};

type Needs = Pick<Crypto, 'hash'>;

/** Reads a pack. Throws 'corrupt' or 'too-large'; `lookup` is asked for bases that are not in it. */
export async function readPack(
  crypto: Needs,
  bytes: Uint8Array,
  lookup: Lookup = async () => new Map(),
): Promise<Objects> {
  const entries = listEntries(crypto, bytes);
  const outside = new Map<string, GitObject>();
  const known = new Map<string, number>();
  const bodies = createBodies(bytes, { entries, known, outside });
  let waiting = [...entries.values()];
  while (waiting.length > 0) {
    const rest = waiting.filter((entry) => {
      const object = bodies(entry);
      if (object !== undefined) known.set(nameObject(crypto, object).id, entry.offset);
      return object === undefined;
    });
    if (rest.length === waiting.length) await findOutside(rest, lookup, outside);
    waiting = rest;
  }
  return {
    ids: () => known.keys(),
    find(id) {
      const entry = entries.get(known.get(id) ?? -1);
      return entry && bodies(entry);
    },
  };
}

/** No entry can be told from what is here: at least one has to come from elsewhere. */
async function findOutside(
  waiting: readonly Entry[],
  lookup: Lookup,
  outside: Map<string, GitObject>,
): Promise<void> {
  const bases = waiting.flatMap(({ base }) => (typeof base === 'string' ? [base] : []));
  const found = await lookup(new Set(bases.filter((id) => !outside.has(id))));
  for (const [id, object] of found) outside.set(id, object);
  if (found.size === 0) throw corrupt('it builds on objects that are not here');
}

/** Where the bases of deltas are looked for. */
type Places = {
  readonly entries: ReadonlyMap<number, Entry>;
  readonly known: ReadonlyMap<string, number>;
  readonly outside: ReadonlyMap<string, GitObject>;
};

/** Makes the reader of entries; undefined while a base is not known yet. */
function createBodies(bytes: Uint8Array, places: Places): (entry: Entry) => GitObject | undefined {
  const cache = new Map<number, GitObject>();
  let cached = 0;
  let inflated = 0;
  const keep = (offset: number, object: GitObject): void => {
    if (cache.has(offset)) return;
    cache.set(offset, object);
    cached += object.body.length;
    for (const [oldest, { body }] of cache) {
      if (cached <= CACHE_BYTES) break;
      cache.delete(oldest);
      cached -= body.length;
    }
  };
  const spend = (body: Uint8Array): Uint8Array => {
    inflated += body.length;
    if (inflated > MAX_INFLATED) throw new StorageError('too-large', 'the pack holds too much');
    return body;
  };
  const unpack = ({ data, size }: Entry): Uint8Array =>
    spend(required(inflate(bytes, data, size)).data);

  return (entry) => {
    const steps: Entry[] = [];
    let current: Entry | undefined = entry;
    while (current !== undefined && current.type === undefined && !cache.has(current.offset)) {
      steps.push(current);
      if (steps.length > MAX_CHAIN) throw corrupt('a chain of deltas is too long');
      current = baseIn(places, current);
    }
    const last = steps.at(-1);
    let object =
      current === undefined
        ? places.outside.get(String(last?.base))
        : (cache.get(current.offset) ?? wholeObject(current, unpack));
    if (object === undefined) return undefined;
    for (const step of steps.toReversed()) {
      object = { type: object.type, body: spend(applyStep(object, step, unpack(step))) };
    }
    keep(entry.offset, object);
    return object;
  };
}

function baseIn({ entries, known }: Places, { base }: Entry): Entry | undefined {
  const at = typeof base === 'string' ? known.get(base) : base;
  const entry = at === undefined ? undefined : entries.get(at);
  if (typeof base === 'number' && entry === undefined) throw corrupt('a delta to no object');
  return entry;
}

function applyStep({ body }: GitObject, { offset }: Entry, delta: Uint8Array): Uint8Array {
  const made = applyDelta(body, delta, MAX_OBJECT);
  if (made === undefined) throw corrupt(`a bad delta at byte ${offset}`);
  return made;
}

function wholeObject(entry: Entry, unpack: (entry: Entry) => Uint8Array): GitObject | undefined {
  return entry.type === undefined ? undefined : { type: entry.type, body: unpack(entry) };
}

/** Finds where each entry begins; only reading one to its end tells where the next does. */
function listEntries(crypto: Needs, bytes: Uint8Array): Map<number, Entry> {
  if (bytes.length > MAX_PACK) throw new StorageError('too-large', 'the pack is too large');
  const end = bytes.length - HASH_BYTES;
  const isPack = equalBytes(bytes.subarray(0, 4), encodeText('PACK')) && readU32(bytes, 4) === 2;
  if (!isPack || end < HEADER_BYTES) throw corrupt('no pack of version 2');
  if (!equalBytes(crypto.hash('sha256', bytes.subarray(0, end)), bytes.subarray(end))) {
    throw corrupt('the pack is cut short, or changed');
  }
  const entries = new Map<number, Entry>();
  const body = bytes.subarray(0, end);
  let offset = HEADER_BYTES;
  let left = MAX_INFLATED;
  while (offset < end) {
    const entry = readEntry(body, offset);
    left -= entry.size;
    if (left < 0) throw new StorageError('too-large', 'the pack holds too much');
    entries.set(offset, entry);
    offset = entry.end;
  }
  if (entries.size !== readU32(bytes, 8)) throw corrupt('it holds another number of objects');
  return entries;
}

function readEntry(bytes: Uint8Array, offset: number): Entry {
  let at = offset;
  let byte = bytes[at++] ?? 0;
  const kind = (byte >> 4) & 7;
  let size = byte & 15;
  for (let weight = 16; byte > 127; weight *= 128) {
    byte = bytes[at++] ?? 0;
    size += (byte & 127) * weight;
    if (size > MAX_OBJECT) throw new StorageError('too-large', 'an object is too large');
  }
  const type = TYPES[kind];
  let base: Entry['base'];
  if (kind === OFS_DELTA) {
    const back = readDistance(bytes, at);
    base = offset - back.value;
    at = back.end;
  } else if (kind === REF_DELTA) {
    base = encodeHex(bytes.subarray(at, at + HASH_BYTES));
    at += HASH_BYTES;
  } else if (type === undefined) {
    throw corrupt(`no kind of object that we know at byte ${offset}`);
  }
  const { end } = required(inflate(bytes, at, size));
  return { offset, end, type, base, data: at, size };
}

function readDistance(
  bytes: Uint8Array,
  offset: number,
): { readonly value: number; readonly end: number } {
  let at = offset;
  let byte = bytes[at++] ?? 0;
  let value = byte & 127;
  while (byte > 127) {
    byte = bytes[at++] ?? 0;
    value = (value + 1) * 128 + (byte & 127);
    if (value > bytes.length) break;
  }
  if (value === 0 || value > offset) throw corrupt('a delta to what is not in the pack');
  return { value, end: at };
}

/** A loose object as git serves it: a zlib stream of unknown size, its header in front. */
export function readLoose(bytes: Uint8Array): GitObject | undefined {
  const inflated = inflateWhole(bytes, MAX_OBJECT);
  const zero = inflated?.indexOf(0) ?? -1;
  if (inflated === undefined || zero < 0 || zero > 32) return undefined;
  const header = String.fromCharCode(...inflated.subarray(0, zero));
  const [, type, size] = /^(commit|tree|blob) (\d{1,12})$/.exec(header) ?? [];
  const body = inflated.subarray(zero + 1);
  if (type === undefined || Number(size) !== body.length) return undefined;
  return { type: type as GitObject['type'], body };
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw corrupt('what it holds cannot be unpacked');
  return value;
}

function corrupt(message: string): StorageError {
  return new StorageError('corrupt', message);
}
