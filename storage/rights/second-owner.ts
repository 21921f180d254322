/**
 * Two owners for what is dangerous.
 *
 *     realm/settings/twoOwners    beginnings of paths that no owner changes alone
 *     proposals/<device>.<name>   { ops }: what that owner would like to change
 *
 * Another owner agrees by committing exactly those ops, after the removal of the proposal, which
 * so can be used once. A proposal's key begins with its author's id and only that device may write
 * it: two cannot mix. Under such a rule nobody becomes an owner by one owner's word either, else
 * whoever stole one would bring the second along. Revoking a device never needs two, and the
 * recovery key never needs anybody.
 */

import { StorageError } from '../error.ts';
import { canonicalize, isObject, type Json } from '../format/json.ts';
import { type Op, parseOps, readRecord, type State } from '../format/op.ts';
import { overlaps, type Path } from '../format/path.ts';
import { isPrefix, type Member, readMember } from './members.ts';

/** What must not be changed while there is a rule, whatever the rule names. */
const ALWAYS = ['realm/settings/twoOwners', 'realm/recovery'];

/** The beginnings of paths that need two owners. */
export function dangerousPaths(past: State): readonly string[] {
  const rule = readRecord(past, 'realm/settings')?.['twoOwners'];
  return Array.isArray(rule) ? rule.filter(isPrefix) : [];
}

/** Tells whether an op needs two owners; without an op: whether anything does. */
export function needsSecondOwner(past: State, op: Op | undefined): boolean {
  const rule = dangerousPaths(past);
  if (rule.length === 0 || op === undefined) return rule.length > 0;
  return [...rule, ...ALWAYS].some((prefix) => overlaps(op.path, prefix));
}

/** The ops by which the owner `device` proposes `ops` to the others. */
export function proposeOps(device: string, name: string, ops: readonly Op[]): readonly Op[] {
  return [{ op: 'set', path: `proposals/${device}.${name}`, value: { ops: ops as Json } }];
}

/** The ops by which another owner agrees to a proposal; undefined when there is no such one. */
export function approveOps(past: State, key: string): readonly Op[] | undefined {
  const ops = readProposal(past, key);
  return ops && [{ op: 'del', path: `proposals/${key}` }, ...ops];
}

/** Tells whether `ops` are what another owner proposed, and nothing else. */
export function isApproval(past: State, author: Member, ops: readonly Op[]): boolean {
  const [first, ...rest] = ops;
  if (author.role !== 'owner' || first?.op !== 'del' || !first.path.startsWith('proposals/')) {
    return false;
  }
  const key = first.path.slice('proposals/'.length);
  const proposer = proposerOf(key);
  const proposed = readProposal(past, key);
  if (proposed === undefined || proposer === author.device) return false;
  const isOwner = readMember(past, proposer)?.role === 'owner';
  return isOwner && canonicalize(rest) === canonicalize(proposed);
}

/** Tells whether an op on `proposals/…` is one: owners write their own, and remove anybody's. */
export function isProposal(
  { past, author }: { readonly past: State; readonly author: Member },
  op: Op,
  { key, field }: Path,
): boolean {
  if (author.role !== 'owner' && author.role !== 'recovery') return false;
  if (field !== undefined) return false;
  if (op.op === 'del') return true;
  if (op.op !== 'set' || proposerOf(key) !== author.device) return false;
  // What somebody has read and is about to agree to must not change under their hands.
  if (readRecord(past, `proposals/${key}`) !== undefined) return false;
  return isObject(op.value) && checkedOps(op.value['ops']) !== undefined;
}

function readProposal(past: State, key: string): readonly Op[] | undefined {
  return checkedOps(readRecord(past, `proposals/${key}`)?.['ops']);
}

/** The id has no dots, the name may. */
function proposerOf(key: string): string {
  return key.split('.', 1)[0] ?? '';
}

function checkedOps(ops: Json | undefined): readonly Op[] | undefined {
  if (!Array.isArray(ops) || ops.length === 0) return undefined;
  try {
    return parseOps(`${canonicalize(ops)}\n`);
  } catch (cause) {
    if (cause instanceof StorageError) return undefined;
    throw cause;
  }
}
