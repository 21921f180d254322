/**
 * Who may write what: a commit's ops held against the state of its causal past (I3, I5).
 *
 * `past` is the state that exactly the commit's ancestors give, without those that are void among
 * them; `revoked` likewise. Whether a revocation from elsewhere voids the commit is asked of judge.ts,
 * so that the answer here never depends on when anything arrived. One op without a right refuses
 * the whole commit.
 *
 * Rights over members run downwards only: nobody changes its own standing, or that of a senior, so
 * no concurrent write can hold on to what a senior took away.
 *
 * @see docs/adr/0010-rights-from-the-past.md
 */

import type { Crypto } from '#runtime';
import { encodeBase64, equalBytes } from '../format/bytes.ts';
import { isObject, type Json } from '../format/json.ts';
import { type Op, readRecord, type State } from '../format/op.ts';
import { type Path, parsePath } from '../format/path.ts';
import { compareSeniority, RECOVERY_RANK, type VoidNode } from './judge.ts';
import {
  FOUNDER_RANK,
  isGranted,
  isNamedAfter,
  isPrefix,
  type Member,
  ownersOf,
  PROTECTED,
  rankOf,
  readKey,
  readMember,
} from './members.ts';
import { isApproval, isProposal, needsSecondOwner } from './second-owner.ts';
import { type Change, changesOf, checkChange, checkRevocation } from './standing.ts';

/** Who signed the commit, by its own account. */
export type Author = {
  readonly device: string;
  readonly publicKey: Uint8Array;
  readonly seq: number;
};

export type RefusalReason =
  /** The past names no such device, or gives it no key. */
  | 'unknown-author'
  /** Signed with another key than the past names. */
  | 'wrong-key'
  /** The author ended before this commit, or it lets in a device that did. */
  | 'revoked'
  /** The first commit names neither a recovery key nor a founder that signed it. */
  | 'bad-genesis'
  | 'no-right'
  /** The device concerned is senior to the author. */
  | 'outranked'
  /** The id is not the hash of the key, or the record's rights make no sense. */
  | 'bad-device'
  /** An owner's rank is the next number, and stays. */
  | 'bad-rank'
  /** This kind of op has no meaning at this path. */
  | 'wrong-op'
  | 'needs-second-owner'
  | 'bad-proposal'
  /** Nobody could ever change anything again. */
  | 'no-owner-left';

/** Why a commit has no effect, and where. */
export type Refusal = { readonly reason: RefusalReason; readonly path?: string };

/** What a commit is held against. */
export type Case = {
  readonly crypto: Pick<Crypto, 'hash'>;
  readonly past: State;
  readonly revoked: ReadonlyMap<string, number>;
  readonly author: Member;
  readonly seq: number;
  readonly ops: readonly Op[];
  readonly isGenesis: boolean;
};

const RECOVERY = 'realm/recovery';
const SETTINGS = 'realm/settings';
/** See base.ts. */
const BASE = 'realm/base-';
const MAX_DANGEROUS = 64;

/** Decides whether `author` may commit `ops`; undefined: it may. An empty past is a genesis. */
export function authorize(
  crypto: Pick<Crypto, 'hash'>,
  past: State,
  revoked: ReadonlyMap<string, number>,
  author: Author,
  ops: readonly Op[],
): undefined | Refusal {
  const isGenesis = past.size === 0;
  const member = isGenesis ? founderOf(crypto, author, ops) : readMember(past, author.device);
  if (member === undefined) return { reason: isGenesis ? 'bad-genesis' : 'unknown-author' };
  if (!equalBytes(member.key, author.publicKey)) return { reason: 'wrong-key' };
  const lastSeq = revoked.get(author.device);
  if (lastSeq !== undefined && author.seq > lastSeq) return { reason: 'revoked' };
  const asked: Case = { crypto, past, revoked, author: member, seq: author.seq, ops, isGenesis };
  const isApproved = member.rank === RECOVERY_RANK || isApproval(past, member, ops);
  for (const op of ops) {
    const reason = checkOp(asked, op, isApproved);
    if (reason !== undefined) return { reason, path: op.path };
  }
  return checkMembers(asked, isApproved);
}

