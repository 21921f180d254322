/**
 * From a wish to a signed commit: every check that needs no disk, before anything is written.
 */

import type { Crypto, Signer } from '#runtime';
import { type Problem, StorageError } from '../error.ts';
import {
  type CommitId,
  cleanDate,
  cleanMessage,
  cleanName,
  type ParsedCommit,
  signCommit,
} from '../format/commit.ts';
import { encodeFrame, MAX_BODY } from '../format/frame.ts';
import { buildTree } from '../format/object.ts';
import { isSealed, MAX_OPS, type Op, parseOps, printOps, type State } from '../format/op.ts';
import { parsePath } from '../format/path.ts';
import type { History } from '../history/history.ts';
import { applyOps } from '../merge/apply.ts';
import { chainOf, type Merged, type Rule } from '../merge/merged.ts';
import { checkRights, type Root } from '../rights/verify.ts';
import { type Change, diffStates } from './change.ts';
import { type DraftOp, narrow } from './narrow.ts';

/** The device that writes here. */
export type Writer = { readonly deviceId: string; readonly name: string; readonly signer: Signer };

/** What somebody wants changed. */
export type Draft = {
  readonly ops: readonly DraftOp[];
  readonly message: string;
  /** Through which door the wish came: "web", "luci", "cli", … */
  readonly via: string;
  /** Commit only if this is the head, else 'conflict'. */
  readonly ifHead?: CommitId;
  /** The ops are what somebody else wrote down: not to be made smaller. */
  readonly isExact?: true;
};

/** The rules that the realm's records follow. */
export type Rules = {
  /**
   * What is wrong with a state. A commit that would add to it is refused; a merge that is wrong is
   * kept but not shown as the state.
   */
  readonly schema?: (state: State) => readonly Problem[];
  /** Tells for `collection/key/field` that only sealed values may stand there (I2). */
  readonly mustBeSealed?: (path: string) => boolean;
  /** How a conflict at `collection/key/field` is decided until somebody writes. */
  readonly rule?: (path: string) => Rule | undefined;
};

/** What a new commit builds on. */
export type Position = {
  /** Undefined: nothing, it begins a realm. */
  readonly root: Root | undefined;
  readonly parents: readonly CommitId[];
  /** What the parents make together. */
  readonly merged: Merged;
};

/** A commit that is ready to be appended. */
export type Prepared = {
  readonly commit: ParsedCommit;
  readonly ops: readonly Op[];
  readonly frame: Uint8Array;
  readonly state: Merged;
};

type Needs = {
  readonly crypto: Pick<Crypto, 'hash'>;
  readonly writer: Writer;
  readonly rules: Rules;
  readonly extend: History['extend'];
};

/** What a commit would change, and why it would be refused. */
export type Preview = {
  readonly state: State;
  readonly changes: readonly Change[];
  /** Without any it would be taken. */
  readonly problems: readonly Problem[];
  /** Those of them about secrets that would stand there in the clear (I2). */
  readonly unsealed: readonly Problem[];
  /** Without it nobody knows what would change: a path, a kind or a number is wrong. */
  readonly isReadable: boolean;
  /** Which is no problem: it can be proposed (second-owner.ts). */
  readonly needsSecondOwner: boolean;
};

/** Tells what a commit of these ops would come to, and makes none. */
export function preview(
  { crypto, writer, rules }: Omit<Needs, 'extend'>,
  { root, merged }: Pick<Position, 'root' | 'merged'>,
  asked: Draft['ops'],
): Preview {
  const { state: before } = merged;
  try {
    const { ops, author } = spell({ writer, rules }, merged, { ops: asked });
    const { state } = applyOps(merged, author, ops);
    const refusal = caught(() => checkRights(crypto, merged, author, ops));
    const needsSecondOwner = refusal?.code === 'needs-second-owner';
    const rights = refusal === undefined || needsSecondOwner ? [] : toProblems(refusal, asked);
    const unsealed = findClear(ops, rules);
    const added = findAdded(root && before, state, rules);
    const problems = [...rights, ...unsealed, ...added];
    const changes = diffStates(before, state);
    return { state, changes, problems, unsealed, isReadable: true, needsSecondOwner };
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause;
    return previewNothing(before, toProblems(cause, asked));
  }
}

/** Of what cannot be read, or written here at all. */
export function previewNothing(state: State, problems: readonly Problem[]): Preview {
  const [isReadable, needsSecondOwner] = [false, false];
  return { state, changes: [], problems, unsealed: [], isReadable, needsSecondOwner };
}

