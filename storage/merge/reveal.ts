/**
 * From entries to plain records: one effective value each, and what is in conflict beside it.
 *
 * The answer depends on the entries alone (and, for the rule 'rank', on the device records), so all
 * replicas choose the same. A plain record is made once for as long as its entries stay the same.
 */

import { canonicalize, isObject, type Json, type JsonObject } from '../format/json.ts';
import type { State } from '../format/op.ts';
import { DECISIONS, type Decisions } from './decide.ts';
import {
  compareDots,
  type Dot,
  type Entry,
  type FieldConflict,
  type Merged,
  type MergedRecord,
  printDot,
  type Rival,
  type Rule,
} from './merged.ts';
import { mergeTexts } from './text.ts';

/** A plain record (undefined: not there) and its conflicts. */
type Revealed = {
  readonly value: JsonObject | undefined;
  readonly conflicts: readonly FieldConflict[];
};

type Ranks = (device: string) => number;
type Context = { readonly decide: Decisions; readonly rankOf: Ranks };

/** A value, the first of the dots that wrote it, and the rule it came with. */
type Candidate = { readonly value: Json; readonly dot: Dot; readonly rule?: Rule | undefined };

const revealed = new WeakMap<MergedRecord, Revealed>();

/** Values that refuse something, for the rule 'deny'. */
const DENIALS: ReadonlySet<Json> = new Set([false, 'deny', 'drop', 'reject', 'block', 'blocked']);

/** Completes a state whose records at `changed` (`collection/key`) differ from those of `before`. */
export function reveal(
  before: Merged,
  next: Pick<Merged, 'vector' | 'collections' | 'revoked'>,
  changed: readonly string[],
  decide: Decisions = DECISIONS,
): Merged {
  const isRevoking = [...next.revoked].some(([id, last]) => before.revoked.get(id) !== last);
  const revoking = isRevoking ? [...next.revoked.keys()].map((id) => `devices/${id}`) : [];
  const first = update(before, next, [...changed, ...revoking], {
    decide,
    rankOf: ranksIn(before.state),
  });
  // Who ranks above whom may have changed with the device records.
  const ranked = [...first.conflicts].flatMap(([path, list]) =>
    list.some(({ rule }) => rule === 'rank') ? [path] : [],
  );
  if (ranked.length === 0) return first;
  return update(first, next, ranked, { decide, rankOf: ranksIn(first.state) });
}

function update(
  before: Merged,
  next: Pick<Merged, 'vector' | 'collections' | 'revoked'>,
  paths: readonly string[],
  context: Context,
): Merged {
  const state = new Map(before.state);
  const copies = new Map<string, Map<string, JsonObject>>();
  const conflicts = new Map(before.conflicts);
  for (const path of paths) {
    const slash = path.indexOf('/');
    const [name, key] = [path.slice(0, slash), path.slice(slash + 1)];
    const shown = revealAt(next, name, key, context);
    if (shown === undefined || shown.conflicts.length === 0) conflicts.delete(path);
    else conflicts.set(path, shown.conflicts);
    const old = state.get(name)?.get(key);
    if (old === shown?.value) continue;
    let collection = copies.get(name);
    if (collection === undefined) {
      collection = new Map(state.get(name));
      copies.set(name, collection);
      state.set(name, collection);
    }
    if (shown?.value === undefined) collection.delete(key);
    else collection.set(key, shown.value);
  }
  for (const [name, copy] of copies) {
    if (copy.size === 0) state.delete(name);
  }
  return { ...next, state, conflicts };
}

/** A revoked device is not there, whatever anybody writes to its record. */
function revealAt(
  { collections, revoked }: Pick<Merged, 'collections' | 'revoked'>,
  name: string,
  key: string,
  context: Context,
): Revealed | undefined {
  const record = collections.get(name)?.get(key);
  const isRevoked = name === 'devices' && revoked.has(key);
  return record === undefined || isRevoked ? undefined : revealRecord(record, context);
}

function revealRecord(record: MergedRecord, context: Context): Revealed {
  const known = revealed.get(record);
  if (known !== undefined) return known;
  if (!context.decide.isAlive(record)) return { value: undefined, conflicts: [] };
  const fields: [string, Json][] = [];
  const conflicts: FieldConflict[] = [];
  for (const [field, entries] of record.fields) {
    const { value, rivals, rule } = revealField(entries, context);
    if (value !== undefined) fields.push([field, value]);
    if (rivals.length > 0) conflicts.push({ field, rivals, rule });
  }
  const value = Object.freeze(Object.fromEntries(fields));
  if (record.gone.length > 0) {
    const rivals: Rival[] = [
      ...record.alive.map((dot) => ({ dot, value })),
      ...record.gone.map((dot) => ({ dot, value: undefined })),
    ];
    conflicts.unshift({ field: '', rivals, rule: undefined });
  }
  const shown = { value, conflicts };
  if (!conflicts.some(({ rule }) => rule === 'rank')) revealed.set(record, shown);
  return shown;
}

function revealField(
  entries: readonly Entry[],
  context: Context,
): {
  readonly value: Json | undefined;
  readonly rivals: readonly Rival[];
  readonly rule: Rule | undefined;
} {
  const [only] = entries;
  if (entries.length === 1 && only?.kind === 'value' && only.removed === undefined) {
    return { value: only.value, rivals: [], rule: undefined };
  }
  const candidates = distinct(listCandidates(entries, context.decide));
  const rule = (['deny', 'lower', 'rank'] as const).find((name) =>
    candidates.some((candidate) => candidate.rule === name),
  );
  const sorted = candidates.toSorted((a, b) => compare(a, b, rule, context));
  const isConflict = context.decide.isConflict(sorted.length);
  const rivals = isConflict ? sorted.map(({ value, dot }) => ({ value, dot })) : [];
  return { value: sorted[0]?.value, rivals, rule: isConflict ? rule : undefined };
}

