/**
 * From what somebody asks for to the smallest ops that do it: who saves a whole form has changed
 * one field of it, and should not argue with somebody who changed another.
 */

import { StorageError } from '../error.ts';
import { canonicalize, type Json } from '../format/json.ts';
import type { Op } from '../format/op.ts';
import { type Path, parsePath } from '../format/path.ts';
import { type Author, applyOps } from '../merge/apply.ts';
import { type Entry, type Merged, printDot, type Rule } from '../merge/merged.ts';
import { isPlace, placeBetween } from '../merge/order.ts';
import { orderItems } from '../merge/reveal.ts';

/** An op as people ask for it: items of a list may be named by where they stand. */
export type DraftOp =
  | Op
  | { readonly op: 'ins'; readonly path: string; readonly at: number; readonly value: Json }
  | {
      readonly op: 'mv';
      readonly path: string;
      readonly item: number;
      readonly at: number | string;
    }
  | { readonly op: 'rem'; readonly path: string; readonly item: number };

type RuleOf = (path: string) => Rule | undefined;
type Target = { readonly merged: Merged; readonly path: Path; readonly ruleOf: RuleOf };

/** The ops that `asked` comes to in this state. */
export function narrow(
  merged: Merged,
  author: Author,
  asked: readonly DraftOp[],
  ruleOf: RuleOf = () => undefined,
): readonly Op[] {
  const ops: Op[] = [];
  const touched = new Set<string>();
  let current = merged;
  let applied = 0;
  for (const op of asked) {
    const path = parsePath(op.path);
    if (path === undefined) throw new StorageError('invalid', `no path: ${op.path.slice(0, 100)}`);
    const record = `${path.collection}/${path.key}`;
    if (touched.has(record)) {
      current = applyOps(current, author, ops.slice(applied), undefined, applied);
      applied = ops.length;
      touched.clear();
    }
    touched.add(record);
    ops.push(...narrowOp({ merged: current, path, ruleOf }, op));
  }
  return ops;
}

function narrowOp(target: Target, op: DraftOp): readonly Op[] {
  checkKind(target, op);
  if (op.op === 'set') {
    if (op.rule !== undefined) return [op];
    return target.path.field === undefined
      ? narrowRecord(target, op)
      : narrowField(target, op.path, op.value);
  }
  if (op.op === 'ins') return insert(target, op);
  if (op.op === 'mv') return move(target, op);
  if (op.op === 'rem' && 'item' in op && typeof op.item === 'number') {
    const item = listAt(target)[op.item]?.item ?? missing(op.path);
    return [{ op: 'rem', path: op.path, item: printDot(item.dot) }];
  }
  return [op as Op];
}

/** What a kind of op cannot be done to would silently be replaced; a person should see that. */
const CAN: Readonly<Record<string, (value: Json) => boolean>> = {
  add: Array.isArray,
  grow: Array.isArray,
  ins: Array.isArray,
  inc: (value) => typeof value === 'number',
  text: (value) => typeof value === 'string',
};

const KINDS: Readonly<Record<string, string>> = { inc: 'number', text: 'text', ins: 'list' };

function checkKind({ merged, path }: Target, { op, path: text }: DraftOp): void {
  const value = recordAt(merged, path)?.[path.field ?? ''];
  if (value === undefined || (CAN[op]?.(value) ?? true)) return;
  throw new StorageError('invalid', `${text} is no ${KINDS[op] ?? 'set'}`);
}

function narrowRecord(
  { merged, path, ruleOf }: Target,
  op: Extract<Op, { op: 'set' }>,
): readonly Op[] {
  const before = recordAt(merged, path);
  const wanted = op.value;
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return [op];
  const fields = Object.entries(wanted as { readonly [field: string]: Json });
  if (before === undefined || conflictAt(merged, path, '')) {
    const rules = fields.flatMap(([field]) => {
      const rule = ruleOf(`${op.path}/${field}`);
      return rule === undefined ? [] : [[field, rule] as const];
    });
    return [rules.length === 0 ? op : { ...op, rule: Object.fromEntries(rules) }];
  }
  const lost = Object.keys(before).filter((field) => !Object.hasOwn(wanted, field));
  return [
    ...fields.flatMap(([field, value]) => {
      if (isSame(before[field], value)) return [];
      return narrowField(
        { merged, ruleOf, path: { ...path, field } },
        `${op.path}/${field}`,
        value,
      );
    }),
    ...lost.map((field): Op => ({ op: 'del', path: `${op.path}/${field}` })),
  ];
}

