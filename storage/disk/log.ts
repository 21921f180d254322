/**
 * The log on disk: segments of frames, append only.
 *
 *     <directory>/log/00000001.log …      frames (see frame.ts); the last one is written to
 *     <directory>/quarantine/*.bad        damaged bytes, moved aside for people, never read
 *     <directory>/quarantine/*.torn       what a crash left of a write that nobody was told of
 *
 * One commit is one write and one fdatasync. What a crash left half-written at the end is cut off
 * on opening (I7); damage anywhere else is moved aside and reported, and what follows it stays.
 * Whether the frames chain is not this file's matter.
 */

import { type AppendFile, type Files, RuntimeError } from '#runtime';
import { StorageError } from '../error.ts';
import { concat } from '../format/bytes.ts';
import {
  commitIn,
  crc32,
  decodeFrame,
  type Frame,
  type FrameSpan,
  MAX_BODY,
  measureFrame,
  type Scan,
  scan,
} from '../format/frame.ts';

/** Where a frame lies. */
export type Place = FrameSpan & { readonly segment: number };

/** Something that was not as it should be when the store was opened. */
export type Damage = {
  readonly code: /** A commit that was never acknowledged was cut off; nothing is lost. */
    | 'torn-tail'
    /** Bytes that are no frame; they were moved to `quarantine/`, or could not be. */
    | 'corrupt-frame'
    /** The history has a hole; commits after sequence number `since` are wanted from a peer. */
    | 'missing-commits'
    /** A commit on disk that does not verify, with all that follow it. */
    | 'bad-commit'
    /** The checkpoint did not fit the signed history and was not used. */
    | 'bad-checkpoint';
  readonly where: string;
  readonly message: string;
  readonly since?: number;
};

/** The open log. */
export type CommitLog = AsyncDisposable & {
  /** Reads one frame again, undefined when the disk lost it since. */
  read(place: Place): Promise<Frame | undefined>;
  /**
   * Appends frames, with as few writes as segments allow, and calls `done` for each that is
   * durable, in order. On failure those it was not called for are not there.
   */
  append(frames: readonly Uint8Array[], done: (place: Place, index: number) => void): Promise<void>;
};

/** A segment is closed before it grows beyond this. */
export const SEGMENT_SIZE = 256 * 1024;

const SEGMENT_NAME = /^(\d{8})\.log$/;

/** Opens the log, repairs its end, and shows every good frame in the order of the file. */
export async function openLog(
  files: Files,
  directory: string,
  visit: (commit: Uint8Array, place: Place) => void,
  report: (damage: Damage) => void,
): Promise<CommitLog> {
  await translate(async () => {
    // One by one, because each call makes only its own name durable.
    await files.makeDirectory(directory, 0o700);
    await files.makeDirectory(`${directory}/log`, 0o700);
  });
  const segments = await listSegments(files, directory);
  const last = segments.at(-1) ?? 1;
  for (const segment of segments) {
    const isLast = segment === last;
    const { bytes, frames } = await repair(files, directory, segment, isLast, report);
    for (const span of frames) {
      const commit = commitIn(bytes, span);
      if (commit !== undefined) visit(commit, { ...span, segment });
    }
  }
  return createLog(files, directory, last);
}

/** The numbers of the segments there are. */
export async function listSegments(files: Files, directory: string): Promise<number[]> {
  const names = await translate(() => files.list(`${directory}/log`));
  return names.flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []).map(Number);
}

/** Tells whether bytes that were commits once had to be moved aside. */
export async function hasQuarantine(files: Files, directory: string): Promise<boolean> {
  const names = await translate(() => files.list(`${directory}/quarantine`));
  return names.some((name) => name.endsWith('.bad'));
}

/** The disk's failures in the store's words. */
export async function translate<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof RuntimeError)) throw cause;
    const code = cause.code === 'no-space' ? 'no-space' : 'io';
    throw new StorageError(code, cause.message, { cause });
  }
}

/** A segment as it is on the disk after the repair, or after the attempt. */
type Repaired = {
  readonly bytes: Uint8Array;
  readonly frames: readonly FrameSpan[];
};

/** Moves damage out of a segment and returns what the file holds then. */
async function repair(
  files: Files,
  directory: string,
  segment: number,
  isLast: boolean,
  report: (damage: Damage) => void,
): Promise<Repaired> {
  const path = segmentPath(directory, segment);
  const bytes = (await translate(() => files.read(path))) ?? new Uint8Array(0);
  const { frames, bad } = scan(bytes);
  const first = bad[0];
  if (first === undefined) return { bytes, frames };
  const isTornOnly =
    isLast && first.end === bytes.length && isTorn(bytes.subarray(first.offset, first.end));
  const repaired = await (isTornOnly
    ? cutTail(files, { directory, segment, bytes }, first)
    : rewrite(files, { directory, segment, bytes }, { frames, bad }));
  for (const span of bad) {
    const kept = repaired === undefined ? 'they could not be moved aside' : 'they were moved aside';
    report({
      code: isTornOnly ? 'torn-tail' : 'corrupt-frame',
      where: `${segmentName(segment)} at ${span.offset}`,
      message: `${span.end - span.offset} bytes are no frame; ${kept}`,
    });
  }
  // What cannot be repaired stays where it is; what is written behind it is found all the same.
  return repaired === undefined
    ? { bytes, frames }
    : { bytes: repaired, frames: scan(repaired).frames };
}

