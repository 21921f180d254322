/**
 * Who may come in: the checks that every request passes before a route sees it.
 *
 * On the web: the Host is one of ours (DNS rebinding), a change comes from our own pages or carries
 * a token (cross-site requests), and the caller has a session or a token, except for the few public
 * paths. On the unix socket the file's mode has decided already. There is no CORS at all.
 *
 * @see RFC 9110 §15.5.20: 421 Misdirected Request
 * @see RFC 6265 §4.1.2, RFC 6265bis §4.1.3.2: cookies and the `__Host-` prefix
 */

import type { Context, MiddlewareHandler } from 'hono';
import type { Endpoint, Path } from '#runtime';
import type { Author, Backend, Session } from './backend.ts';
import { type Limiter, sourceOf } from './limiter.ts';
import { problem } from './problem.ts';

/** Who sent a request, as far as we know. */
export type Caller =
  | { readonly kind: 'local' }
  | { readonly kind: 'session'; readonly session: Session; readonly secret: string }
  | { readonly kind: 'token'; readonly name: string; readonly secret: string };

export type Environment = {
  Bindings: { readonly from: Endpoint | Path };
  Variables: { caller: Caller; ifHead?: string };
};

export type Trust = 'unix' | 'web';

type GuardOptions = {
  readonly backend: Backend;
  readonly hosts: () => readonly string[];
  readonly trust: Trust;
  readonly limiter: Limiter;
};

/** What anybody may do. Everything else under /api/, /git/ and /metrics needs a caller. */
const PUBLIC = new Set(['POST /api/v1/session', 'GET /api/v1/openapi.json']);

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const SECURITY_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
} as const;

/** Runs around every request: checks on the way in, headers on the way out. */
export function guard(options: GuardOptions): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const refusal = await check(c, options);
    if (refusal === undefined) await next();
    else c.res = refusal;
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
    if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store');
  };
}

/** The limiter's key of a request. */
export function sourceOfRequest(c: Context<Environment>): string {
  const { from } = c.env;
  return 'address' in from ? sourceOf(from.address) : 'unix';
}

/** Who made a change, for the commit. */
export function authorOf(c: Context<Environment>): Author {
  const ifHead = c.get('ifHead');
  return { ...callerName(c.get('caller')), ...(ifHead === undefined ? {} : { ifHead }) };
}

function callerName(caller: Caller): Pick<Author, 'via' | 'name'> {
  switch (caller.kind) {
    case 'local':
      return { via: 'cli', name: 'command line' };
    case 'session':
      return { via: 'web', name: caller.session.name };
    case 'token':
      return { via: 'token', name: caller.name };
  }
}

/** Tells whether whoever came in earlier would still be let in; asked of what lasts. */
export async function isStillWelcome(
  caller: Caller,
  { signIn, tokens }: Pick<Backend, 'signIn' | 'tokens'>,
): Promise<boolean> {
  switch (caller.kind) {
    case 'local':
      return true;
    case 'session':
      return (await signIn.check(caller.secret, { touch: false })) !== undefined;
    case 'token':
      return (await tokens.check(caller.secret)) !== undefined;
  }
}