function toProblems(
  { problems, message }: StorageError,
  [first]: Draft['ops'],
): readonly Problem[] {
  return problems.length > 0 ? problems : [{ path: first?.path ?? '', message }];
}

function caught(check: () => void): StorageError | undefined {
  try {
    check();
    return undefined;
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause;
    return cause;
  }
}

/** The ops as they would be written, and who would write them. */
function spell(
  { writer, rules }: Pick<Needs, 'writer' | 'rules'>,
  merged: Merged,
  { ops: asked, isExact }: Pick<Draft, 'ops' | 'isExact'>,
) {
  if (asked.length === 0) throw new StorageError('invalid', 'a commit without ops');
  if (asked.length > MAX_OPS) throw new StorageError('too-large', `more than ${MAX_OPS} ops`);
  const device = writer.deviceId;
  const seq = (merged.vector.get(device) ?? 0) + 1;
  const exact = isExact === true ? (asked as readonly Op[]) : undefined;
  const text = printOps(exact ?? narrow(merged, { device, seq }, asked, rules.rule));
  return { text, ops: parseOps(text), author: { device, seq, publicKey: writer.signer.publicKey } };
}

/** Makes the commit; undefined when it would change nothing. Throws StorageError when refused. */
export async function prepare(
  { crypto, writer, rules, extend }: Needs,
  { root, parents, merged }: Position,
  draft: Draft,
  now: number,
): Promise<Prepared | undefined> {
  const { text, ops, author } = spell({ writer, rules }, merged, draft);
  const { device, seq } = author;
  checkRights(crypto, merged, author, ops);
  const state = await extend(merged, { id: '', parents, device, seq, ops });
  if (isSame(crypto, merged, state)) {
    if (isSame(crypto, merged, applyOps(merged, { device, seq }, ops))) return undefined;
    throw new StorageError(
      'fork',
      'this device used a number twice: what it writes does not count',
    );
  }
  checkRules(root && merged.state, state.state, ops, rules);
  const commit = signCommit(crypto, writer.signer, {
    tree: buildTree(crypto, state, text).root.id,
    parents,
    device,
    name: cleanName(writer.name, device),
    at: cleanDate(now),
    seq,
    realm: root?.realm,
    message: cleanMessage(draft.message),
    via: draft.via,
  });
  const frame = encodeFrame({ commit: commit.bytes, ops: text });
  if (frame === undefined) throw new StorageError('too-large', `more than ${MAX_BODY} bytes`);
  // Where a number was used twice and both count, what a commit leaves bears the commit's own name.
  const isBranch = state.vector.has(chainOf({ device, branch: '' }));
  const step = { id: commit.id, parents, device, seq, ops };
  return { commit, ops, frame, state: isBranch ? await extend(merged, step) : state };
}

/** What is wrong already need not be put right by every commit. */
function checkRules(
  before: State | undefined,
  after: State,
  ops: readonly Op[],
  rules: Rules,
): void {
  const problems = [...findClear(ops, rules), ...findAdded(before, after, rules)];
  const [first] = problems;
  if (first === undefined) return;
  throw new StorageError('invalid', printProblem(first), { problems });
}

function findAdded(before: State | undefined, after: State, rules: Rules): readonly Problem[] {
  const wrong = rules.schema?.(after) ?? [];
  const isKnown = wrong.length > 0 && before !== undefined;
  const known = isKnown ? (rules.schema?.(before) ?? []).map(printProblem) : [];
  return wrong.filter((problem) => !known.includes(printProblem(problem)));
}

function printProblem({ path, message }: Problem): string {
  return `${path}: ${message}`;
}

function findClear(ops: readonly Op[], { mustBeSealed }: Rules): Problem[] {
  if (mustBeSealed === undefined) return [];
  return ops.flatMap((op) => {
    if (!('value' in op) || op.op === 'rem') return [];
    const isField = parsePath(op.path)?.field !== undefined;
    const fields = isField
      ? [[op.path, op.value] as const]
      : Object.entries(op.value ?? {}).map(
          ([field, item]) => [`${op.path}/${field}`, item] as const,
        );
    return fields
      .filter(([path, value]) => mustBeSealed(path) && !isSealed(value))
      .map(([path]) => ({ path, message: 'must be sealed' }));
  });
}

/** Tells whether two states say the same, conflicts and revocations included. */
function isSame(crypto: Pick<Crypto, 'hash'>, a: Merged, b: Merged): boolean {
  const isRevoking = [...b.revoked].some(([device, last]) => a.revoked.get(device) !== last);
  return !isRevoking && buildTree(crypto, a, '').root.id === buildTree(crypto, b, '').root.id;
}
