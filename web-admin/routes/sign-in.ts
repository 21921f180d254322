/** `/api/v1/session` and `/api/v1/tokens`: how a browser and how a program come in. */

import { Hono } from 'hono';
import { type Backend, WebAdminError } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { authorOf, type Environment, sessionCookie, sourceOfRequest } from '../guard.ts';
import type { Limiter } from '../limiter.ts';
import { problem } from '../problem.ts';
import {
  issuedTokenSchema,
  newTokenSchema,
  redeemSchema,
  sessionSchema,
  signInLinkSchema,
  tokensSchema,
} from '../schema.ts';

/** Redeem a one-time link, sign out, and make a link. */
export function sessionRoutes(backend: Backend, limiter: Limiter) {
  return new Hono<Environment>()
    .post(
      '/',
      describe({
        tag: 'sign-in',
        summary: 'Sign in with a one-time code',
        ok: sessionSchema,
        isPublic: true,
        problems: ['invalid', 'denied', 'too-many'],
      }),
      body(redeemSchema),
      async (c) => {
        const wait = limiter.take(sourceOfRequest(c));
        if (wait !== undefined) {
          return problem('too-many', { headers: { 'retry-after': String(wait) } });
        }
        const { secret, name, expiresAt } = await backend.signIn.redeem(c.req.valid('json').code);
        c.header('Set-Cookie', sessionCookie(c.req.url, secret));
        return c.json({ name, expiresAt });
      },
    )
    .delete('/', describe({ tag: 'sign-in', summary: 'Sign out', ok: 'empty' }), async (c) => {
      const caller = c.get('caller');
      if (caller.kind === 'session') await backend.signIn.end(caller.secret);
      c.header('Set-Cookie', sessionCookie(c.req.url, ''));
      return c.body(null, 204);
    })
    .post(
      '/link',
      describe({
        tag: 'sign-in',
        summary: 'Make a one-time sign-in link; on the unix socket only',
        ok: signInLinkSchema,
        problems: ['denied'],
      }),
      async (c) => {
        if (c.get('caller').kind !== 'local') {
          throw new WebAdminError('denied', 'Links are made on the device itself.');
        }
        return c.json(await backend.signIn.link());
      },
    );
}

/** Tokens for programs and for git. A token cannot make another one. */
export function tokenRoutes(backend: Backend) {
  return new Hono<Environment>()
    .use(async (c, next) => {
      if (c.get('caller').kind === 'token') {
        throw new WebAdminError('denied', 'A token cannot manage tokens.');
      }
      await next();
    })
    .get(
      '/',
      describe({
        tag: 'sign-in',
        summary: 'The tokens that are valid',
        ok: tokensSchema,
        problems: ['denied'],
      }),
      async (c) => c.json({ tokens: await backend.tokens.list() }),
    )
    .post(
      '/',
      describe({
        tag: 'sign-in',
        summary: 'Issue a token; its text is in this reply only',
        ok: issuedTokenSchema,
        status: 201,
        problems: ['invalid', 'denied', 'read-only', 'no-space'],
      }),
      body(newTokenSchema),
      async (c) => c.json(await backend.tokens.issue(c.req.valid('json'), authorOf(c)), 201),
    )
    .delete(
      '/:id',
      describe({
        tag: 'sign-in',
        summary: 'Revoke a token',
        ok: 'empty',
        problems: ['denied', 'not-found'],
      }),
      async (c) => {
        await backend.tokens.revoke(c.req.param('id'), authorOf(c));
        return c.body(null, 204);
      },
    );
}
