/**
 * Git's deltas: an object as pieces of another one and what is new between them.
 *
 * Made only of what both have in common at their beginning and at their end, which is nearly all of
 * two versions of one directory; read in full.
 *
 * @see Documentation/gitformat-pack of Git, "Deltified representation"
 */

import { concat } from '../format/bytes.ts';

const MAX_INSERT = 127;
/** A copy of this length has the shortest spelling of all: its size is left out. */
const MAX_COPY = 0x10000;

/** The delta that makes `target` of `base`. */
export function makeDelta(base: Uint8Array, target: Uint8Array): Uint8Array {
  const most = Math.min(base.length, target.length);
  let start = 0;
  while (start < most && base[start] === target[start]) start++;
  let tail = 0;
  while (tail < most - start && base[base.length - 1 - tail] === target[target.length - 1 - tail]) {
    tail++;
  }
  return concat([
    sizeBytes(base.length),
    sizeBytes(target.length),
    ...copy(0, start),
    ...insert(target.subarray(start, target.length - tail)),
    ...copy(base.length - tail, tail),
  ]);
}

/** What a delta makes of `base`; undefined when it is none, or none of this base. */
export function applyDelta(
  base: Uint8Array,
  delta: Uint8Array,
  limit: number,
): Uint8Array | undefined {
  const baseSize = readSize(delta, 0);
  const size = baseSize && readSize(delta, baseSize.end);
  if (baseSize === undefined || size === undefined) return undefined;
  if (baseSize.value !== base.length || size.value > limit) return undefined;
  const parts: Uint8Array[] = [];
  let length = 0;
  let at = size.end;
  while (at < delta.length) {
    const step = readInstruction(base, delta, at);
    if (step === undefined) return undefined;
    parts.push(step.piece);
    length += step.piece.length;
    at = step.end;
    if (length > size.value) return undefined;
  }
  return length === size.value ? concat(parts) : undefined;
}

/** A number of seven bits a byte, the lowest first; undefined beyond what numbers hold exactly. */
export function readSize(
  bytes: Uint8Array,
  offset: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  let weight = 1;
  for (let at = offset; at < offset + 7; at++) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    value += (byte & 127) * weight;
    if (byte < 128) return { value, end: at + 1 };
    weight *= 128;
  }
  return undefined;
}

function readInstruction(
  base: Uint8Array,
  delta: Uint8Array,
  at: number,
): { readonly piece: Uint8Array; readonly end: number } | undefined {
  const op = delta[at] as number;
  if (op === 0) return undefined;
  if (op < 128) {
    const piece = delta.subarray(at + 1, at + 1 + op);
    return piece.length === op ? { piece, end: at + 1 + op } : undefined;
  }
  const offset = readBytes(delta, at + 1, op & 15);
  const size = offset && readBytes(delta, offset.end, (op >> 4) & 7);
  if (offset === undefined || size === undefined) return undefined;
  const length = size.value || MAX_COPY;
  const piece = base.subarray(offset.value, offset.value + length);
  return piece.length === length ? { piece, end: size.end } : undefined;
}

/** A number whose bytes that are zero were left out; `mask` tells which are there. */
function readBytes(
  bytes: Uint8Array,
  offset: number,
  mask: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  let end = offset;
  for (let bit = 0; bit < 4; bit++) {
    if ((mask & (1 << bit)) !== 0) value += (bytes[end++] ?? 0) * 256 ** bit;
  }
  return end > bytes.length ? undefined : { value, end };
}

function copy(from: number, length: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let done = 0; done < length; done += MAX_COPY) {
    const size = Math.min(MAX_COPY, length - done);
    parts.push(copyInstruction(from + done, size === MAX_COPY ? 0 : size));
  }
  return parts;
}

function copyInstruction(offset: number, size: number): Uint8Array {
  let op = 128;
  const bytes: number[] = [];
  [offset, offset >>> 8, offset >>> 16, offset >>> 24, size, size >>> 8].forEach((value, bit) => {
    if ((value & 255) === 0) return;
    op |= 1 << bit;
    bytes.push(value & 255);
  });
  return Uint8Array.of(op, ...bytes);
}

function insert(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += MAX_INSERT) {
    const piece = bytes.subarray(at, at + MAX_INSERT);
    parts.push(Uint8Array.of(piece.length), piece);
  }
  return parts;
}

function sizeBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Uint8Array.of(...bytes, rest);
}