/** What `findVoid` needs to know of a commit, read from the same past. */
export function factsOf(
  past: State,
  device: string,
  ops: readonly Op[],
): Required<Pick<VoidNode, 'rank' | 'revokes' | 'admits'>> {
  const isFounder = past.size === 0 && readField(ops, RECOVERY, 'id') !== device;
  const isRecovery = past.size === 0 && !isFounder;
  const rank = isRecovery ? RECOVERY_RANK : isFounder ? FOUNDER_RANK : rankOf(past, device);
  const revokes = ops.flatMap((op) =>
    op.op === 'revoke' ? [{ device: keyOf(op), lastSeq: op.lastSeq }] : [],
  );
  const admits = [...changesOf(past, ops)].flatMap(([id, { before, after, rank: given }]) => {
    const isMember = readKey(after) !== undefined;
    const isNew = readKey(before) === undefined || rankOf(past, id) !== given;
    return isMember && isNew ? [{ device: id, rank: given }] : [];
  });
  return { rank, revokes, admits };
}

/** The same of a commit with which a history begins: it stands for all that let somebody in. */
export function memberFacts(state: State, device: string): ReturnType<typeof factsOf> {
  const admits = [...(state.get('devices') ?? [])].flatMap(([id, record]) =>
    readKey(record) === undefined ? [] : [{ device: id, rank: rankOf(state, id) }],
  );
  return { rank: rankOf(state, device), revokes: [], admits };
}

/** Sentences for people, who see neither ids nor paths in them. */
export function explainRefusal({ reason, path }: Refusal): string {
  return path === undefined ? SENTENCES[reason] : `${path}: ${SENTENCES[reason]}`;
}

const SENTENCES = {
  'unknown-author': 'the author is no member of the realm',
  'wrong-key': "it is not signed with the author's key",
  revoked: 'the device was removed before',
  'bad-genesis': 'a realm begins with its recovery key or its founder',
  'no-right': 'the author may not write here',
  outranked: 'only somebody senior to that device may do this',
  'bad-device': 'not a device with its own key and rights that make sense',
  'bad-rank': 'an owner has the next rank, and keeps it',
  'wrong-op': 'this cannot be changed in this way',
  'needs-second-owner': 'another owner has to agree',
  'bad-proposal': 'not a proposal of its author',
  'no-owner-left': 'the last owner has to stay',
} as const satisfies Record<RefusalReason, string>;

/** The author of a genesis, made by the genesis itself. */
function founderOf(
  crypto: Pick<Crypto, 'hash'>,
  { device, publicKey: key, seq }: Author,
  ops: readonly Op[],
): Member | undefined {
  if (seq !== 1) return undefined;
  const text = encodeBase64(key);
  const isRecovery =
    readField(ops, RECOVERY, 'id') === device &&
    readField(ops, RECOVERY, 'signingKey') === text &&
    isNamedAfter(crypto, device, key);
  if (isRecovery) return { device, key, role: 'recovery', rank: RECOVERY_RANK, grants: [] };
  const own = `devices/${device}`;
  const isFounder =
    readField(ops, own, 'signingKey') === text && readField(ops, own, 'writer') === true;
  return isFounder ? { device, key, role: 'owner', rank: FOUNDER_RANK, grants: [] } : undefined;
}

/** A field of a record as the last op that sets the whole record has it. */
function readField(ops: readonly Op[], path: string, field: string): Json | undefined {
  const op = ops.findLast((item) => item.op === 'set' && item.path === path);
  return op?.op === 'set' && isObject(op.value) ? op.value[field] : undefined;
}

function checkOp(asked: Case, op: Op, isApproved: boolean): RefusalReason | undefined {
  const path = parsePath(op.path);
  if (path === undefined) return 'wrong-op';
  if (op.op === 'revoke') return checkRevocation(asked, path, op.lastSeq);
  if (!isApproved && needsSecondOwner(asked.past, op)) return 'needs-second-owner';
  switch (path.collection) {
    case 'devices':
      return checkDeviceOp(asked.author, op, path);
    case 'realm':
      return checkRealmOp(asked, op);
    case 'proposals':
      return isProposal(asked, op, path) ? undefined : 'bad-proposal';
    default:
      return mayWrite(asked.author, path, op.path) ? undefined : 'no-right';
  }
}

/** Ops that change a member's standing are looked at together, in `checkMembers`. */
function checkDeviceOp(author: Member, op: Op, path: Path): RefusalReason | undefined {
  if (path.field !== undefined && !PROTECTED.has(path.field)) {
    return mayWrite(author, path, op.path) ? undefined : 'no-right';
  }
  return op.op === 'set' || op.op === 'del' ? undefined : 'wrong-op';
}

