/**
 * What people meant, by brute force: which op had seen which, and nothing else. No dots, no vectors,
 * no states; each question looks through all ops again.
 */

import { canonicalize, isObject, type Json } from '../format/json.ts';
import type { Op } from '../format/op.ts';
import type { Step } from '../history/fold.ts';

/** One op with its place in the history. */
type Deed = {
  readonly op: Op;
  readonly commit: string;
  readonly device: string;
  readonly seq: number;
  readonly index: number;
  readonly record: string;
  readonly field: string | undefined;
  /** All that its author had seen when writing it. */
  readonly past: ReadonlySet<Deed>;
};

/** What a history means: values, and for each undecided field what was written. */
export type Meaning = {
  readonly values: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly conflicts: Readonly<Record<string, readonly (Json | undefined)[]>>;
  readonly revoked: Readonly<Record<string, number>>;
};

/** Works out what all commits mean together. */
export function meaningOf(steps: readonly Step[]): Meaning {
  const deeds = listDeeds(steps);
  const values: Record<string, Record<string, Json>> = {};
  const conflicts: Record<string, readonly (Json | undefined)[]> = {};
  const revoked = revocationsIn(deeds);
  for (const record of new Set(deeds.map((deed) => deed.record))) {
    const own = deeds.filter((deed) => deed.record === record);
    const isRevoked = record.startsWith('devices/') && record.slice('devices/'.length) in revoked;
    if (isRevoked || !isAlive(own)) continue;
    const fields = [...new Set(own.flatMap(fieldsOf))].map(
      (field) => [field, candidatesOf(own, field)] as const,
    );
    values[record] = Object.fromEntries(
      fields.flatMap(([field, [first]]) => (first === undefined ? [] : [[field, first]])),
    );
    for (const [field, candidates] of fields) {
      if (candidates.length > 1) conflicts[`${record}/${field}`] = candidates;
    }
    if (own.some((deed) => isDeletion(deed) && !isOverwritten(own, deed))) conflicts[record] = [];
  }
  return { values, conflicts, revoked };
}

function revocationsIn(deeds: readonly Deed[]): Record<string, number> {
  const revoked: Record<string, number> = {};
  for (const { op } of deeds) {
    if (op.op !== 'revoke') continue;
    const id = op.path.slice('devices/'.length);
    revoked[id] = Math.min(op.lastSeq, revoked[id] ?? op.lastSeq);
  }
  return revoked;
}

function isOverwritten(deeds: readonly Deed[], deletion: Deed): boolean {
  return deeds.some((other) => isEdit(other) && other.past.has(deletion));
}

function listDeeds(steps: readonly Step[]): Deed[] {
  const byCommit = new Map<string, { deeds: Deed[]; past: ReadonlySet<Deed> }>();
  for (const { id, parents, device, seq, ops } of steps) {
    const past = new Set<Deed>();
    for (const parent of parents) {
      const known = byCommit.get(parent);
      for (const deed of [...(known?.past ?? []), ...(known?.deeds ?? [])]) past.add(deed);
    }
    const deeds: Deed[] = [];
    ops.forEach((op, index) => {
      const [collection, key, field] = op.path.split('/');
      const seen = new Set([...past, ...deeds]);
      deeds.push({
        op,
        commit: id,
        device,
        seq,
        index,
        record: `${collection}/${key}`,
        field,
        past: seen,
      });
    });
    byCommit.set(id, { deeds, past });
  }
  return [...byCommit.values()].flatMap(({ deeds }) => deeds);
}

/** The past of a deed as far as it concerns the same record. */
function seenBy(deed: Deed): Deed[] {
  return [...deed.past].filter(({ record }) => record === deed.record);
}

/** Somebody wrote to it, and whoever deleted it had not seen that. */
function isAlive(deeds: readonly Deed[]): boolean {
  const ends = deeds.filter((deed) => isDeletion(deed) || deed.op.op === 'revoke');
  return deeds.some((deed) => isEdit(deed) && !ends.some((end) => end.past.has(deed)));
}

const isDeletion = remembered(
  (deed) => deed.op.op === 'del' && deed.field === undefined && isAlive(seenBy(deed)),
);

/** Taking away is an edit of what is there; of what is not there it is nothing. */
const isEdit = remembered((deed) => {
  const { op } = deed.op;
  if (op === 'revoke' || (op === 'del' && deed.field === undefined)) return false;
  if (op !== 'del' && op !== 'rem' && op !== 'mv') return true;
  const seen = seenBy(deed);
  return isAlive(seen) && holdsAnything(seen, deed.field ?? '');
});

/** A write to what was deleted begins it anew. */
const isBeginning = remembered((deed) => isEdit(deed) && !isAlive(seenBy(deed)));

