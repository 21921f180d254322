/**
 * Opening: from bytes on a disk to a verified history, whatever happened to the disk.
 *
 * Every frame's commit is named and chained again; signatures and trees are verified from the
 * checkpoint on. Nothing here throws for damage: what can be proven stands, the rest waits on disk
 * for the missing commits to come from a peer.
 */

import type { Files, Runtime } from '#runtime';
import { StorageError } from '../error.ts';
import { decodeText, encodeText } from '../format/bytes.ts';
import { type CommitId, parseCommit, peekCommit } from '../format/commit.ts';
import { type Entries, type Entry, EntryList, markPast } from '../history/entries.ts';
import { orderCausally } from '../history/fold.ts';
import { History } from '../history/history.ts';
import type { Merged } from '../merge/merged.ts';
import { isClaimTrue, type Root, verifyCommit, verifyTree } from '../rights/verify.ts';
import { type Base, basePath, readBase } from './base.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { type CommitLog, type Damage, hasQuarantine, openLog, translate } from './log.ts';

/** What is held of a realm, and how sound it is. */
export type Held = {
  readonly log: CommitLog;
  readonly history: History;
  /** Where a pruned history begins. */
  readonly base: Base | undefined;
  /** A pruning was cut short: what it was to drop is still on the disk. */
  readonly isCutShort: boolean;
  /** Undefined while nothing is held. */
  readonly root: Root | undefined;
  /** What all heads make together. */
  readonly merged: Merged;
  /** Commits on disk whose past is missing or that did not verify: nothing may be written. */
  readonly isStuck: boolean;
  /** Bytes of commits that no checkpoint covers. */
  readonly grown: number;
  readonly damage: readonly Damage[];
  /** Every key that signed a commit, as `Glimpse` has it. */
  readonly signers: Set<string>;
};

type Needs = Pick<Runtime, 'files' | 'crypto'>;

const FORMAT = 'nymote store 1\n';
/** With a base: whoever does not know of it would take it for damage. */
export const PRUNED_FORMAT = 'nymote store 2\n';

/** Opens the directory. Throws only what the disk throws, and 'newer-format'. */
export async function load(runtime: Needs, directory: string): Promise<Held> {
  const { crypto } = runtime;
  const damage: Damage[] = [];
  const signers = new Set<string>();
  const found = new EntryList();
  await checkFormat(runtime.files, directory);
  const log = await openLog(
    runtime.files,
    directory,
    (bytes, place) => {
      const glimpse = peekCommit(crypto, bytes);
      if (glimpse === undefined) {
        const where = `segment ${place.segment} at ${place.offset}`;
        damage.push({ code: 'bad-commit', where, message: 'a frame without a commit' });
      } else {
        const { signer, ...node } = glimpse;
        found.add({ ...node, place });
        signers.add(signer);
      }
    },
    (item) => damage.push(item),
  );
  await writeFormat(runtime.files, directory);
  const base = await findBase(runtime, directory, damage);
  const kept = graft(found, base);
  const start = await findStart(runtime, directory, { log, base }, kept, damage);
  const isCutShort = start.base !== undefined && kept.length < found.length;
  const held = { ...(await verify(runtime, log, start, { damage, signers })), isCutShort };
  if (found.length > 0 || !(start.isEmptied || (await hasQuarantine(runtime.files, directory)))) {
    return held;
  }
  // There was a realm here: to begin another one would hide that it is gone.
  return { ...held, isStuck: true, damage: [...damage, describeHole(undefined)] };
}

/** Where verification begins. */
type Start = {
  readonly base: Base | undefined;
  readonly entries: EntryList;
  /** Which entries need no verification, by place, and states among them. */
  readonly verified: Uint8Array;
  readonly known: ReadonlyMap<CommitId, Merged>;
  readonly root: Root | undefined;
  /** How many entries come before a hole that the checkpoint bridges. */
  readonly hole: number | undefined;
  /** A checkpoint without any commit. */
  readonly isEmptied: boolean;
};

