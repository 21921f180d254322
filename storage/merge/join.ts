/**
 * Joining two states: commutative, associative and idempotent, whatever the histories (I4, I5).
 *
 * Collections and records that both sides share are taken as they are, so that a join costs what
 * differs and not what there is.
 */

import { DECISIONS, type Decisions } from './decide.ts';
import {
  type Dot,
  type Entry,
  identify,
  type Merged,
  type MergedRecord,
  NO_RECORD,
  NOTHING,
  printDot,
} from './merged.ts';
import { reveal } from './reveal.ts';

type Vector = ReadonlyMap<string, number>;
type Sides = { readonly a: Vector; readonly b: Vector; readonly decide: Decisions };

/** What the commits of all states make together. */
export function joinAll(states: readonly Merged[], decide: Decisions = DECISIONS): Merged {
  const [first = NOTHING, ...others] = states;
  return others.reduce((all, state) => join(all, state, decide), first);
}

/** What the commits of both states make together. */
export function join(a: Merged, b: Merged, decide: Decisions = DECISIONS): Merged {
  if (a === b) return a;
  const sides = { a: a.vector, b: b.vector, decide };
  const collections = new Map(a.collections);
  const changed: string[] = [];
  for (const name of new Set([...a.collections.keys(), ...b.collections.keys()])) {
    const [left, right] = [a.collections.get(name), b.collections.get(name)];
    if (left === right) continue;
    const records = joinCollections(left, right, sides, (key) => changed.push(`${name}/${key}`));
    if (records.size > 0) collections.set(name, records);
    else collections.delete(name);
  }
  const joined = {
    vector: joinNumbers(a.vector, b.vector, decide.joinSeq),
    collections,
    revoked: joinNumbers(a.revoked, b.revoked, decide.joinLastSeq),
  };
  return reveal(a, joined, changed, decide);
}

type Records = ReadonlyMap<string, MergedRecord>;

function joinCollections(
  a: Records | undefined,
  b: Records | undefined,
  sides: Sides,
  report: (key: string) => void,
): Records {
  const records = new Map(a);
  for (const key of new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])) {
    const [old = NO_RECORD, other = NO_RECORD] = [a?.get(key), b?.get(key)];
    const record = old === other ? old : joinRecords(old, other, sides);
    if (record === old) continue;
    report(key);
    if (isNothing(record)) records.delete(key);
    else records.set(key, record);
  }
  return records;
}

function joinNumbers(a: Vector, b: Vector, choose: (a: number, b: number) => number): Vector {
  const joined = new Map(a);
  for (const [device, seq] of b) {
    const own = a.get(device);
    joined.set(device, own === undefined ? seq : choose(own, seq));
  }
  return joined;
}

/** Returns `a` itself when nothing changes in it. */
function joinRecords(a: MergedRecord, b: MergedRecord, sides: Sides): MergedRecord {
  const alive = joinDots(a.alive, b.alive, sides);
  const gone = joinDots(a.gone, b.gone, sides);
  const fields = new Map(a.fields);
  let isChanged = alive !== a.alive || gone !== a.gone;
  for (const name of new Set([...a.fields.keys(), ...b.fields.keys()])) {
    const [left = [], right = []] = [a.fields.get(name), b.fields.get(name)];
    const entries = joinEntries(left, right, sides);
    if (entries === left) continue;
    isChanged = true;
    if (entries.length === 0) fields.delete(name);
    else fields.set(name, entries);
  }
  return isChanged ? { alive, gone, fields } : a;
}

function joinDots(a: readonly Dot[], b: readonly Dot[], sides: Sides): readonly Dot[] {
  if (a === b) return a;
  const { decide } = sides;
  const [inA, inB] = [new Set(a.map(printDot)), new Set(b.map(printDot))];
  const kept = a.filter((dot) =>
    decide.survives(inB.has(printDot(dot)), decide.covers(sides.b, dot), 'dot'),
  );
  const come = b.filter(
    (dot) => !inA.has(printDot(dot)) && decide.survives(false, decide.covers(sides.a, dot), 'dot'),
  );
  return kept.length === a.length && come.length === 0 ? a : [...kept, ...come];
}

/** Returns `a` itself when nothing changes in it. */
function joinEntries(a: readonly Entry[], b: readonly Entry[], sides: Sides): readonly Entry[] {
  if (a === b) return a;
  const { decide } = sides;
  const [inA, inB] = [byIdentity(a), byIdentity(b)];
  const joined: Entry[] = [];
  for (const [name, entry] of inA) {
    const other = inB.get(name);
    const isCovered = decide.covers(sides.b, entry.dot);
    if (!decide.survives(other !== undefined, isCovered, entry.kind)) continue;
    joined.push(other === undefined ? entry : joinRemoved(entry, other));
  }
  for (const [name, entry] of inB) {
    const isCovered = decide.covers(sides.a, entry.dot);
    if (!inA.has(name) && decide.survives(false, isCovered, entry.kind)) joined.push(entry);
  }
  const kept = dropPlacesOfNothing(joined);
  return kept.length === a.length && kept.every((entry, at) => entry === a[at]) ? a : kept;
}

/** An array's elements never come back, so what either side removed is removed. */
function joinRemoved(a: Entry, b: Entry): Entry {
  if (a.kind !== 'value' || b.kind !== 'value' || b.removed === undefined) return a;
  const own = a.removed;
  if (own !== undefined && b.removed.every((place) => own.includes(place))) return a;
  const removed = [...new Set([...(own ?? []), ...b.removed])].sort((x, y) => x - y);
  return { ...a, removed };
}

/** A removed item takes the moves of others with it. */
function dropPlacesOfNothing(entries: readonly Entry[]): readonly Entry[] {
  if (!entries.some(({ kind }) => kind === 'place')) return entries;
  const items = new Set(entries.flatMap((e) => (e.kind === 'item' ? [printDot(e.dot)] : [])));
  return entries.filter((entry) => entry.kind !== 'place' || items.has(entry.item));
}

function byIdentity(entries: readonly Entry[]): Map<string, Entry> {
  return new Map(entries.map((entry) => [identify(entry), entry]));
}

function isNothing({ alive, gone, fields }: MergedRecord): boolean {
  return alive.length === 0 && gone.length === 0 && fields.size === 0;
}