/** What a deed is depends on its past alone: it is asked once. */
function remembered(answer: (deed: Deed) => boolean): (deed: Deed) => boolean {
  const known = new WeakMap<Deed, boolean>();
  return (deed) => {
    const found = known.get(deed) ?? answer(deed);
    known.set(deed, found);
    return found;
  };
}

function fieldsOf({ op, field }: Deed): string[] {
  if (field !== undefined) return [field];
  return op.op === 'set' && isObject(op.value) ? Object.keys(op.value) : [];
}

type Kind = 'scalar' | 'number' | 'array' | 'set' | 'count' | 'item';

const LEAVES: Readonly<Record<string, readonly Kind[]>> = {
  add: ['set', 'array'],
  grow: ['set', 'array'],
  inc: ['count', 'number'],
  ins: ['item'],
  rem: ['scalar', 'number', 'array', 'set', 'count', 'item'],
  mv: ['scalar', 'number', 'array', 'set', 'count', 'item'],
};

/** Whether an op makes an end of what was in a field, if it has seen it. */
function clears(deed: Deed, field: string, kind: Kind): boolean {
  if (!isEdit(deed)) return false;
  if (isBeginning(deed)) return true;
  if (deed.field === undefined) return deed.op.op === 'set';
  return deed.field === field && !(LEAVES[deed.op.op]?.includes(kind) ?? false);
}

type Standing = { readonly deed: Deed; readonly value: Json; readonly kind: Kind };

/** What was written as one value and still stands. */
function standing(deeds: readonly Deed[], field: string): Standing[] {
  return deeds.flatMap((deed): Standing[] => {
    const { op } = deed;
    if (op.op !== 'set') return [];
    const isWhole =
      deed.field === undefined && isObject(op.value) && Object.hasOwn(op.value, field);
    if (!isWhole && deed.field !== field) return [];
    const value = isWhole ? ((op.value as { [name: string]: Json })[field] as Json) : op.value;
    const kind = Array.isArray(value) ? 'array' : typeof value === 'number' ? 'number' : 'scalar';
    return isCleared(deeds, deed, field, kind) ? [] : [{ deed, value, kind }];
  });
}

function isCleared(deeds: readonly Deed[], deed: Deed, field: string, kind: Kind): boolean {
  return deeds.some((other) => other.past.has(deed) && clears(other, field, kind));
}

function ofKind(deeds: readonly Deed[], field: string, op: Op['op'], kind: Kind): Deed[] {
  return deeds.filter(
    (deed) => deed.op.op === op && deed.field === field && !isCleared(deeds, deed, field, kind),
  );
}

function isRemoving(deed: Deed, field: string, value: Json): boolean {
  const { op } = deed;
  const isOfValue = op.op === 'rem' && 'value' in op && deed.field === field;
  return isOfValue && canonicalize(op.value) === canonicalize(value) && isEdit(deed);
}

/** Whether somebody treated a list as a set after seeing it. */
function isUsedAsSet(deeds: readonly Deed[], array: Deed, field: string): boolean {
  return deeds.some(
    (deed) =>
      deed.field === field &&
      deed.past.has(array) &&
      (deed.op.op === 'add' ||
        deed.op.op === 'grow' ||
        (deed.op.op === 'rem' && 'value' in deed.op && isEdit(deed))),
  );
}

/** What was put in before is in for ever: to put it in again does nothing. */
function isNewGrowth(deed: Deed): boolean {
  const { op, field } = deed;
  return (
    op.op === 'grow' &&
    !seenBy(deed).some(
      (other) =>
        other.op.op === 'grow' &&
        other.field === field &&
        canonicalize(other.op.value) === canonicalize(op.value),
    )
  );
}

function grownIn(deeds: readonly Deed[], field: string): Deed[] {
  return deeds.filter((deed) => deed.op.op === 'grow' && deed.field === field && isNewGrowth(deed));
}

function holdsAnything(deeds: readonly Deed[], field: string): boolean {
  return candidatesOf(deeds, field).length > 0;
}

type Candidate = { readonly value: Json; readonly deed: Deed };

