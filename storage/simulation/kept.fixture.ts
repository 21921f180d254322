/**
 * What devices of a simulated household may drop, worked out from the commits alone: who declared
 * where history begins, who may be left behind by it, and what nobody may find any more.
 */

import type { CommitId } from '../format/commit.ts';
import { isObject, type Json, type JsonObject } from '../format/json.ts';
import type { Op } from '../format/op.ts';
import type { Store } from '../store.ts';

/** A commit as far as its place, its author and what it says matter. */
type Node = {
  readonly id: CommitId;
  readonly parents: readonly CommitId[];
  readonly device: string;
  readonly seq: number;
  readonly ops: readonly Op[];
};

/** All that was ever written, parents first. */
export type Written = {
  readonly known: ReadonlyMap<CommitId, Node>;
  /** Devices whose disk there was twice, or that got an old one back. */
  readonly twice: ReadonlySet<string>;
};

/** Where history begins from a declaration on. */
type Cut = { readonly at: CommitId; readonly by: CommitId; readonly without: readonly Json[] };

const pasts = new WeakMap<Written['known'], Map<CommitId, ReadonlySet<CommitId>>>();

/** All that a commit builds on. */
export function pastOf({ known }: Pick<Written, 'known'>, id: CommitId): ReadonlySet<CommitId> {
  const all = pasts.get(known) ?? new Map<CommitId, ReadonlySet<CommitId>>();
  pasts.set(known, all);
  const found = all.get(id);
  if (found !== undefined) return found;
  const past = new Set<CommitId>();
  for (const parent of known.get(id)?.parents ?? []) {
    past.add(parent);
    for (const earlier of pastOf({ known }, parent)) past.add(earlier);
  }
  all.set(id, past);
  return past;
}

/** The first commit of a device that dropped what came before it. */
export function beginningOf(store: Store): CommitId | undefined {
  return store.base() === undefined ? undefined : store.expand('')[0];
}

/** Whether a device dropped the commit because it lies before its beginning. */
export function isDropped(written: Written, store: Store, id: CommitId): boolean {
  const beginning = beginningOf(store);
  return beginning !== undefined && pastOf(written, beginning).has(id);
}

/** The beginnings that a device has heard of. */
export function cutsKnownTo(written: Written, store: Store): readonly Cut[] {
  return declaredCuts(written).filter(
    ({ at, by }) => store.holds(by) || isDropped(written, store, by) || beginningOf(store) === at,
  );
}

/** Whether a commit neither builds on the beginning nor is something that it builds on. */
export function isBeside(written: Written, id: CommitId, { at }: Pick<Cut, 'at'>): boolean {
  return id !== at && !pastOf(written, at).has(id) && !pastOf(written, id).has(at);
}

/**
 * Whether a device may refuse a commit, or give it up, because of where history begins: it lies beside
 * that or takes back what lies before it, or builds on what does. Only devices that nobody had to wait
 * for write such: silent for long, removed, there twice; or the phrase, which is no device.
 */
export function mayBeLeft(
  written: Written,
  id: CommitId,
  cut: Cut,
  store: Pick<Store, 'holds'> = { holds: () => false },
): boolean {
  const removed = removedBy(written, cut.by);
  // Who took some of it over before it heard of the beginning refuses the rest all the same.
  const isWhole = isBeside(written, id, cut);
  const apart = [id, ...pastOf(written, id)].filter(
    (each) => (isWhole || !store.holds(each)) && isApart(written, each, cut),
  );
  const first = apart.filter(
    (each) => !written.known.get(each)?.parents.some((parent) => isBeside(written, parent, cut)),
  );
  return (
    first.length > 0 &&
    first.every((each) => {
      const { device = '' } = written.known.get(each) ?? {};
      return (
        written.twice.has(device) ||
        cut.without.includes(device) ||
        removed.has(device) ||
        isPhrase(written, device)
      );
    })
  );
}

/** How often the phrase has spoken, as far as a device knows: it counts for more than a beginning. */
export function countPhrases(written: Written, store: Store): number {
  const isKnown = (id: CommitId) => store.holds(id) || isDropped(written, store, id);
  const said = [...written.known.values()].filter(({ device }) => isPhrase(written, device));
  return said.filter(({ id }) => isKnown(id)).length;
}

/** Beside the beginning, or a removal that reaches behind it. */
function isApart(written: Written, id: CommitId, cut: Cut): boolean {
  if (isBeside(written, id, cut)) return true;
  const past = [cut.at, ...pastOf(written, cut.at)];
  if (past.includes(id)) return false;
  return (written.known.get(id)?.ops ?? []).some((op) => {
    if (op.op !== 'revoke') return false;
    const device = op.path.slice('devices/'.length);
    return past.some((each) => {
      const before = written.known.get(each);
      return before?.device === device && before.seq > op.lastSeq;
    });
  });
}

/** The numbers that only these people write, and nothing else looks like. */
export const FIRST_VALUE = 7_000_000_000_000;

/** The values in a text. */
export function valuesIn(text: string): readonly string[] {
  return text.match(/(?<!\d)70{6}\d{6}(?!\d)/g) ?? [];
}

/**
 * The values of commits before the beginning that those from it on, and what it began with, do not
 * have: `shown` is what it means, `open` the collections in which more than that is needed to merge.
 */
export function forgottenBy(
  written: Written,
  store: Store,
  shown: string,
  stillNeeded: readonly Op[],
): ReadonlySet<string> {
  const beginning = beginningOf(store);
  if (beginning === undefined) return new Set();
  const opsOf = (id: CommitId) => JSON.stringify(written.known.get(id)?.ops ?? []);
  const kept = new Set([
    ...valuesIn(shown),
    ...valuesIn(JSON.stringify(stillNeeded)),
    ...store.expand('').flatMap((id) => valuesIn(opsOf(id))),
  ]);
  const old = [...pastOf(written, beginning)].flatMap((id) => valuesIn(opsOf(id)));
  return new Set(old.filter((value) => !kept.has(value)));
}

/** All beginnings that were declared. */
export function declaredCuts({ known }: Pick<Written, 'known'>): readonly Cut[] {
  return [...known.values()].flatMap(({ id, ops }) =>
    ops.flatMap((op) => {
      const isCut = op.op === 'set' && op.path.startsWith('realm/base-') && isObject(op.value);
      if (!isCut) return [];
      const { commit, without } = op.value as JsonObject;
      return [{ at: String(commit), by: id, without: without as readonly Json[] }];
    }),
  );
}

function removedBy(written: Written, id: CommitId): ReadonlySet<string> {
  const ops = [...pastOf(written, id), id].flatMap((each) => written.known.get(each)?.ops ?? []);
  return new Set(
    ops.flatMap(({ op, path }) => (op === 'revoke' ? path.slice('devices/'.length) : [])),
  );
}

/** Whether the phrase signed it. */
export function isOfPhrase(written: Pick<Written, 'known'>, id: CommitId): boolean {
  return isPhrase(written, written.known.get(id)?.device ?? '');
}

function isPhrase({ known }: Pick<Written, 'known'>, device: string): boolean {
  return [...known.values()].some(({ ops }) =>
    ops.some(
      (op) =>
        op.op === 'set' &&
        op.path === 'realm/recovery' &&
        isObject(op.value) &&
        op.value['id'] === device,
    ),
  );
}
