/**
 * Whether a commit may become the head: signature, rights, chain and content (I3).
 *
 * The answer depends on the commit and on the state its parent left, never on when it arrived.
 * In this base only the founder writes and history is one chain; who else may write, and joining
 * several heads, are decided here when they come.
 */

import type { Crypto } from '#runtime';
import { decodeBase64, equalBytes } from './bytes.ts';
import { type CommitId, hasValidSignature, type ParsedCommit, parseCommit } from './commit.ts';
import { StorageError } from './error.ts';
import type { Frame } from './frame.ts';
import { buildTree } from './object.ts';
import { applyOps, EMPTY, parseOps, readRecord, type State } from './op.ts';

/** The newest commit of a verified chain, and the state it leaves. */
export type Tip = {
  readonly id: CommitId;
  readonly seq: number;
  readonly realm: string;
  readonly founder: string;
  readonly state: State;
};

/** Verifies the commit that follows `tip` (undefined: a genesis) and returns the tip it makes. */
export function verifyCommit(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  tip: Tip | undefined,
  commit: ParsedCommit,
  opsText: string,
): Tip {
  checkChain(tip, commit);
  // An unknown author is refused before its ops are parsed; a genesis names its own.
  if (tip !== undefined) checkAuthor(tip.state, tip.founder, commit);
  if (!hasValidSignature(crypto, commit)) {
    throw new StorageError('bad-signature', `commit ${commit.id} is not signed by its author`);
  }
  const founder = tip?.founder ?? commit.device;
  const state = applyOps(tip?.state ?? EMPTY, parseOps(opsText));
  checkFounder(state, founder);
  if (tip === undefined) checkAuthor(state, founder, commit);
  if (buildTree(crypto, state, opsText).root.id !== commit.tree) {
    throw new StorageError('wrong-tree', `commit ${commit.id} does not make the tree it names`);
  }
  return { id: commit.id, seq: commit.seq, realm: commit.realm ?? commit.id, founder, state };
}

/**
 * The tip at a commit whose state somebody claims to know, undefined unless the signed commit
 * says the same. It trusts that the commit's past was verified when it was stored.
 */
export function verifyClaim(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  claimed: State,
  { commit: bytes, ops }: Frame,
): Tip | undefined {
  try {
    const commit = parseCommit(crypto, bytes);
    const isSame = buildTree(crypto, claimed, ops).root.id === commit.tree;
    if (!isSame || !hasValidSignature(crypto, commit)) return undefined;
    const { id, seq, device } = commit;
    return { id, seq, realm: commit.realm ?? id, founder: device, state: claimed };
  } catch (cause) {
    if (cause instanceof StorageError) return undefined;
    throw cause;
  }
}

/** Refuses a state in which the founder could not write any more: nobody could ever repair it. */
export function checkFounder(state: State, founder: string): void {
  if (signingKey(state, founder) === undefined) {
    throw new StorageError('invalid', `devices/${founder} must stay a writer with a signing key`);
  }
}

/** Tells whether commits of this device with this key would be believed. */
export function mayWrite(tip: Tip, device: string, publicKey: Uint8Array): boolean {
  const key = signingKey(tip.state, device);
  return device === tip.founder && key !== undefined && equalBytes(key, publicKey);
}

/** The key a device signs with, undefined when it may not write. */
function signingKey(state: State, device: string): Uint8Array | undefined {
  const record = readRecord(state, `devices/${device}`);
  const key = record?.['signingKey'];
  if (record?.['writer'] !== true || typeof key !== 'string') return undefined;
  const bytes = decodeBase64(key);
  return bytes?.length === 32 ? bytes : undefined;
}

function checkChain(tip: Tip | undefined, commit: ParsedCommit): void {
  if (tip === undefined) {
    if (commit.realm !== undefined || commit.parents.length > 0) {
      throw new StorageError('unknown-parent', `commit ${commit.id} is no genesis`);
    }
    if (commit.seq !== 1) throw new StorageError('corrupt', 'a genesis has sequence number 1');
    return;
  }
  if (commit.realm !== tip.realm) {
    throw new StorageError('other-realm', `commit ${commit.id} belongs to another realm`);
  }
  if (commit.parents.length !== 1 || commit.parents[0] !== tip.id) {
    throw new StorageError('unknown-parent', `the parent of commit ${commit.id} is not the head`);
  }
  if (commit.seq !== tip.seq + 1) {
    throw new StorageError('corrupt', `commit ${commit.id} breaks its device's chain`);
  }
}

function checkAuthor(state: State, founder: string, commit: ParsedCommit): void {
  const key = signingKey(state, commit.device);
  if (commit.device !== founder || key === undefined) {
    throw new StorageError('not-writer', `${commit.device} may not write`);
  }
  if (!equalBytes(key, commit.signature.publicKey)) {
    throw new StorageError('bad-signature', `commit ${commit.id} is signed with another key`);
  }
}
