/**
 * The base: where a pruned history begins. It holds the whole state inside at one commit, so that
 * what came before is not needed any more, neither to go on nor to merge.
 *
 *     nymote base 1 <SHA-256 of what follows, in hex>
 *     {"commit", "declared", "genesis", "trees"}   in base64: frames, and trees of the last two
 *     [{device: seq}, {revoked device: seq}]       and from here on what the declaration names
 *     collection/key [alive dots, gone dots, {field: entries}]
 *
 * The declaration is an owner's later commit that names the base's commit and the hash of its state.
 * The genesis names the realm and its first owner; trees bind what commits do to their signatures.
 * So a base can be checked by itself, and whoever has the full history makes the same bytes. What
 * was deleted before the base is not in it.
 *
 * @see docs/adr/0013-what-is-kept.md
 */

import type { Crypto } from '#runtime';
import { StorageError } from '../error.ts';
import {
  decodeBase64,
  decodeText,
  encodeBase64,
  encodeHex,
  encodeText,
  equalBytes,
} from '../format/bytes.ts';
import {
  type CommitId,
  hasValidSignature,
  type ParsedCommit,
  parseCommit,
} from '../format/commit.ts';
import { decodeFrame, type Frame, measureFrame } from '../format/frame.ts';
import { canonicalize, isObject, type Json, type JsonObject } from '../format/json.ts';
import { nameObject } from '../format/object.ts';
import { type Op, parseOps, readRecord } from '../format/op.ts';
import { parsePath } from '../format/path.ts';
import type { History } from '../history/history.ts';
import { type Entry, identify, type Merged, type MergedRecord, printDot } from '../merge/merged.ts';
import { isRecordShape, isVectorShape } from '../merge/shape.ts';
import { forgetVersions } from '../merge/text.ts';
import { isOwner, ownersOf, readKey, readMember } from '../rights/members.ts';
import { isClaimTrue, type Root } from '../rights/verify.ts';
import { parseState } from './checkpoint.ts';

/** Where a pruned history begins. */
export type Base = {
  readonly id: CommitId;
  readonly root: Root;
  readonly merged: Merged;
  readonly proof: Proof;
  /** The file. */
  readonly bytes: Uint8Array;
};

/** What proves a base. */
export type Proof = {
  readonly genesis: Uint8Array;
  readonly commit: Uint8Array;
  readonly declared: Uint8Array;
  /** Of the genesis, and of the declaration: its tree, and `.nymote` in it. */
  readonly trees: readonly Uint8Array[];
};

const MAGIC = 'nymote base 1 ';
const FIRST_BYTES = MAGIC.length + 65;
/** Nobody's configuration is larger. */
const MAX_BASE = 64 * 1024 * 1024;
/** Objects around a value: its entry, the list of them, the fields, the record. */
const AROUND_VALUES = 4;

/** Where the file lies. */
export function basePath(directory: string): string {
  return `${directory}/base`;
}

/** The name of the record in which a base is declared. */
export function declarationPath(id: CommitId): string {
  return `realm/base-${id.slice(0, 16)}`;
}

/** The state of a base as text: the same on every replica, and without what was deleted. */
export function printState({ vector, revoked, collections }: Merged): string {
  const numbers = [Object.fromEntries(vector), Object.fromEntries(revoked)];
  const lines = [`${canonicalize(numbers)}\n`];
  for (const [name, records] of sorted(collections)) {
    for (const [key, record] of sorted(records)) {
      // What it wrote of itself while it was removed kept its record alive, and nobody sees that.
      const isRemoved = name === 'devices' && revoked.has(key);
      const kept = forget(isRemoved ? { ...record, alive: [] } : record);
      if (kept === undefined) continue;
      const fields = [...kept.fields].map(([field, entries]) => [
        field,
        entries.toSorted((a, b) => (identify(a) < identify(b) ? -1 : 1)),
      ]);
      const parts = [sortDots(kept.alive), sortDots(kept.gone), Object.fromEntries(fields)];
      lines.push(`${name}/${key} ${canonicalize(parts, -AROUND_VALUES)}\n`);
    }
  }
  return lines.join('');
}

