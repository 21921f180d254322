/** What goes over the wire about upstreams: realms of others whose rules count here. */

import * as v from 'valibot';
import type { Immutable } from './schema.ts';

const precedence = v.pipe(
  v.picklist(['mine-first', 'theirs-first']),
  v.description('Whose rules decide where both have one'),
);

export const upstreamsSchema = v.object({
  upstreams: v.array(
    v.object({
      name: v.string(),
      url: v.string(),
      realm: v.string(),
      precedence,
      enabled: v.boolean(),
      rules: v.pipe(v.number(), v.description('How many of its rules hold here')),
      ago: v.optional(v.pipe(v.number(), v.description('Seconds since it was asked with success'))),
      problem: v.optional(v.string()),
    }),
  ),
});
export type UpstreamsView = Immutable<v.InferOutput<typeof upstreamsSchema>>;

export const newUpstreamSchema = v.strictObject({
  text: v.optional(
    v.pipe(v.string(), v.maxLength(10_000), v.description('nymote-upstream:…, from its operator')),
  ),
  precedence: v.optional(precedence),
  enabled: v.optional(v.boolean()),
});
type NewUpstream = Immutable<v.InferOutput<typeof newUpstreamSchema>>;

export const sharedSchema = v.object({
  text: v.pipe(v.string(), v.description('For others: with it they follow this realm')),
});

/** What upstreams are asked; `Author` is who asks. */
export type UpstreamsBackend<Author> = {
  view(): UpstreamsView;
  /** Adds one, or changes what is given. */
  set(name: string, wanted: NewUpstream, author: Author): Promise<void>;
  remove(name: string, author: Author): Promise<void>;
  /** Asks it at once. */
  pull(name: string): Promise<void>;
  /** Lets everybody read this realm on its hub. */
  share(): Promise<{ readonly text: string }>;
  unshare(): Promise<void>;
};
