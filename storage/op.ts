/**
 * The steps of a commit, and what they make of a state.
 *
 * `set` replaces a record or a field, `del` removes one, `add` and `rem` treat a field as a set of
 * values kept sorted by their canonical text. The four are total: on any state each has exactly
 * one result, so that every replica computes the same. `rem` removes what is there when it is
 * applied; observed-remove needs the concurrent histories that this base does not have yet.
 */

import { StorageError } from './error.ts';
import { canonicalize, isObject, type Json, type JsonObject, parseCanonical } from './json.ts';
import { isField, type Path, parsePath } from './path.ts';

/** One step of a commit. */
export type Op =
  | { readonly op: 'set' | 'add' | 'rem'; readonly path: string; readonly value: Json }
  | { readonly op: 'del'; readonly path: string };

/** Records by key. */
export type Collection = ReadonlyMap<string, JsonObject>;

/** Everything the store says at one commit: collections by name. Values are frozen. */
export type State = ReadonlyMap<string, Collection>;

/** More ops in one commit are refused: a commit is a change, not a bulk load. */
export const MAX_OPS = 4096;

/** Fields that hold keys to something: never in the clear (I2). */
const SECRET_FIELDS = new Set([
  'privatekey',
  'presharedkey',
  'secret',
  'password',
  'passphrase',
  'psk',
]);

/** The state before the first commit. */
export const EMPTY: State = new Map();

/** The record at `collection/key`. */
export function readRecord(state: State, path: string): JsonObject | undefined {
  const parsed = parsePath(path);
  return parsed && state.get(parsed.collection)?.get(parsed.key);
}

/** The canonical text of the ops of one commit, as `.nymote/ops.json` holds it. */
export function printOps(ops: readonly Op[]): string {
  return `${canonicalize(ops)}\n`;
}

/**
 * Reads `.nymote/ops.json` and checks every op by itself. Throws 'invalid' or 'too-large'.
 *
 * Values come back frozen and shared with nobody.
 */
export function parseOps(text: string): readonly Op[] {
  if (!text.endsWith('\n')) throw new StorageError('invalid', 'ops without their last newline');
  const value = parseCanonical(text.slice(0, -1));
  if (!Array.isArray(value)) throw new StorageError('invalid', 'ops are not a list');
  if (value.length > MAX_OPS) throw new StorageError('too-large', `more than ${MAX_OPS} ops`);
  value.forEach(checkOp);
  return value;
}

/** What one op makes of a state; untouched collections and records keep their identity. */
export function applyOps(state: State, ops: readonly Op[]): State {
  const next = new Map(state);
  const copies = new Map<string, Map<string, JsonObject>>();
  for (const op of ops) {
    const path = parsePath(op.path);
    if (path === undefined) throw new Error(`unreachable: op on ${op.path} was not checked`);
    let collection = copies.get(path.collection);
    if (collection === undefined) {
      collection = new Map(state.get(path.collection));
      copies.set(path.collection, collection);
      next.set(path.collection, collection);
    }
    applyOp(collection, path, op);
  }
  for (const [name, copy] of copies) {
    if (copy.size === 0) next.delete(name);
  }
  return next;
}

/** Every path in `value` whose field name promises a secret and whose value is not sealed. */
export function findSecrets(path: string, value: Json): string[] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (SECRET_FIELDS.has(name.toLowerCase())) return isSealed(value) ? [] : [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => findSecrets(`${path}/${key}`, item));
}

/** Tells whether a value is a sealed box: `{ "sealed": "…" }` and nothing else. */
export function isSealed(value: Json | undefined): boolean {
  return isObject(value) && typeof value['sealed'] === 'string' && Object.keys(value).length === 1;
}

function checkOp(op: Json): void {
  if (!isObject(op)) throw new StorageError('invalid', 'an op is not an object');
  const { op: kind, path: text } = op as { op?: Json; path?: Json };
  const path = typeof text === 'string' ? parsePath(text) : undefined;
  if (typeof text !== 'string' || path === undefined) {
    throw new StorageError('invalid', `no path: ${String(text).slice(0, 100)}`);
  }
  const isKnown = kind === 'set' || kind === 'del' || kind === 'add' || kind === 'rem';
  const hasValue = Object.hasOwn(op, 'value');
  if (!isKnown || hasValue !== (kind !== 'del') || Object.keys(op).length !== (hasValue ? 3 : 2)) {
    throw new StorageError('invalid', `not an op: ${String(kind).slice(0, 20)} on ${text}`);
  }
  if (kind === 'del') return;
  const value = op['value'] as Json;
  if (path.field === undefined) checkRecord(kind, text, value);
  const clear = findSecrets(text, value);
  if (clear.length > 0) {
    throw new StorageError('invalid', `secrets must be sealed: ${clear.join(', ')}`, {
      problems: clear.map((at) => ({ path: at, message: 'must be sealed' })),
    });
  }
}

function checkRecord(kind: 'set' | 'add' | 'rem', path: string, value: Json): void {
  if (kind !== 'set') throw new StorageError('invalid', `${kind} needs a field: ${path}`);
  if (!isObject(value)) throw new StorageError('invalid', `a record is an object: ${path}`);
  const bad = Object.keys(value).find((field) => !isField(field));
  if (bad !== undefined) throw new StorageError('invalid', `not a field name in ${path}`);
}

function applyOp(collection: Map<string, JsonObject>, path: Path, op: Op): void {
  if (path.field === undefined) {
    if (op.op === 'del') collection.delete(path.key);
    else collection.set(path.key, op.value as JsonObject);
    return;
  }
  const before = collection.get(path.key);
  const after = new Map(Object.entries(before ?? {}));
  if (op.op === 'set') after.set(path.field, op.value);
  else if (op.op === 'del') after.delete(path.field);
  else {
    const members = changeSet(after.get(path.field), op);
    if (members !== undefined) after.set(path.field, members);
  }
  // Removing from what is not there makes nothing.
  if (before === undefined && after.size === 0) return;
  collection.set(path.key, Object.freeze(Object.fromEntries(after)));
}

function changeSet(
  before: Json | undefined,
  op: Extract<Op, { value: Json }>,
): readonly Json[] | undefined {
  const isSet = Array.isArray(before);
  if (!isSet && op.op === 'rem') return undefined;
  const members = new Map(
    (isSet ? (before as readonly Json[]) : []).map((member) => [canonicalize(member), member]),
  );
  if (op.op === 'add') members.set(canonicalize(op.value), op.value);
  else members.delete(canonicalize(op.value));
  const sorted = [...members].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.freeze(sorted.map(([, member]) => member));
}