/** The hash under which a state is declared. */
export function hashState(crypto: Pick<Crypto, 'hash'>, state: string): string {
  return encodeHex(crypto.hash('sha256', encodeText(state)));
}

/** The file of a base. */
export function printBase(crypto: Pick<Crypto, 'hash'>, proof: Proof, state: string): Uint8Array {
  const fields = {
    commit: encodeBase64(proof.commit),
    declared: encodeBase64(proof.declared),
    genesis: encodeBase64(proof.genesis),
    trees: proof.trees.map(encodeBase64),
  };
  const body = `${canonicalize(fields)}\n${state}`;
  return encodeText(`${MAGIC}${hashState(crypto, body)}\n${body}`);
}

/** Reads a base of our own from the disk; undefined when it is damaged. */
export function readBase(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  bytes: Uint8Array,
): Base | undefined {
  try {
    return openBase(crypto, bytes).base;
  } catch (cause) {
    if (cause instanceof StorageError) return undefined;
    throw cause;
  }
}

/**
 * Checks a base that somebody sent: `anchors` are keys of owners that are trusted here; the key
 * that began the realm is one of them. Throws StorageError.
 */
function verifyBase(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  bytes: Uint8Array,
  realm: string,
  anchors: readonly Uint8Array[],
): Base {
  const { base, first, declared } = openBase(crypto, bytes);
  if (base.root.realm !== realm) {
    throw new StorageError('other-realm', `the base belongs to the realm ${base.root.realm}`);
  }
  if (![...first, ...anchors].some((key) => equalBytes(key, declared.signature.publicKey))) {
    throw new StorageError('not-writer', 'no owner that is known here declared the base');
  }
  return base;
}

/** Checks a base for a store; undefined: it holds what is in it. Throws StorageError. */
export function checkBase(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  bytes: Uint8Array,
  realm: string,
  anchors: readonly Uint8Array[],
  {
    history,
    merged,
  }: { readonly history: Pick<History, 'find' | 'base'>; readonly merged: Merged },
): Base | undefined {
  const owners = ownersOf(merged.state).filter((id) => !merged.revoked.has(id));
  const known = owners.flatMap((id) => readKey(readRecord(merged.state, `devices/${id}`)) ?? []);
  const base = verifyBase(crypto, bytes, realm, [...known, ...anchors]);
  const isAhead = [...merged.vector].some(
    ([device, seq]) => seq > (base.merged.vector.get(device) ?? 0),
  );
  const kept = history.base?.merged.vector ?? new Map<string, number>();
  // More than it holds was dropped here.
  const isBehind = [...base.merged.vector].every(([device, seq]) => seq <= (kept.get(device) ?? 0));
  if (history.find(base.id) !== undefined || isBehind) return undefined;
  if (isAhead) {
    throw new StorageError('conflict', 'there are commits here that are not in the base');
  }
  return base;
}

type Opened = {
  readonly base: Base;
  /** The keys of those who began the realm. */
  readonly first: readonly Uint8Array[];
  readonly declared: ParsedCommit;
};

