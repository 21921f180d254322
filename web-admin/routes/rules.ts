/** `/api/v1/rules`: who may resolve, reach and administer what, and when. */

import { Hono } from 'hono';
import * as v from 'valibot';
import type { Backend } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { requiresFresh, tagged } from '../freshness.ts';
import { authorOf, type Environment } from '../guard.ts';
import { rulesSchema } from '../schema.ts';

/** Checked by policy itself, whose complaints name the key; here it only has to be an object. */
const anyObject = v.record(v.string(), v.unknown());

/** List, write and remove rules. */
export function ruleRoutes(backend: Backend) {
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'rules', summary: 'All rules', ok: rulesSchema }),
      tagged(backend, { isAll: true }),
      (c) => c.json(backend.rules()),
    )
    .put(
      '/:id',
      describe({
        tag: 'rules',
        summary: 'Write a rule',
        ok: 'empty',
        problems: ['invalid', 'conflict', 'read-only', 'no-space'],
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(anyObject),
      async (c) => {
        await backend.setRule(c.req.param('id'), c.req.valid('json'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .delete(
      '/:id',
      describe({
        tag: 'rules',
        summary: 'Remove a rule',
        ok: 'empty',
        problems: ['not-found', 'conflict', 'read-only', 'no-space'],
        ifMatch: true,
      }),
      requiresFresh(backend),
      async (c) => {
        await backend.removeRule(c.req.param('id'), authorOf(c));
        return c.body(null, 204);
      },
    );
}
