/**
 * What a commit makes of the members: who comes, who goes, whose rights change.
 *
 * All ops on one device are looked at together, so that a record may be written in pieces. A
 * revocation is judged by itself.
 */

import { canonicalize, isObject, type Json, type JsonObject } from '../format/json.ts';
import { type Op, readRecord, type State } from '../format/op.ts';
import { type Path, parsePath } from '../format/path.ts';
import { compareSeniority } from './judge.ts';
import {
  declaredIn,
  isGranted,
  isNamedAfter,
  isOwner,
  isWellFormed,
  type Member,
  nextRank,
  PROTECTED,
  rankOf,
  rankOfRecord,
  readKey,
} from './members.ts';
import type { Case, RefusalReason } from './rights.ts';

/** The protected fields of a device's record before and after; undefined: no record. */
export type Change = {
  readonly before: JsonObject | undefined;
  readonly after: JsonObject | undefined;
  /** The rank that the record gives afterwards. */
  readonly rank: number;
  readonly isOwner: boolean;
  readonly makesOwner: boolean;
  /** What it must be for somebody who becomes an owner: several are numbered as they are named. */
  readonly nextRank: number;
};

/** The changes of members that `ops` ask for, in the order in which the ops name them. */
export function changesOf(past: State, ops: readonly Op[]): ReadonlyMap<string, Change> {
  const records = rewriteAll(past, ops);
  const changes = new Map<string, Change>();
  let next = records.size === 0 ? 0 : nextRank(past);
  for (const [id, after] of records) {
    const before = readRights(past, id);
    const leads = isOwner(after);
    const makesOwner = leads && !isOwner(before);
    const rank = rankOfRecord(after ?? {});
    changes.set(id, { before, after, rank, isOwner: leads, makesOwner, nextRank: next });
    if (makesOwner) next++;
  }
  return changes;
}

/** Decides about one changed member. */
export function checkChange(asked: Case, id: string, change: Change): RefusalReason | undefined {
  const { author } = asked;
  const isGenesisOfOwn = asked.isGenesis && id === author.device && author.role === 'owner';
  if (isGenesisOfOwn) return isWellFormed(change.after ?? {}) ? undefined : 'bad-device';
  return (
    (id === author.device
      ? checkOwn(author, change)
      : (checkAuthority(asked, id, change) ?? checkRank(author, change))) ??
    checkIdentity(asked, id, change)
  );
}

/** Whoever is senior may end a device; and each owner itself, from its newest commit on. */
export function checkRevocation(
  { past, author, seq, ops, isGenesis }: Case,
  { collection, key, field }: Path,
  lastSeq: number,
): RefusalReason | undefined {
  const isNumber = Number.isSafeInteger(lastSeq) && lastSeq >= 0;
  if (collection !== 'devices' || field !== undefined || isGenesis || !isNumber) return 'wrong-op';
  if (key === author.device) {
    const names = ops.some((op) => op.op === 'set' && op.path === 'realm/recovery');
    const mayLeave = author.role === 'owner' || (author.role === 'recovery' && names);
    return mayLeave && lastSeq >= seq ? undefined : 'no-right';
  }
  // The genesis of an old realm is its founder's; without it there is no realm.
  const founds = readRecord(past, `devices/${key}`)?.['writer'] === true;
  if (founds && lastSeq < 1) return 'wrong-op';
  if (lastSeq < lastKept(past, key)) return 'wrong-op';
  if (!isGranted(author, 'revoke', `devices/${key}`)) return 'no-right';
  return isSenior(past, author, key) ? undefined : 'outranked';
}

/** What is in the state from which pruned histories begin cannot be taken out of it any more. */
function lastKept(past: State, device: string): number {
  const numbers = declaredIn(past).map(({ vector }) => vector[device]);
  return numbers.reduce<number>(
    (most, seq) => (typeof seq === 'number' ? Math.max(most, seq) : most),
    0,
  );
}

/** Delegates are equals: one cannot shut out another because of its id. */
function isSenior(past: State, author: Member, device: string): boolean {
  const rank = rankOf(past, device);
  if (author.role !== 'owner' && author.role !== 'recovery') return rank > author.rank;
  return compareSeniority(author, { device, rank }) < 0;
}

