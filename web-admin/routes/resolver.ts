/** `/api/v1/explain`: how an answer comes about; and `/metrics`, which Prometheus reads. */

import { Hono } from 'hono';
import type { Backend } from '../backend.ts';
import { describe, query } from '../describe.ts';
import type { Environment } from '../guard.ts';
import { explainQuerySchema, explanationSchema } from '../resolver-schema.ts';

const DEFAULT_TYPE = 'A';

/** Servers asked, answers, the chain of trust, and what policy says. */
export function resolverRoutes({ resolver }: Backend) {
  return new Hono<Environment>().get(
    '/explain',
    describe({
      tag: 'service',
      summary: 'How an answer comes about: servers, chain of trust, verdict, cache, ruling',
      ok: explanationSchema,
      problems: ['invalid', 'not-found'],
    }),
    query(explainQuerySchema),
    async (c) => {
      const { name, type = DEFAULT_TYPE, asker, fresh } = c.req.valid('query');
      const wanted = { name, type: type.toUpperCase(), isFresh: fresh === '1' };
      return c.json(
        await resolver.explain({ ...wanted, ...(asker === undefined ? {} : { asker }) }),
      );
    },
  );
}

/** No part of the API: its form is Prometheus', and it has no version. */
export function metricsRoutes({ resolver }: Backend) {
  return new Hono<Environment>().get('/metrics', async (c) => {
    const { text, type } = await resolver.metrics();
    return c.body(text, 200, { 'content-type': type });
  });
}