function checkRealmOp(asked: Case, op: Op): RefusalReason | undefined {
  const { author } = asked;
  if (author.role !== 'owner' && author.role !== 'recovery') return 'no-right';
  if (op.path === RECOVERY || op.path.startsWith(`${RECOVERY}/`)) return checkRecovery(asked, op);
  if (op.path === `${SETTINGS}/twoOwners`) {
    if (op.op === 'del') return undefined;
    return op.op === 'set' ? checkRule(asked, op.value) : 'wrong-op';
  }
  if (op.path.startsWith(BASE)) return checkBase(asked, op);
  const isWhole = op.path === SETTINGS && op.op === 'set' && isObject(op.value);
  return isWhole ? checkRule(asked, op.value['twoOwners'] ?? []) : undefined;
}

/**
 * Where history begins is said in one piece, by whom nobody but the recovery key could remove: else
 * any owner could have the word that removes it refused, as one from before what is kept.
 */
function checkBase({ past, author }: Case, op: Op): RefusalReason | undefined {
  const isPiece = op.path.slice(BASE.length).includes('/');
  if (isPiece || (op.op !== 'set' && op.op !== 'del')) return 'wrong-op';
  return author.role === 'recovery' || isMostSenior(past, author) ? undefined : 'outranked';
}

/** A rule that nobody could follow would lock everybody out. */
function checkRule({ past }: Case, value: Json): RefusalReason | undefined {
  const isList = Array.isArray(value) && value.length <= MAX_DANGEROUS && value.every(isPrefix);
  if (!isList) return 'wrong-op';
  return value.length > 0 && ownersOf(past).length < 2 ? 'needs-second-owner' : undefined;
}

/**
 * The recovery key is named by the genesis, or in an old realm by the most senior owner, once.
 * Its own holder may name another; the old one then ends with that very commit.
 */
function checkRecovery(asked: Case, op: Op): RefusalReason | undefined {
  const { crypto, past, author, ops, isGenesis } = asked;
  if (op.op !== 'set' || op.path !== RECOVERY || !isObject(op.value)) return 'wrong-op';
  const key = readKey(op.value);
  const id = op.value['id'];
  if (key === undefined || typeof id !== 'string' || !isNamedAfter(crypto, id, key)) {
    return 'bad-device';
  }
  if (readRecord(past, `devices/${id}`) !== undefined) return 'bad-device';
  if (isGenesis) return undefined;
  if (author.role === 'recovery') {
    const ends = ops.some((item) => item.op === 'revoke' && keyOf(item) === author.device);
    return id === author.device || ends ? undefined : 'wrong-op';
  }
  const isNamed = readRecord(past, RECOVERY) !== undefined;
  return isNamed || !isMostSenior(past, author) ? 'outranked' : undefined;
}

function isMostSenior(past: State, author: Member): boolean {
  return ownersOf(past).every(
    (device) => compareSeniority(author, { device, rank: rankOf(past, device) }) <= 0,
  );
}

/** Everything but members, the realm and proposals. */
function mayWrite(author: Member, { collection, key }: Path, path: string): boolean {
  if (isGranted(author, 'write', path)) return true;
  if (collection === 'confirmations' && isGranted(author, 'confirm', path)) return true;
  if (author.role !== 'device' || key !== author.device) return false;
  return collection === 'status' || collection === 'devices';
}

function checkMembers(asked: Case, isApproved: boolean): Refusal | undefined {
  const { past, author, ops } = asked;
  const changes = changesOf(past, ops);
  for (const [id, change] of changes) {
    const reason = checkMember(asked, id, change, isApproved);
    if (reason !== undefined) return { reason, path: `devices/${id}` };
  }
  const gone = new Set(ops.flatMap((op) => (op.op === 'revoke' ? [keyOf(op)] : [])));
  if (gone.size === 0 && changes.size === 0) return undefined;
  const isRecoverable = author.role === 'recovery' || readRecord(past, RECOVERY) !== undefined;
  const staying = ownersOf(past).filter(
    (id) => !gone.has(id) && changes.get(id)?.isOwner !== false,
  );
  const isLed = staying.length > 0 || [...changes.values()].some(({ isOwner }) => isOwner);
  return isRecoverable || isLed ? undefined : { reason: 'no-owner-left' };
}

function checkMember(
  asked: Case,
  id: string,
  change: Change,
  isApproved: boolean,
): RefusalReason | undefined {
  const { past, author } = asked;
  const isRight = Object.keys({ ...change.before, ...change.after }).length > 0;
  if (!isRight) {
    const path = { collection: 'devices', key: id, field: undefined };
    return mayWrite(author, path, `devices/${id}`) ? undefined : 'no-right';
  }
  if (!isApproved && change.makesOwner && needsSecondOwner(past, undefined)) {
    return 'needs-second-owner';
  }
  return checkChange(asked, id, change);
}

function keyOf({ path }: Op): string {
  return path.slice('devices/'.length);
}