/** The cookie that starts a session; `secret` empty ends it. */
export function sessionCookie(url: string, secret: string): string {
  const isSecure = new URL(url).protocol === 'https:';
  const attributes = `Path=/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
  return `${cookieName(isSecure)}=${secret}; ${attributes}${secret === '' ? '; Max-Age=0' : ''}`;
}

/** Tells whether `host`, a Host header, names one of `hosts`; the port does not matter. */
export function isOurHost(host: string, hosts: readonly string[]): boolean {
  const wanted = hostNameOf(host);
  return wanted !== undefined && hosts.some((ours) => hostNameOf(bracketed(ours)) === wanted);
}

/**
 * Tells whether a request that changes something was made by our own page.
 *
 * Browsers send Sec-Fetch-Site only to https and loopback, and Origin with every POST and DELETE.
 * What is there must agree, and one of the two must be there.
 */
export function isSameOrigin(headers: Headers, host: string): boolean {
  const site = headers.get('sec-fetch-site');
  const origin = headers.get('origin');
  if (site === null && origin === null) return false;
  if (site !== null && site !== 'same-origin') return false;
  return origin === null || hostOfOrigin(origin) === host.toLowerCase();
}

async function check(
  c: Context<Environment>,
  options: GuardOptions,
): Promise<Response | undefined> {
  if (options.trust === 'unix') {
    c.set('caller', { kind: 'local' });
    return undefined;
  }
  const host = c.req.header('host') ?? new URL(c.req.url).host;
  if (!isOurHost(host, options.hosts())) return problem('misdirected');
  // Basic counts as a cookie here: a browser keeps it and sends it along, whoever asks.
  const bearer = /^Bearer /i.test(c.req.header('authorization') ?? '');
  const isChange = !SAFE_METHODS.has(c.req.method);
  if (isChange && !bearer && !isSameOrigin(c.req.raw.headers, host)) return problem('cross-origin');
  return authenticate(c, options);
}

async function authenticate(
  c: Context<Environment>,
  options: GuardOptions,
): Promise<Response | undefined> {
  const { path } = c.req;
  const isProtected = /^\/(?:api|git|metrics)(?:\/|$)/.test(path);
  const method = c.req.method === 'HEAD' ? 'GET' : c.req.method;
  if (!isProtected || PUBLIC.has(`${method} ${path}`)) return undefined;
  if (path === '/metrics' && isHere(c)) return undefined;
  const caller = await callerOf(c, options);
  if (caller === 'too-many') return problem('too-many', { headers: { 'retry-after': '60' } });
  if (caller === undefined) {
    const scheme = path.startsWith('/git/') ? 'Basic realm="nymote", charset="UTF-8"' : 'Bearer';
    return problem('signed-out', { headers: { 'www-authenticate': scheme } });
  }
  c.set('caller', caller);
  return undefined;
}

/**
 * Tells whether a program of this machine asks, and nobody through it. It reads numbers only, and
 * a token would end with every restart of ours.
 */
function isHere(c: Context<Environment>): boolean {
  const { from } = c.env;
  const isForwarded = FORWARDING_HEADERS.some((name) => c.req.header(name) !== undefined);
  return 'address' in from && LOOPBACK.test(from.address) && !isForwarded;
}

/** Proxies say with these whom they speak for (RFC 7239). */
const FORWARDING_HEADERS = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

const LOOPBACK = /^(?:::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/;

async function callerOf(
  c: Context<Environment>,
  { backend, limiter }: GuardOptions,
): Promise<Caller | 'too-many' | undefined> {
  const token = tokenOf(c.req.header('authorization') ?? '', c.req.path);
  if (token !== undefined) {
    const known = await backend.tokens.check(token);
    if (known !== undefined) return { kind: 'token', name: known.name, secret: token };
    return limiter.take(sourceOfRequest(c)) === undefined ? undefined : 'too-many';
  }
  const secret = readCookie(c.req.header('cookie') ?? '', c.req.url);
  if (secret === undefined) return undefined;
  const session = await backend.signIn.check(secret, { touch: !isBackground(c) });
  return session === undefined ? undefined : { kind: 'session', session, secret };
}

/** A page that only refreshes itself must not keep its session alive for ever. */
function isBackground(c: Context<Environment>): boolean {
  return c.req.header('nymote-background') === '1' || c.req.path === '/api/v1/events';
}

/** A bearer token anywhere; as the password of HTTP Basic for git, which knows nothing else. */
function tokenOf(authorization: string, path: string): string | undefined {
  const [, scheme = '', credentials = ''] = /^(\w+) +(\S+)$/.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return credentials;
  if (scheme.toLowerCase() !== 'basic' || !path.startsWith('/git/')) return undefined;
  try {
    const decoded = atob(credentials);
    return decoded.slice(decoded.indexOf(':') + 1);
  } catch {
    // Not base64: no token, as if it were wrong.
    return '';
  }
}

function readCookie(header: string, url: string): string | undefined {
  const name = cookieName(new URL(url).protocol === 'https:');
  for (const pair of header.split(';')) {
    const [key, ...value] = pair.trim().split('=');
    if (key === name) return value.join('=');
  }
  return undefined;
}

function cookieName(isSecure: boolean): string {
  return isSecure ? '__Host-nymote' : 'nymote';
}

function hostNameOf(host: string): string | undefined {
  if (/[/?#@\\\s]/.test(host) || !URL.canParse(`http://${host}`)) return undefined;
  return new URL(`http://${host}`).hostname.replace(/\.$/, '');
}

/** An IPv6 literal needs brackets to stand in a URL. */
function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function hostOfOrigin(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
