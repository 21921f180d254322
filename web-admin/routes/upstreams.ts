/** `/api/v1/upstreams`: realms of others whose rules count here, and this one as theirs. */

import { Hono } from 'hono';
import type { Backend } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { authorOf, type Environment } from '../guard.ts';
import { newUpstreamSchema, sharedSchema, upstreamsSchema } from '../upstreams-schema.ts';

/** Look, follow, follow no more, ask at once; share this realm. */
export function upstreamRoutes(backend: Backend) {
  return changes(
    backend,
    new Hono<Environment>()
      .get(
        '/',
        describe({ tag: 'rules', summary: 'Upstreams and how they are', ok: upstreamsSchema }),
        (c) => c.json(backend.upstreams.view()),
      )
      .post(
        '/share',
        describe({
          tag: 'rules',
          summary: 'Let everybody follow this realm, through its hub',
          ok: sharedSchema,
          problems: ['conflict', 'denied', 'read-only', 'unavailable'],
        }),
        async (c) => c.json(await backend.upstreams.share()),
      )
      .delete(
        '/share',
        describe({
          tag: 'rules',
          summary: 'Let nobody follow this realm any more',
          ok: 'empty',
          problems: ['conflict', 'denied', 'read-only', 'unavailable'],
        }),
        async (c) => {
          await backend.upstreams.unshare();
          return c.body(null, 204);
        },
      ),
  );
}

function changes({ upstreams }: Backend, routes: Hono<Environment>) {
  return routes
    .put(
      '/:name',
      describe({
        tag: 'rules',
        summary: 'Follow an upstream, or change how',
        ok: 'empty',
        problems: ['invalid', 'not-found', 'denied', 'read-only', 'no-space'],
      }),
      body(newUpstreamSchema),
      async (c) => {
        await upstreams.set(c.req.param('name'), c.req.valid('json'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .delete(
      '/:name',
      describe({
        tag: 'rules',
        summary: 'Follow an upstream no more',
        ok: 'empty',
        problems: ['not-found', 'denied', 'read-only', 'no-space'],
      }),
      async (c) => {
        await upstreams.remove(c.req.param('name'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .post(
      '/:name/pull',
      describe({
        tag: 'rules',
        summary: 'Ask an upstream at once',
        ok: 'empty',
        problems: ['not-found'],
      }),
      async (c) => {
        await upstreams.pull(c.req.param('name'));
        return c.body(null, 204);
      },
    );
}