/** A segment as it was read. */
type Damaged = {
  readonly directory: string;
  readonly segment: number;
  readonly bytes: Uint8Array;
};

/** Cutting needs no space: a full disk must not stop a store from opening. */
async function cutTail(
  files: Files,
  damaged: Damaged,
  tail: FrameSpan,
): Promise<Uint8Array | undefined> {
  const { directory, segment, bytes } = damaged;
  await attempt(() => setAside(files, damaged, [tail], 'torn'));
  return attempt(async () => {
    await using file = await files.openAppend(segmentPath(directory, segment));
    await file.truncate(tail.offset);
    return bytes.subarray(0, tail.offset);
  });
}

/** The damaged bytes are safe elsewhere before the segment is replaced by its good ones. */
async function rewrite(
  files: Files,
  damaged: Damaged,
  { frames, bad }: Scan,
): Promise<Uint8Array | undefined> {
  const { directory, segment, bytes } = damaged;
  return attempt(async () => {
    await setAside(files, damaged, bad, 'bad');
    const good = concat(frames.map(({ offset, end }) => bytes.subarray(offset, end)));
    await files.replace(segmentPath(directory, segment), good, 0o600);
    return good;
  });
}

async function setAside(
  files: Files,
  { directory, segment, bytes }: Damaged,
  bad: readonly FrameSpan[],
  suffix: 'bad' | 'torn',
): Promise<void> {
  await files.makeDirectory(`${directory}/quarantine`, 0o700);
  for (const { offset, end } of bad) {
    const damaged = bytes.subarray(offset, end);
    if (damaged.every((byte) => byte === 0)) continue;
    const mark = crc32(damaged).toString(16).padStart(8, '0');
    const name = `${segmentName(segment)}-${offset}-${mark}.${suffix}`;
    await files.replace(`${directory}/quarantine/${name}`, damaged, 0o600);
  }
}

/** The result, or undefined when the disk refuses. */
async function attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof RuntimeError) return undefined;
    throw cause;
  }
}

/** Tells what an interrupted write leaves: a frame that is not all there, or zeros. */
function isTorn(tail: Uint8Array): boolean {
  if (tail.length < 8 || tail.every((byte) => byte === 0)) return true;
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0);
  return length <= MAX_BODY && length + 8 > tail.length;
}

function createLog(files: Files, directory: string, last: number): CommitLog {
  let segment = last;
  let file: AppendFile | undefined;
  let size = 0;
  /** The end of the file is not known to be clean after a failed write. */
  let isDirty = false;
  let cached: { readonly segment: number; readonly bytes: Uint8Array } | undefined;

  const use = async (wanted: number): Promise<AppendFile> => {
    if (file !== undefined && wanted === segment) return file;
    const next = await files.openAppend(segmentPath(directory, wanted));
    await file?.[Symbol.asyncDispose]();
    file = next;
    segment = wanted;
    size = next.size;
    return next;
  };

  const write = async (bytes: Uint8Array): Promise<Place> => {
    let open = await use(segment);
    if (isDirty) await open.truncate(size);
    isDirty = false;
    if (size > 0 && size + bytes.length > SEGMENT_SIZE) open = await use(segment + 1);
    isDirty = true;
    await open.append(bytes);
    isDirty = false;
    const place = { segment, offset: size, end: size + bytes.length };
    size = place.end;
    return place;
  };

  return {
    async append(frames, done) {
      let index = 0;
      for (const batch of intoBatches(frames)) {
        const whole = await translate(() => write(concat(batch)));
        let offset = whole.offset;
        for (const frame of batch) {
          done({ segment: whole.segment, offset, end: offset + frame.length }, index);
          offset += frame.length;
          index += 1;
        }
      }
    },
    async read(place) {
      const known = cached?.segment === place.segment ? readFrame(cached.bytes, place) : undefined;
      if (known !== undefined) return known;
      const bytes = await translate(() => files.read(segmentPath(directory, place.segment)));
      if (bytes === undefined) return undefined;
      cached = { segment: place.segment, bytes };
      return readFrame(bytes, place);
    },
    async [Symbol.asyncDispose]() {
      await file?.[Symbol.asyncDispose]();
      file = undefined;
    },
  };
}

function readFrame(bytes: Uint8Array, place: Place): Frame | undefined {
  const span = measureFrame(bytes, place.offset);
  return span?.end === place.end ? decodeFrame(bytes, span) : undefined;
}

/** Groups frames so that each group is one write into one segment. */
export function intoBatches(frames: readonly Uint8Array[]): Uint8Array[][] {
  const batches: Uint8Array[][] = [];
  let room = 0;
  for (const frame of frames) {
    const batch = batches.at(-1);
    if (batch === undefined || frame.length > room) {
      batches.push([frame]);
      room = SEGMENT_SIZE - frame.length;
    } else {
      batch.push(frame);
      room -= frame.length;
    }
  }
  return batches;
}

function segmentName(segment: number): string {
  return `${String(segment).padStart(8, '0')}.log`;
}

/** The path of a segment. */
export function segmentPath(directory: string, segment: number): string {
  return `${directory}/log/${segmentName(segment)}`;
}