function rewriteAll(past: State, ops: readonly Op[]): ReadonlyMap<string, JsonObject | undefined> {
  const records = new Map<string, JsonObject | undefined>();
  for (const op of ops) {
    const path = parsePath(op.path);
    if (path?.collection !== 'devices' || (op.op !== 'set' && op.op !== 'del')) continue;
    if (path.field !== undefined && !PROTECTED.has(path.field)) continue;
    const record = records.has(path.key) ? records.get(path.key) : readRights(past, path.key);
    records.set(path.key, rewrite(record, path.field, op.op === 'set' ? op.value : undefined));
  }
  return records;
}

function rewrite(
  record: JsonObject | undefined,
  field: string | undefined,
  value: Json | undefined,
): JsonObject | undefined {
  if (field === undefined) return isObject(value) ? rightsIn(value) : undefined;
  const fields = Object.entries(record ?? {}).filter(([name]) => name !== field);
  return Object.fromEntries(value === undefined ? fields : [...fields, [field, value]]);
}

function readRights(past: State, id: string): JsonObject | undefined {
  const record = readRecord(past, `devices/${id}`);
  return record && rightsIn(record);
}

function rightsIn(record: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(record).filter(([name]) => PROTECTED.has(name)));
}

/** Nobody raises itself, and nobody can hold on to what a senior takes at the same time. */
function checkOwn(author: Member, { before, after }: Change): RefusalReason | undefined {
  if (author.role !== 'owner') return 'no-right';
  if (after === undefined) return undefined;
  // Founders of old realms wrote their whole record; who has no senior holds on to nothing.
  const isFounder = before?.['writer'] === true;
  return isFounder && canonicalize(before) === canonicalize(after) ? undefined : 'no-right';
}

function checkAuthority(
  { past, author }: Case,
  id: string,
  { before, after, isOwner: leads }: Change,
): RefusalReason | undefined {
  const path = `devices/${id}`;
  const isMember = readKey(before) !== undefined;
  if (author.role === 'owner' || author.role === 'recovery') {
    return isMember && !isSenior(past, author, id) ? 'outranked' : undefined;
  }
  if (isMember) {
    const mayRemove = after === undefined && isGranted(author, 'revoke', path);
    if (!mayRemove) return 'no-right';
    return isSenior(past, author, id) ? undefined : 'outranked';
  }
  const isPlain = !leads && after?.['role'] !== 'owner' && after?.['grants'] === undefined;
  return isPlain && isGranted(author, 'admit', path) ? undefined : 'no-right';
}

/** The next number for who becomes an owner; whoever was one keeps what it has. */
function checkRank(author: Member, change: Change): RefusalReason | undefined {
  const { before, after, makesOwner, nextRank: next } = change;
  if (after === undefined) return undefined;
  if (after['writer'] === true && before?.['writer'] !== true) return 'bad-rank';
  const rank = after['rank'];
  if (makesOwner) return rank === next && next > author.rank ? undefined : 'bad-rank';
  if (after['role'] === 'owner' && !change.isOwner) return 'bad-rank';
  const mayDrop = !change.isOwner && rank === undefined;
  return mayDrop || rank === before?.['rank'] ? undefined : 'bad-rank';
}

function checkIdentity(
  { crypto, past, revoked, author }: Case,
  id: string,
  { before, after }: Change,
): RefusalReason | undefined {
  if (after === undefined) return undefined;
  // Its chain has ended; it comes back with new keys, as another device.
  if (revoked.has(id) && readKey(after) !== undefined) return 'revoked';
  const recovery = readRecord(past, 'realm/recovery')?.['id'];
  const isRecovery = id === recovery || (author.role === 'recovery' && id === author.device);
  if (isRecovery || !isWellFormed(after)) return 'bad-device';
  const key = readKey(after);
  // A key that was there before was looked at when it came.
  if (key === undefined || after['signingKey'] === before?.['signingKey']) return undefined;
  return isNamedAfter(crypto, id, key) ? undefined : 'bad-device';
}
