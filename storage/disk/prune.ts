/**
 * Dropping old history: an owner declares where it begins from now on, and each device drops what
 * came before when all who still write have heard of it.
 *
 * On the disk the new beginning is written before anything old is removed; a crash in between
 * leaves commits that are held twice, or not used any more (I7).
 */

import type { Runtime } from '#runtime';
import type { Draft } from '../changes/draft.ts';
import { StorageError } from '../error.ts';
import { concat, encodeText } from '../format/bytes.ts';
import type { Commit } from '../format/commit.ts';
import { encodeFrame } from '../format/frame.ts';
import { buildTree } from '../format/object.ts';
import { type Op, parseOps } from '../format/op.ts';
import type { Entry } from '../history/entries.ts';
import type { History } from '../history/history.ts';
import type { Merged } from '../merge/merged.ts';
import { type Declared, declaredIn, ownersOf } from '../rights/members.ts';
import {
  type Base,
  basePath,
  declarationPath,
  genesisOf,
  hashState,
  ownersIn,
  printBase,
  printState,
} from './base.ts';
import { MAX_BASE_PAGE } from './base-pages.ts';
import { checkpointPath } from './checkpoint.ts';
import {
  type Acknowledged,
  type Asked,
  bottlenecks,
  findCut,
  findDeclared,
  HORIZON,
  type Horizon,
  holds,
  isSilent,
  isUndisputed,
  type Occasion,
  watch,
} from './horizon.ts';
import { type Held, PRUNED_FORMAT } from './load.ts';
import { intoBatches, listSegments, segmentPath, translate } from './log.ts';

/** What pruning goes by; without a word somebody asked for it. */
export type PruneOptions = Partial<Horizon> & {
  readonly acknowledged?: Acknowledged;
  readonly occasion?: Occasion;
};

/** What came of it. */
export type Pruned = {
  /** How many commits are not held any more. */
  readonly dropped: number;
  /** Devices that have to hear of it first. */
  readonly waitingFor: readonly string[];
  readonly reason?: Reason;
};

/**
 * Nothing is old enough; what counts is disputed; or the owner who began the realm has to do it.
 */
type Reason = 'young' | 'disputed' | 'not-founder';

/** What is kept, for people. */
export type Retention = {
  readonly commits: number;
  /** The date of the oldest commit that is held; undefined while there is none. */
  readonly since: number | undefined;
  /** Whether older ones were dropped. */
  readonly isPruned: boolean;
  /** Devices that may write; those that were not heard of for long are not waited for. */
  readonly devices: readonly {
    readonly device: string;
    readonly name: string;
    readonly silentDays: number | undefined;
  }[];
};

/** Says what is kept and who was heard of when. */
export async function retention(asked: Asked): Promise<Retention> {
  const { history } = asked;
  const oldest = history.entries.length === 0 ? undefined : await history.show(0);
  const devices = (await watch(asked)).map(({ device, name, days }) => ({
    device,
    name,
    silentDays: days,
  }));
  return {
    commits: history.entries.length,
    since: oldest?.at,
    isPruned: history.base !== undefined,
    devices,
  };
}

/** A step of pruning: a commit to make first, a base to begin with, or nothing. */
export type Step =
  | { readonly kind: 'declare'; readonly draft: Omit<Draft, 'via'> }
  | { readonly kind: 'drop'; readonly index: number; readonly base: Uint8Array }
  | { readonly kind: 'done'; readonly pruned: Omit<Pruned, 'dropped'> };

/** Dropping costs a commit, and writing all that stays: it is done for no fewer. */
const MIN_DROP = 50;
/** Nobody asked for it: what stays is written again for no less than this part of all. */
const WORTH = 1 / 4;

type Needs = Pick<Runtime, 'crypto' | 'files'>;