/** Everything but whether the owner who declared it is to be believed. */
function openBase(crypto: Pick<Crypto, 'hash' | 'verify'>, bytes: Uint8Array): Opened {
  const { proof, state } = split(crypto, bytes);
  const genesisFrame = frameIn(proof.genesis);
  const genesis = parseCommit(crypto, genesisFrame.commit);
  const [commitFrame, declaredFrame] = [frameIn(proof.commit), frameIn(proof.declared)];
  const commit = parseCommit(crypto, commitFrame.commit);
  const declared = parseCommit(crypto, declaredFrame.commit);
  const isSigned = [genesis, commit, declared].every((item) => hasValidSignature(crypto, item));
  const isOne = [commit, declared].every((item) => (item.realm ?? item.id) === genesis.id);
  if (!isSigned || !isOne || genesis.realm !== undefined) {
    throw new StorageError('bad-signature', 'the base is not signed by this realm');
  }
  const firstOps = readBoundOps(crypto, genesis, genesisFrame.ops, proof.trees.slice(0, 2));
  const first = [genesis.signature.publicKey, ...ownersIn(firstOps).values()];
  const ops = readBoundOps(crypto, declared, declaredFrame.ops, proof.trees.slice(2));
  if (!declares(ops, commit.id, hashState(crypto, state))) {
    throw new StorageError('corrupt', 'nobody declared this base');
  }
  const merged = parseMerged(state);
  if (!isClaimTrue(crypto, merged, commit.id, commitFrame)) {
    throw new StorageError('wrong-tree', 'the base is not the state at its commit');
  }
  checkOwner(merged, declared);
  const root = { realm: genesis.id, founder: genesis.device };
  return { base: { id: commit.id, root, merged, proof, bytes }, first, declared };
}

