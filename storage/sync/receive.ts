/**
 * Commits from another device: bytes in, commits that may be appended out.
 *
 * The sender is believed nothing. Each commit must fit its own past, in signature, rights, chain
 * and tree (I3); what is held already changes nothing (I4). Commits may come in any order: one whose
 * past is not here waits a while for it; one that does not verify is refused with all that builds
 * on it, and the others stand.
 */

import type { Crypto } from '#runtime';
import { StorageError } from '../error.ts';
import { type CommitId, type ParsedCommit, parseCommit } from '../format/commit.ts';
import { decodeFrame, type Frame, measureFrame } from '../format/frame.ts';
import type { Op, State } from '../format/op.ts';
import type { History } from '../history/history.ts';
import { type Merged, NOTHING } from '../merge/merged.ts';
import { type Declared, declaredIn, readMember } from '../rights/members.ts';
import { type Root, verifyCommit, verifyTree } from '../rights/verify.ts';

/** A commit that came, before it is verified. */
export type Arrival = {
  readonly frame: Uint8Array;
  readonly content: Frame;
  readonly commit: ParsedCommit;
};

/** A verified commit and what it leaves. */
export type Received = Arrival & { readonly state: Merged };

/** A commit (or, without a name, bytes) that was not taken over. */
export type Refused = {
  readonly id: CommitId | undefined;
  /** The commit's author. */
  readonly device?: string;
  readonly reason: StorageError;
};

/** What became of commits that another device sent. */
export type Imported = {
  readonly added: number;
  readonly head: CommitId;
  /** Not taken over, and why: they do not verify, or cannot be read. */
  readonly refused: readonly Refused[];
  /** Their past is not held; they are tried again with the next import. */
  readonly waiting: readonly CommitId[];
};

/** What could be taken over, what waits for its past, and what was refused. */
export type Reception = {
  readonly received: readonly Received[];
  readonly waiting: readonly Arrival[];
  readonly refused: readonly Refused[];
  readonly root: Root | undefined;
};

/** One page of an exchange; a larger one is refused unread. */
export const MAX_PAGE = 1024 * 1024;

/** Bytes of commits that are kept in memory while their past is missing. */
const MAX_WAITING = 1024 * 1024;

type Needs = {
  readonly crypto: Pick<Crypto, 'hash' | 'verify'>;
  readonly history: History;
  /** What all that is held makes together. */
  readonly state: State;
  /** Undefined while nothing is held. */
  readonly root: Root | undefined;
  /** The realm that is expected, when nothing is held. */
  readonly realm: string | undefined;
};

/** With the beginnings of history that owners declared; undefined: they cannot be told. */
type Verifying = Needs & { readonly beginnings: readonly Declared[] | undefined };

/** Reads frames and verifies them; `earlier` are those that were waiting. */
export async function receive(
  needs: Needs,
  bytes: Uint8Array,
  earlier: readonly Arrival[],
): Promise<Reception> {
  const refused: Refused[] = [];
  const arrivals = new Map(earlier.map((arrival) => [arrival.commit.id, arrival]));
  for (const arrival of readFrames(needs, bytes, refused)) arrivals.set(arrival.commit.id, arrival);
  const { history } = needs;
  const received = new Map<CommitId, Received>();
  const isHere = (id: CommitId) => received.has(id) || history.find(id) !== undefined;
  let { root } = needs;
  const beginnings = history.hole === undefined ? declaredIn(needs.state) : undefined;
  const attempt = async (arrival: Arrival): Promise<void> => {
    const { commit } = arrival;
    try {
      const item = await verify({ ...needs, root, beginnings }, arrival);
      received.set(commit.id, item);
      beginnings?.push(...declaredIn(item.state.state));
      root ??= { realm: commit.id, founder: commit.device };
    } catch (cause) {
      if (!(cause instanceof StorageError)) throw cause;
      refused.push({ id: commit.id, device: commit.device, reason: cause });
    }
  };
  let pending = [...arrivals.values()].filter(({ commit }) => !isHere(commit.id));
  for (;;) {
    const isOurs = ({ realm, id }: ParsedCommit) =>
      root === undefined || (realm ?? id) === root.realm;
    const ready = pending.filter(
      ({ commit }) => !isOurs(commit) || isCut(history, commit) || commit.parents.every(isHere),
    );
    if (ready.length === 0) break;
    for (const arrival of ready) await attempt(arrival);
    const done = new Set(ready);
    pending = pending.filter((arrival) => !done.has(arrival));
  }
  const bad = refused.flatMap(({ id }) => id ?? []);
  const waiting = keepNewest(dropAfter(pending, bad));
  return { received: [...received.values()], refused, root, waiting };
}