/** One that cannot be used leaves a history whose beginning is missing. */
async function findBase(
  { files, crypto }: Needs,
  directory: string,
  damage: Damage[],
): Promise<Base | undefined> {
  const bytes = await translate(() => files.read(basePath(directory)));
  const base = bytes && readBase(crypto, bytes);
  if (bytes !== undefined && base === undefined) {
    const message = 'it is damaged; another device, or a backup, may have it';
    damage.push({ code: 'bad-checkpoint', where: 'base', message });
  }
  return base;
}

/** A commit may lie in two segments, and some from before the base, when a pruning was cut short. */
function graft(found: EntryList, base: Base | undefined): EntryList {
  if (base === undefined) return found;
  const byId = new Map(Array.from(found, (entry) => [entry.id, entry]));
  const first = byId.get(base.id);
  if (first === undefined) return found;
  const isCut = ({ device, seq }: Entry) => seq <= (base.merged.vector.get(device) ?? 0);
  const kept = [...byId.values()].filter((entry) => !isCut(entry));
  return new EntryList([{ ...first, parents: [] }, ...kept]);
}

/** Orders what was found and looks for a checkpoint that saves verifying all of it. */
async function findStart(
  { files, crypto }: Needs,
  directory: string,
  { log, base }: { readonly log: CommitLog; readonly base: Base | undefined },
  found: EntryList,
  damage: Damage[],
): Promise<Start> {
  const { entries, whole } = order(found);
  const checkpoint = await translate(() => readCheckpoint(crypto, files, directory));
  const isBased = base !== undefined && entries.at(0)?.id === base.id;
  const start = {
    entries,
    base: isBased ? base : undefined,
    verified: new Uint8Array(entries.length).fill(isBased ? 1 : 0, 0, 1),
    known: new Map<CommitId, Merged>(isBased ? [[base.id, base.merged]] : []),
    root: isBased ? base.root : undefined,
    hole: undefined,
    isEmptied: checkpoint !== undefined && entries.length === 0,
  };
  // One from before the base is of no use any more.
  const isOld = ({ states }: Checkpoint) =>
    isBased && [...states.keys()].some((id) => entries.find(id) === undefined);
  if (checkpoint === undefined || (checkpoint !== 'bad' && isOld(checkpoint))) return start;
  if (checkpoint === 'bad' || !(await isTrue(crypto, log, entries, checkpoint))) {
    const message = 'it does not fit the signed history; everything was verified instead';
    damage.push({ code: 'bad-checkpoint', where: 'checkpoint.json', message });
    return start;
  }
  const { root } = checkpoint;
  const known = new Map([...start.known, ...checkpoint.states]);
  const last = Math.max(...[...known.keys()].map((id) => entries.find(id) ?? -1));
  const isBeyond = last >= whole;
  const verified = isBeyond
    ? new Uint8Array(entries.length).fill(1, 0, last + 1)
    : markPast(entries, known.keys());
  return { ...start, verified, known, root, hole: isBeyond ? whole : undefined };
}

/** Parents first; `whole` is how many of them have their past here. */
function order(found: EntryList): { readonly entries: EntryList; readonly whole: number } {
  if (found.isCausal()) return { entries: found, whole: found.length };
  const { ordered, waiting } = orderCausally(found);
  const entries = new EntryList([...ordered, ...orderBeyondHole(waiting)]);
  return { entries, whole: ordered.length };
}

async function isTrue(
  crypto: Runtime['crypto'],
  log: CommitLog,
  entries: Entries,
  { states }: Checkpoint,
): Promise<boolean> {
  for (const [id, merged] of states) {
    const index = entries.find(id);
    const entry = index === undefined ? undefined : entries.at(index);
    const frame = entry && (await log.read(entry.place));
    if (frame === undefined || !isClaimTrue(crypto, merged, id, frame)) return false;
  }
  return true;
}