/** Decides what to do next; `mayDeclare`: this device leads the realm. */
export async function nextStep(
  crypto: Needs['crypto'],
  asked: Asked,
  held: Held,
  { days = HORIZON.days, commits = HORIZON.commits, occasion = 'asked' }: PruneOptions,
  mayDeclare: boolean,
): Promise<Step> {
  const horizon = { days, commits };
  const known = await findDeclared(asked);
  if (known !== undefined) {
    const late = (await watch(asked)).filter(
      (device) => !known.declared.without.includes(device.device) && !holds(device, known.by),
    );
    // What came before the declaration was heard of may lie beside what it names.
    const isOne = bottlenecks(asked.history).includes(known.index);
    if (late.length === 0 && isOne && (await isUndisputed(asked, known.index))) {
      return { kind: 'drop', index: known.index, base: await makeBase(crypto, held, known) };
    }
    const coming = late.filter((device) => occasion !== 'asked' || !isSilent(device, horizon));
    if (coming.length > 0) return done({ waitingFor: coming.map(({ name }) => name) });
  }
  return mayDeclare && occasion !== 'declared'
    ? chooseBeginning(crypto, asked, held, { horizon, occasion, known: known?.index ?? 0 })
    : done({});
}

type Choice = { readonly horizon: Horizon; readonly occasion: Occasion; readonly known: number };

async function chooseBeginning(
  crypto: Needs['crypto'],
  asked: Asked,
  held: Held,
  { horizon, occasion, known }: Choice,
): Promise<Step> {
  // Whoever has only the base, as after a restore, knows those who began the realm.
  const isFirst = (await foundersOf(held)).some((device) => device === asked.self);
  if (occasion === 'unasked' && !isFirst) return done({ reason: 'not-founder' });
  const cut = await findCut(asked, horizon, occasion);
  if (!('index' in cut)) {
    return done(cut.kind === 'waiting' ? { waitingFor: cut.names } : { reason: cut.kind });
  }
  const owners = ownersOf((await asked.history.stateAt(cut.index)).state);
  const isKnown = isFirst && owners.some((device) => device === asked.self);
  const least = horizon.days === 0 ? 1 : MIN_DROP;
  const isWorth = occasion === 'asked' || shareBefore(held.history, cut.index) >= WORTH;
  if (cut.index < known + least || !isWorth) return done({ reason: 'young' });
  if (!isKnown) return done({ reason: 'not-founder' });
  const state = encodeText(printState(await asked.history.stateAt(cut.index)));
  if (state.length > MAX_BASE_PAGE / 2) {
    throw new StorageError('too-large', 'more is kept than could be handed to a new device');
  }
  return { kind: 'declare', draft: await declare(crypto, asked, cut.index, cut.without) };
}

/** The part of the bytes that lies before a place. */
function shareBefore({ entries }: History, index: number): number {
  let bytes = 0;
  for (let at = 0; at < index; at++) {
    const { place } = entries.at(at) as Entry;
    bytes += place.end - place.offset;
  }
  return bytes / entries.bytes;
}

async function foundersOf({ base, history }: Held): Promise<readonly string[]> {
  const ops = base === undefined ? (await history.read(0)).ops : genesisOf(base);
  return [...ownersIn(parseOps(ops)).keys()];
}

function done(pruned: { readonly waitingFor?: readonly string[]; reason?: Reason }) {
  return { kind: 'done', pruned: { waitingFor: [], ...pruned } } as const;
}

async function declare(
  crypto: Needs['crypto'],
  { history, merged }: Asked,
  index: number,
  without: readonly string[],
): Promise<Omit<Draft, 'via'>> {
  const { commit } = await history.read(index);
  const state = await history.stateAt(index);
  const earlier = declaredIn(merged.state).map(
    (item): Op => ({ op: 'del', path: declarationPath(item.commit) }),
  );
  const value = {
    commit: commit.id,
    device: commit.device,
    state: hashState(crypto, printState(state)),
    vector: Object.fromEntries([...state.vector].filter(([chain]) => !chain.includes(' '))),
    without,
  };
  const ops: Op[] = [...earlier, { op: 'set', path: declarationPath(commit.id), value }];
  return { ops, message: `Keep no history from before ${commit.id.slice(0, 12)}` };
}

