/** What goes over the wire about the history: going back in it, and how far back it is kept. */

import * as v from 'valibot';
import type { CommitView, Immutable } from './schema.ts';

type Output<Schema extends v.GenericSchema> = Immutable<v.InferOutput<Schema>>;

const seconds = v.pipe(v.number(), v.description('Seconds since 1970-01-01T00:00Z'));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const commitId = v.pipe(v.string(), v.regex(/^[0-9a-f]{7,64}$/, 'a commit id'));
const path = v.pipe(v.string(), v.maxLength(512), v.description('A collection, record or field'));

export const undoSchema = v.strictObject({
  to: v.pipe(commitId, v.description('What is taken back, or the last of it')),
  after: v.optional(v.pipe(commitId, v.description('Everything after this commit up to `to`'))),
  path: v.optional(path),
});
export type Undo = Output<typeof undoSchema>;

export const restoreSchema = v.strictObject({ point: commitId, path: v.optional(path) });
export type Restore = Output<typeof restoreSchema>;

export const keptSchema = v.object({
  commits: count,
  since: v.optional(v.pipe(seconds, v.description('The date of the oldest change that is kept'))),
  isPruned: v.pipe(v.boolean(), v.description('Older ones were dropped')),
  bytes: v.pipe(count, v.description('What they take on the disk')),
  days: v.pipe(count, v.description('Younger changes are never dropped')),
  least: v.pipe(count, v.description('So many are always kept')),
  megabytes: v.optional(
    v.pipe(count, v.description('From here on old ones are dropped unasked; without it, never')),
  ),
  devices: v.array(
    v.object({ device: v.string(), name: v.string(), silentDays: v.optional(v.number()) }),
  ),
  sentences: v.pipe(v.array(v.string()), v.description('The same for people')),
});
export type KeptView = Output<typeof keptSchema>;

const between = (least: number, most: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));

export const keepSchema = v.strictObject({
  days: v.optional(v.pipe(between(30, 36_500), v.description('Younger changes stay; 180'))),
  least: v.optional(v.pipe(between(50, 1_000_000), v.description('So many always stay; 400'))),
  megabytes: v.optional(
    v.pipe(
      between(1, 10_000),
      v.description('From here on old ones are dropped unasked; without it, never'),
    ),
  ),
});
export type Keep = Output<typeof keepSchema>;

export const pruneSchema = v.strictObject({
  forget: v.optional(
    v.pipe(
      v.boolean(),
      v.description('Everything that can be, however young: there is no way back'),
    ),
  ),
});
export type Prune = Output<typeof pruneSchema>;

export const prunedSchema = v.object({
  dropped: count,
  waitingFor: v.pipe(v.array(v.string()), v.description('Devices that have to hear of it first')),
  sentence: v.string(),
});
export type PrunedView = Output<typeof prunedSchema>;

/** What the web admin needs for it of the rest of nymote. */
export type HistoryBackend<Author> = {
  undo(undo: Undo, author: Author): Promise<CommitView>;
  restore(restore: Restore, author: Author): Promise<CommitView>;
  kept(): Promise<KeptView>;
  keep(keep: Keep, author: Author): Promise<void>;
  prune(prune: Prune, author: Author): Promise<PrunedView>;
};
