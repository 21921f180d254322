/**
 * From a wish to a signed commit: every check that needs no disk, before anything is written.
 */

import type { Crypto, Signer } from '#runtime';
import {
  type CommitId,
  cleanDate,
  cleanMessage,
  cleanName,
  type ParsedCommit,
  signCommit,
} from './commit.ts';
import { type Problem, StorageError } from './error.ts';
import { encodeFrame, MAX_BODY } from './frame.ts';
import type { History } from './history.ts';
import { applyOps } from './merge/apply.ts';
import { chainOf, type Merged, type Rule } from './merge/merged.ts';
import { type DraftOp, narrow } from './narrow.ts';
import { buildTree } from './object.ts';
import { isSealed, MAX_OPS, type Op, parseOps, printOps, type State } from './op.ts';
import { parsePath } from './path.ts';
import { checkRights, type Root } from './verify.ts';

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

/** Makes the commit; undefined when it would change nothing. Throws StorageError when refused. */
export async function prepare(
  { crypto, writer, rules, extend }: Needs,
  { root, parents, merged }: Position,
  draft: Draft,
  now: number,
): Promise<Prepared | undefined> {
  if (draft.ops.length === 0) throw new StorageError('invalid', 'a commit without ops');
  if (draft.ops.length > MAX_OPS) throw new StorageError('too-large', `more than ${MAX_OPS} ops`);
  const device = writer.deviceId;
  const seq = (merged.vector.get(device) ?? 0) + 1;
  const author = { device, seq };
  const exact = draft.isExact === true ? (draft.ops as readonly Op[]) : undefined;
  const text = printOps(exact ?? narrow(merged, author, draft.ops, rules.rule));
  const ops = parseOps(text);
  const { publicKey } = writer.signer;
  checkRights(crypto, merged, { device, publicKey, seq }, ops);
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
  const clear = findClear(ops, rules);
  const wrong = rules.schema?.(after) ?? [];
  const isKnown = wrong.length > 0 && before !== undefined;
  const known = isKnown ? (rules.schema?.(before) ?? []).map(printProblem) : [];
  const problems = [...clear, ...wrong.filter((problem) => !known.includes(printProblem(problem)))];
  const [first] = problems;
  if (first === undefined) return;
  throw new StorageError('invalid', printProblem(first), { problems });
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
