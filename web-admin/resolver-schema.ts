/** What goes over the wire about the resolver: how an answer comes about. */

import * as v from 'valibot';
import { decisionSchema, type Immutable } from './schema.ts';

const seconds = v.pipe(v.number(), v.description('Seconds since 1970-01-01T00:00Z'));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(1020));
const type = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,16}$/, 'a type such as AAAA or TYPE65'));

export const explainQuerySchema = v.object({
  name,
  type: v.optional(v.pipe(type, v.description('Default A'))),
  asker: v.optional(v.pipe(v.string(), v.maxLength(255), v.description('A device or an address'))),
  fresh: v.optional(
    v.pipe(v.picklist(['0', '1']), v.description('1: pass over everything that is cached')),
  ),
});

const finding = {
  what: v.pipe(v.string(), v.description('answer, alias, no-data, no-name, or why it failed')),
  ttl: v.optional(v.number()),
  records: v.array(v.string()),
  signatures: v.array(
    v.object({
      signer: v.string(),
      keyTag: v.number(),
      algorithm: v.number(),
      covers: v.string(),
      inception: seconds,
      expiration: seconds,
    }),
  ),
};

const from = v.pipe(v.string(), v.description('zone, cache, recursion or forward'));

const cached = v.optional(v.object({ what: v.string(), ttl: v.number(), state: v.string() }));

const asked = v.object({
  kind: v.literal('asked'),
  server: v.string(),
  transport: v.string(),
  name: v.string(),
  type: v.string(),
  said: v.pipe(v.string(), v.description('The response code, or why there is none')),
  milliseconds: v.number(),
  bytes: v.number(),
  answers: v.number(),
  authorities: v.number(),
  additionals: v.number(),
  authoritative: v.boolean(),
  truncated: v.boolean(),
});

const found = v.object({
  kind: v.literal('found'),
  name: v.string(),
  type: v.string(),
  from,
  ...finding,
});

export const explanationSchema = v.object({
  name: v.string(),
  type: v.string(),
  ruling: v.pipe(decisionSchema, v.description('Whether the asker may ask for the name')),
  own: v.pipe(v.boolean(), v.description('The name is in the zone of this household')),
  rcode: v.pipe(v.string(), v.description('Of the DNS; a ruling comes before it')),
  ede: v.optional(v.object({ code: v.number(), text: v.string() })),
  answers: v.pipe(
    v.array(v.string()),
    v.description('What who asks is told; what was found is in names'),
  ),
  names: v.pipe(
    v.array(
      v.object({
        name: v.string(),
        type: v.string(),
        result: v.object({ from, ...finding }),
        verdict: v.object({
          state: v.picklist(['secure', 'insecure', 'bogus', 'unchecked']),
          reason: v.optional(v.string()),
          untimed: v.optional(v.literal(true)),
        }),
        cachedBefore: cached,
        cachedAfter: cached,
      }),
    ),
    v.description('The name and those its aliases lead to'),
  ),
  chain: v.pipe(
    v.array(
      v.object({
        name: v.string(),
        is: v.picklist(['zone', 'no-cut', 'insecure', 'bogus']),
        reason: v.optional(v.string()),
        keys: v.array(v.object({ tag: v.number(), algorithm: v.number() })),
      }),
    ),
    v.description('The chain of trust, from an anchor down'),
  ),
  steps: v.array(v.variant('kind', [asked, found])),
  isCut: v.pipe(v.boolean(), v.description('There were more steps')),
});
export type ExplanationView = Immutable<v.InferOutput<typeof explanationSchema>>;

export type ExplainQuery = {
  readonly name: string;
  readonly type: string;
  readonly asker?: string;
  readonly isFresh: boolean;
};

/** What the web admin needs for it of the rest of nymote. */
export type ResolverBackend = {
  /** Throws 'invalid' for what is no name or type. */
  explain(query: ExplainQuery): Promise<ExplanationView>;
  /** Counts and sizes, as Prometheus reads them. */
  metrics(): Promise<{ readonly text: string; readonly type: string }>;
};
