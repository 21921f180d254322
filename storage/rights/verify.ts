/**
 * Whether a commit may be taken over: signature, rights, chain and content (I3).
 *
 * The answer depends on the commit and on the state of its own past, never on when it arrived.
 */

import type { Crypto } from '#runtime';
import { StorageError, type StorageErrorCode } from '../error.ts';
import { equalBytes } from '../format/bytes.ts';
import {
  type CommitId,
  hasValidSignature,
  type ParsedCommit,
  parseCommit,
} from '../format/commit.ts';
import type { Frame } from '../format/frame.ts';
import { isObject, type Json } from '../format/json.ts';
import { buildTree } from '../format/object.ts';
import { type Op, parseOps } from '../format/op.ts';
import type { Merged } from '../merge/merged.ts';
import { readMember } from './members.ts';
import {
  type Author,
  authorize,
  explainRefusal,
  type Refusal,
  type RefusalReason,
} from './rights.ts';

/** Where a realm began: its genesis and the device that wrote it. */
export type Root = { readonly realm: CommitId; readonly founder: string };

/**
 * Verifies all of a commit but its tree, and returns its ops. `past` is the state of its parents
 * together, `root` is undefined for a genesis.
 */
export function verifyCommit(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  root: Root | undefined,
  past: Merged,
  commit: ParsedCommit,
  opsText: string,
): readonly Op[] {
  checkPast(root, commit);
  const author = { ...commit, publicKey: commit.signature.publicKey };
  // An unknown author is refused before its ops are parsed; a genesis names its own.
  if (root !== undefined) checkAuthor(past, author);
  if (commit.seq !== (past.vector.get(commit.device) ?? 0) + 1) {
    throw new StorageError('corrupt', `commit ${commit.id} breaks its device's chain`);
  }
  if (!hasValidSignature(crypto, commit)) {
    throw new StorageError('bad-signature', `commit ${commit.id} is not signed by its author`);
  }
  const ops = parseOps(opsText);
  checkRights(crypto, past, author, ops);
  return ops;
}

/** Verifies that a commit leaves the tree that it names. */
export function verifyTree(
  crypto: Pick<Crypto, 'hash'>,
  result: Merged,
  commit: ParsedCommit,
  opsText: string,
): void {
  if (buildTree(crypto, result, opsText).root.id !== commit.tree) {
    throw new StorageError('wrong-tree', `commit ${commit.id} does not make the tree it names`);
  }
}

/** Refuses ops for which the author has no right in this past. */
export function checkRights(
  crypto: Pick<Crypto, 'hash'>,
  { state, revoked, vector }: Merged,
  author: Author,
  ops: readonly Op[],
): void {
  const refusal = authorize(crypto, state, revoked, author, ops) ?? checkKept(vector, ops);
  if (refusal === undefined) return;
  throw new StorageError(CODES[refusal.reason] ?? 'invalid', explainRefusal(refusal));
}

/** Nothing can be declared old that the author has not seen: all that comes would be too old. */
function checkKept(vector: Merged['vector'], ops: readonly Op[]): Refusal | undefined {
  const bad = ops.find((op) => {
    if (op.op !== 'set' || !op.path.startsWith('realm/base-') || !isObject(op.value)) return false;
    const { vector: declared } = op.value as Record<string, Json>;
    if (!isObject(declared)) return true;
    return Object.entries(declared).some(
      ([device, seq]) => typeof seq !== 'number' || seq > (vector.get(device) ?? 0),
    );
  });
  return bad && { reason: 'wrong-op', path: bad.path };
}

/** What is not about the content of the ops. */
const CODES: Partial<Record<RefusalReason, StorageErrorCode>> = {
  'unknown-author': 'not-writer',
  'wrong-key': 'not-writer',
  revoked: 'not-writer',
  'no-right': 'not-writer',
  outranked: 'not-writer',
  'needs-second-owner': 'needs-second-owner',
};

/**
 * Whether somebody's claim to know the state at a commit is what the signed commit says. It trusts
 * that the commit's past was verified when it was stored.
 */
export function isClaimTrue(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  claimed: Merged,
  id: CommitId,
  { commit: bytes, ops }: Frame,
): boolean {
  try {
    const commit = parseCommit(crypto, bytes);
    const isSame = buildTree(crypto, claimed, ops).root.id === commit.tree;
    return isSame && commit.id === id && hasValidSignature(crypto, commit);
  } catch (cause) {
    if (cause instanceof StorageError) return false;
    throw cause;
  }
}

/** Tells whether this device leads the realm: it may write wherever nothing else forbids it. */
export function isLeading({ state, revoked }: Merged, device: string, key: Uint8Array): boolean {
  const member = readMember(state, device);
  if (member === undefined || revoked.has(device) || !equalBytes(member.key, key)) return false;
  return member.role === 'owner' || member.role === 'recovery';
}

function checkPast(root: Root | undefined, commit: ParsedCommit): void {
  if (root === undefined) {
    if (commit.realm !== undefined || commit.parents.length > 0) {
      throw new StorageError('unknown-parent', `commit ${commit.id} is no genesis`);
    }
    return;
  }
  if (commit.realm !== root.realm) {
    throw new StorageError('other-realm', `commit ${commit.id} belongs to another realm`);
  }
  if (commit.parents.length === 0) {
    throw new StorageError('unknown-parent', `commit ${commit.id} has no past`);
  }
}

function checkAuthor({ state, revoked }: Merged, { device, publicKey, seq }: Author): void {
  const member = readMember(state, device);
  const lastSeq = revoked.get(device) ?? seq;
  if (member === undefined || seq > lastSeq) {
    throw new StorageError('not-writer', `${device} may not write`);
  }
  if (!equalBytes(member.key, publicKey)) {
    throw new StorageError('bad-signature', `${device} signs with another key`);
  }
}
