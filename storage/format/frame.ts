/**
 * Frames: how commits lie in the log and travel between devices.
 *
 *     u32 length | u32 crc32 | body        body = u32 length of the commit | commit | ops
 *
 * Numbers are big-endian. The CRC is for disks, not for people: who may write is the signature's
 * matter. Reading never throws, and allocates nothing by a length it has not checked.
 */

import { concat, decodeText, encodeText, readU32, startsWith, u32 } from './bytes.ts';

/** A frame's content: a commit object's body, and the ops it binds, as text. */
export type Frame = { readonly commit: Uint8Array; readonly ops: string };

/** Where a whole and undamaged frame lies. */
export type FrameSpan = { readonly offset: number; readonly end: number };

/** What `scan` found: good frames, and the stretches between and after them. */
export type Scan = { readonly frames: readonly FrameSpan[]; readonly bad: readonly FrameSpan[] };

/** A body beyond this is refused, written or received: a compromised device must not fill disks. */
export const MAX_BODY = 256 * 1024;

const HEADER = 8;
/** Every commit object begins so; it lets a search step over damage quickly. */
const COMMIT_START = encodeText('tree ');

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 as in RFC 1952 §8, of all bytes or of those from `start` to `end`. */
export function crc32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffffffff;
  for (let i = start; i < end; i++) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** The bytes of a frame; undefined when it would be too large. */
export function encodeFrame(frame: Frame): Uint8Array | undefined {
  const body = concat([u32(frame.commit.length), frame.commit, encodeText(frame.ops)]);
  return body.length > MAX_BODY ? undefined : concat([u32(body.length), u32(crc32(body)), body]);
}

/** Where the frame at `offset` ends; undefined unless it is whole and undamaged. */
export function measureFrame(bytes: Uint8Array, offset: number): FrameSpan | undefined {
  const length = readU32(bytes, offset);
  const crc = readU32(bytes, offset + 4);
  if (length === undefined || crc === undefined || length > MAX_BODY) return undefined;
  const start = offset + HEADER;
  const end = start + length;
  if (end > bytes.length || !startsWith(bytes, start + 4, COMMIT_START)) return undefined;
  return crc32(bytes, start, end) === crc ? { offset, end } : undefined;
}

/** The commit in a good frame, not copied; undefined when the frame is none of ours. */
export function commitIn(bytes: Uint8Array, span: FrameSpan): Uint8Array | undefined {
  const start = span.offset + HEADER;
  const length = readU32(bytes, start);
  if (length === undefined || start + 4 + length > span.end) return undefined;
  return bytes.subarray(start + 4, start + 4 + length);
}

/** The content of a good frame; undefined when the frame is none of ours. */
export function decodeFrame(bytes: Uint8Array, span: FrameSpan): Frame | undefined {
  const commit = commitIn(bytes, span);
  if (commit === undefined) return undefined;
  const ops = decodeText(bytes.subarray(span.offset + HEADER + 4 + commit.length, span.end));
  return ops === undefined ? undefined : { commit: commit.slice(), ops };
}

/** Finds every good frame, also those that follow damage. */
export function scan(bytes: Uint8Array): Scan {
  const frames: FrameSpan[] = [];
  const bad: FrameSpan[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const good = measureFrame(bytes, offset);
    if (good === undefined) {
      const end = findFrame(bytes, offset + 1);
      bad.push({ offset, end });
      offset = end;
    } else {
      frames.push(good);
      offset = good.end;
    }
  }
  return { frames, bad };
}

function findFrame(bytes: Uint8Array, from: number): number {
  for (let offset = from; offset < bytes.length; offset++) {
    if (measureFrame(bytes, offset) !== undefined) return offset;
  }
  return bytes.length;
}
