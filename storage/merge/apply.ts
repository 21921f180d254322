/**
 * What the ops of one commit make of the state that its author saw.
 *
 * Ops are total: on any state each has exactly one result, so that every replica computes the same.
 * An op replaces only what its author had seen; what others wrote at the same time is not here yet,
 * and meets it in a join.
 */

import { canonicalize, isObject, type Json } from '../format/json.ts';
import type { Op } from '../format/op.ts';
import { type Path, parsePath } from '../format/path.ts';
import { DECISIONS, type Decisions } from './decide.ts';
import {
  chainOf,
  type Dot,
  type Entry,
  type Merged,
  type MergedRecord,
  NO_RECORD,
  printDot,
  type Rule,
} from './merged.ts';
import { reveal } from './reveal.ts';
import { remember } from './text.ts';

/** Whose ops they are: a commit's author and number. */
export type Author = Omit<Dot, 'index'>;

/** The state after a commit on the state of its past. */
export function applyOps(
  base: Merged,
  author: Author,
  ops: readonly Op[],
  decide: Decisions = DECISIONS,
  /** The first op's place in its commit. */
  first = 0,
): Merged {
  const collections = new Map(base.collections);
  const copies = new Map<string, Map<string, MergedRecord>>();
  const changed = new Set<string>();
  const { device, seq, branch } = author;
  const dot = { device, seq, ...(branch === undefined ? {} : { branch }) };
  let { revoked } = base;
  ops.forEach((op, at) => {
    const path = parsePath(op.path);
    if (path === undefined) throw new Error(`unreachable: op on ${op.path} was not checked`);
    let collection = copies.get(path.collection);
    if (collection === undefined) {
      collection = new Map(base.collections.get(path.collection));
      copies.set(path.collection, collection);
      collections.set(path.collection, collection);
    }
    if (op.op === 'revoke') revoked = revoke(revoked, path.key, op.lastSeq, decide);
    const before = collection.get(path.key) ?? NO_RECORD;
    const after = applyOp(before, path, op, { ...dot, index: first + at }, decide);
    if (after === before) return;
    collection.set(path.key, after);
    changed.add(`${path.collection}/${path.key}`);
  });
  for (const [name, copy] of copies) {
    if (copy.size === 0) collections.delete(name);
  }
  const vector = withSeen(base.vector, dot);
  return reveal(base, { vector, collections, revoked }, [...changed], decide);
}

/** The vector of a state that has seen this commit as well. */
export function withSeen(
  vector: ReadonlyMap<string, number>,
  author: Author,
): ReadonlyMap<string, number> {
  const { device, seq, branch } = author;
  const seen = new Map(vector).set(device, Math.max(seq, vector.get(device) ?? 0));
  return branch === undefined ? seen : seen.set(chainOf(author), seq);
}

function revoke(
  revoked: ReadonlyMap<string, number>,
  device: string,
  lastSeq: number,
  decide: Decisions,
): ReadonlyMap<string, number> {
  const known = revoked.get(device);
  const last = known === undefined ? lastSeq : decide.joinLastSeq(known, lastSeq);
  return new Map(revoked).set(device, last);
}

function applyOp(
  record: MergedRecord,
  path: Path,
  op: Op,
  dot: Dot,
  decide: Decisions,
): MergedRecord {
  if (path.field === undefined) return applyToRecord(record, op, dot, decide);
  const isTakingAway = op.op === 'del' || op.op === 'rem' || op.op === 'mv';
  const isThere = decide.isAlive(record) && record.fields.has(path.field);
  // Removing from what is not there makes nothing.
  if (isTakingAway && !isThere) return record;
  const touched = touch(record, dot, decide);
  const seen = touched.fields.get(path.field) ?? [];
  const after = FIELD_OPS[op.op]?.(seen, op as never, dot, decide) ?? seen;
  const fields = new Map(touched.fields);
  if (after.length === 0) fields.delete(path.field);
  else fields.set(path.field, after);
  return { ...touched, fields };
}

function applyToRecord(record: MergedRecord, op: Op, dot: Dot, decide: Decisions): MergedRecord {
  if (op.op === 'revoke') return { ...record, alive: [], gone: [] };
  if (op.op === 'set') return setRecord(touch(record, dot, decide), op, dot, decide);
  return decide.isAlive(record) ? { ...record, alive: [], gone: [dot] } : record;
}

/** A write keeps the record alive; one to a deleted record begins it anew. */
function touch(record: MergedRecord, dot: Dot, decide: Decisions): MergedRecord {
  const isThere = decide.isAlive(record) || !decide.beginsAnew;
  const fields = isThere ? record.fields : withoutSeen(record.fields, decide);
  return { alive: [dot], gone: [], fields };
}

function withoutSeen(
  fields: MergedRecord['fields'],
  decide: Decisions,
): ReadonlyMap<string, readonly Entry[]> {
  const kept = [...fields].flatMap(([name, entries]): [string, readonly Entry[]][] => {
    const left = entries.filter((entry) => !decide.replaces(entry));
    return left.length === 0 ? [] : [[name, left]];
  });
  return new Map(kept);
}

