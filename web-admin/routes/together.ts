/** `/api/v1/conflicts`, `/late` and `/proposals`: what devices wrote at once, and a person's word on it. */

import { Hono } from 'hono';
import type { Backend } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { requiresFresh, tagged } from '../freshness.ts';
import { authorOf, type Environment } from '../guard.ts';
import {
  conflictsSchema,
  lateDecidedSchema,
  lateDeviceSchema,
  lateSchema,
  proposalsSchema,
  resolveSchema,
  twoOwnersSchema,
} from '../together-schema.ts';

const REFUSALS = ['invalid', 'not-found', 'conflict', 'denied', 'read-only', 'no-space'] as const;

/** What was written differently at the same time. */
export function conflictRoutes(backend: Backend) {
  const { together } = backend;
  return new Hono<Environment>()
    .get(
      '/',
      describe({
        tag: 'history',
        summary: 'What devices wrote differently at the same time',
        ok: conflictsSchema,
      }),
      tagged(backend, { isAll: true }),
      async (c) => c.json(await together.conflicts()),
    )
    .post(
      '/resolve',
      describe({
        tag: 'history',
        summary: 'Decide a conflict: take one of the values, or another one',
        ok: 'empty',
        problems: REFUSALS,
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(resolveSchema),
      async (c) => {
        await together.resolve(c.req.valid('json'), authorOf(c));
        return c.body(null, 204);
      },
    );
}

/** What does not count: written after a removal, or by a device that exists twice. */
export function lateRoutes(backend: Backend) {
  const { together } = backend;
  const decision = (summary: string) =>
    describe({ tag: 'history', summary, ok: lateDecidedSchema, problems: REFUSALS, ifMatch: true });
  return new Hono<Environment>()
    .get(
      '/',
      describe({
        tag: 'history',
        summary: 'Changes that do not count, with the evidence',
        ok: lateSchema,
      }),
      tagged(backend, { isAll: true }),
      async (c) => c.json(await together.late()),
    )
    .post(
      '/adopt',
      decision('Take the late changes of a device over'),
      requiresFresh(backend),
      body(lateDeviceSchema),
      async (c) => c.json(await together.decideLate(c.req.valid('json').device, true, authorOf(c))),
    )
    .post(
      '/dismiss',
      decision('Let the late changes of a device go'),
      requiresFresh(backend),
      body(lateDeviceSchema),
      async (c) =>
        c.json(await together.decideLate(c.req.valid('json').device, false, authorOf(c))),
    );
}

/** What one owner would like and another one has to agree to. */
export function proposalRoutes(backend: Backend) {
  const { together } = backend;
  return new Hono<Environment>()
    .get(
      '/',
      describe({
        tag: 'history',
        summary: 'Changes that wait for a second owner',
        ok: proposalsSchema,
      }),
      tagged(backend, { isAll: true }),
      (c) => c.json(together.proposals()),
    )
    .put(
      '/paths',
      describe({
        tag: 'history',
        summary: 'Say what no owner changes alone',
        ok: 'empty',
        problems: REFUSALS,
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(twoOwnersSchema),
      async (c) => {
        await together.requireTwo(c.req.valid('json').paths, authorOf(c));
        return c.body(null, 204);
      },
    )
    .post(
      '/:id/approve',
      describe({
        tag: 'history',
        summary: 'Agree to what another owner proposed',
        ok: 'empty',
        problems: REFUSALS,
        ifMatch: true,
      }),
      requiresFresh(backend),
      async (c) => {
        await together.approve(c.req.param('id'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .delete(
      '/:id',
      describe({
        tag: 'history',
        summary: 'Take a proposal away',
        ok: 'empty',
        problems: REFUSALS,
        ifMatch: true,
      }),
      requiresFresh(backend),
      async (c) => {
        await together.withdraw(c.req.param('id'), authorOf(c));
        return c.body(null, 204);
      },
    );
}
