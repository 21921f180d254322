/**
 * The HTTP face of nymote: `/api/v1`, the browser's files, and the history for git. One app serves
 * the web listener and the unix socket of the command line.
 *
 * It speaks the web's Request and Response; sockets and TLS are its caller's.
 */

import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { openAPIRouteHandler } from 'hono-openapi';
import type { Endpoint, Path, Runtime } from '#runtime';
import { type Assets, serveAsset } from './assets.ts';
import { type Backend, WebAdminError } from './backend.ts';
import { limitBody } from './body-limit.ts';
import { describe } from './describe.ts';
import { createEventHub, type EventHub } from './events.ts';
import { type Environment, guard, type Trust } from './guard.ts';
import { createLimiter } from './limiter.ts';
import { DOCUMENTATION, documentSchema } from './openapi.ts';
import { problem } from './problem.ts';
import { applyRoutes, driftRoutes, optionRoutes } from './routes/apply.ts';
import { deviceRoutes } from './routes/devices.ts';
import { draftRoutes } from './routes/drafts.ts';
import { enrolmentRoutes } from './routes/enrolments.ts';
import { exchangeRoutes } from './routes/exchange.ts';
import { keptRoutes } from './routes/history.ts';
import { nameRoutes } from './routes/names.ts';
import { metricsRoutes, resolverRoutes } from './routes/resolver.ts';
import { ruleRoutes } from './routes/rules.ts';
import { serviceRoutes } from './routes/service.ts';
import { sessionRoutes, tokenRoutes } from './routes/sign-in.ts';
import { gitRoutes, historyRoutes, revertRoutes, zoneRoutes } from './routes/store.ts';
import { conflictRoutes, lateRoutes, proposalRoutes } from './routes/together.ts';
import { upstreamRoutes } from './routes/upstreams.ts';

/** Guesses at codes and tokens, per source: a person who mistypes never meets it. */
const GUESSES = { burst: 10, perMinute: 5 };

export type AppOptions = Pick<Runtime, 'clock' | 'log'> & {
  /** The names and addresses we answer to, without ports. */
  readonly hosts: () => readonly string[];
  readonly assets: Assets;
  /** 'unix': the socket's file mode is the authorisation. */
  readonly trust: Trust;
};

export type App = Disposable & {
  fetch(request: Request, from: Endpoint | Path): Response | Promise<Response>;
};

/** Makes the app. Disposing it ends the event streams, which would hold a listener open. */
export function createApp(backend: Backend, options: AppOptions): App {
  const hub = createEventHub(options.clock, (listener) => backend.subscribe(listener));
  const routes = createRoutes(backend, hub, options);
  return {
    fetch: (request, from) => routes.fetch(request, { from }),
    [Symbol.dispose]: () => hub.close(),
  };
}

/** The routes alone, for the tests that walk over them. */
export function createRoutes(backend: Backend, hub: EventHub, options: AppOptions) {
  const limiter = createLimiter(options.clock, GUESSES);
  const app = new Hono<Environment>();
  app.onError((error) => refusalOf(error, options.log));
  app.notFound(() => problem('not-found'));
  app.use(guard({ backend, hosts: options.hosts, trust: options.trust, limiter }));
  app.use(limitBody());

  app.route('/api/v1', serviceRoutes(backend, hub));
  app.route('/api/v1', resolverRoutes(backend));
  app.route('/api/v1/devices', deviceRoutes(backend));
  app.route('/api/v1/enrolments', enrolmentRoutes(backend));
  app.route('/api/v1/rules', ruleRoutes(backend));
  app.route('/api/v1/upstreams', upstreamRoutes(backend));
  app.route('/api/v1/zone', zoneRoutes(backend));
  app.route('/api/v1/names', nameRoutes(backend));
  app.route('/api/v1/exchange', exchangeRoutes(backend));
  app.route('/api/v1/conflicts', conflictRoutes(backend));
  app.route('/api/v1/late', lateRoutes(backend));
  app.route('/api/v1/history', keptRoutes(backend));
  app.route('/api/v1/drafts', draftRoutes(backend));
  app.route('/api/v1/proposals', proposalRoutes(backend));
  app.route('/api/v1', historyRoutes(backend));
  app.route('/api/v1', revertRoutes(backend));
  app.route('/api/v1/apply', applyRoutes(backend));
  app.route('/api/v1/drift', driftRoutes(backend));
  app.route('/api/v1/options', optionRoutes(backend));
  app.route('/api/v1/session', sessionRoutes(backend, limiter));
  app.route('/api/v1/tokens', tokenRoutes(backend));
  app.get(
    '/api/v1/openapi.json',
    describe({ tag: 'service', summary: 'This description', ok: documentSchema, isPublic: true }),
    openAPIRouteHandler(app, { documentation: DOCUMENTATION, excludeStaticFile: false }),
  );
  app.route('/git', gitRoutes(backend));
  app.route('/', metricsRoutes(backend));

  app.get('*', (c) => {
    const asset = serveAsset(options.assets, c.req.path, c.req.header('accept-encoding') ?? '');
    return asset ?? problem('not-found');
  });
  return app;
}

/** The only place where errors become replies. */
function refusalOf(error: Error, log: Runtime['log']): Response {
  if (error instanceof WebAdminError) return problem(error.code, { detail: error.message });
  // hono's own: a body that is not JSON.
  if (error instanceof HTTPException && error.status === 400) return problem('invalid');
  log('error', 'web-admin-bug', { message: error.message });
  return problem('internal');
}
