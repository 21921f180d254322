/**
 * What another device lacks: as each device numbers its commits, one number for each says exactly
 * what is held.
 */

import { printBaseFrames } from '../disk/base-pages.ts';
import { concat } from '../format/bytes.ts';
import type { CommitId } from '../format/commit.ts';
import { encodeFrame } from '../format/frame.ts';
import { type Entries, type Entry, EntryList, markPast } from '../history/entries.ts';
import type { History } from '../history/history.ts';

/**
 * What is held: of each device its last commit. A device that used a number twice has the last one
 * of each branch. An empty id stands for whichever commit has the number.
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
export function vectorOf({
  entries,
  hole,
  base,
}: Pick<History, 'entries' | 'hole' | 'base'>): Vector {
  const whole = hole === undefined ? entries : new EntryList([...entries].slice(0, hole));
  const last = new Map<string, number>();
  const forks = forksIn(whole);
  let index = 0;
  for (const { device } of whole.numbers()) last.set(device, index++);
  const vector: Record<string, readonly (readonly [number, CommitId])[]> = Object.create(null);
  for (const [device, seq] of base?.merged.vector ?? []) {
    // Its last commit is not held any more; only branches have a space.
    if (!last.has(device) && !device.includes(' ')) vector[device] = [[seq, '']];
  }
  for (const [device, at] of last) {
    const { seq, id } = whole.at(at) as Entry;
    vector[device] = forks.has(device) ? branchesOf(whole, device) : [[seq, id]];
  }
  return { ...vector };
}

/** The commits of a device that none of its own builds on. */
function branchesOf(entries: Entries, device: string): [number, CommitId][] {
  const below = new Set<CommitId>();
  const tips: [number, CommitId][] = [];
  for (const { id, device: author, seq, parents } of entries.reversed()) {
    const isOwn = author === device;
    if (isOwn && !below.has(id)) tips.push([seq, id]);
    if (isOwn || below.has(id)) for (const parent of parents) below.add(parent);
  }
  return tips.sort(([a, one], [b, other]) => a - b || (one < other ? -1 : 1));
}

/** A page of frames of what a device with `vector` lacks; what was dropped is in the base. */
export async function exportMissing(
  history: Pick<History, 'entries' | 'find' | 'read' | 'base'>,
  vector: Vector,
  limit = EXPORT_PAGE,
  isBare = false,
): Promise<Uint8Array> {
  const { base } = history;
  const begins = base !== undefined && !isBare && lacksAnyOf(vector, base.merged.vector);
  const frames: Uint8Array[] = begins ? [printBaseFrames(base)] : [];
  let size = frames[0]?.length ?? 0;
  const missing = findMissing(history, vector, limit);
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

function lacksAnyOf(vector: Vector, numbers: ReadonlyMap<string, number>): boolean {
  const known = new Map(Object.entries(vector));
  return [...numbers].some(
    ([device, seq]) =>
      !device.includes(' ') && !(known.get(device) ?? []).some(([last]) => last >= seq),
  );
}

/** What is missing for certain comes before what may be. */
function findMissing(
  history: Pick<History, 'entries' | 'find'>,
  vector: Vector,
  limit: number,
): readonly number[] {
  const { entries } = history;
  const known = new Map(Object.entries(vector));
  const tipsOfAll = Object.values(vector).flat();
  const isHeld = markPast(
    entries,
    tipsOfAll.map(([, id]) => id),
  );
  const forks = forksIn(entries);
  const tops = new Map<string, number>();
  for (const { device, seq } of entries.numbers()) tops.set(device, seq);
  const missing: number[] = [];
  const doubtful: number[] = [];
  for (const { index, device, seq } of notMarked(entries, isHeld)) {
    const tips = known.get(device) ?? [];
    const unknown = tips.filter(([, tip]) => history.find(tip) === undefined);
    const isBeyond = tips.every(([last]) => seq > last);
    if (isBeyond || (unknown.length === 0 && forks.has(device))) missing.push(index);
    if (isBeyond || unknown.some(([last, tip]) => tip === '' && last >= seq)) continue;
    // Who follows a branch that is not held here left this one nobody knows where.
    const isApart = forks.has(device) || unknown.some(([last]) => last <= (tops.get(device) ?? 0));
    if (isApart && unknown.length > 0) doubtful.push(index);
  }
  return [...missing, ...newestOf(entries, doubtful, limit / 2)];
}

function* notMarked(entries: Entries, marks: Uint8Array) {
  let index = 0;
  for (const number of entries.numbers()) {
    if (marks[index] === 0) yield { index, ...number };
    index += 1;
  }
}

/**
 * The last of those that may be missing, less than a page, so that there is room for what certainly
 * is. Two branches that both went further than this stay apart until somebody ends the device.
 */
function newestOf(entries: Entries, doubtful: readonly number[], limit: number): readonly number[] {
  let size = 0;
  const first = doubtful.findLastIndex((index) => {
    const { offset, end } = entries.at(index)?.place ?? { offset: 0, end: 0 };
    size += end - offset;
    return size > limit;
  });
  return doubtful.slice(Math.min(first + 1, doubtful.length - 1));
}

/** The devices that used a number twice. */
function forksIn(entries: Entries): ReadonlySet<string> {
  const highest = new Map<string, number>();
  const forks = new Set<string>();
  for (const { device, seq } of entries.numbers()) {
    if (seq <= (highest.get(device) ?? 0)) forks.add(device);
    else highest.set(device, seq);
  }
  return forks;
}

/** Parents first, and what concerns devices as early as that allows. */
async function devicesFirst(
  history: Pick<History, 'entries' | 'find' | 'read'>,
  missing: readonly number[],
): Promise<readonly number[]> {
  if (missing.length > MAX_LOOK_AHEAD) return missing.toSorted((a, b) => a - b);
  const open = new Set(missing);
  const ordered: number[] = [];
  const take = (target: number): void => {
    const past = [target];
    const found: number[] = [];
    for (let index = past.pop(); index !== undefined; index = past.pop()) {
      if (!open.delete(index)) continue;
      found.push(index);
      for (const parent of history.entries.at(index)?.parents ?? []) {
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
