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
import { buildTree, collectionTree } from './object.ts';
import { applyOps, EMPTY, isSealed, type Op, parseOps, printOps, type State } from './op.ts';
import { parsePath } from './path.ts';
import { checkFounder, type Tip } from './verify.ts';

/** The device that writes here. */
export type Writer = { readonly deviceId: string; readonly name: string; readonly signer: Signer };

/** What somebody wants changed. */
export type Draft = {
  readonly ops: readonly Op[];
  readonly message: string;
  /** Through which door the wish came: "web", "luci", "cli", … */
  readonly via: string;
  /** Commit only if this is the head, else 'conflict'. */
  readonly ifHead?: CommitId;
};

/** The rules that the realm's records follow; asked for local commits only. */
export type Rules = {
  /** What is wrong with a state; a commit that would leave it is refused. */
  readonly schema?: (state: State) => readonly Problem[];
  /** Tells for `collection/key/field` that only sealed values may stand there (I2). */
  readonly mustBeSealed?: (path: string) => boolean;
};

/** A commit that is ready to be appended. */
export type Prepared = {
  readonly commit: ParsedCommit;
  readonly ops: string;
  readonly frame: Uint8Array;
  readonly tip: Tip;
};

/** Makes the commit; undefined when it would change nothing. Throws StorageError when refused. */
export function prepare(
  crypto: Pick<Crypto, 'hash'>,
  writer: Writer,
  tip: Tip | undefined,
  draft: Draft,
  rules: Rules,
  now: number,
): Prepared | undefined {
  const text = printOps(draft.ops);
  const ops = parseOps(text);
  if (ops.length === 0) throw new StorageError('invalid', 'a commit without ops');
  const before = tip?.state ?? EMPTY;
  checkMembership(before, ops);
  const state = applyOps(before, ops);
  if (isSameState(crypto, before, state)) return undefined;
  const founder = tip?.founder ?? writer.deviceId;
  checkFounder(state, founder);
  checkRules(state, ops, rules);
  const commit = signCommit(crypto, writer.signer, {
    tree: buildTree(crypto, state, text).root.id,
    parents: tip === undefined ? [] : [tip.id],
    device: writer.deviceId,
    name: cleanName(writer.name, writer.deviceId),
    at: cleanDate(now),
    seq: (tip?.seq ?? 0) + 1,
    realm: tip?.realm,
    message: cleanMessage(draft.message),
    via: draft.via,
  });
  const frame = encodeFrame({ commit: commit.bytes, ops: text });
  if (frame === undefined) throw new StorageError('too-large', `more than ${MAX_BODY} bytes`);
  const { id, seq } = commit;
  return { commit, ops: text, frame, tip: { id, seq, realm: tip?.realm ?? id, founder, state } };
}

/** `add` to what is no list would silently replace it; that is refused while a person can see it. */
function checkMembership(state: State, ops: readonly Op[]): void {
  for (const { op, path: text } of ops) {
    if (op !== 'add') continue;
    const path = parsePath(text);
    const record = path && state.get(path.collection)?.get(path.key);
    const value = record?.[path?.field ?? ''];
    if (value !== undefined && !Array.isArray(value)) {
      throw new StorageError('invalid', `${text} is no set`);
    }
  }
}

function checkRules(state: State, ops: readonly Op[], rules: Rules): void {
  const problems = [...findClear(ops, rules), ...(rules.schema?.(state) ?? [])];
  const [first] = problems;
  if (first === undefined) return;
  throw new StorageError('invalid', `${first.path}: ${first.message}`, { problems });
}

function findClear(ops: readonly Op[], { mustBeSealed }: Rules): Problem[] {
  if (mustBeSealed === undefined) return [];
  return ops.flatMap((op) => {
    if (op.op === 'del' || op.op === 'rem') return [];
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

function isSameState(crypto: Pick<Crypto, 'hash'>, a: State, b: State): boolean {
  if (a.size !== b.size) return false;
  return [...b].every(([name, collection]) => {
    const other = a.get(name);
    if (other === undefined || other.size !== collection.size) return other === collection;
    return collectionTree(crypto, other).id === collectionTree(crypto, collection).id;
  });
}
