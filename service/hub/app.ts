/**
 * A hub: holds sealed commits for realms whose devices cannot always meet.
 *
 *     PUT    /sync/v1/<realm>                   begin a realm here; `nymote-invite: <code>`
 *     GET    /sync/v1/<realm>/state             { vector, forks, given }
 *     POST   /sync/v1/<realm>/pull?after=<n>    { device: [[seq, id]], … } → envelopes, a page
 *     POST   /sync/v1/<realm>/push              envelopes → { stored, gaps, forks, given }
 *     GET    /sync/v1/<realm>/watch             server-sent events: something changed
 *     PUT    /sync/v1/<realm>/public            { public }: whether everybody may read it
 *     PUT    /sync/v1/<realm>/members/<device>  { key, mayAdmit }
 *     DELETE /sync/v1/<realm>/members/<device>
 *     GET    /health                            whether the database answers
 *
 * Every request is signed, by a member's key (signed-request.ts) unless a public realm is read. A hub
 * can withhold commits; it can neither read them, nor forge them, nor change who may write. As it cannot
 * tell a commit from garbage, it keeps what each member gives, and tells each only what that one gave.
 */

import { type Context, Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import * as v from 'valibot';
import { deviceId } from '#identity';
import type { Clock, Crypto, Endpoint, Log, Path } from '#runtime';
import { readEnvelopes } from '#storage';
import { decodeBase64 } from '../base64.ts';
import { claimedDevice, verifyRequest } from '../peers/signed-request.ts';
import { Key32 } from '../records.ts';
import { readLimited } from '../sync/limited.ts';
import { MAX_PAGE_BYTES, pageHeaders, readJson, SEEN, VectorSchema } from '../sync/serve.ts';
import type { HubDatabase, Role, Visit } from './database.ts';
import { createLimits, type Limits } from './limits.ts';
import { createListeners, type Listeners } from './listeners.ts';
import { actionOf, createMeasures, type Measures } from './measures.ts';
import { withPatience } from './patience.ts';

const REALM = /^[0-9a-f]{64}$/;
const NUMBER = /^\d{1,15}$/;
/** A stream that says nothing looks dead to whatever stands between. */
const HEARTBEAT_MS = 25_000;
/** Of who is not known yet: a vector of 256 devices. Whoever pushes has pulled before. */
const MAX_STRANGER_BYTES = 100_000;
/** Of one push: rows are cheap, and not free. */
const MAX_ENVELOPES = 4_096;
/** A database that was away is found again in less. */
const RETRY_SECONDS = 5;

const MemberSchema = v.strictObject({ key: Key32, mayAdmit: v.boolean() });
const PublicSchema = v.strictObject({ public: v.boolean() });

type Needs = { readonly clock: Clock; readonly crypto: Crypto; readonly log: Log };
type Environment = {
  Bindings: { from: string };
  Variables: { visit: Visit; key: Uint8Array; body: Uint8Array };
};
type Asked = Context<Environment>;
type Parts = Needs & {
  readonly database: HubDatabase;
  readonly limits: Limits;
  readonly listeners: Listeners;
  readonly measures: Measures;
};

export type Hub = Disposable & {
  fetch(request: Request, from: Endpoint | Path): Promise<Response>;
  /** What Prometheus reads. */
  metrics(): Promise<string>;
};

/** The hub's routes over its database; `isProxied`: a proxy of ours says who asks. */
export async function createHub(
  needs: Needs,
  opened: HubDatabase,
  isProxied: boolean,
): Promise<Hub> {
  const { clock, log } = needs;
  const database = withPatience(clock, opened);
  const listeners = createListeners();
  const measures = createMeasures();
  const limits = createLimits(clock);
  await database.listen({ moved: listeners.tell, ended: listeners.end, again: listeners.tellAll });
  const app = new Hono<Environment>();
  app.onError((error) => {
    log('error', 'hub-failed', { error: String(error) });
    return new Response(null, { status: 503, headers: { 'retry-after': String(RETRY_SECONDS) } });
  });
  app.get('/health', async (c) => {
    await database.size();
    return c.text('ok\n');
  });
  routes(app, { ...needs, database, limits, listeners, measures });
  return {
    async fetch(request, from) {
      const began = clock.monotonic();
      const response = await app.fetch(request, { from: addressOf(request, from, isProxied) });
      const action = actionOf(request.method, new URL(request.url).pathname);
      measures.answered(action, response.status, clock.monotonic() - began);
      return response;
    },
    metrics: async () =>
      measures.print(listeners.count(), await database.size().catch(() => undefined)),
    [Symbol.dispose]: () => listeners.endAll(),
  };
}

/** The last address is the one that the proxy itself saw. */
function addressOf({ headers }: Request, from: Endpoint | Path, isProxied: boolean): string {
  const said = isProxied ? headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() : undefined;
  return said || ('address' in from ? from.address : '');
}

function routes(app: Hono<Environment>, parts: Parts): void {
  const { database, measures } = parts;
  app.use('/sync/v1/:realm/*', async (c, next) => (await admit(c, parts)) ?? next());
  app.put('/sync/v1/:realm', (c) => begin(c, parts));
  app.get('/sync/v1/:realm/state', async (c) => {
    const state = await database.state(c.var.visit);
    if (state === undefined) return turnAway(c, parts);
    charge(c, parts, state.role);
    const { vector, forks, given } = state;
    return c.json({ vector, forks, given });
  });
  app.post('/sync/v1/:realm/pull', async (c) => {
    const known = readJson(VectorSchema, c.var.body);
    const after = c.req.query('after');
    if (known === undefined || (after !== undefined && !NUMBER.test(after))) {
      return c.json({ error: 'bad-request' }, 400);
    }
    const asked = after === undefined ? [] : [Number(after)];
    const missing = await database.missing(c.var.visit, known, ...asked);
    if (missing === undefined) return turnAway(c, parts);
    charge(c, parts, missing.role);
    measures.gave(missing.page.length);
    const { page, holds, given, isMore, seen } = missing;
    const place = seen === undefined ? {} : { [SEEN]: String(seen) };
    const headers = { ...pageHeaders(holds, given, isMore), ...place };
    return new Response(new Uint8Array(page), { headers });
  });
  app.post('/sync/v1/:realm/push', async (c) => {
    const read = readEnvelopes(c.var.body);
    if (!read.ok) return c.json({ error: read.reason }, 400);
    if (read.envelopes.length > MAX_ENVELOPES) return c.json({ error: 'too-large' }, 413);
    const stored = await database.store(c.var.visit, c.var.body, read.envelopes);
    if (stored === undefined) return turnAway(c, parts);
    charge(c, parts, 'member');
    if (stored === 'full') return c.json({ error: 'quota' }, 507);
    if (stored === 'enough-today') return later(c, ALLOWANCE_SECONDS, 'daily-quota');
    measures.took(stored.stored, c.var.body.length);
    return c.json(stored);
  });
  app.get('/sync/v1/:realm/watch', async (c) => {
    if (!isMember(await database.role(c.var.visit))) return turnAway(c, parts);
    charge(c, parts, 'member');
    return watch(c, parts);
  });
  adminRoutes(app, parts);
}

/** Reads and verifies; an answer means that it goes no further. */
async function admit(c: Asked, parts: Parts): Promise<Response | undefined> {
  const { clock, crypto, limits } = parts;
  const claimed = claimedDevice(crypto, c.req.raw);
  const wait = limits.knock(c.env.from, claimed);
  if (wait !== undefined) return later(c, wait);
  const realm = c.req.param('realm') ?? '';
  const limit = limits.isKnown(claimed) ? MAX_PAGE_BYTES : MAX_STRANGER_BYTES;
  const body = await readLimited(c.req.raw, clock, limit);
  if (!REALM.test(realm) || body === undefined) return c.json({ error: 'bad-request' }, 400);
  const requester = await verifyRequest(crypto, c.req.raw, body);
  if (requester === undefined) return turnAway(c, parts);
  const { device, publicKey } = requester;
  const tired = limits.proven(device);
  if (tired !== undefined) return later(c, tired);
  c.set('visit', { realm, device });
  c.set('key', publicKey);
  c.set('body', body);
  return undefined;
}

const isMember = (role: Role | undefined): boolean => role === 'member' || role === 'admitter';

function charge(c: Asked, { limits }: Parts, role: Role): void {
  if (isMember(role)) limits.member(c.var.visit.device);
  else limits.stranger(c.env.from, c.var.visit.device);
}

/** Whether a realm is here is told to its members only. */
function turnAway(c: Asked, { limits }: Parts): Response {
  limits.stranger(c.env.from, c.get('visit')?.device);
  return c.json({ error: 'not-a-member' }, 403);
}

/** The allowance of bytes comes back at midnight (UTC). */
const ALLOWANCE_SECONDS = 3_600;

function later(c: Asked, seconds: number, error = 'too-many-requests'): Response {
  return c.json({ error }, 429, { 'retry-after': String(seconds) });
}

async function begin(c: Asked, parts: Parts): Promise<Response> {
  const { database, limits } = parts;
  const { visit, key } = c.var;
  const { realm, device } = visit;
  if (isMember(await database.role(visit))) return c.json({ realm });
  const first = { device, key, mayAdmit: true };
  const began = await database.begin(realm, first, c.req.header('nymote-invite') ?? '');
  if (began) return c.json({ realm }, 201);
  // Somebody who guesses codes.
  limits.stranger(c.env.from, device);
  return c.json({ error: 'not-invited' }, 403);
}

function adminRoutes(app: Hono<Environment>, parts: Parts): void {
  const { crypto, database, listeners } = parts;
  app.put('/sync/v1/:realm/public', async (c) => {
    const role = await database.role(c.var.visit);
    if (!isMember(role)) return turnAway(c, parts);
    if (role !== 'admitter') return c.json({ error: 'may-not-admit' }, 403);
    const wish = readJson(PublicSchema, c.var.body);
    if (wish === undefined) return c.json({ error: 'bad-request' }, 400);
    await database.publish(c.var.visit.realm, wish.public);
    return c.json(wish);
  });
  app.put('/sync/v1/:realm/members/:device', async (c) => {
    const role = await database.role(c.var.visit);
    if (!isMember(role)) return turnAway(c, parts);
    if (role !== 'admitter') return c.json({ error: 'may-not-admit' }, 403);
    const wish = readJson(MemberSchema, c.var.body);
    const key = wish && decodeBase64(wish.key);
    const device = c.req.param('device');
    if (!wish || !key || deviceId(crypto, key) !== device) {
      return c.json({ error: 'bad-request' }, 400);
    }
    const member = { device, key, mayAdmit: wish.mayAdmit };
    const result = await database.admit(c.var.visit.realm, member);
    return result === 'full' ? c.json({ error: 'quota' }, 507) : c.json({ device });
  });
  app.delete('/sync/v1/:realm/members/:device', async (c) => {
    const { realm, device: own } = c.var.visit;
    const role = await database.role(c.var.visit);
    if (!isMember(role)) return turnAway(c, parts);
    const device = c.req.param('device');
    if (role !== 'admitter' && device !== own) return c.json({ error: 'may-not-admit' }, 403);
    await database.dismiss(realm, device);
    listeners.end(realm);
    return c.json({ device });
  });
}

function watch(c: Asked, { clock, listeners }: Parts): Response {
  return streamSSE(c, async (stream) => {
    const ending = new AbortController();
    let moved = true;
    let wake = (): void => undefined;
    const listener = listeners.add(c.var.visit.realm, {
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
