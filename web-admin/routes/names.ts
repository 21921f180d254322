/** `/api/v1/names`: the records of the zone that are no devices. */

import { Hono } from 'hono';
import type { Backend } from '../backend.ts';
import { body, describe, query } from '../describe.ts';
import { requiresFresh, tagged } from '../freshness.ts';
import { authorOf, type Environment } from '../guard.ts';
import { namesSchema, newRecordSchema, removeRecordSchema } from '../names-schema.ts';

/** List, write and remove records. */
export function nameRoutes(backend: Backend) {
  const { names } = backend;
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'zone', summary: 'The records that people added', ok: namesSchema }),
      tagged(backend, { isAll: true }),
      (c) => c.json(names.list()),
    )
    .put(
      '/:owner',
      describe({
        tag: 'zone',
        summary: 'Write a record, in place of those of its type or beside them',
        ok: 'empty',
        problems: ['invalid', 'conflict', 'denied', 'read-only', 'no-space'],
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(newRecordSchema),
      async (c) => {
        await names.set(c.req.param('owner'), c.req.valid('json'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .delete(
      '/:owner',
      describe({
        tag: 'zone',
        summary: 'Remove the records of a name, all or those of a type',
        ok: 'empty',
        problems: ['invalid', 'not-found', 'conflict', 'denied', 'read-only', 'no-space'],
        ifMatch: true,
      }),
      requiresFresh(backend),
      query(removeRecordSchema),
      async (c) => {
        await names.remove(c.req.param('owner'), c.req.valid('query'), authorOf(c));
        return c.body(null, 204);
      },
    );
}
