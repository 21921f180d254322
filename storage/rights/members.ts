/**
 * Who belongs to the realm, as its state says: keys, roles, ranks, grants.
 *
 *     devices/<id>    signingKey, role, rank, grants, writer; other fields are facts, not rights
 *     realm/recovery  id, signingKey: the key of the recovery phrase, which is no device
 *
 * An id is the hash of its key, so a record cannot give one device's name to another's key. Rank is
 * the order in which owners became owners: whoever makes one gives it the next number, which is
 * always greater than its own. Two that were made at once have the same, and their ids decide.
 */

import type { Crypto } from '#runtime';
import { decodeBase64 } from '../format/bytes.ts';
import { isObject, type Json, type JsonObject } from '../format/json.ts';
import { readRecord, type State } from '../format/op.ts';
import { isSubtree } from '../format/path.ts';
import { RECOVERY_RANK } from './judge.ts';

export type Role = 'recovery' | 'owner' | 'device' | 'guest' | 'hub';

/** What a grant can allow at and below its prefix. */
export type Verb = 'write' | 'admit' | 'revoke' | 'confirm';

export type Grant = { readonly prefix: string; readonly may: readonly Verb[] };

export type Member = {
  readonly device: string;
  readonly key: Uint8Array;
  readonly role: Role;
  readonly rank: number;
  readonly grants: readonly Grant[];
};

/** The fields of `devices/<id>` that say what the device may do. */
export const PROTECTED: ReadonlySet<string> = new Set([
  'signingKey',
  'role',
  'rank',
  'grants',
  'writer',
]);

/** Below every owner: who may let in or shut out others, then everybody else. */
const DELEGATE_RANK = Number.MAX_SAFE_INTEGER - 1;
const ORDINARY_RANK = Number.MAX_SAFE_INTEGER;

/** Of the founder of an old realm, whose record has `writer` and no rank. */
export const FOUNDER_RANK = 1;

const KEY_BYTES = 32;
/** Half of a SHA-256: 26 digits of base32. */
const ID_BYTES = 16;
const MAX_GRANTS = 64;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const ROLES = new Set<Json>(['owner', 'device', 'guest', 'hub']);
const VERBS = new Set<Json>(['write', 'admit', 'revoke', 'confirm']);

/** The member that signs as `device`, undefined when there is none. */
export function readMember(past: State, device: string): Member | undefined {
  const recovery = readRecord(past, 'realm/recovery');
  if (recovery?.['id'] === device) {
    const key = readKey(recovery);
    return key && { device, key, role: 'recovery', rank: RECOVERY_RANK, grants: [] };
  }
  const record = readRecord(past, `devices/${device}`);
  const key = readKey(record);
  if (record === undefined || key === undefined) return undefined;
  const role = roleOf(record);
  // A hub forwards and nothing else, whatever somebody grants it.
  const grants = role === 'hub' ? [] : (parseGrants(record['grants']) ?? []);
  return { device, key, role, rank: rankOfRecord(record), grants };
}

/**
 * The seniority of a device: 0 is the recovery key, then owners in the order in which they became
 * owners; those who are none come last. Equal ranks are told apart by the id.
 */
export function rankOf(past: State, device: string): number {
  return readMember(past, device)?.rank ?? ORDINARY_RANK;
}

/** The rank that a record gives its device. */
export function rankOfRecord(record: JsonObject): number {
  if (isOwner(record)) return numberOf(record['rank']) ?? FOUNDER_RANK;
  const grants = roleOf(record) === 'hub' ? [] : (parseGrants(record['grants']) ?? []);
  const isDelegate = grants.some(({ may }) => may.includes('admit') || may.includes('revoke'));
  return isDelegate ? DELEGATE_RANK : ORDINARY_RANK;
}

/** The rank of the next owner. */
export function nextRank(past: State): number {
  let rank = 0;
  for (const record of past.get('devices')?.values() ?? []) {
    const own = numberOf(record['rank']) ?? (isOwner(record) ? FOUNDER_RANK : 0);
    rank = Math.max(rank, own);
  }
  return rank + 1;
}

/** Tells whether the realm's state lets `device` do something at `path`. */
export function holds(past: State, device: string, verb: Verb, path: string): boolean {
  const member = readMember(past, device);
  return member !== undefined && isGranted(member, verb, path);
}