function narrowField(target: Target, path: string, value: Json): readonly Op[] {
  const { merged, ruleOf } = target;
  const { field = '' } = target.path;
  const before = recordAt(merged, target.path)?.[field];
  const isUndecided = conflictAt(merged, target.path, field);
  const entries = before === undefined ? [] : entriesAt(target);
  if (isSame(before, value) && !isUndecided) return [];
  const isText = entries.length > 0 && entries.every(({ kind }) => kind === 'text');
  if (isText && typeof value === 'string') return [{ op: 'text', path, value }];
  if (!isUndecided && entries.some(isUsedAsSet) && isSetText(value)) {
    return toMembership(path, before as readonly Json[], value as readonly Json[]);
  }
  const rule = ruleOf(path);
  return [{ op: 'set', path, value, ...(rule === undefined ? {} : { rule }) }];
}

function toMembership(path: string, before: readonly Json[], after: readonly Json[]): Op[] {
  const [was, becomes] = [before, after].map(
    (list) => new Map(list.map((value) => [canonicalize(value), value])),
  ) as [Map<string, Json>, Map<string, Json>];
  return [
    ...[...was].flatMap(([text, value]): Op[] =>
      becomes.has(text) ? [] : [{ op: 'rem', path, value }],
    ),
    ...[...becomes].flatMap(([text, value]): Op[] =>
      was.has(text) ? [] : [{ op: 'add', path, value }],
    ),
  ];
}

function isUsedAsSet(entry: Entry): boolean {
  return entry.kind === 'set' || (entry.kind === 'value' && entry.removed !== undefined);
}

/** Tells whether a value is a list as a set shows it: sorted, and nothing twice. */
function isSetText(value: Json): boolean {
  if (!Array.isArray(value)) return false;
  const texts = value.map((item) => canonicalize(item));
  return texts.every((text, at) => at === 0 || (texts[at - 1] ?? '') < text);
}

type ListItem = ReturnType<typeof orderItems>[number];

function listAt(target: Target): readonly ListItem[] {
  const entries = recordAt(target.merged, target.path) === undefined ? [] : entriesAt(target);
  return orderItems(
    entries.filter((entry) => entry.kind === 'item'),
    entries.filter((entry) => entry.kind === 'place'),
  );
}

/** A list that was written as one value becomes one of items with the first that is put in. */
function insert(target: Target, op: Extract<DraftOp, { op: 'ins' }>): readonly Op[] {
  if (typeof op.at === 'string') return [op as Op];
  const items = listAt(target);
  const field = recordAt(target.merged, target.path)?.[target.path.field ?? ''];
  const plain = items.length === 0 && Array.isArray(field) ? (field as readonly Json[]) : [];
  if (plain.length === 0) return put(op.path, items, op.at, (at) => ({ ...op, at }));
  const ops: Op[] = [];
  let at: string | undefined;
  for (const value of plain.toSpliced(op.at, 0, op.value)) {
    at = placeBetween(at, undefined);
    ops.push({ op: 'ins', path: op.path, at, value });
  }
  return ops;
}

function move(
  target: Target,
  { path, item: wanted, at }: Extract<DraftOp, { op: 'mv' }>,
): readonly Op[] {
  const items = listAt(target);
  const isWanted = ({ item }: ListItem, index: number) =>
    index === wanted || printDot(item.dot) === wanted;
  const moved = items.find(isWanted) ?? missing(path);
  const item = printDot(moved.item.dot);
  if (typeof at === 'string') return [{ op: 'mv', path, item, at }];
  const others = items.filter((other) => other !== moved);
  return put(path, others, at, (place) => ({ op: 'mv', path, item, at: place }));
}

/**
 * Puts something at `index`. Where so much was put into one spot that no place is left between, all
 * others get new places.
 */
function put(
  path: string,
  others: readonly ListItem[],
  index: number,
  toOp: (at: string) => Op,
): readonly Op[] {
  const place = placeAt(others, index);
  if (isPlace(place)) return [toOp(place)];
  const ops = others.map(({ item }) => (at: string): Op => {
    return { op: 'mv', path, item: printDot(item.dot), at };
  });
  let last: string | undefined;
  return ops.toSpliced(index, 0, toOp).map((toPlaced) => {
    last = placeBetween(last, undefined);
    return toPlaced(last);
  });
}

function placeAt(items: readonly ListItem[], index: number): string {
  const low = items[index - 1]?.at;
  const high = items.slice(index).find(({ at }) => low === undefined || at > low)?.at;
  return placeBetween(low, high);
}

function missing(path: string): never {
  throw new StorageError('invalid', `${path} has no such item`);
}

function recordAt(merged: Merged, { collection, key }: Path) {
  return merged.state.get(collection)?.get(key);
}

function entriesAt({ merged, path }: Target): readonly Entry[] {
  const record = merged.collections.get(path.collection)?.get(path.key);
  return record?.fields.get(path.field ?? '') ?? [];
}

function conflictAt(merged: Merged, { collection, key }: Path, field: string): boolean {
  const conflicts = merged.conflicts.get(`${collection}/${key}`);
  return conflicts?.some((conflict) => conflict.field === field) ?? false;
}

function isSame(a: Json | undefined, b: Json): boolean {
  return a !== undefined && (a === b || canonicalize(a) === canonicalize(b));
}
