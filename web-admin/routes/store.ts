/** `/api/v1` about the store: the zone it makes, its history, and how to go back. */

import { Hono } from 'hono';
import type * as v from 'valibot';
import type { Backend, LogQuery } from '../backend.ts';
import { body, describe, query } from '../describe.ts';
import { requiresFresh, tagged } from '../freshness.ts';
import { authorOf, type Environment } from '../guard.ts';
import {
  anchorSchema,
  diffQuerySchema,
  diffSchema,
  logQuerySchema,
  logSchema,
  revertedSchema,
  revertSchema,
  signersSchema,
  zoneSchema,
} from '../schema.ts';

const DEFAULT_PAGE = 50;

/** The zone and its trust anchor. */
export function zoneRoutes(backend: Backend) {
  const tag = tagged(backend, { isAll: true });
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'zone', summary: 'The records of the zone', ok: zoneSchema }),
      tag,
      async (c) => c.json(await backend.zone()),
    )
    .get(
      '/anchor',
      describe({ tag: 'zone', summary: 'The trust anchor of the zone', ok: anchorSchema }),
      tag,
      async (c) => c.json(await backend.anchor()),
    );
}

/** Log, diff, and who signed. */
export function historyRoutes(backend: Backend) {
  const tag = tagged(backend, { isAll: true });
  return new Hono<Environment>()
    .get(
      '/log',
      describe({
        tag: 'history',
        summary: 'Who changed what, newest first',
        ok: logSchema,
        problems: ['invalid', 'not-found'],
      }),
      tag,
      query(logQuerySchema),
      async (c) => {
        const wanted = readLogQuery(c.req.valid('query'));
        const commits = await backend.log(wanted);
        const next = commits.length < wanted.limit ? undefined : commits.at(-1)?.id;
        if (next !== undefined) {
          const url = new URL(c.req.url);
          url.searchParams.set('before', next);
          c.header('Link', `<${url.pathname}${url.search}>; rel="next"`);
        }
        return c.json({ commits, ...(next === undefined ? {} : { next }) });
      },
    )
    .get(
      '/diff',
      describe({
        tag: 'history',
        summary: 'What changed between two commits, or in one',
        ok: diffSchema,
        problems: ['invalid', 'not-found'],
      }),
      tag,
      query(diffQuerySchema),
      async (c) => {
        const { from, to } = c.req.valid('query');
        return c.json(await backend.diff(from, to));
      },
    )
    .get(
      '/log/signers',
      describe({
        tag: 'history',
        summary: 'Who may have signed it, for git and ssh-keygen',
        ok: signersSchema,
      }),
      tag,
      (c) => c.json({ allowedSigners: backend.allowedSigners() }),
    );
}

function readLogQuery({ limit, ...query }: v.InferOutput<typeof logQuerySchema>): LogQuery {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return {
    limit: limit === undefined ? DEFAULT_PAGE : Number(limit),
    ...Object.fromEntries(given),
  };
}

/** Undoing. */
export function revertRoutes(backend: Backend) {
  return new Hono<Environment>().post(
    '/revert',
    describe({
      tag: 'history',
      summary: 'Undo one commit with a new one',
      ok: revertedSchema,
      problems: ['invalid', 'not-found', 'conflict', 'read-only', 'no-space'],
      ifMatch: true,
    }),
    requiresFresh(backend),
    body(revertSchema),
    async (c) => {
      const { id } = c.req.valid('json');
      return c.json({ commit: await backend.revert(id, authorOf(c)) });
    },
  );
}

/** The history as a git repository that can be cloned; not part of the API proper. */
export function gitRoutes(backend: Backend) {
  return new Hono<Environment>().get('/config.git/*', async (c) => {
    const path = c.req.path.replace(/^\/git\/config\.git\//, '');
    const file = isGitPath(path) ? await backend.git(path) : undefined;
    if (file === undefined) return c.notFound();
    return new Response(file.body, { headers: { 'content-type': file.type } });
  });
}

/** Only what git asks for, and no way up. */
function isGitPath(path: string): boolean {
  return (
    /^(?:HEAD|shallow|info\/refs|objects\/[A-Za-z0-9/._-]{1,128})$/.test(path) &&
    !path.includes('..')
  );
}