/** Tells whether a member may do something at a path by its role or one of its grants. */
export function isGranted({ role, grants }: Member, verb: Verb, path: string): boolean {
  if (role === 'owner' || role === 'recovery') return true;
  return grants.some(
    ({ prefix, may }) => may.includes(verb) && (path === prefix || path.startsWith(`${prefix}/`)),
  );
}

/** Tells whether a record makes its device an owner. Founders of old realms have no role. */
export function isOwner(record: JsonObject | undefined): boolean {
  if (record === undefined || readKey(record) === undefined) return false;
  return roleOf(record) === 'owner';
}

/** The owners, by id. */
export function ownersOf(past: State): readonly string[] {
  return [...(past.get('devices') ?? [])].flatMap(([id, record]) => (isOwner(record) ? [id] : []));
}

/** The key that a record names, undefined when it is none. */
export function readKey(record: JsonObject | undefined): Uint8Array | undefined {
  const text = record?.['signingKey'];
  const key = typeof text === 'string' ? decodeBase64(text) : undefined;
  return key?.length === KEY_BYTES ? key : undefined;
}

/** Tells whether `id` is the name that a signing key gives its device. */
export function isNamedAfter(crypto: Pick<Crypto, 'hash'>, id: string, key: Uint8Array): boolean {
  let text = '';
  let [bits, held] = [0, 0];
  for (const octet of crypto.hash('sha256', key).subarray(0, ID_BYTES)) {
    bits = (bits << 8) | octet;
    held += 8;
    while (held >= 5) {
      held -= 5;
      text += BASE32.charAt((bits >> held) & 31);
    }
    bits &= 31;
  }
  return id === text + BASE32.charAt((bits << (5 - held)) & 31);
}

/** A commit before which the realm keeps nothing, and what its past has of each device. */
export type Declared = {
  readonly commit: string;
  readonly device: string;
  readonly seq: number;
  readonly state: string;
  readonly vector: JsonObject;
  /** The devices that it was decided without. */
  readonly without: readonly Json[];
};

/** The beginnings of history that owners declared. */
export function declaredIn(state: State): Declared[] {
  return [...(state.get('realm') ?? [])].flatMap(([key, record]) => {
    const { commit, device, state: hash, vector, without } = record as Record<string, Json>;
    const seq = isObject(vector) && typeof device === 'string' ? vector[device] : undefined;
    const isWhole =
      key.startsWith('base-') &&
      typeof commit === 'string' &&
      typeof hash === 'string' &&
      typeof seq === 'number';
    if (!isWhole || typeof device !== 'string' || !isObject(vector)) return [];
    const others = Array.isArray(without) ? (without as readonly Json[]) : [];
    return [{ commit, device, seq, state: hash, vector, without: others }];
  });
}

/** Tells whether the protected fields of a record have a meaning. */
export function isWellFormed(record: JsonObject): boolean {
  const { role, rank, grants, writer, signingKey } = record as Record<string, Json>;
  return (
    (role === undefined || ROLES.has(role)) &&
    (rank === undefined || numberOf(rank) !== undefined) &&
    (grants === undefined || parseGrants(grants) !== undefined) &&
    (writer === undefined || typeof writer === 'boolean') &&
    (signingKey === undefined || readKey(record) !== undefined)
  );
}

/** Reads a collection, a record or a field as the beginning of paths. */
export function isPrefix(value: Json | undefined): value is string {
  return typeof value === 'string' && isSubtree(value);
}

/** Concurrent writes can leave an owner without a rank; it would outrank everybody. */
function roleOf(record: JsonObject): Role {
  const isFounder = record['writer'] === true;
  const role = record['role'] ?? (isFounder ? 'owner' : 'device');
  if (!ROLES.has(role)) return 'guest';
  if (role === 'owner' && !isFounder && numberOf(record['rank']) === undefined) return 'device';
  return role as Role;
}

function parseGrants(value: Json | undefined): readonly Grant[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_GRANTS) return undefined;
  return value.every(isGrant) ? value : undefined;
}

function isGrant(value: Json): boolean {
  if (!isObject(value) || Object.keys(value).length !== 2 || !isPrefix(value['prefix'])) {
    return false;
  }
  const may = value['may'];
  return Array.isArray(may) && may.length > 0 && may.every((verb) => VERBS.has(verb));
}

/** Ranks that owners can have. */
function numberOf(value: Json | undefined): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) < DELEGATE_RANK
    ? (value as number)
    : undefined;
}