function listCandidates(entries: readonly Entry[], decide: Decisions): Candidate[] {
  const sorted = entries.toSorted((a, b) => compareDots(a.dot, b.dot));
  const of = <K extends Entry['kind']>(kind: K) =>
    sorted.filter((entry): entry is Extract<Entry, { kind: K }> => entry.kind === kind);
  const set = setOf(sorted);
  const counts = of('count');
  const base: Candidate[] = of('value').filter(
    (entry) => set === undefined || !Array.isArray(entry.value),
  );
  return [
    ...base.map((candidate) => withCounts(candidate, counts, decide)),
    ...(set === undefined ? [] : [set]),
    ...(base.some(isInteger) ? [] : countOf(counts, decide)),
    ...listOf(of('item'), of('place'), decide),
    ...mergeTexts(of('text')),
  ];
}

/** All that stands for the set: members, what only grows, and lists that were used as sets. */
function setOf(sorted: readonly Entry[]): Candidate | undefined {
  const parts = sorted.filter(
    (entry) =>
      entry.kind === 'set' ||
      entry.kind === 'member' ||
      entry.kind === 'grown' ||
      (entry.kind === 'value' && entry.removed !== undefined),
  );
  const [first] = parts;
  if (first === undefined) return undefined;
  const members = new Map<string, Json>();
  for (const entry of sorted) {
    if (entry.kind === 'member' || entry.kind === 'grown') {
      members.set(canonicalize(entry.value), entry.value);
    } else if (entry.kind === 'value' && Array.isArray(entry.value)) {
      (entry.value as readonly Json[]).forEach((value, place) => {
        if (!entry.removed?.includes(place)) members.set(canonicalize(value), value);
      });
    }
  }
  const order = [...members].sort(([a], [b]) => (a < b ? -1 : 1));
  return { dot: first.dot, value: Object.freeze(order.map(([, value]) => value)) };
}

function withCounts(
  candidate: Candidate,
  counts: readonly Extract<Entry, { kind: 'count' }>[],
  decide: Decisions,
): Candidate {
  if (counts.length === 0 || !isInteger(candidate)) return candidate;
  const numbers = [candidate.value as number, ...counts.map(({ value }) => value)];
  return { ...candidate, value: decide.sum(numbers) };
}

function countOf(
  counts: readonly Extract<Entry, { kind: 'count' }>[],
  decide: Decisions,
): Candidate[] {
  const [first] = counts;
  if (first === undefined) return [];
  return [{ dot: first.dot, value: decide.sum(counts.map(({ value }) => value)) }];
}

function isInteger({ value }: Candidate): boolean {
  return typeof value === 'number';
}

/** The items with where they stand, in order. */
export function orderItems(
  items: readonly Extract<Entry, { kind: 'item' }>[],
  places: readonly Extract<Entry, { kind: 'place' }>[],
  decide: Decisions = DECISIONS,
): { readonly item: Extract<Entry, { kind: 'item' }>; readonly at: string }[] {
  const byItem = Map.groupBy(places, ({ item }) => item);
  return items
    .flatMap((item) =>
      decide.placesOf(byItem.get(printDot(item.dot)) ?? []).map(({ at }) => ({ item, at })),
    )
    .sort((a, b) => (a.at === b.at ? compareDots(a.item.dot, b.item.dot) : a.at < b.at ? -1 : 1));
}

function listOf(
  items: readonly Extract<Entry, { kind: 'item' }>[],
  places: readonly Extract<Entry, { kind: 'place' }>[],
  decide: Decisions,
): Candidate[] {
  const [first] = items;
  if (first === undefined) return [];
  const order = orderItems(items, places, decide);
  return [{ dot: first.dot, value: Object.freeze(order.map(({ item }) => item.value)) }];
}

/** Two devices that wrote the same agree. */
function distinct(candidates: readonly Candidate[]): Candidate[] {
  const byText = new Map<string, Candidate>();
  for (const candidate of candidates.toSorted((a, b) => compareDots(a.dot, b.dot))) {
    const text = canonicalize(candidate.value);
    const first = byText.get(text);
    byText.set(
      text,
      first === undefined ? candidate : { ...first, rule: first.rule ?? candidate.rule },
    );
  }
  return [...byText.values()];
}

function compare(a: Candidate, b: Candidate, rule: Rule | undefined, context: Context): number {
  let order = 0;
  if (rule === 'deny') order = Number(DENIALS.has(b.value)) - Number(DENIALS.has(a.value));
  else if (rule === 'rank') order = context.rankOf(a.dot.device) - context.rankOf(b.dot.device);
  else if (rule === 'lower' && typeof a.value === 'number' && typeof b.value === 'number') {
    order = a.value - b.value;
  }
  return order || context.decide.prefer(a.dot, b.dot);
}

/** Owners above devices, devices above whoever is gone. */
function ranksIn(state: State): Ranks {
  const devices = state.get('devices');
  return (device) => {
    const record = devices?.get(device);
    if (!isObject(record)) return 2;
    return record['writer'] === true || record['role'] === 'owner' ? 0 : 1;
  };
}
