/**
 * What differs between two states, and how to take a change back.
 *
 * Laws, which the tests hold it to: applying `toOps(diffStates(a, b))` to `a` gives `b`; and
 * reverting the newest commit gives the state before it.
 */

import { canonicalize, isObject, type Json, type JsonObject } from '../format/json.ts';
import type { Collection, Op, State } from '../format/op.ts';
import { parsePath } from '../format/path.ts';

/** One difference: of a record (`collection/key`) that came or went, else of a field. */
export type Change = {
  readonly path: string;
  /** Undefined: it was not there. */
  readonly before: Json | undefined;
  /** Undefined: it is not there. */
  readonly after: Json | undefined;
};

/** The ops that take a change back, or the paths that somebody has written since. */
export type Inverse =
  | { readonly ok: true; readonly ops: readonly Op[] }
  | { readonly ok: false; readonly overwritten: readonly string[] };

/** Lists the differences, sorted by path. */
export function diffStates(a: State, b: State): Change[] {
  const changes: Change[] = [];
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    const before = a.get(name);
    const after = b.get(name);
    if (before !== after) changes.push(...diffCollections(name, before, after));
  }
  return changes.sort((x, y) => (x.path < y.path ? -1 : 1));
}

/** The ops that make the changes. */
export function toOps(changes: readonly Change[]): Op[] {
  return changes.map(({ path, after }) =>
    after === undefined ? { op: 'del', path } : { op: 'set', path, value: after },
  );
}

/** The changes at and below a path; of a record that came or went, the one field asked for. */
export function within(changes: readonly Change[], path: string): Change[] {
  return changes.flatMap((change) => {
    if (change.path === path || change.path.startsWith(`${path}/`)) return [change];
    if (!path.startsWith(`${change.path}/`)) return [];
    const field = path.slice(change.path.length + 1);
    const [before, after] = [change.before, change.after].map((record) =>
      isObject(record) ? record[field] : undefined,
    );
    return isSame(before, after) ? [] : [{ path, before, after }];
  });
}

/**
 * The ops that take `changes` back in the state `now`.
 *
 * `ops` are those that made the changes: what was only added to or removed from a set is taken
 * back member by member, everything else only if nobody has written it since.
 */
export function invert(changes: readonly Change[], ops: readonly Op[], now: State): Inverse {
  const inverse: Op[] = [];
  const overwritten: string[] = [];
  for (const change of changes.flatMap((item) => refine(item, ops, now))) {
    const current = read(now, change.path);
    const touching = ops.filter((op) => op.path === change.path);
    if (isSame(current, change.after)) {
      inverse.push(...toOps([{ ...change, after: change.before }]));
    } else if (typeof current === 'number' && touching.length > 0 && touching.every(isCounting)) {
      const value = -touching.reduce((sum, op) => sum + (op.op === 'inc' ? op.value : 0), 0);
      inverse.push({ op: 'inc', path: change.path, value });
    } else if (Array.isArray(current) && touching.length > 0 && touching.every(isMembership)) {
      inverse.push(...invertMembership(change));
    } else overwritten.push(change.path);
  }
  return overwritten.length > 0 ? { ok: false, overwritten } : { ok: true, ops: inverse };
}

/** A record that field ops brought to life is looked at by field when others wrote to it since. */
function refine(change: Change, ops: readonly Op[], now: State): Change[] {
  const { path, before, after } = change;
  const current = read(now, path);
  const isWhole = before !== undefined || ops.some((op) => op.path === path);
  if (isWhole || !isObject(after) || !isObject(current) || isSame(current, after)) return [change];
  return diffRecords(path, {}, after);
}

function diffCollections(
  name: string,
  a: Collection | undefined,
  b: Collection | undefined,
): Change[] {
  const changes: Change[] = [];
  for (const key of new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])) {
    const before = a?.get(key);
    const after = b?.get(key);
    const path = `${name}/${key}`;
    if (before === after) continue;
    if (before === undefined || after === undefined) changes.push({ path, before, after });
    else changes.push(...diffRecords(path, before, after));
  }
  return changes;
}

function diffRecords(path: string, a: JsonObject, b: JsonObject): Change[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .map((field) => ({ path: `${path}/${field}`, before: a[field], after: b[field] }))
    .filter(({ before, after }) => !isSame(before, after));
}

function invertMembership({ path, before, after }: Change): Op[] {
  const was = membersOf(before);
  const became = membersOf(after);
  return [
    ...[...became].flatMap(([text, value]): Op[] =>
      was.has(text) ? [] : [{ op: 'rem', path, value }],
    ),
    ...[...was].flatMap(([text, value]): Op[] =>
      became.has(text) ? [] : [{ op: 'add', path, value }],
    ),
  ];
}

function membersOf(value: Json | undefined): Map<string, Json> {
  return new Map(Array.isArray(value) ? value.map((item) => [canonicalize(item), item]) : []);
}

function isMembership(op: Op): boolean {
  return op.op === 'add' || (op.op === 'rem' && 'value' in op);
}

function isCounting(op: Op): boolean {
  return op.op === 'inc';
}

function read(state: State, text: string): Json | undefined {
  const path = parsePath(text);
  const record = path && state.get(path.collection)?.get(path.key);
  return path?.field === undefined ? record : record?.[path.field];
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || canonicalize(a) === canonicalize(b);
}
