/** `/api/v1/apply`, `/drift` and `/options`: a router's configuration, and what became of it. */

import { Hono } from 'hono';
import {
  applySchema,
  confirmedSchema,
  confirmSchema,
  driftSchema,
  extendSchema,
  newOptionSchema,
  optionsSchema,
} from '../apply-schema.ts';
import type { Backend } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { requiresFresh, tagged } from '../freshness.ts';
import { authorOf, type Environment } from '../guard.ts';

/** What is pending, and a person's word on it. A word is about what is pending, not about the head. */
export function applyRoutes({ apply }: Backend) {
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'apply', summary: 'What is applied and what is pending', ok: applySchema }),
      (c) => c.json(apply.view()),
    )
    .post(
      '/confirm',
      describe({
        tag: 'apply',
        summary: 'Say that a pending change is good, here or on another device',
        ok: confirmedSchema,
        problems: ['invalid', 'not-found', 'conflict', 'read-only', 'no-space'],
      }),
      body(confirmSchema),
      async (c) => c.json({ id: await apply.confirm(c.req.valid('json').id, authorOf(c)) }),
    )
    .post(
      '/rollback',
      describe({
        tag: 'apply',
        summary: 'Take the pending change of this device back',
        ok: 'empty',
        problems: ['not-found', 'unavailable'],
      }),
      (c) => {
        apply.rollback(authorOf(c));
        return c.body(null, 204);
      },
    )
    .post(
      '/extend',
      describe({
        tag: 'apply',
        summary: 'Give the pending change of this device more time',
        ok: 'empty',
        problems: ['invalid', 'not-found', 'unavailable'],
      }),
      body(extendSchema),
      async (c) => {
        await apply.extend(c.req.valid('json').seconds);
        return c.body(null, 204);
      },
    )
    .post(
      '/retry',
      describe({
        tag: 'apply',
        summary: 'Try a change again that was taken back',
        ok: 'empty',
        problems: ['unavailable'],
      }),
      async (c) => {
        await apply.retry();
        return c.body(null, 204);
      },
    );
}

/** What is on the system and not so in the head. */
export function driftRoutes({ apply }: Backend) {
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'apply', summary: 'How this device differs from the head', ok: driftSchema }),
      async (c) => c.json(await apply.drift()),
    )
    .post(
      '/heal',
      describe({
        tag: 'apply',
        summary: 'Put back what the head says; options under the guard',
        ok: driftSchema,
        problems: ['unavailable'],
      }),
      async (c) => c.json(await apply.heal()),
    )
    .post(
      '/adopt',
      describe({
        tag: 'apply',
        summary: 'Make the head say what is there',
        ok: driftSchema,
        problems: ['invalid', 'conflict', 'read-only', 'no-space'],
      }),
      async (c) => c.json(await apply.adopt(authorOf(c))),
    );
}

/** The options of routers. */
export function optionRoutes(backend: Backend) {
  const { apply } = backend;
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'apply', summary: 'All options', ok: optionsSchema }),
      tagged(backend, { isAll: true }),
      (c) => c.json(apply.options()),
    )
    .put(
      '/',
      describe({
        tag: 'apply',
        summary: 'Write an option of a device',
        ok: 'empty',
        problems: ['invalid', 'not-found', 'conflict', 'read-only', 'no-space'],
        ifMatch: true,
      }),
      requiresFresh(backend),
      body(newOptionSchema),
      async (c) => {
        await apply.setOption(c.req.valid('json'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .delete(
      '/:device/:option',
      describe({
        tag: 'apply',
        summary: 'Let go of an option: it becomes what it was before',
        ok: 'empty',
        problems: ['not-found', 'conflict', 'read-only', 'no-space'],
        ifMatch: true,
      }),
      requiresFresh(backend),
      async (c) => {
        await apply.removeOption(c.req.param('device'), c.req.param('option'), authorOf(c));
        return c.body(null, 204);
      },
    );
}
