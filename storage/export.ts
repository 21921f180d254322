/**
 * What another device lacks: as each device numbers its commits, one number for each says exactly
 * what is held.
 */

import { concat } from './bytes.ts';
import type { CommitId } from './commit.ts';
import { encodeFrame } from './frame.ts';
import type { Entry, History } from './history.ts';

/**
 * What is held: of each device its last commit. A device that used a number twice has every commit
 * from there on. An empty id stands for whichever commit has the number.
 */
export type Vector = {
  readonly [device: string]: readonly (readonly [seq: number, id: CommitId])[];
};

/**
 * Bytes of commits that one `exportMissing` gives at most, unless a single frame is larger: so many
 * are verified without a pause for anything else.
 */
const EXPORT_PAGE = 128 * 1024;
/** Looking for devices first is not worth reading more commits than this. */
const MAX_LOOK_AHEAD = 2000;
/** How ops begin that concern devices. */
const DEVICES = '"path":"devices/';

/** The vector of all that is held with its whole past. */
export function vectorOf({ entries, hole }: Pick<History, 'entries' | 'hole'>): Vector {
  const whole = hole === undefined ? entries : entries.slice(0, hole);
  const vector: Growing = Object.create(null);
  for (const entry of whole) grow(vector, entry);
  return { ...vector };
}

/** The vector of what it says and one commit more, whose past it says already. */
export function extendVector(vector: Vector, commit: Pick<Entry, 'device' | 'seq' | 'id'>): Vector {
  const growing: Growing = Object.assign(Object.create(null), vector);
  grow(growing, commit);
  return { ...growing };
}

type Growing = Record<string, readonly (readonly [number, CommitId])[]>;

function grow(vector: Growing, { device, seq, id }: Pick<Entry, 'device' | 'seq' | 'id'>): void {
  const known = vector[device] ?? [];
  const isForked = known.length > 1 || (known[0]?.[0] ?? 0) >= seq;
  vector[device] = isForked ? [...known, [seq, id]] : [[seq, id]];
}

/** A page of frames of what a device with `vector` lacks. */
export async function exportMissing(
  history: Pick<History, 'entries' | 'find' | 'read'>,
  vector: Vector,
  limit = EXPORT_PAGE,
): Promise<Uint8Array> {
  const missing = findMissing(history, vector);
  const frames: Uint8Array[] = [];
  let size = 0;
  for (const index of await devicesFirst(history, missing)) {
    const { commit, ops } = await history.read(index);
    const frame = encodeFrame({ commit: commit.bytes, ops });
    if (frame === undefined) throw new Error('unreachable: a stored frame is too large');
    size += frame.length;
    if (frames.length > 0 && size > limit) break;
    frames.push(frame);
  }
  return concat(frames);
}

function findMissing(history: Pick<History, 'entries' | 'find'>, vector: Vector): number[] {
  const { entries } = history;
  const own = vectorOf({ entries, hole: undefined });
  const isForked = (device: string): boolean =>
    (own[device]?.length ?? 0) > 1 ||
    (Object.hasOwn(vector, device) &&
      (vector[device] ?? []).some(
        ([seq, id]) =>
          id !== '' && history.find(id) === undefined && seq <= (own[device]?.[0]?.[0] ?? 0),
      ));
  const forked = new Set(Object.keys(own).filter(isForked));
  const isMissing = ({ device, seq, id }: Entry): boolean => {
    const tips = Object.hasOwn(vector, device) ? (vector[device] ?? []) : [];
    if (tips.some(([, tip]) => tip === id)) return false;
    if (tips.every(([last]) => seq > last)) return true;
    if (tips.some(([, tip]) => tip === '')) return false;
    // Which of two commits with one number somebody has cannot be told by the number.
    return forked.has(device) && seq >= firstFork(own[device], tips);
  };
  return entries.flatMap((entry, index) => (isMissing(entry) ? [index] : []));
}

/** Where the commits of a device begin to differ; from the start when that cannot be told. */
function firstFork(own: Vector[string] | undefined, theirs: Vector[string]): number {
  const numbers = (own?.length ?? 0) > 1 ? (own ?? []).map(([seq]) => seq) : [0];
  return theirs.length > 1 || numbers.length > 1 ? Math.min(...numbers) : 0;
}

/** Parents first, and what concerns devices as early as that allows. */
async function devicesFirst(
  history: Pick<History, 'entries' | 'find' | 'read'>,
  missing: readonly number[],
): Promise<readonly number[]> {
  if (missing.length > MAX_LOOK_AHEAD) return missing;
  const open = new Set(missing);
  const ordered: number[] = [];
  const take = (target: number): void => {
    const past = [target];
    const found: number[] = [];
    for (let index = past.pop(); index !== undefined; index = past.pop()) {
      if (!open.delete(index)) continue;
      found.push(index);
      for (const parent of history.entries[index]?.parents ?? []) {
        past.push(history.find(parent) ?? -1);
      }
    }
    ordered.push(...found.sort((a, b) => a - b));
  };
  for (const index of missing) {
    if ((await history.read(index)).ops.includes(DEVICES)) take(index);
  }
  for (const index of missing) take(index);
  return ordered;
}