/** Either it is in the base, or nobody will ever join it. */
function isCut({ base }: Pick<History, 'base'>, { device, seq }: ParsedCommit): boolean {
  return base !== undefined && seq <= (base.merged.vector.get(device) ?? 0);
}

/** Takes out what cannot be taken out of the base any more. What the phrase says is an alarm then. */
function reachesBehind({ base }: Pick<History, 'base'>, ops: readonly Op[]): boolean {
  const { vector, revoked } = base?.merged ?? NOTHING;
  return ops.some((op) => {
    if (op.op !== 'revoke') return false;
    const device = op.path.slice('devices/'.length);
    const isDone = (revoked.get(device) ?? op.lastSeq + 1) <= op.lastSeq;
    return op.lastSeq < (vector.get(device) ?? 0) && !isDone;
  });
}

function tooOld({ id }: ParsedCommit): StorageError {
  return new StorageError('too-old', `commit ${id} is from before what is kept`);
}

async function verify(
  { crypto, history, root, realm, beginnings }: Verifying,
  arrival: Arrival,
): Promise<Received> {
  const { commit, content } = arrival;
  if (root === undefined && realm !== undefined && (commit.realm ?? commit.id) !== realm) {
    throw new StorageError('other-realm', 'these commits belong to another realm');
  }
  if (isCut(history, commit)) throw tooOld(commit);
  const past = await history.join(commit.parents);
  // Whoever has dropped what it builds on could never take over what builds on it. The recovery key's
  // word counts all the same: who declared it may be whom it removes.
  const isApart = beginnings?.some(({ device, seq }) => (past.vector.get(device) ?? 0) < seq);
  const isRecovery = readMember(past.state, commit.device)?.role === 'recovery';
  if (isApart === true && !isRecovery) throw tooOld(commit);
  // A disk that lost the realm's beginning takes it over like any other commit.
  const isGenesis = commit.id === root?.realm;
  const ops = verifyCommit(crypto, isGenesis ? undefined : root, past, commit, content.ops);
  if (!isRecovery && reachesBehind(history, ops)) throw tooOld(commit);
  const { id, parents, device, seq } = commit;
  const step = { id, parents, device, seq, ops };
  const state = await history.extend(past, step);
  verifyTree(crypto, state, commit, content.ops);
  history.stage(step, past, state);
  return { ...arrival, state };
}

function readFrames({ crypto }: Needs, bytes: Uint8Array, refused: Refused[]): Arrival[] {
  const arrivals: Arrival[] = [];
  const refuse = (reason: StorageError) => void refused.push({ id: undefined, reason });
  if (bytes.length > MAX_PAGE) refuse(new StorageError('too-large', 'more than one page'));
  for (let offset = 0; offset < bytes.length && bytes.length <= MAX_PAGE; ) {
    const span = measureFrame(bytes, offset);
    const content = span && decodeFrame(bytes, span);
    if (span === undefined || content === undefined) {
      // Where the next one would begin is not known.
      refuse(new StorageError('corrupt', `no frame at byte ${offset}`));
      break;
    }
    offset = span.end;
    try {
      const commit = parseCommit(crypto, content.commit);
      arrivals.push({ frame: bytes.slice(span.offset, span.end), content, commit });
    } catch (cause) {
      if (!(cause instanceof StorageError)) throw cause;
      refuse(cause);
    }
  }
  return arrivals;
}

/** What builds on something refused will never be taken over. */
function dropAfter(pending: readonly Arrival[], bad: readonly CommitId[]): Arrival[] {
  const lost = new Set(bad);
  let left = [...pending];
  for (let size = -1; size !== lost.size; ) {
    size = lost.size;
    for (const { commit } of left) {
      if (commit.parents.some((parent) => lost.has(parent))) lost.add(commit.id);
    }
    left = left.filter(({ commit }) => !lost.has(commit.id));
  }
  return left;
}

/** The newest of those that wait, as many as may. */
function keepNewest(waiting: readonly Arrival[]): readonly Arrival[] {
  let room = MAX_WAITING;
  const first = waiting.findLastIndex(({ frame }) => {
    room -= frame.length;
    return room < 0;
  });
  return waiting.slice(first + 1);
}
