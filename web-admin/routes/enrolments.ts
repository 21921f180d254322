/** `/api/v1/enrolments`: new devices that wait to be confirmed. */

import { Hono } from 'hono';
import type { Backend } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { comparedSchema, waitingDevicesSchema } from '../enrolment-schema.ts';
import { authorOf, type Environment } from '../guard.ts';

/** List, confirm and reject. */
export function enrolmentRoutes(backend: Backend) {
  return new Hono<Environment>()
    .get(
      '/',
      describe({
        tag: 'devices',
        summary: 'New devices that wait to be confirmed',
        ok: waitingDevicesSchema,
      }),
      (c) => c.json(backend.enrolments.waiting()),
    )
    .post(
      '/:name/confirm',
      describe({
        tag: 'devices',
        summary: 'Say that the new device shows the same code',
        ok: 'empty',
        problems: ['invalid', 'not-found', 'conflict', 'too-large', 'read-only', 'no-space'],
      }),
      body(comparedSchema),
      async (c) => {
        const { code } = c.req.valid('json');
        await backend.enrolments.confirm(c.req.param('name'), code, authorOf(c));
        return c.body(null, 204);
      },
    )
    .delete(
      '/:name',
      describe({
        tag: 'devices',
        summary: 'Turn a new device away',
        ok: 'empty',
        problems: ['not-found'],
      }),
      (c) => {
        backend.enrolments.reject(c.req.param('name'));
        return c.body(null, 204);
      },
    );
}
