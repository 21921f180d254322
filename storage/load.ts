/**
 * Opening: from bytes on a disk to a verified history, whatever happened to the disk.
 *
 * Every frame's commit is named and chained again; signatures and trees are verified from the
 * checkpoint on. Nothing here throws for damage: what can be proven stands, the rest waits on disk
 * for the missing commits to come from a peer.
 */

import type { Files, Runtime } from '#runtime';
import { decodeText, encodeText } from './bytes.ts';
import { readCheckpoint } from './checkpoint.ts';
import { parseCommit, peekCommit } from './commit.ts';
import { StorageError } from './error.ts';
import { orderCausally } from './fold.ts';
import { createHistory, type Entry, type History, type Hole } from './history.ts';
import { type CommitLog, type Damage, hasQuarantine, openLog, translate } from './log.ts';
import { EMPTY } from './op.ts';
import { type Tip, verifyClaim, verifyCommit } from './verify.ts';

/** What is held of a realm, and how sound it is. */
export type Held = {
  readonly log: CommitLog;
  readonly history: History;
  /** Undefined while nothing is held. */
  readonly tip: Tip | undefined;
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

/** Opens the directory. Throws only what the disk throws, and 'newer-format'. */
export async function load(runtime: Needs, directory: string): Promise<Held> {
  const { crypto } = runtime;
  const damage: Damage[] = [];
  const signers = new Set<string>();
  const found: Entry[] = [];
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
        found.push({ ...node, place });
        signers.add(signer);
      }
    },
    (item) => damage.push(item),
  );
  await writeFormat(runtime.files, directory);
  const start = await findStart(runtime, directory, log, found, damage);
  const held = await verify(runtime, log, start, { damage, signers });
  if (found.length > 0 || !(start.isEmptied || (await hasQuarantine(runtime.files, directory)))) {
    return held;
  }
  // There was a realm here: to begin another one would hide that it is gone.
  return { ...held, isStuck: true, damage: [...damage, describeHole(undefined)] };
}

/** Where verification begins. */
type Start = {
  readonly entries: readonly Entry[];
  /** Index of the last entry that needs no verification, and what it leaves. */
  readonly verified: number;
  readonly tip: Tip | undefined;
  readonly hole: Hole | undefined;
  /** A checkpoint without any commit. */
  readonly isEmptied: boolean;
};

/** Orders what was found and looks for a checkpoint that saves verifying all of it. */
async function findStart(
  { files, crypto }: Needs,
  directory: string,
  log: CommitLog,
  found: readonly Entry[],
  damage: Damage[],
): Promise<Start> {
  const { ordered, waiting } = orderCausally(found);
  const beyond = orderBeyondHole(waiting);
  const entries = [...ordered, ...beyond];
  const checkpoint = await translate(() => readCheckpoint(files, directory));
  const isEmptied = checkpoint !== undefined && entries.length === 0;
  const fromStart = { entries, verified: -1, tip: undefined, hole: undefined, isEmptied };
  if (checkpoint === undefined) return fromStart;
  const at = checkpoint === 'bad' ? -1 : entries.findIndex(({ id }) => id === checkpoint.head);
  const frame = entries[at] && (await log.read(entries[at].place));
  const tip =
    frame && checkpoint !== 'bad' ? verifyClaim(crypto, checkpoint.state, frame) : undefined;
  if (tip === undefined) {
    const message = 'it does not fit the signed history; everything was verified instead';
    damage.push({ code: 'bad-checkpoint', where: 'checkpoint.json', message });
    return fromStart;
  }
  const hole = at < ordered.length ? undefined : { from: ordered.length, to: at, state: tip.state };
  return { ...fromStart, verified: at, tip, hole };
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
): Promise<Held> {
  let { tip, verified } = start;
  const { entries, hole } = start;
  for (const entry of entries.slice(verified + 1)) {
    try {
      const frame = await log.read(entry.place);
      if (frame === undefined) throw new StorageError('corrupt', 'the commit cannot be read');
      tip = verifyCommit(crypto, tip, parseCommit(crypto, frame.commit), frame.ops);
      verified += 1;
    } catch (cause) {
      if (!(cause instanceof StorageError)) throw cause;
      notes.damage.push(describeStop(entry, entries[verified], cause));
      break;
    }
  }
  if (hole !== undefined) notes.damage.push(describeHole(entries[hole.from - 1]));
  const kept = entries.slice(0, verified + 1);
  const state = tip?.state ?? EMPTY;
  return {
    log,
    tip,
    history: createHistory(crypto, log, kept, state, hole),
    isStuck: kept.length < entries.length,
    grown: kept.slice(start.verified + 1).reduce(addSize, 0),
    ...notes,
  };
}

function addSize(sum: number, { place }: Entry): number {
  return sum + place.end - place.offset;
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
  if (text !== undefined && text !== FORMAT && /^nymote store \d+\n$/.test(text)) {
    throw new StorageError('newer-format', `written by a later version: ${text.trim()}`);
  }
}

async function writeFormat(files: Files, directory: string): Promise<void> {
  const path = `${directory}/format`;
  const bytes = await translate(() => files.read(path));
  if (bytes !== undefined && decodeText(bytes) === FORMAT) return;
  try {
    await translate(() => files.replace(path, encodeText(FORMAT), 0o600));
  } catch (cause) {
    // A full disk must not stop a store from opening; the next opening tries again.
    if (!(cause instanceof StorageError) || cause.code !== 'no-space') throw cause;
  }
}
