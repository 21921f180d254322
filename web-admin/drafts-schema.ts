/** What goes over the wire about drafts: changes that are collected, looked at, and made as one. */

import * as v from 'valibot';
import { type CommitView, changeSchema, type Immutable } from './schema.ts';

type Output<Schema extends v.GenericSchema> = Immutable<v.InferOutput<Schema>>;

const MAX_STEP_OPS = 256;

const seconds = v.pipe(v.number(), v.description('Seconds since 1970-01-01T00:00Z'));
const path = v.pipe(v.string(), v.maxLength(512), v.description('A record or a field of one'));
const message = v.pipe(v.string(), v.maxLength(1_000));
const sentences = v.array(v.string());

export const draftsSchema = v.object({
  drafts: v.array(
    v.object({
      name: v.string(),
      isDamaged: v.pipe(v.boolean(), v.description('Its file cannot be read; it is left alone')),
      begun: v.optional(seconds),
      steps: v.optional(v.number()),
    }),
  ),
});
export type DraftsView = Output<typeof draftsSchema>;

export const draftSchema = v.object({
  name: v.string(),
  base: v.pipe(v.string(), v.description('The head when it was begun')),
  begun: seconds,
  steps: v.array(v.object({ message: v.string(), at: seconds, via: v.string(), what: sentences })),
  changes: v.pipe(v.array(changeSchema), v.description('What it would change now')),
  what: v.pipe(sentences, v.description('The same for people')),
  problems: v.pipe(sentences, v.description('Why it would be refused')),
  moved: v.pipe(sentences, v.description('What was changed elsewhere since it was written')),
});
export type DraftView = Output<typeof draftSchema>;

export const draftStepSchema = v.strictObject({
  ops: v.pipe(
    v.array(
      v.variant('op', [
        v.strictObject({ op: v.literal('set'), path, value: v.unknown() }),
        v.strictObject({ op: v.literal('del'), path }),
      ]),
    ),
    v.minLength(1),
    v.maxLength(MAX_STEP_OPS),
  ),
  message: v.optional(message),
});
export type DraftStep = Output<typeof draftStepSchema>;

export const applyDraftSchema = v.strictObject({
  message: v.optional(message),
  force: v.optional(
    v.pipe(v.boolean(), v.description('Also over what was changed elsewhere since')),
  ),
});
export type ApplyDraft = Output<typeof applyDraftSchema>;

/** What the web admin needs for it of the rest of nymote. */
export type DraftsBackend<Author> = {
  list(): Promise<DraftsView>;
  begin(name: string): Promise<void>;
  show(name: string): Promise<DraftView>;
  add(name: string, step: DraftStep, author: Author): Promise<void>;
  /** As one commit; then the draft is gone. */
  apply(name: string, wish: ApplyDraft, author: Author): Promise<CommitView>;
  discard(name: string): Promise<void>;
};
