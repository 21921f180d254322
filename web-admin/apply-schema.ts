/**
 * What goes over the wire about applying: options of routers, what is pending, drift, provenance.
 */

import * as v from 'valibot';
import type { Immutable } from './schema.ts';

const seconds = v.pipe(v.number(), v.description('Seconds since 1970-01-01T00:00Z'));
const outcome = v.picklist(['confirmed', 'rolled-back', 'failed']);
const kind = v.pipe(
  v.picklist(['plain', 'slow', 'risky']),
  v.description('A risky change needs a person to confirm it'),
);
const value = v.union([v.string(), v.array(v.string())]);
const target = v.picklist(['uci', 'wg', 'nft', 'dns']);
const optionName = v.pipe(
  v.string(),
  v.maxLength(200),
  v.description('package.section.option, as uci has it'),
);

export const applySchema = v.object({
  state: v.picklist(['on', 'off']),
  reason: v.optional(v.pipe(v.string(), v.description('Why the newest options are not applied'))),
  pending: v.optional(
    v.object({
      id: v.string(),
      commit: v.string(),
      kind,
      options: v.array(v.string()),
      confirmedBy: v.optional(v.string()),
      secondsLeft: v.optional(v.number()),
      failing: v.pipe(v.array(v.string()), v.description('Checks that do not pass')),
    }),
  ),
  applied: v.optional(v.pipe(v.string(), v.description('The commit whose options hold'))),
  last: v.optional(v.object({ commit: v.string(), outcome, reason: v.string() })),
  devices: v.pipe(
    v.array(
      v.object({
        device: v.string(),
        name: v.string(),
        applied: v.optional(v.string()),
        outcome: v.optional(outcome),
        reason: v.optional(v.string()),
        pending: v.optional(v.object({ id: v.string(), commit: v.string(), kind })),
        at: seconds,
      }),
    ),
    v.description('What each device says of itself'),
  ),
});
export type ApplyView = Immutable<v.InferOutput<typeof applySchema>>;

export const confirmSchema = v.object({
  id: v.optional(v.pipe(v.string(), v.maxLength(64), v.description('Absent: the only one'))),
});
const MAX_SECONDS = 3_600;

export const extendSchema = v.object({
  seconds: v.pipe(v.number(), v.integer(), v.minValue(10), v.maxValue(MAX_SECONDS)),
});
export const confirmedSchema = v.object({ id: v.string() });

export const driftSchema = v.object({
  reason: v.optional(v.pipe(v.string(), v.description('Why options are not compared'))),
  drift: v.array(
    v.object({
      target,
      line: v.string(),
      kind: v.picklist(['missing', 'extra', 'different']),
      wanted: v.optional(value),
      found: v.optional(value),
      source: v.optional(v.pipe(v.string(), v.description('Path in the store'))),
    }),
  ),
});
export type DriftView = Immutable<v.InferOutput<typeof driftSchema>>;

export const provenanceSchema = v.object({
  lines: v.array(
    v.object({
      target,
      line: v.string(),
      value: v.array(v.string()),
      source: v.string(),
      person: v.string(),
      version: v.string(),
      rule: v.object({ id: v.optional(v.string()), tier: v.string(), sentence: v.string() }),
      commits: v.array(
        v.object({
          id: v.string(),
          device: v.string(),
          via: v.string(),
          at: seconds,
          message: v.string(),
        }),
      ),
    }),
  ),
});
export type ProvenanceView = Immutable<v.InferOutput<typeof provenanceSchema>>;

export const newOptionSchema = v.object({
  device: v.optional(v.pipe(v.string(), v.maxLength(255), v.description('Absent: this device'))),
  option: optionName,
  value,
  firstOn: v.optional(
    v.pipe(v.string(), v.maxLength(255), v.description('The device that tries it before')),
  ),
  note: v.optional(v.pipe(v.string(), v.maxLength(500))),
});
export type NewOption = Immutable<v.InferOutput<typeof newOptionSchema>>;

export const optionsSchema = v.object({
  options: v.array(
    v.object({
      id: v.string(),
      device: v.string(),
      name: v.pipe(v.string(), v.description("The device's name")),
      option: v.string(),
      value,
      firstOn: v.optional(v.string()),
      note: v.optional(v.string()),
    }),
  ),
});
export type OptionsView = Immutable<v.InferOutput<typeof optionsSchema>>;

/** What the web admin needs for it of the rest of nymote. */
export type ApplyBackend<Author> = {
  view(): ApplyView;
  /** Says that a pending change is good; throws 'not-found' when none is. */
  confirm(id: string | undefined, author: Author): Promise<string>;
  rollback(author: Author): void;
  /** Gives the pending change so many seconds from now. */
  extend(seconds: number): Promise<void>;
  retry(): Promise<void>;
  drift(): Promise<DriftView>;
  heal(): Promise<DriftView>;
  adopt(author: Author): Promise<DriftView>;
  provenance(line: string): Promise<ProvenanceView>;
  options(): OptionsView;
  setOption(wanted: NewOption, author: Author): Promise<void>;
  removeOption(device: string, option: string, author: Author): Promise<void>;
};
