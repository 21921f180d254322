/**
 * What devices wrote that does not count: beyond the end of a revoked one, or from a fork on. It is
 * shown with its evidence, and an owner takes it over or lets it go.
 */

import { StorageError } from '../error.ts';
import type { Commit, CommitId } from '../format/commit.ts';
import { type Op, readRecord } from '../format/op.ts';
import type { History } from '../history/history.ts';
import type { Merged } from '../merge/merged.ts';
import { type Fork, findForks, findVoid, RECOVERY_RANK, type VoidReason } from '../rights/judge.ts';
import { readMember } from '../rights/members.ts';
import { needsSecondOwner } from '../rights/second-owner.ts';
import {
  type Adopter,
  adoptOps,
  decideOps,
  lateChanges,
  type Renamed,
  readDecided,
} from './adopt.ts';
import type { Draft } from './draft.ts';

/** The commits of one device that do not count and about which nobody decided. */
export type Late = {
  readonly device: string;
  /** 'forked': the device is still a member; whoever decides removes it. */
  readonly reason: VoidReason;
  /** In the device's own order; no more than `MAX_SHOWN` of `count`. */
  readonly commits: readonly Commit[];
  readonly count: number;
  /** The commits that it gave one number. */
  readonly fork?: Fork;
};

/** What became of late changes. */
export type Decided = {
  readonly commits: number;
  /** Ops that are never taken over, because they concern who belongs to the realm. */
  readonly omitted: readonly Op[];
};

/** More are left for another decision. */
const MAX_ROUNDS = 12;

/** A thief may write any number of them; a person looks at some. */
const MAX_SHOWN = 100;

/** All of them, sorted by device. */
export async function findLate(history: History, merged: Merged): Promise<readonly Late[]> {
  const { ids, reasons, forks } = await judge(history, merged);
  const found: Late[] = [];
  for (const [device, all] of ids) {
    const fork = forks.get(device);
    found.push({
      device,
      reason: reasons.get(device) ?? 'revoked',
      commits: await showAll(history, all.slice(0, MAX_SHOWN)),
      count: all.length,
      ...(fork === undefined ? {} : { fork }),
    });
  }
  return found.sort((a, b) => (a.device < b.device ? -1 : 1));
}

/** Takes over or lets go of all that `device` wrote, by as many commits as that needs. */
export async function decideLate(
  held: () => { readonly history: History; readonly merged: Merged },
  { self, commit }: Decider,
  device: string,
  { via, adopts }: { readonly via: string; readonly adopts: boolean },
): Promise<Decided> {
  const omitted: Op[] = [];
  const renamed: Renamed = new Map();
  let commits = 0;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { history, merged } = held();
    const before = history.entries.length;
    const adopter = adopterIn(merged, self, renamed);
    const step = await nextStep({ history, merged }, adopter, device, adopts);
    if (step === undefined && round === 0) {
      throw new StorageError('does-not-apply', 'there is nothing of it to decide about');
    }
    if (step === undefined) break;
    await commit({ ...step.draft, via });
    commits += step.commits;
    omitted.push(...step.omitted);
    if (held().history.entries.length === before) break;
  }
  return { commits, omitted };
}

/** Who decides. */
type Decider = {
  readonly self: string;
  readonly commit: (draft: Draft) => Promise<unknown>;
};

function adopterIn({ state, vector }: Merged, device: string, renamed: Renamed): Adopter {
  const isAlone = readMember(state, device)?.rank === RECOVERY_RANK;
  return {
    author: { device, seq: (vector.get(device) ?? 0) + 1 },
    needsAnother: (op) => !isAlone && needsSecondOwner(state, op),
    renamed,
  };
}

type Step = Decided & { readonly draft: Pick<Draft, 'ops' | 'message' | 'isExact'> };

/** The next commit of a decision; undefined when nothing is left. */
async function nextStep(
  { history, merged }: { readonly history: History; readonly merged: Merged },
  adopter: Adopter,
  device: string,
  adopts: boolean,
): Promise<Step | undefined> {
  const { ids, reasons, forks } = await judge(history, merged);
  const late = ids.get(device);
  if (late === undefined) return undefined;
  if (reasons.get(device) === 'forked') {
    return { draft: removeForked(merged, device, forks.get(device)), commits: 0, omitted: [] };
  }
  const shown = await showAll(history, late.slice(0, MAX_SHOWN));
  const { ops, message, adopted, omitted } = adoptOps(shown, adopter);
  const done = decideOps(device, adopted);
  const letGo = `Let go of what ${shown[0]?.name ?? device} wrote late`;
  const commits = adopted.length;
  return adopts
    ? { draft: { ops: [...ops, ...done], message, isExact: true }, commits, omitted }
    : { draft: { ops: done, message: letGo }, commits, omitted: [] };
}

async function judge(history: History, merged: Merged) {
  const nodes = await history.judge(merged.revoked);
  const voids = findVoid(nodes);
  const ids = new Map(lateChanges(nodes, voids, readDecided(merged.state)));
  const reasons = new Map<string, VoidReason>();
  for (const { id, device } of nodes) {
    if (voids.get(id) !== 'forked') continue;
    reasons.set(device, 'forked');
    ids.set(device, [...(ids.get(device) ?? []), id]);
  }
  const forks = new Map(findForks(nodes).map((fork) => [fork.device, fork]));
  return { ids, reasons, forks };
}

/** It ends before its fork: what came after is late then, and is offered like that of any other. */
function removeForked(
  { state }: Merged,
  device: string,
  fork: Fork | undefined,
): { readonly ops: readonly Op[]; readonly message: string } {
  if (fork === undefined) {
    throw new StorageError('does-not-apply', 'decide first about the device that let it in');
  }
  const path = `devices/${device}`;
  const record = readRecord(state, path);
  // No more than that, which takes the record away as well: a second owner might be asked for `del`.
  const ops = [{ op: 'revoke', path, lastSeq: fork.seq - 1 } as const];
  return { ops, message: `Remove ${String(record?.['name'] ?? device)}, which exists twice` };
}

async function showAll(history: History, ids: readonly CommitId[]): Promise<Commit[]> {
  const commits: Commit[] = [];
  for (const id of ids) commits.push(await history.show(history.find(id) as number));
  return commits;
}