function split(
  crypto: Pick<Crypto, 'hash'>,
  bytes: Uint8Array,
): { readonly proof: Proof; readonly state: string } {
  const text = bytes.length > MAX_BASE ? undefined : decodeText(bytes);
  const body = text?.slice(FIRST_BYTES) ?? '';
  if (text === undefined || text.slice(0, FIRST_BYTES) !== `${MAGIC}${hashState(crypto, body)}\n`) {
    throw new StorageError('corrupt', 'no base, or a damaged one');
  }
  const end = body.indexOf('\n') + 1;
  const fields = parseJson(body.slice(0, end));
  const read = (value: Json | undefined): Uint8Array => {
    const data = typeof value === 'string' ? decodeBase64(value) : undefined;
    if (data === undefined) throw new StorageError('corrupt', 'a base without its proof');
    return data;
  };
  if (!isObject(fields)) throw new StorageError('corrupt', 'a base without its proof');
  const { genesis, commit, declared, trees } = fields as Record<string, Json>;
  const list = Array.isArray(trees) ? (trees as readonly Json[]) : [];
  const proof: Proof = {
    genesis: read(genesis),
    commit: read(commit),
    declared: read(declared),
    trees: list.map(read),
  };
  return { proof, state: body.slice(end) };
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function frameIn(bytes: Uint8Array): Frame {
  const span = measureFrame(bytes, 0);
  const frame = span?.end === bytes.length ? decodeFrame(bytes, span) : undefined;
  if (frame === undefined) throw new StorageError('corrupt', 'a base without its commits');
  return frame;
}

/** The ops of a commit, proven to be those in its tree. */
function readBoundOps(
  crypto: Pick<Crypto, 'hash'>,
  { tree }: ParsedCommit,
  ops: string,
  [root = new Uint8Array(0), nymote = new Uint8Array(0)]: Proof['trees'],
): readonly Op[] {
  const top = nameObject(crypto, { type: 'tree', body: root });
  const own = nameObject(crypto, { type: 'tree', body: nymote });
  const blob = nameObject(crypto, { type: 'blob', body: encodeText(ops) });
  // Git sorts by name, so that `.nymote` and, but for `conflicts`, `ops.json` stand at an end.
  const isBound =
    top.id === tree &&
    startsWith(root, '40000 .nymote\0', own.hash) &&
    endsWith(nymote, '100644 ops.json\0', blob.hash);
  if (!isBound) throw new StorageError('wrong-tree', 'the declaration does not say what it should');
  return parseOps(ops);
}

/** The ops of the realm's first commit. */
export function genesisOf({ proof }: Base): string {
  return frameIn(proof.genesis).ops;
}

/** The owners that a genesis names, and their keys. */
export function ownersIn(genesis: readonly Op[]): ReadonlyMap<string, Uint8Array> {
  const owners = new Map<string, Uint8Array>();
  for (const op of genesis) {
    const path = op.op === 'set' && isObject(op.value) ? parsePath(op.path) : undefined;
    if (path?.collection !== 'devices' || path.field !== undefined) continue;
    const record = (op as { value: JsonObject }).value;
    const key = readKey(record);
    if (key !== undefined && isOwner(record)) owners.set(path.key, key);
  }
  return owners;
}

function startsWith(tree: Uint8Array, name: string, hash: Uint8Array): boolean {
  const entry = Uint8Array.of(...encodeText(name), ...hash);
  return equalBytes(tree.subarray(0, entry.length), entry);
}

function endsWith(tree: Uint8Array, name: string, hash: Uint8Array): boolean {
  const entry = Uint8Array.of(...encodeText(name), ...hash);
  return equalBytes(tree.subarray(Math.max(0, tree.length - entry.length)), entry);
}

function declares(ops: readonly Op[], id: CommitId, hash: string): boolean {
  return ops.some(
    (op) =>
      op.op === 'set' &&
      op.path === declarationPath(id) &&
      isObject(op.value) &&
      op.value['commit'] === id &&
      op.value['state'] === hash,
  );
}

/** An owner declared it had already the declarer among its owners, or it began the realm. */
function checkOwner({ state, revoked }: Merged, { device, signature }: ParsedCommit): void {
  const member = readMember(state, device);
  const mayDeclare =
    member !== undefined &&
    !revoked.has(device) &&
    (member.role === 'recovery' || isOwner(readRecord(state, `devices/${device}`))) &&
    equalBytes(member.key, signature.publicKey);
  if (!mayDeclare) throw new StorageError('not-writer', 'no owner declared the base');
}

/** The text was made by an owner's nymote; by a hostile one it may be anything. */
function parseMerged(state: string): Merged {
  const [first = '', ...lines] = state.split('\n').slice(0, -1);
  try {
    const [vector, revoked] = JSON.parse(first);
    const isSound = isVectorShape(vector) && isVectorShape(revoked) && lines.every(isRecordLine);
    if (!isSound) throw new StorageError('corrupt', 'a base that is no state');
    return parseState(lines, new Map(Object.entries(vector)), new Map(Object.entries(revoked)));
  } catch (cause) {
    if (cause instanceof StorageError) throw cause;
    throw new StorageError('corrupt', 'a base that cannot be read', { cause });
  }
}

function isRecordLine(line: string): boolean {
  const space = line.indexOf(' ');
  const path = parsePath(line.slice(0, space));
  return (
    path?.field === undefined &&
    path !== undefined &&
    isRecordShape(JSON.parse(line.slice(space + 1)))
  );
}

/**
 * What of a record has a meaning where nobody writes at the same time any more: nothing of one that
 * was deleted, but what only grows; of earlier texts only that there were some, and no removed elements.
 */
function forget(record: MergedRecord): MergedRecord | undefined {
  const isThere = record.alive.length > 0;
  const fields = new Map<string, readonly Entry[]>();
  for (const [field, entries] of record.fields) {
    const kept = entries.filter(({ kind }) => isThere || kind === 'grown').map(forgetRemoved);
    if (kept.length > 0) fields.set(field, forgetTexts(kept));
  }
  if (!isThere && fields.size === 0) return undefined;
  return { alive: record.alive, gone: isThere ? record.gone : [], fields };
}

function forgetRemoved(entry: Entry): Entry {
  if (entry.kind !== 'value' || entry.removed === undefined || !Array.isArray(entry.value)) {
    return entry;
  }
  const { removed } = entry;
  const value = (entry.value as readonly Json[]).filter((_, place) => !removed.includes(place));
  return { ...entry, value, removed: [] };
}

function forgetTexts(entries: readonly Entry[]): readonly Entry[] {
  const texts = entries.filter((entry) => entry.kind === 'text');
  return [...entries.filter(({ kind }) => kind !== 'text'), ...forgetVersions(texts)];
}

function sortDots(dots: MergedRecord['alive']): MergedRecord['alive'] {
  return dots.toSorted((a, b) => (printDot(a) < printDot(b) ? -1 : 1));
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