async function makeBase(
  crypto: Needs['crypto'],
  { history, base }: Held,
  { declared, index, by }: { declared: Declared; index: number; by: Commit },
): Promise<Uint8Array> {
  const state = printState(await history.stateAt(index));
  if (hashState(crypto, state) !== declared.state) {
    throw new StorageError('wrong-tree', 'another state was declared than is here');
  }
  const at = history.find(by.id) as number;
  const { ops } = await history.read(at);
  const trees = treesOf(crypto, await history.stateAt(at), ops);
  const proof = {
    commit: await frameAt(history, index),
    declared: await frameAt(history, at),
  };
  if (base !== undefined) {
    const { genesis, trees: earlier } = base.proof;
    return printBase(
      crypto,
      { ...proof, genesis, trees: [...earlier.slice(0, 2), ...trees] },
      state,
    );
  }
  const first = treesOf(crypto, await history.stateAt(0), (await history.read(0)).ops);
  const genesis = await frameAt(history, 0);
  return printBase(crypto, { ...proof, genesis, trees: [...first, ...trees] }, state);
}

/** What binds the ops to a commit: its tree, and `.nymote` in it. */
function treesOf(crypto: Needs['crypto'], state: Merged, ops: string): readonly Uint8Array[] {
  const { root, others } = buildTree(crypto, state, ops);
  return [root.body, ...others.slice(0, 1).map(({ body }) => body)];
}

/** Replaces the history on the disk by a base and the commits from it on; the log is closed. */
export async function dropBefore(
  files: Needs['files'],
  directory: string,
  history: History,
  { index, base }: Extract<Step, { kind: 'drop' }>,
): Promise<void> {
  const frames: Uint8Array[] = [];
  for (let at = index; at < history.entries.length; at++) frames.push(await frameAt(history, at));
  await replaceLog(files, directory, base, frames);
}

/** Begins a history anew on the disk, at a base. */
export function beginAt(files: Needs['files'], directory: string, base: Base): Promise<void> {
  return replaceLog(files, directory, base.bytes, [base.proof.commit]);
}

async function replaceLog(
  files: Needs['files'],
  directory: string,
  base: Uint8Array,
  frames: readonly Uint8Array[],
): Promise<void> {
  const old = await listSegments(files, directory);
  const next = (old.at(-1) ?? 0) + 1;
  await translate(async () => {
    await files.replace(`${directory}/format`, encodeText(PRUNED_FORMAT), 0o600);
    await files.replace(basePath(directory), base, 0o600);
    await writeSegments(files, directory, next, frames);
    // They hold what was deleted, too; by the segments the next opening knows that something is left.
    await files.remove(checkpointPath(directory));
    const aside = `${directory}/quarantine`;
    for (const name of await files.list(aside)) await files.remove(`${aside}/${name}`);
    for (const segment of old) await files.remove(segmentPath(directory, segment));
  });
}

/** What a full disk has no room for leaves no more behind than was there. */
async function writeSegments(
  files: Needs['files'],
  directory: string,
  first: number,
  frames: readonly Uint8Array[],
): Promise<void> {
  let segment = first;
  try {
    for (const batch of intoBatches(frames)) {
      await files.replace(segmentPath(directory, segment), concat(batch), 0o600);
      segment += 1;
    }
  } catch (cause) {
    while (--segment >= first) await files.remove(segmentPath(directory, segment));
    throw cause;
  }
}

async function frameAt(history: History, index: number): Promise<Uint8Array> {
  const { commit, ops } = await history.read(index);
  const frame = encodeFrame({ commit: commit.bytes, ops });
  if (frame === undefined) throw new Error('unreachable: a stored frame is too large');
  return frame;
}
