/**
 * How far back the history is kept, and who still needs it.
 *
 * The history may be cut at a commit that has all others in its past or in its future, is old
 * enough, and is known to all who may still write: nothing will ever be merged with what came before
 * it (causal stability). Who has been silent for as long as history is kept is not waited for.
 */

import type { Commit } from '../format/commit.ts';
import { parseOps, readRecord } from '../format/op.ts';
import type { Entry } from '../history/entries.ts';
import type { History } from '../history/history.ts';
import { listCommits } from '../history/listing.ts';
import type { Merged } from '../merge/merged.ts';
import { type Declared, declaredIn, readMember } from '../rights/members.ts';

/** How much history is kept at least. */
export type Horizon = { readonly days: number; readonly commits: number };

/** By default so much is kept. */
export const HORIZON: Horizon = { days: 180, commits: 400 };

/**
 * What other devices said lately that they hold, besides what their commits say: numbers by device.
 */
export type Acknowledged = { readonly [device: string]: { readonly [device: string]: number } };

/**
 * What there is to be done: what somebody asked for; what a device does by itself, which waits for
 * everybody, however silent, and has to be worth its writes; or only what was declared before.
 */
export type Occasion = 'asked' | 'unasked' | 'declared';

/** A device that writes, and how it stands. */
export type Watched = {
  readonly device: string;
  readonly name: string;
  /** Days since it was heard of; undefined: that cannot be told. */
  readonly days: number | undefined;
  /** What it holds for certain. */
  readonly holds: ReadonlyMap<string, number>;
};

/** What is asked about a history. */
export type Asked = {
  readonly history: History;
  readonly merged: Merged;
  /** The device here: it holds what is held. */
  readonly self: string | undefined;
  /** Seconds since 1970; undefined while the clock is not set. */
  readonly now: number | undefined;
  readonly acknowledged: Acknowledged;
};

const DAY = 86_400;
/** In the one spelling that ops have. */
const REVOKE = '"op":"revoke"';

/** The devices that may write, and what each of them holds. */
export async function watch(asked: Asked): Promise<readonly Watched[]> {
  const { history, merged, self, now } = asked;
  const newest = new Map<string, Entry>();
  for (const entry of history.entries) newest.set(entry.device, entry);
  const watched: Watched[] = [];
  for (const device of merged.state.get('devices')?.keys() ?? []) {
    const role = readMember(merged.state, device)?.role;
    if ((role !== 'owner' && role !== 'device') || merged.revoked.has(device)) continue;
    const entry = newest.get(device);
    const seen = await seenAt(asked, device, entry);
    watched.push({
      device,
      name: String(readRecord(merged.state, `devices/${device}`)?.['name'] ?? device),
      days: seen === undefined || now === undefined ? undefined : Math.floor((now - seen) / DAY),
      holds: device === self ? merged.vector : await heldBy(asked, device, entry),
    });
  }
  return watched;
}

/** What a device had when it last wrote, and what it was heard to have since. */
async function heldBy(
  { history, merged, acknowledged }: Asked,
  device: string,
  entry: Entry | undefined,
): Promise<ReadonlyMap<string, number>> {
  const vector = new Map(entry === undefined ? [] : (await history.join([entry.id])).vector);
  const heard = Object.entries(acknowledged[device] ?? {});
  // What it holds that is not here may be what the history must not be cut without.
  const isAhead = heard.some(([other, seq]) => seq > (merged.vector.get(other) ?? 0));
  for (const [other, seq] of isAhead ? [] : heard) {
    vector.set(other, Math.max(seq, vector.get(other) ?? 0));
  }
  return vector;
}

/** When it last wrote, or somebody wrote about it, or it said what it holds. */
async function seenAt(
  { history, self, now, acknowledged }: Asked,
  device: string,
  entry: Entry | undefined,
): Promise<number | undefined> {
  if (device === self || Object.hasOwn(acknowledged, device)) return now;
  const [about] = await listCommits(history, { path: `devices/${device}`, limit: 1 });
  const index = entry && history.find(entry.id);
  const own = index === undefined ? undefined : await history.show(index);
  const dates = [about, own].flatMap((commit) => (commit === undefined ? [] : [commit.at]));
  return dates.length === 0 ? undefined : Math.max(...dates);
}

/** Whether a device holds a commit. */
export function holds({ holds: vector }: Watched, { device, seq }: Pick<Entry, 'device' | 'seq'>) {
  return (vector.get(device) ?? 0) >= seq;
}

/** Who is not waited for any more. */
export function isSilent({ days }: Watched, horizon: Horizon): boolean {
  return days !== undefined && days >= Math.max(horizon.days, HORIZON.days);
}

/** The newest place at which the history may be cut, and who could not be waited for. */
export type Cut = { readonly index: number; readonly without: readonly string[] };

/** Why nothing can be dropped. */
export type Obstacle =
  /** All of it is younger than what is kept, or there is no point that all others lie around. */
  | { readonly kind: 'young' }
  | { readonly kind: 'waiting'; readonly names: readonly string[] }
  /** A conflict is open, a device forked, or what was revoked reaches back too far. */
  | { readonly kind: 'disputed' };

