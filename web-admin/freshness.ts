/**
 * Entity tags: the store's head names the state that a reply shows and that a change wants to build
 * on.
 *
 * @see RFC 9110 §8.8.3 (ETag), §13.1 (If-Match, If-None-Match); RFC 6585 §3 (428)
 */

import type { Context, MiddlewareHandler } from 'hono';
import type { Backend } from './backend.ts';
import type { Environment } from './guard.ts';
import { problem } from './problem.ts';

/**
 * Tags a reply with the head. `isAll` when the reply shows nothing but the store: only then may a
 * client be told that what it has is still right (304).
 */
export function tagged(
  backend: Pick<Backend, 'head'>,
  { isAll }: { readonly isAll: boolean },
): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const tag = `"${backend.head()}"`;
    if (isAll && names(c.req.header('if-none-match'), tag)) {
      return new Response(null, { status: 304, headers: { etag: tag } });
    }
    await next();
    if (c.res.ok) c.res.headers.set('etag', tag);
    if (c.res.ok && isAll) c.res.headers.set('cache-control', 'private, no-cache');
    return undefined;
  };
}

/**
 * Lets a change through only when its author has seen the current head. People at the command line
 * see what they do, so a missing If-Match is fine there; a wrong one never is.
 */
export function requiresFresh(backend: Pick<Backend, 'head'>): MiddlewareHandler<Environment> {
  return async (c: Context<Environment>, next) => {
    const tag = `"${backend.head()}"`;
    const wanted = c.req.header('if-match');
    if (wanted === undefined && c.get('caller').kind !== 'local') {
      return problem('precondition-required');
    }
    if (wanted !== undefined && !names(wanted, tag)) {
      return problem('stale', { headers: { etag: tag } });
    }
    // What moves the head between here and the store is somebody else's change as well.
    if (wanted !== undefined && !names(wanted, '*')) c.set('ifHead', backend.head());
    await next();
    if (c.res.ok) c.res.headers.set('etag', `"${backend.head()}"`);
    return undefined;
  };
}

function names(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((item) => item.trim() === tag || item.trim() === '*');
}
