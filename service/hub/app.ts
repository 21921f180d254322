/**
 * A hub: holds sealed commits for realms whose devices cannot always meet.
 *
 *     PUT    /sync/v1/<realm>                   begin a realm here; `nymote-invite: <code>`
 *     GET    /sync/v1/<realm>/state             { vector, forks }
 *     POST   /sync/v1/<realm>/pull              { device: [[seq, id]], … } → envelopes, a page
 *     POST   /sync/v1/<realm>/push              envelopes → { stored, gaps, forks }
 *     GET    /sync/v1/<realm>/watch             server-sent events: something changed
 *     PUT    /sync/v1/<realm>/members/<device>  { key, mayAdmit }
 *     DELETE /sync/v1/<realm>/members/<device>
 *
 * Every request is signed by a member's key (signed-request.ts). A hub can withhold commits; it can
 * neither read them, nor forge them, nor change who may write.
 */

import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { streamSSE } from 'hono/streaming';
import * as v from 'valibot';
import { deviceId } from '#identity';
import type { Clock, Crypto, Log } from '#runtime';
import { readEnvelopes } from '#storage';
import { decodeBase64 } from '../base64.ts';
import { readLimited } from '../sync/limited.ts';
import { verifyRequest } from '../peers/signed-request.ts';
import { Key32 } from '../records.ts';
import { MAX_PAGE_BYTES, pageHeaders, readJson, VectorSchema } from '../sync/serve.ts';
import type { HubDatabase, Member } from './database.ts';
import { createListeners, type Listeners } from './listeners.ts';

const REALM = /^[0-9a-f]{64}$/;
/** A stream that says nothing looks dead to whatever stands between. */
const HEARTBEAT_MS = 25_000;

const MemberSchema = v.strictObject({ key: Key32, mayAdmit: v.boolean() });

type Needs = { readonly clock: Clock; readonly crypto: Crypto; readonly log: Log };
type Environment = {
  Variables: { realm: string; body: Uint8Array; member: Member; isNew: boolean };
};
type Asked = Context<Environment>;

/** The hub's routes over its database. */
export async function createHub(
  { clock, crypto, log }: Needs,
  database: HubDatabase,
): Promise<{ fetch(request: Request): Response | Promise<Response> } & Disposable> {
  const listeners = createListeners();
  await database.listen(listeners.tell);
  const app = new Hono<Environment>();
  app.onError((error) => {
    log('error', 'hub-failed', { error: String(error) });
    return new Response(null, { status: 503, headers: { 'retry-after': '30' } });
  });
  app.get('/health', (c) => c.text('ok\n'));

  app.use('/sync/v1/:realm/*', admission(clock, crypto, database));
  commitRoutes(app, database);
  app.get('/sync/v1/:realm/watch', (c) => watch(c, clock, listeners));
  memberRoutes(app, crypto, database, listeners);
  return { fetch: (request) => app.fetch(request), [Symbol.dispose]: () => listeners.endAll() };
}

/** Lets a realm's members in, and whoever wants to begin one. */
function admission(
  clock: Clock,
  crypto: Crypto,
  database: HubDatabase,
): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const realm = c.req.param('realm') ?? '';
    const body = await readLimited(c.req.raw, clock, MAX_PAGE_BYTES);
    if (!REALM.test(realm) || body === undefined) return c.json({ error: 'bad-request' }, 400);
    const requester = await verifyRequest(crypto, c.req.raw, body);
    // Whether a realm is here is told to its members only.
    if (requester === undefined) return c.json({ error: 'not-a-member' }, 403);
    const { device, publicKey: key } = requester;
    const isBeginning = c.req.method === 'PUT' && c.req.path === `/sync/v1/${realm}`;
    const member = await database.member(realm, device);
    if (member === undefined && !isBeginning) return c.json({ error: 'not-a-member' }, 403);
    c.set('realm', realm);
    c.set('body', body);
    c.set('member', member ?? { device, key, mayAdmit: true });
    c.set('isNew', member === undefined);
    return next();
  };
}

function commitRoutes(app: Hono<Environment>, database: HubDatabase): void {
  app.put('/sync/v1/:realm', async (c) => {
    const { realm, member, isNew } = c.var;
    if (!isNew) return c.json({ realm });
    const began = await database.begin(realm, member, c.req.header('nymote-invite') ?? '');
    return began ? c.json({ realm }, 201) : c.json({ error: 'not-invited' }, 403);
  });
  app.get('/sync/v1/:realm/state', async (c) => c.json(await database.vector(c.var.realm)));
  app.post('/sync/v1/:realm/pull', async (c) => {
    const known = readJson(VectorSchema, c.var.body);
    if (known === undefined) return c.json({ error: 'bad-request' }, 400);
    const { envelopes, isMore, holds } = await database.missing(c.var.realm, known);
    const headers = pageHeaders(holds, isMore);
    return new Response(new Uint8Array(Buffer.concat(envelopes)), { headers });
  });
  app.post('/sync/v1/:realm/push', async (c) => {
    const read = readEnvelopes(c.var.body);
    if (!read.ok) return c.json({ error: read.reason }, 400);
    const stored = await database.store(c.var.realm, read.envelopes);
    return stored === 'full' ? c.json({ error: 'quota' }, 507) : c.json(stored);
  });
}

function memberRoutes(
  app: Hono<Environment>,
  crypto: Crypto,
  database: HubDatabase,
  listeners: Listeners,
): void {
  app.put('/sync/v1/:realm/members/:device', async (c) => {
    const { realm, member, body } = c.var;
    if (!member.mayAdmit) return c.json({ error: 'may-not-admit' }, 403);
    const wish = readJson(MemberSchema, body);
    const key = wish && decodeBase64(wish.key);
    const device = c.req.param('device');
    if (!wish || !key || deviceId(crypto, key) !== device) {
      return c.json({ error: 'bad-request' }, 400);
    }
    const result = await database.admit(realm, { device, key, mayAdmit: wish.mayAdmit });
    return result === 'full' ? c.json({ error: 'quota' }, 507) : c.json({ device });
  });
  app.delete('/sync/v1/:realm/members/:device', async (c) => {
    const { realm, member } = c.var;
    const device = c.req.param('device');
    const mayDismiss = member.mayAdmit || member.device === device;
    if (!mayDismiss) return c.json({ error: 'may-not-admit' }, 403);
    await database.dismiss(realm, device);
    listeners.end(realm);
    return c.json({ device });
  });
}

function watch(c: Asked, clock: Clock, listeners: Listeners): Response {
  return streamSSE(c, async (stream) => {
    const ending = new AbortController();
    let moved = true;
    let wake = (): void => undefined;
    const listener = listeners.add(c.var.realm, {
      tell: () => {
        moved = true;
        wake();
      },
      end: () => ending.abort(),
    });
    if (listener === 'too-many') return;
    stream.onAbort(() => ending.abort());
    try {
      while (!ending.signal.aborted) {
        await stream.writeSSE(moved ? { event: 'moved', data: '' } : { event: 'still', data: '' });
        moved = false;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const cancel = clock.after(HEARTBEAT_MS, resolve);
        ending.signal.addEventListener('abort', () => resolve(), { once: true });
        if (!moved) await promise;
        cancel();
      }
    } finally {
      listener();
    }
  });
}