/** Looks for the newest place to cut at. */
export async function findCut(
  asked: Asked,
  horizon: Horizon,
  occasion: Occasion,
): Promise<Cut | Obstacle> {
  const { history, now } = asked;
  const all = await watch(asked);
  const silent = all.filter((device) => occasion === 'asked' && isSilent(device, horizon));
  const present = all.filter((device) => !silent.includes(device));
  const oldest = await findOld(history, now, horizon);
  const places = bottlenecks(history).filter((index) => index > 0 && index <= oldest);
  const removals = places.length === 0 ? [] : await removalsIn(history);
  let obstacle: Obstacle = { kind: 'young' };
  for (const index of places.toReversed()) {
    const entry = history.entries.at(index) as Entry;
    const late = present.filter((device) => !holds(device, entry));
    if (late.length > 0) obstacle = { kind: 'waiting', names: late.map(({ name }) => name) };
    else if (!(await isUndisputed(asked, index, removals))) obstacle = { kind: 'disputed' };
    else return { index, without: silent.map(({ device }) => device) };
  }
  return obstacle;
}

/** The last place up to which everything is old enough; -1: nothing is. */
async function findOld(
  history: History,
  now: number | undefined,
  { days, commits }: Horizon,
): Promise<number> {
  const last = history.entries.length - Math.max(commits, 1);
  if (days === 0) return last;
  if (now === undefined) return -1;
  for (let index = 0; index <= last; index++) {
    // Of a device without a date the date says nothing, but those around it do.
    if ((await history.show(index)).at > now - days * DAY) return index - 1;
  }
  return last;
}

/** The places of commits that have every other one in their past or in their future. */
export function bottlenecks(history: Pick<History, 'entries' | 'find'>): number[] {
  const { entries } = history;
  const heads = new Set<number>();
  const isJoin = Array.from({ length: entries.length }, (_, index) => {
    for (const parent of entries.above(index)) heads.delete(parent);
    heads.add(index);
    return heads.size === 1;
  });
  const found: number[] = [];
  let lowest = Number.POSITIVE_INFINITY;
  for (let index = entries.length - 1; index >= 0; index--) {
    // Nothing after it builds on anything before it.
    if (isJoin[index] === true && lowest >= index) found.push(index);
    lowest = Math.min(lowest, ...entries.above(index));
  }
  return found.reverse();
}

/** A device ended, by the commit at a place. */
type Removal = { readonly at: number; readonly device: string; readonly lastSeq: number };

async function removalsIn(history: History): Promise<readonly Removal[]> {
  const removals: Removal[] = [];
  for (let at = 0; at < history.entries.length; at++) {
    const { ops } = await history.read(at);
    for (const op of ops.includes(REVOKE) ? parseOps(ops) : []) {
      if (op.op !== 'revoke') continue;
      removals.push({ at, device: op.path.slice('devices/'.length), lastSeq: op.lastSeq });
    }
  }
  return removals;
}

/** Whether what counts up to a place will stay what it is. */
export async function isUndisputed(
  { history, merged }: Asked,
  index: number,
  removals?: readonly Removal[],
): Promise<boolean> {
  const { vector, revoked, conflicts } = await history.stateAt(index);
  // Who wrote what is to be seen as long as nobody decided.
  if (conflicts.size > 0) return false;
  const highest = new Map<string, number>();
  for (const { device, seq } of history.entries.numbers()) {
    const isTwice = seq <= (highest.get(device) ?? 0);
    // A fork that a removal has decided lies in the state as it was decided.
    const isDecided = revoked.has(device) && revoked.get(device) === merged.revoked.get(device);
    if (isTwice && !isDecided) return false;
    highest.set(device, Math.max(seq, highest.get(device) ?? 0));
  }
  // Also one that counts for nothing: what its author saw has to be told from what is kept.
  const later = (removals ?? (await removalsIn(history))).filter(({ at }) => at > index);
  const isSettled = (device: string, last: number) =>
    last >= (vector.get(device) ?? 0) || (revoked.get(device) ?? last + 1) <= last;
  return (
    later.every(({ device, lastSeq }) => isSettled(device, lastSeq)) &&
    [...merged.revoked].every(
      ([device, last]) => last >= (vector.get(device) ?? 0) || revoked.get(device) === last,
    )
  );
}

/** The newest declared beginning that is held and not yet the beginning, and its commit. */
export async function findDeclared({
  history,
  merged,
}: Asked): Promise<
  { readonly declared: Declared; readonly index: number; readonly by: Commit } | undefined
> {
  const open = declaredIn(merged.state).flatMap((declared) => {
    const index = history.find(declared.commit);
    return index === undefined || index === 0 ? [] : [{ declared, index }];
  });
  const newest = open.sort((a, b) => b.index - a.index)[0];
  if (newest === undefined) return undefined;
  const path = `realm/base-${newest.declared.commit.slice(0, 16)}`;
  const [by] = await listCommits(history, { path, limit: 1 });
  return by && { ...newest, by };
}
