/** The app over a household in memory: no sockets, no files; time is moved by hand. */

import { describe, expect, test } from 'vitest';
import { createHousehold } from '../test/browser/household.ts';
import { createApp, createRoutes } from './app.ts';
import { parseAssets } from './assets.ts';
import { createEventHub } from './events.ts';
import { PROBLEMS } from './problem.ts';

const HOST = 'laptop.alice.nymote:8053';
const ORIGIN = `http://${HOST}`;
const FROM = { address: '192.168.1.20', port: 40_000 };
const INDEX = { path: '/index.html', type: 'text/html', text: '<p>', gzip: btoa('zipped') };

const clock = {
  now: () => 1_790_000_000,
  monotonic: () => 0,
  isSet: () => true,
  sleep: () => new Promise<void>(() => {}),
  after: () => () => {},
};

function setUp(trust: 'web' | 'unix' = 'web') {
  const household = createHousehold(clock.now);
  const bugs: string[] = [];
  const options = {
    clock,
    trust,
    hosts: () => ['laptop.alice.nymote', '127.0.0.1', 'fd00::1'],
    assets: parseAssets(JSON.stringify([INDEX])),
    log: (_: string, event: string) => void bugs.push(event),
  };
  const app = createApp(household, options);

  async function ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: unknown,
  ) {
    const request = new Request(`${ORIGIN}${path}`, {
      method,
      headers: {
        host: HOST,
        origin: ORIGIN,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return app.fetch(request, trust === 'web' ? FROM : { path: '/run/nymote.sock' });
  }

  async function signIn(): Promise<{ cookie: string }> {
    const response = await ask('POST', '/api/v1/session', {}, { code: household.code() });
    return { cookie: (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '' };
  }
  return { app, ask, signIn, household, bugs, options };
}

async function codeOf(response: Response): Promise<string | number> {
  if (response.ok) return response.status;
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const body = (await response.json()) as { code: keyof typeof PROBLEMS; status: number };
  expect(PROBLEMS[body.code].status).toBe(response.status);
  return body.code;
}

describe('who may come in', () => {
  test.each([
    { host: HOST, result: 200, why: 'our name, any port' },
    { host: 'LAPTOP.alice.nymote.', result: 200, why: 'case and the final dot do not matter' },
    { host: '[fd00:0::1]:80', result: 200, why: 'an address literal in another spelling' },
    { host: '127.0.0.1', result: 200, why: 'loopback was allowed' },
    { host: 'evil.example', result: 'misdirected', why: 'DNS rebinding' },
    { host: 'laptop.alice.nymote@evil.example', result: 'misdirected', why: 'user information' },
    { host: '', result: 'misdirected', why: 'no name at all' },
  ])('Host $host: $why', async ({ host, result }) => {
    const { ask } = setUp();
    expect(await codeOf(await ask('GET', '/', { host }))).toBe(result);
  });

  test.each([
    { headers: { origin: ORIGIN }, result: 'denied', why: 'our page' },
    { headers: { origin: ORIGIN, 'sec-fetch-site': 'same-origin' }, result: 'denied', why: 'both' },
    { headers: { origin: 'null' }, result: 'cross-origin', why: 'a sandboxed frame' },
    { headers: { origin: 'http://evil.example' }, result: 'cross-origin', why: 'another site' },
    { headers: { origin: `${ORIGIN}1` }, result: 'cross-origin', why: 'another port' },
    {
      headers: { origin: ORIGIN, 'sec-fetch-site': 'same-site' },
      result: 'cross-origin',
      why: 'one header that disagrees is enough',
    },
  ])('a change with $headers: $why', async ({ headers, result }) => {
    const { ask } = setUp();
    const body = { code: 'wrong' };
    expect(await codeOf(await ask('POST', '/api/v1/session', headers, body))).toBe(result);
  });

  test('every route of the API and of git needs a caller, but the two public ones', async () => {
    const { app, household, options } = setUp();
    const hub = createEventHub(clock, () => () => {});
    const routes = createRoutes(household, hub, options).routes.filter(
      ({ method, path }) => method !== 'ALL' && /^\/(api|git)/.test(path),
    );
    expect(new Set(routes.map(({ path }) => path)).size).toBeGreaterThan(14);
    const open = new Set<string>();
    for (const { method, path } of routes) {
      const url = `${ORIGIN}${path.replace(/:\w+/, 'x').replace('*', 'HEAD')}`;
      const request = new Request(url, { method, headers: { host: HOST, origin: ORIGIN } });
      const response = await app.fetch(request, FROM);
      if (response.status !== 401) open.add(`${method} ${path}`);
    }
    expect([...open]).toEqual(['POST /api/v1/session', 'GET /api/v1/openapi.json']);
  });

  test.each<{ address: string; headers?: object; status: number; why: string }>([
    { address: '127.0.0.1', status: 200, why: 'a program of this machine' },
    { address: '::1', status: 200, why: 'over IPv6' },
    { address: '::ffff:127.0.0.1', status: 200, why: 'over both' },
    { address: '192.168.1.20', status: 401, why: 'somebody else needs a token' },
    { address: '2001:db8::1', status: 401, why: 'however near ::1 it looks' },
    {
      ...{ address: '127.0.0.1', headers: { 'x-forwarded-for': '192.0.2.1' }, status: 401 },
      why: 'a proxy of this machine, for somebody',
    },
    {
      ...{ address: '127.0.0.1', headers: { host: 'evil.example' }, status: 421 },
      why: 'a page that had its name rebound',
    },
  ])('metrics for $address: $status, $why', async ({ address, headers, status }) => {
    const { app } = setUp();
    const request = new Request(`${ORIGIN}/metrics`, { headers: { host: HOST, ...headers } });
    const response = await app.fetch(request, { address, port: 40_000 });
    expect(response.status).toBe(status);
    if (status === 200) expect(response.headers.get('content-type')).toContain('version=0.0.4');
  });

  test('metrics for a token, and on the unix socket', async () => {
    const web = setUp();
    const cookie = await web.signIn();
    expect((await web.ask('GET', '/metrics', cookie)).status).toBe(200);
    expect((await setUp('unix').ask('GET', '/metrics')).status).toBe(200);
  });

  test.each([
    { path: '/api/v1/explain?name=example.org', status: 200, why: 'A unless told' },
    { path: '/api/v1/explain?name=example.org&type=aaaa&fresh=1', status: 200, why: 'all said' },
    { path: '/api/v1/explain', status: 400, why: 'no name' },
    { path: '/api/v1/explain?name=example.org&type=%20', status: 400, why: 'no type' },
    { path: '/api/v1/explain?name=example.org&fresh=yes', status: 400, why: 'neither 0 nor 1' },
  ])('$path is $status: $why', async ({ path, status }) => {
    const { ask } = setUp('unix');
    expect((await ask('GET', path)).status).toBe(status);
  });

  test('a spelling of a path that is not the route’s opens nothing', async () => {
    const { ask } = setUp();
    for (const path of ['/%61pi/v1/status', '//api/v1/status', '/api/v1/../v1/status', '/API/v1']) {
      expect(['signed-out', 'not-found']).toContain(await codeOf(await ask('GET', path)));
    }
  });

  test('the unix socket needs nothing, and is the only one that makes links', async () => {
    const { ask } = setUp('unix');
    expect((await ask('GET', '/api/v1/status', { host: 'whatever' })).status).toBe(200);
    const link = await ask('POST', '/api/v1/session/link', { origin: 'null' });
    expect(await link.json()).toMatchObject({ url: expect.stringContaining('/sign-in#') });
    const web = setUp();
    const cookie = await web.signIn();
    expect(await codeOf(await web.ask('POST', '/api/v1/session/link', cookie))).toBe('denied');
  });

  test('headers that keep other sites and scripts out are on every reply', async () => {
    const { ask } = setUp();
    for (const path of ['/', '/api/v1/status', '/nothing']) {
      const { headers } = await ask('GET', path);
      expect(headers.get('content-security-policy')).toContain("script-src 'self'");
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
  });
});

describe('sessions and tokens', () => {
  test('a link works once, its cookie is ours alone, and signing out ends it', async () => {
    const { ask, household } = setUp();
    const code = household.code();
    const first = await ask('POST', '/api/v1/session', {}, { code });
    const cookie = first.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^nymote=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(await codeOf(await ask('POST', '/api/v1/session', {}, { code }))).toBe('denied');
    const signedIn = { cookie: `a=b; ${cookie.split(';')[0]}` };
    expect((await ask('GET', '/api/v1/status', signedIn)).status).toBe(200);
    const out = await ask('DELETE', '/api/v1/session', signedIn);
    expect(out.headers.get('set-cookie')).toContain('Max-Age=0');
    expect(await codeOf(await ask('GET', '/api/v1/status', signedIn))).toBe('signed-out');
  });

  test('over https the cookie has the __Host- prefix', async () => {
    const { app, household } = setUp();
    const request = new Request(`https://${HOST}/api/v1/session`, {
      method: 'POST',
      headers: { host: HOST, origin: `https://${HOST}`, 'content-type': 'application/json' },
      body: JSON.stringify({ code: household.code() }),
    });
    const response = await app.fetch(request, FROM);
    expect(response.headers.get('set-cookie')).toMatch(/^__Host-nymote=.*; Secure$/);
  });

  test('guessing is slowed down', async () => {
    const { ask } = setUp();
    const results = new Set<string | number>();
    for (let round = 0; round < 11; round++) {
      const response = await ask('POST', '/api/v1/session', {}, { code: 'guess' });
      if (response.status === 429) expect(response.headers.get('retry-after')).toBe('12');
      results.add(await codeOf(response));
    }
    expect([...results]).toEqual(['denied', 'too-many']);
  });

  test('a stream that a token opened ends when the token is revoked', async () => {
    const { ask, signIn, household, options } = setUp();
    const cookie = await signIn();
    const issued = await ask('POST', '/api/v1/tokens', cookie, { name: 'ci', days: 7 });
    const { token, id } = (await issued.json()) as { token: string; id: string };
    const due: (() => void)[] = [];
    const after = (_: number, act: () => void) => {
      due.push(act);
      return () => {};
    };
    using app = createApp(household, { ...options, clock: { ...clock, after } });
    const headers = { host: HOST, authorization: `Bearer ${token}` };
    const stream = await app.fetch(new Request(`${ORIGIN}/api/v1/events`, { headers }), FROM);
    expect(stream.status).toBe(200);
    await ask('DELETE', `/api/v1/tokens/${id}`, cookie);
    for (const act of due) act();
    expect(await stream.text()).toBe('retry: 2000\n\n');
  });

  test('a token opens the API without an origin and git by HTTP Basic, and makes no token', async () => {
    const { ask, signIn, household } = setUp();
    const issued = await ask('POST', '/api/v1/tokens', await signIn(), { name: 'ci', days: 7 });
    const { token } = (await issued.json()) as { token: string };
    const bearer = { authorization: `Bearer ${token}`, origin: 'null' };
    expect((await ask('GET', '/api/v1/devices', bearer)).status).toBe(200);
    const headers = { ...bearer, 'if-match': `"${household.head()}"` };
    expect((await ask('DELETE', '/api/v1/devices/phone', headers)).status).toBe(204);
    const another = await ask('POST', '/api/v1/tokens', bearer, { name: 'x', days: 1 });
    expect(await codeOf(another)).toBe('denied');

    const basic = { authorization: `Basic ${btoa(`git:${token}`)}` };
    expect(await (await ask('GET', '/git/config.git/HEAD', basic)).text()).toContain('ref:');
    expect(await codeOf(await ask('GET', '/api/v1/devices', basic))).toBe('signed-out');
    const refused = await ask('GET', '/git/config.git/HEAD');
    expect(refused.headers.get('www-authenticate')).toContain('Basic');
    for (const path of ['config', 'objects/../config', 'objects/%2e%2e/config']) {
      expect(await codeOf(await ask('GET', `/git/config.git/${path}`, basic))).toBe('not-found');
    }
  });
});

describe('requests and replies', () => {
  test.each([
    { body: { name: 'tablet', kind: 'plain' }, result: 201, why: 'fine' },
    { body: { name: 'Tablet', kind: 'plain' }, result: 'invalid', why: 'upper case' },
    { body: { name: '-', kind: 'plain' }, result: 'invalid', why: 'no label' },
    { body: { name: 'tablet' }, result: 'invalid', why: 'no kind' },
    { body: { name: 'tablet', kind: 'plain', x: 1 }, result: 'invalid', why: 'an unknown field' },
    { body: { name: 'phone', kind: 'plain' }, result: 'conflict', why: 'the name is taken' },
    { body: { name: 'x'.repeat(20_000), kind: 'plain' }, result: 'too-large', why: 'the limit' },
  ])('adding a device, $why', async ({ body, result }) => {
    const { ask, signIn } = setUp();
    const cookie = await signIn();
    expect(await codeOf(await ask('POST', '/api/v1/devices', cookie, body))).toBe(result);
  });

  test('what is not JSON is invalid, and a part that is wrong is pointed at', async () => {
    const { app, ask, signIn } = setUp();
    const cookie = await signIn();
    const headers = { ...cookie, host: HOST, origin: ORIGIN, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: '{' };
    const broken = await app.fetch(new Request(`${ORIGIN}/api/v1/devices`, init), FROM);
    expect(await codeOf(broken)).toBe('invalid');
    const wrong = await ask('POST', '/api/v1/devices', cookie, { name: '', kind: 'plain' });
    expect(await wrong.json()).toMatchObject({ errors: [{ pointer: '/name' }] });
  });

  test('a bug is a bare 500 and a line in the log', async () => {
    const { ask, signIn, household, bugs } = setUp();
    const cookie = await signIn();
    household.zone = () => {
      throw new TypeError('secret detail');
    };
    const response = await ask('GET', '/api/v1/zone', cookie);
    expect(await response.clone().text()).not.toContain('secret');
    expect(await codeOf(response)).toBe('internal');
    expect(bugs).toEqual(['web-admin-bug']);
  });

  test('what shows only the store is not sent again while the head stays', async () => {
    const { ask, signIn } = setUp();
    const cookie = await signIn();
    const first = await ask('GET', '/api/v1/log', cookie);
    const etag = first.headers.get('etag') ?? '';
    const headers = { ...cookie, 'if-none-match': etag };
    expect((await ask('GET', '/api/v1/log', headers)).status).toBe(304);
    expect((await ask('GET', '/api/v1/devices', headers)).status).toBe(200);
    await ask('POST', '/api/v1/devices', cookie, { name: 'tv', kind: 'plain' });
    expect((await ask('GET', '/api/v1/log', headers)).status).toBe(200);
  });

  test.each([
    { ifMatch: undefined, trust: 'web', result: 'precondition-required', why: 'it is missing' },
    { ifMatch: '"0123"', trust: 'web', result: 'stale', why: 'somebody was faster' },
    { ifMatch: '*', trust: 'web', result: 204, why: 'the author does not mind' },
    { ifMatch: undefined, trust: 'unix', result: 204, why: 'the command line may leave it out' },
    { ifMatch: '"0123"', trust: 'unix', result: 'stale', why: 'but not have it wrong' },
  ] as const)('If-Match $ifMatch over $trust: $why', async ({ ifMatch, trust, result }) => {
    const { ask, signIn } = setUp(trust);
    const cookie = trust === 'web' ? await signIn() : {};
    const headers = { ...cookie, ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) };
    expect(await codeOf(await ask('DELETE', '/api/v1/devices/phone', headers))).toBe(result);
  });

  test('HEAD opens no stream', async () => {
    const { ask, signIn } = setUp();
    const cookie = await signIn();
    for (let round = 0; round < 10; round++) {
      expect((await ask('HEAD', '/api/v1/events', cookie)).status).toBe(200);
    }
    const stream = await ask('GET', '/api/v1/events', cookie);
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    expect(await codeOf(await ask('GET', '/api/v1/events?topics=all', cookie))).toBe('invalid');
  });

  test('the log comes in pages', async () => {
    const { ask, signIn } = setUp();
    const cookie = await signIn();
    const first = await ask('GET', '/api/v1/log?limit=3', cookie);
    const { commits, next } = (await first.json()) as { commits: unknown[]; next: string };
    expect(commits).toHaveLength(3);
    expect(first.headers.get('link')).toBe(`</api/v1/log?limit=3&before=${next}>; rel="next"`);
    const second = await ask('GET', `/api/v1/log?limit=3&before=${next}`, cookie);
    expect(await second.json()).toEqual({ commits: [expect.objectContaining({ seq: 1 })] });
    expect(await codeOf(await ask('GET', '/api/v1/log?limit=501', cookie))).toBe('invalid');
  });

  test('the page for links is the page itself, packed when the browser can unpack', async () => {
    const { ask } = setUp();
    expect(await (await ask('GET', '/sign-in')).text()).toBe('<p>');
    const packed = await ask('GET', '/', { 'accept-encoding': 'br, gzip' });
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(await codeOf(await ask('GET', '/other'))).toBe('not-found');
  });
});
