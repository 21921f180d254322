/**
 * What ops make of plain records when one device writes alone: maps, copied and changed in order.
 * It knows nothing of merging, and is what the merge has to agree with.
 */

import { canonicalize, type Json, type JsonObject } from './format/json.ts';
import type { Op, State } from './format/op.ts';
import { type Path, parsePath } from './format/path.ts';

/** The state before the first commit. */
export const EMPTY: State = new Map();

type PlainOp =
  | { readonly op: 'set' | 'add' | 'rem'; readonly path: string; readonly value: Json }
  | { readonly op: 'del'; readonly path: string };

/** What one op makes of a state; untouched collections and records keep their identity. */
export function applyPlain(state: State, ops: readonly Op[]): State {
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
    applyOp(collection, path, op as PlainOp);
  }
  for (const [name, copy] of copies) {
    if (copy.size === 0) next.delete(name);
  }
  return next;
}

function applyOp(collection: Map<string, JsonObject>, path: Path, op: PlainOp): void {
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
