/** `/api/v1/drafts`: changes that are collected on this device and made as one. */

import { Hono } from 'hono';
import type { Backend } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { applyDraftSchema, draftSchema, draftStepSchema, draftsSchema } from '../drafts-schema.ts';
import { requiresFresh } from '../freshness.ts';
import { authorOf, type Environment } from '../guard.ts';
import { revertedSchema } from '../schema.ts';

const DISK = ['unavailable', 'no-space'] as const;

/** List, begin, look, add, apply, discard. */
export function draftRoutes(backend: Backend) {
  return changes(
    backend,
    new Hono<Environment>()
      .get(
        '/',
        describe({ tag: 'history', summary: 'The drafts of this device', ok: draftsSchema }),
        async (c) => c.json(await backend.drafts.list()),
      )
      .get(
        '/:name',
        describe({
          tag: 'history',
          summary: 'What a draft would change now, and what stands against it',
          ok: draftSchema,
          problems: ['not-found', 'unavailable'],
        }),
        async (c) => c.json(await backend.drafts.show(c.req.param('name'))),
      ),
  );
}

function changes(backend: Backend, routes: Hono<Environment>) {
  const { drafts } = backend;
  return routes
    .put(
      '/:name',
      describe({
        tag: 'history',
        summary: 'Begin a draft',
        ok: 'empty',
        problems: ['invalid', 'conflict', ...DISK],
      }),
      async (c) => {
        await drafts.begin(c.req.param('name'));
        return c.body(null, 204);
      },
    )
    .post(
      '/:name/steps',
      describe({
        tag: 'history',
        summary: 'Put changes into a draft',
        ok: 'empty',
        problems: ['invalid', 'not-found', ...DISK],
      }),
      body(draftStepSchema),
      async (c) => {
        await drafts.add(c.req.param('name'), c.req.valid('json'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .post(
      '/:name/apply',
      describe({
        tag: 'history',
        summary: 'Make a draft one commit; the draft is gone then',
        ok: revertedSchema,
        problems: ['invalid', 'not-found', 'conflict', 'denied', 'read-only', ...DISK],
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(applyDraftSchema),
      async (c) => {
        const wish = c.req.valid('json');
        return c.json({ commit: await drafts.apply(c.req.param('name'), wish, authorOf(c)) });
      },
    )
    .delete(
      '/:name',
      describe({
        tag: 'history',
        summary: 'Discard a draft',
        ok: 'empty',
        problems: ['not-found', ...DISK],
      }),
      async (c) => {
        await drafts.discard(c.req.param('name'));
        return c.body(null, 204);
      },
    );
}