function setRecord(
  record: MergedRecord,
  op: Extract<Op, { op: 'set' }>,
  dot: Dot,
  decide: Decisions,
): MergedRecord {
  const fields = new Map(withoutSeen(record.fields, decide));
  const rules = isObject(op.rule) ? op.rule : {};
  for (const [name, value] of Object.entries(isObject(op.value) ? op.value : {})) {
    fields.set(name, [...(fields.get(name) ?? []), valueEntry(dot, value, rules[name])]);
  }
  return { ...record, fields };
}

function valueEntry(dot: Dot, value: Json, rule: Json | undefined): Entry {
  return { kind: 'value', dot, value, ...(typeof rule === 'string' ? { rule: rule as Rule } : {}) };
}

type FieldOps = {
  readonly [K in Op['op']]?: (
    seen: readonly Entry[],
    op: Extract<Op, { op: K }>,
    dot: Dot,
    decide: Decisions,
  ) => readonly Entry[];
};

const FIELD_OPS: FieldOps &
  Readonly<Record<string, ((...all: never[]) => readonly Entry[]) | undefined>> = {
  set: (seen, { value, rule }, dot, decide) => [
    ...seen.filter((entry) => !decide.replaces(entry)),
    valueEntry(dot, value, rule),
  ],
  del: (seen, _op, _dot, decide) => seen.filter((entry) => !decide.replaces(entry)),
  add(seen, { value }, dot) {
    const text = canonicalize(value);
    const others = useAsSet(seen).filter((entry) => entry.kind !== 'set' && !isMember(entry, text));
    return [...others, { kind: 'set', dot }, { kind: 'member', dot, value }];
  },
  rem(seen, op) {
    if ('item' in op) return removeItem(seen, op.item);
    const text = canonicalize(op.value);
    return seen.flatMap((entry) => {
      if (isMember(entry, text)) return [];
      return [entry.kind === 'value' ? removeElements(entry, text) : entry];
    });
  },
  grow: (seen, { value }, dot) => {
    const text = canonicalize(value);
    const isIn = seen.some((entry) => entry.kind === 'grown' && canonicalize(entry.value) === text);
    return [...useAsSet(seen), ...(isIn ? [] : [{ kind: 'grown', dot, value } as const])];
  },
  inc: (seen, { value }, dot, decide) => [
    ...seen.filter((entry) => isCountable(entry) || !decide.replaces(entry)),
    { kind: 'count', dot, value },
  ],
  ins: (seen, { value, at }, dot, decide) => [
    ...seen.filter((entry) => isListed(entry) || !decide.replaces(entry)),
    { kind: 'item', dot, value },
    { kind: 'place', dot, item: printDot(dot), at },
  ],
  mv(seen, { item, at }, dot) {
    if (!seen.some((entry) => entry.kind === 'item' && printDot(entry.dot) === item)) return seen;
    const others = seen.filter((entry) => entry.kind !== 'place' || entry.item !== item);
    return [...others, { kind: 'place', dot, item, at }];
  },
  text: (seen, { value }, dot, decide) => [
    ...seen.filter((entry) => !decide.replaces(entry)),
    {
      kind: 'text',
      dot,
      value,
      past: remember(seen.filter((entry) => entry.kind === 'text')),
    },
  ],
};

/** A list that was written as one value becomes a set; a scalar gives way to it. */
function useAsSet(seen: readonly Entry[]): Entry[] {
  return seen.flatMap((entry): Entry[] => {
    if (entry.kind !== 'value') return isSetLike(entry) ? [entry] : [];
    if (!Array.isArray(entry.value)) return [];
    return [entry.removed === undefined ? { ...entry, removed: [] } : entry];
  });
}

function isSetLike(entry: Entry): boolean {
  if (entry.kind === 'value') return Array.isArray(entry.value);
  return entry.kind === 'set' || entry.kind === 'member' || entry.kind === 'grown';
}

function isMember(entry: Entry, text: string): boolean {
  return entry.kind === 'member' && canonicalize(entry.value) === text;
}

function removeElements(entry: Extract<Entry, { kind: 'value' }>, text: string): Entry {
  if (!Array.isArray(entry.value)) return entry;
  const elements = entry.value as readonly Json[];
  const found = elements.flatMap((value, place) => (canonicalize(value) === text ? [place] : []));
  const removed = [...new Set([...(entry.removed ?? []), ...found])].sort((a, b) => a - b);
  return { ...entry, removed };
}

function removeItem(seen: readonly Entry[], item: string): readonly Entry[] {
  const left = seen.filter(
    (entry) =>
      !(entry.kind === 'item' && printDot(entry.dot) === item) &&
      !(entry.kind === 'place' && entry.item === item),
  );
  return left.length === seen.length ? seen : left;
}

function isCountable(entry: Entry): boolean {
  return entry.kind === 'count' || (entry.kind === 'value' && typeof entry.value === 'number');
}

function isListed(entry: Entry): boolean {
  return entry.kind === 'item' || entry.kind === 'place';
}
