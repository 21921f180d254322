/**
 * What goes over the wire about devices that write at the same time: conflicts, changes that came
 * too late, devices that exist twice, and what needs two owners.
 */

import * as v from 'valibot';
import type { Immutable } from './schema.ts';

type Output<Schema extends v.GenericSchema> = Immutable<v.InferOutput<Schema>>;

const seconds = v.pipe(v.number(), v.description('Seconds since 1970-01-01T00:00Z'));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A commit as far as it is evidence. */
const written = {
  commit: v.string(),
  device: v.pipe(v.string(), v.description("The device's id")),
  name: v.pipe(v.string(), v.description("The device's name")),
  date: seconds,
  via: v.string(),
};

export const conflictsSchema = v.object({
  conflicts: v.array(
    v.object({
      path: v.string(),
      what: v.pipe(v.string(), v.description('The thing and its part, for people')),
      values: v.pipe(
        v.array(
          v.object({
            ...written,
            value: v.optional(v.pipe(v.unknown(), v.description('Absent: removed'))),
            said: v.pipe(v.string(), v.description('The value, for people')),
          }),
        ),
        v.description('The first one counts meanwhile'),
      ),
      rule: v.optional(v.picklist(['deny', 'lower', 'rank'])),
      why: v.pipe(v.string(), v.description('Why the first one counts, for people')),
    }),
  ),
});
export type ConflictsView = Output<typeof conflictsSchema>;

export const resolveSchema = v.strictObject({
  path: v.pipe(v.string(), v.maxLength(1_024)),
  choice: v.optional(
    v.pipe(
      v.string(),
      v.maxLength(255),
      v.description('Whose value: a commit, or a device by id or name'),
    ),
  ),
  value: v.optional(v.pipe(v.unknown(), v.description('Another one instead'))),
});
export type Resolution = Output<typeof resolveSchema>;

export const lateSchema = v.object({
  late: v.array(
    v.object({
      device: v.string(),
      name: v.string(),
      reason: v.picklist(['revoked', 'forked']),
      sentence: v.pipe(v.string(), v.description('What happened, for people')),
      count: v.pipe(count, v.description('There may be more than are listed')),
      changes: v.array(v.object({ ...written, message: v.string(), what: v.array(v.string()) })),
      fork: v.optional(
        v.object({
          seq: v.pipe(count, v.description('The number that the device used twice')),
          commits: v.array(v.string()),
        }),
      ),
    }),
  ),
});
export type LateView = Output<typeof lateSchema>;

export const lateDeviceSchema = v.strictObject({
  device: v.pipe(v.string(), v.maxLength(255), v.description('By id or name')),
});

export const lateDecidedSchema = v.object({
  commits: count,
  omitted: v.pipe(
    v.array(v.string()),
    v.description('What is never taken over: it concerns who belongs to the realm'),
  ),
});
export type LateDecided = Output<typeof lateDecidedSchema>;

const path = v.pipe(v.string(), v.maxLength(255), v.description('The beginning of paths'));

export const twoOwnersSchema = v.strictObject({ paths: v.pipe(v.array(path), v.maxLength(64)) });

export const proposalsSchema = v.object({
  paths: v.pipe(v.array(path), v.description('What no owner changes alone')),
  proposals: v.array(
    v.object({
      id: v.string(),
      device: v.string(),
      name: v.string(),
      what: v.array(v.string()),
      mayApprove: v.pipe(v.boolean(), v.description('Another owner has to, on another device')),
    }),
  ),
});
export type ProposalsView = Output<typeof proposalsSchema>;

/** What the web admin needs for it of the rest of nymote. */
export type TogetherBackend<Author> = {
  conflicts(): Promise<ConflictsView>;
  resolve(resolution: Resolution, author: Author): Promise<void>;
  late(): Promise<LateView>;
  /** Takes late changes over, or lets them go; a device that exists twice is removed by that. */
  decideLate(device: string, adopts: boolean, author: Author): Promise<LateDecided>;
  proposals(): ProposalsView;
  /** Says what no owner changes alone; what is there already is changed by two. */
  requireTwo(paths: readonly string[], author: Author): Promise<void>;
  approve(id: string, author: Author): Promise<void>;
  /** Takes a proposal away, one's own or another's. */
  withdraw(id: string, author: Author): Promise<void>;
};
