/**
 * The state inside: what every write left behind, so that any two histories can be joined.
 *
 * Each entry carries the dot of the op that made it. A vector says which commits a state has seen:
 * an entry that one side lacks although its vector covers the dot was removed there; an entry that
 * it has not seen is new to it. Everything is immutable and shared between states.
 *
 * @see Bieniusa et al., "An optimized conflict-free replicated set", 2012: removal without tombstones
 */

import type { Json } from '../format/json.ts';
import type { State } from '../format/op.ts';

/** One op of one commit. */
export type Dot = {
  readonly device: string;
  readonly seq: number;
  readonly index: number;
  /** Which of the commits, where a device used a number twice and both count. */
  readonly branch?: string;
};

/** How the effective value of a conflict is chosen; without one the lowest device id wins. */
export type Rule = 'deny' | 'lower' | 'rank';

/** An earlier text, for merging with what others made of it. */
export type Version = {
  readonly dot: Dot;
  /** Those written at once with it, when it is what all of them made together. */
  readonly others?: readonly Dot[];
  /** Absent: forgotten, because nobody needs it any more. */
  readonly value?: string;
};

/** What one op left in a field. */
export type Entry =
  /** A register. `removed` makes a list of values a set: its elements that were removed, by place. */
  | {
      readonly kind: 'value';
      readonly dot: Dot;
      readonly value: Json;
      readonly rule?: Rule;
      readonly removed?: readonly number[];
    }
  /** There is a set here, even when it has no members. */
  | { readonly kind: 'set'; readonly dot: Dot }
  | { readonly kind: 'member'; readonly dot: Dot; readonly value: Json }
  | { readonly kind: 'grown'; readonly dot: Dot; readonly value: Json }
  | { readonly kind: 'item'; readonly dot: Dot; readonly value: Json }
  | { readonly kind: 'count'; readonly dot: Dot; readonly value: number }
  /** Where a list's item stands; the item is named by its dot's text. */
  | { readonly kind: 'place'; readonly dot: Dot; readonly item: string; readonly at: string }
  | {
      readonly kind: 'text';
      readonly dot: Dot;
      readonly value: string;
      readonly past: readonly Version[];
    };

/** A record: it is there while something holds it alive; its fields outlive it as a shadow. */
export type MergedRecord = {
  readonly alive: readonly Dot[];
  /** Deletions that no later write has seen. */
  readonly gone: readonly Dot[];
  readonly fields: ReadonlyMap<string, readonly Entry[]>;
};

/** One of several values that concurrent writes left; undefined: deleted. */
export type Rival = { readonly dot: Dot; readonly value: Json | undefined };

/** A field (or with '' the record itself) that was written differently by devices at once. */
export type FieldConflict = {
  readonly field: string;
  readonly rivals: readonly Rival[];
  readonly rule: Rule | undefined;
};

/** What a set of commits makes together. */
export type Merged = {
  /** Highest sequence number seen of each device, and of each of its branches. */
  readonly vector: ReadonlyMap<string, number>;
  readonly collections: ReadonlyMap<string, ReadonlyMap<string, MergedRecord>>;
  /** Revoked devices, and the last sequence number of each that counts. */
  readonly revoked: ReadonlyMap<string, number>;
  /** The plain records, each with its effective values. */
  readonly state: State;
  /** Unresolved conflicts by `collection/key`. */
  readonly conflicts: ReadonlyMap<string, readonly FieldConflict[]>;
};

/** Before the first commit. */
export const NOTHING: Merged = {
  vector: new Map(),
  collections: new Map(),
  revoked: new Map(),
  state: new Map(),
  conflicts: new Map(),
};

/** A record nobody wrote. */
export const NO_RECORD: MergedRecord = { alive: [], gone: [], fields: new Map() };

/** The dot as text, as list items are named in ops. */
export function printDot({ device, seq, index, branch }: Dot): string {
  return `${device}:${seq}:${index}${branch === undefined ? '' : `:${branch}`}`;
}

/** Under which name a vector knows a device, or one of its branches. */
export function chainOf({ device, branch }: Pick<Dot, 'device' | 'branch'>): string {
  return branch === undefined ? device : `${device} ${branch}`;
}

/** How many commits a vector has seen; branches are counted with their device. */
export function countCommits(vector: ReadonlyMap<string, number>): number {
  return [...vector].reduce((sum, [chain, seq]) => (chain.includes(' ') ? sum : sum + seq), 0);
}

/** Tells entries of one field apart. */
export function identify(entry: Entry): string {
  return `${entry.kind} ${printDot(entry.dot)}`;
}

/** Sorts dots: by device id, which is also the last resort of every choice, then by age. */
export function compareDots(a: Dot, b: Dot): number {
  if (a.device !== b.device) return a.device < b.device ? -1 : 1;
  const order = a.seq - b.seq || a.index - b.index;
  if (order !== 0 || a.branch === b.branch) return order;
  return (a.branch ?? '') < (b.branch ?? '') ? -1 : 1;
}