/** What follows a hole, as if the hole were a beginning. */
function orderBeyondHole(waiting: readonly Entry[]): Entry[] {
  const held = new Set(waiting.map(({ id }) => id));
  const { ordered } = orderCausally(
    waiting.map((entry) => ({
      ...entry,
      entry,
      parents: entry.parents.filter((parent) => held.has(parent)),
    })),
  );
  return ordered.map(({ entry }) => entry);
}

async function verify(
  { crypto }: Needs,
  log: CommitLog,
  start: Start,
  notes: { readonly damage: Damage[]; readonly signers: Set<string> },
): Promise<Omit<Held, 'isCutShort'>> {
  const { entries, verified, known, hole, base } = start;
  const isAll = verified.every((mark) => mark === 1);
  const kept = isAll ? entries : new EntryList(pick(entries, (index) => verified[index] === 1));
  const history = new History(crypto, log, kept, known, hole, base);
  let { root } = start;
  let grown = 0;
  for (const entry of pick(entries, (index) => verified[index] !== 1)) {
    try {
      const frame = await log.read(entry.place);
      if (frame === undefined) throw new StorageError('corrupt', 'the commit cannot be read');
      const commit = parseCommit(crypto, frame.commit);
      const past = await history.join(commit.parents);
      const ops = verifyCommit(crypto, root, past, commit, frame.ops);
      const state = await history.extend(past, { ...entry, ops });
      verifyTree(crypto, state, commit, frame.ops);
      root ??= { realm: commit.id, founder: commit.device };
      history.append(entry, state);
      grown += entry.place.end - entry.place.offset;
    } catch (cause) {
      if (!(cause instanceof StorageError)) throw cause;
      notes.damage.push(describeStop(entry, history.entries.at(history.entries.length - 1), cause));
      break;
    }
  }
  if (hole !== undefined) notes.damage.push(describeHole(entries.at(hole - 1)));
  const isStuck = history.entries.length < entries.length;
  const merged = await history.join(history.heads);
  return { log, history, root, merged, isStuck, grown, base, ...notes };
}

function* pick(entries: Entries, isWanted: (index: number) => boolean): Iterable<Entry> {
  for (let index = 0; index < entries.length; index++) {
    if (isWanted(index)) yield entries.at(index) as Entry;
  }
}

function describeStop(entry: Entry, last: Entry | undefined, cause: StorageError): Damage {
  if (cause.code === 'unknown-parent') return describeHole(last);
  const where = `commit ${entry.id}`;
  return { code: 'bad-commit', where, message: `${cause.code}: ${cause.message}` };
}

function describeHole(last: Entry | undefined): Damage {
  const since = last?.seq ?? 0;
  const message = `commits after number ${since} are missing; another device may have them`;
  return { code: 'missing-commits', where: 'log', message, since };
}

async function checkFormat(files: Files, directory: string): Promise<void> {
  const bytes = await translate(() => files.read(`${directory}/format`));
  const text = bytes && decodeText(bytes);
  if (
    text !== undefined &&
    text !== FORMAT &&
    text !== PRUNED_FORMAT &&
    /^nymote store \d+\n$/.test(text)
  ) {
    throw new StorageError('newer-format', `written by a later version: ${text.trim()}`);
  }
}

async function writeFormat(files: Files, directory: string): Promise<void> {
  const path = `${directory}/format`;
  const bytes = await translate(() => files.read(path));
  const text = bytes && decodeText(bytes);
  if (text === FORMAT || text === PRUNED_FORMAT) return;
  try {
    await translate(() => files.replace(path, encodeText(FORMAT), 0o600));
  } catch (cause) {
    // A full disk must not stop a store from opening; the next opening tries again.
    if (!(cause instanceof StorageError) || cause.code !== 'no-space') throw cause;
  }
}
