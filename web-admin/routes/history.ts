/** `/api/v1/history`: going back in the history, and how far back it is kept. */

import { Hono } from 'hono';
import type { Backend } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { requiresFresh, tagged } from '../freshness.ts';
import { authorOf, type Environment } from '../guard.ts';
import {
  keepSchema,
  keptSchema,
  prunedSchema,
  pruneSchema,
  restoreSchema,
  undoSchema,
} from '../history-schema.ts';
import { revertedSchema } from '../schema.ts';

const REFUSALS = ['invalid', 'not-found', 'conflict', 'read-only', 'no-space'] as const;

/** What is kept, and ways back. */
export function keptRoutes(backend: Backend) {
  const { history } = backend;
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'history', summary: 'How far back the history is kept', ok: keptSchema }),
      tagged(backend, { isAll: true }),
      async (c) => c.json(await history.kept()),
    )
    .put(
      '/',
      describe({
        tag: 'history',
        summary:
          'Say how much history is kept, and from which size on old changes go by themselves',
        ok: 'empty',
        problems: REFUSALS,
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(keepSchema),
      async (c) => {
        await history.keep(c.req.valid('json'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .post(
      '/revert',
      describe({
        tag: 'history',
        summary: 'Undo a commit, a range, or what they did in one place, with a new commit',
        ok: revertedSchema,
        problems: REFUSALS,
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(undoSchema),
      async (c) => c.json({ commit: await history.undo(c.req.valid('json'), authorOf(c)) }),
    )
    .post(
      '/restore',
      describe({
        tag: 'history',
        summary: 'Make things as they were at a commit, with a new one; members stay as they are',
        ok: revertedSchema,
        problems: REFUSALS,
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(restoreSchema),
      async (c) => c.json({ commit: await history.restore(c.req.valid('json'), authorOf(c)) }),
    )
    .post(
      '/prune',
      describe({
        tag: 'history',
        summary: 'Drop history that is old enough, or forget all that can be forgotten',
        ok: prunedSchema,
        problems: REFUSALS,
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(pruneSchema),
      async (c) => c.json(await history.prune(c.req.valid('json'), authorOf(c))),
    );
}
