/**
 * Late changes: what a revoked device wrote beyond its end, offered to an owner for adoption.
 *
 * Adopting is a commit of the owner's own with the same ops; the void commits stay void. What was
 * decided is kept in `late/<device>`, so that nothing is offered twice. Nothing that concerns who
 * belongs to the realm is ever taken over: that an owner decides anew. Nor is what devices keep for
 * themselves: a key that a thief gave to all would be one that the thief has.
 */

import type { Commit, CommitId } from '../format/commit.ts';
import { MAX_OPS, type Op, readRecord, type State } from '../format/op.ts';
import { parsePath } from '../format/path.ts';
import type { Author } from '../merge/apply.ts';
import { printDot } from '../merge/merged.ts';
import type { VoidNode, VoidReason } from '../rights/judge.ts';
import { PROTECTED } from '../rights/members.ts';
import { BOOKKEEPING } from './undo.ts';

/** An owner's commit that takes late changes over, and what it left out. */
export type Adoption = {
  readonly ops: readonly Op[];
  readonly message: string;
  /** The commits whose ops are in it. More than fit are left for another adoption. */
  readonly adopted: readonly CommitId[];
  /** Ops that are never adopted. */
  readonly omitted: readonly Op[];
};

/** What only an owner decides, and anew. */
const NEVER = new Set(['realm', 'proposals']);

/** 65 bytes each in a message of at most 8192. */
const MAX_ADOPTED = 100;

/** The void commits of each revoked device that nobody decided about, in the device's own order. */
export function lateChanges(
  nodes: readonly Pick<VoidNode, 'id' | 'device' | 'seq'>[],
  voids: ReadonlyMap<CommitId, VoidReason>,
  decided: ReadonlySet<CommitId> = new Set(),
): ReadonlyMap<string, readonly CommitId[]> {
  const late = nodes
    .filter(({ id }) => voids.get(id) === 'revoked' && !decided.has(id))
    .sort((a, b) => a.seq - b.seq || (a.id < b.id ? -1 : 1));
  const byDevice = new Map<string, Set<CommitId>>();
  for (const { device, id } of late) {
    byDevice.set(device, (byDevice.get(device) ?? new Set()).add(id));
  }
  return new Map([...byDevice].map(([device, ids]) => [device, [...ids]]));
}

/** Names of items of lists: what they were called by the device, and what they are called now. */
export type Renamed = Map<string, string>;

/** What is asked of whoever adopts. */
export type Adopter = {
  /** Whose commit it becomes. */
  readonly author: Author;
  /** Whether another owner has to agree to an op. */
  readonly needsAnother: (op: Op) => boolean;
  /** Items that came with an earlier adoption are known by it, and those of this one added. */
  readonly renamed: Renamed;
};

/** What an owner commits to take over the changes of `commits`, given in the device's order. */
export function adoptOps(
  commits: readonly Pick<Commit, 'id' | 'name' | 'device' | 'seq' | 'ops'>[],
  { author, needsAnother, renamed }: Adopter,
): Adoption {
  const ops: Op[] = [];
  const omitted: Op[] = [];
  const adopted: CommitId[] = [];
  const isFit = (op: Op) => isAdoptable(op) && !needsAnother(op);
  for (const { id, device, seq, ops: all } of commits.slice(0, MAX_ADOPTED)) {
    const fit = [...all.entries()].filter(([, op]) => isFit(op));
    if (ops.length + fit.length + adopted.length >= MAX_OPS) break;
    for (const [index, op] of fit) {
      // An item is called after the op that puts it in, which is this owner's now.
      const name = printDot({ ...author, index: ops.length });
      if (op.op === 'ins') renamed.set(printDot({ device, seq, index }), name);
      ops.push('item' in op ? { ...op, item: renamed.get(op.item) ?? op.item } : op);
    }
    omitted.push(...all.filter((op) => !isFit(op)));
    adopted.push(id);
  }
  const names = [...new Set(commits.slice(0, adopted.length).map(({ name }) => name))];
  const count = adopted.length === 1 ? 'a late change' : `${adopted.length} late changes`;
  const subject = `Adopt ${count} of ${names.slice(0, 3).join(', ')}`;
  return { ops, message: [subject, '', ...adopted].join('\n'), adopted, omitted };
}

/** The ops that keep commits of `device` from being offered again. */
export function decideOps(device: string, commits: readonly CommitId[]): readonly Op[] {
  return commits.map((value) => ({ op: 'grow', path: `late/${device}/decided`, value }));
}

/** The late commits that somebody adopted or let go. */
export function readDecided(state: State): ReadonlySet<CommitId> {
  const decided = [...(state.get('late')?.keys() ?? [])].flatMap((device) => {
    const list = readRecord(state, `late/${device}`)?.['decided'];
    return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
  });
  return new Set(decided);
}

function isAdoptable(op: Op): boolean {
  const path = parsePath(op.path);
  if (path === undefined || op.op === 'revoke') return false;
  if (path.collection === 'devices') return path.field !== undefined && !PROTECTED.has(path.field);
  return !NEVER.has(path.collection) && !BOOKKEEPING.has(path.collection);
}