/** All that the field may be, the one that counts first. */
function candidatesOf(deeds: readonly Deed[], field: string): Json[] {
  const values = standing(deeds, field);
  const set = setIn(deeds, field, values);
  const counts = ofKind(deeds, field, 'inc', 'count');
  const plain = values.filter(({ kind }) => set === undefined || kind !== 'array');
  const sum = counts.reduce((total, { op }) => total + (op.op === 'inc' ? op.value : 0), 0);
  const bases = plain.filter(({ kind }) => kind === 'number');
  const all: Candidate[] = plain.map(({ deed, value, kind }) => ({
    deed,
    value: kind === 'number' ? (value as number) + sum : value,
  }));
  if (set !== undefined) all.push(set);
  if (counts.length > 0 && bases.length === 0) all.push({ value: sum, deed: first(counts) });
  const list = listIn(deeds, field);
  if (list !== undefined) all.push(list);
  all.sort((x, y) => compare(x.deed, y.deed));
  return [...new Map(all.toReversed().map(({ value }) => [canonicalize(value), value]))]
    .map(([, value]) => value)
    .sort((x, y) => rank(all, x) - rank(all, y));
}

function rank(all: readonly Candidate[], value: Json): number {
  return all.findIndex((item) => canonicalize(item.value) === canonicalize(value));
}

function setIn(
  deeds: readonly Deed[],
  field: string,
  values: readonly Standing[],
): Candidate | undefined {
  const adds = ofKind(deeds, field, 'add', 'set');
  const grown = grownIn(deeds, field);
  const arrays = values.filter(({ kind }) => kind === 'array');
  const used = arrays.filter(({ deed }) => isUsedAsSet(deeds, deed, field));
  const parts = [...adds, ...grown, ...used.map(({ deed }) => deed)];
  // Of adds that one device had seen before it added, the last is the one that stands for the set.
  const lasting = parts.filter(
    (deed) =>
      deed.op.op !== 'add' ||
      isMemberBy(deeds, deed, field) ||
      !adds.some((other) => other.past.has(deed)),
  );
  if (lasting.length === 0) return undefined;
  const members = new Map<string, Json>();
  const put = (value: Json) => members.set(canonicalize(value), value);
  for (const deed of adds) {
    if (isMemberBy(deeds, deed, field) && deed.op.op === 'add') put(deed.op.value);
  }
  for (const deed of grown) if (deed.op.op === 'grow') put(deed.op.value);
  for (const { deed, value } of arrays) {
    for (const item of value as readonly Json[]) {
      const isGone = deeds.some((other) => other.past.has(deed) && isRemoving(other, field, item));
      if (!isGone) put(item);
    }
  }
  const sorted = [...members].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, value]) => value);
  return { value: sorted, deed: first(lasting) };
}

/** Nobody removed it after seeing this, nor added it again. */
function isMemberBy(deeds: readonly Deed[], add: Deed, field: string): boolean {
  const { op } = add;
  if (op.op !== 'add') return false;
  return !deeds.some(
    (other) =>
      other.past.has(add) &&
      (isRemoving(other, field, op.value) ||
        (other.op.op === 'add' &&
          other.field === field &&
          canonicalize(other.op.value) === canonicalize(op.value))),
  );
}

function listIn(deeds: readonly Deed[], field: string): Candidate | undefined {
  const items = ofKind(deeds, field, 'ins', 'item').filter(
    (item) =>
      !deeds.some((deed) => {
        const { op } = deed;
        const isOfItem = op.op === 'rem' && 'item' in op && op.item === nameOf(item);
        return isOfItem && deed.field === field && deed.past.has(item) && isEdit(deed);
      }),
  );
  if (items.length === 0) return undefined;
  const placed = items.map((item) => ({ item, at: placeOf(deeds, item) }));
  placed.sort((x, y) => (x.at === y.at ? compare(x.item, y.item) : x.at < y.at ? -1 : 1));
  const value = placed.map(({ item: { op } }) => (op.op === 'ins' ? op.value : null));
  return { value, deed: first(items) };
}

/** Where it was put last; of several at once, where the device with the lowest id put it. */
function placeOf(deeds: readonly Deed[], item: Deed): string {
  const moves = deeds.filter(({ op, field, past }) => {
    const isMove = op.op === 'mv' && op.item === nameOf(item);
    return isMove && field === item.field && past.has(item);
  });
  const all = [item, ...moves.filter((deed) => isEdit(deed))];
  const last = first(all.filter((deed) => !all.some((other) => other.past.has(deed))));
  return last.op.op === 'ins' || last.op.op === 'mv' ? last.op.at : '';
}

function nameOf({ device, seq, index }: Deed): string {
  return `${device}:${seq}:${index}`;
}

function first(deeds: readonly Deed[]): Deed {
  const [lowest] = deeds.toSorted(compare);
  if (lowest === undefined) throw new Error('unreachable: the first of none');
  return lowest;
}

function compare(a: Deed, b: Deed): number {
  if (a.device !== b.device) return a.device < b.device ? -1 : 1;
  const order = a.seq - b.seq || a.index - b.index;
  // Both of a device that used a number twice may count.
  return order || (a.commit < b.commit ? -1 : a.commit === b.commit ? 0 : 1);
}
