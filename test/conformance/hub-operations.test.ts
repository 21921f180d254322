/**
 * A hub as its operator has it: PostgreSQL comes and goes, strangers come, realms go, it is told to
 * stop; plain and under TLS.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request as requestSecurely } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeviceKeys, generateDeviceKeys } from '#identity';
import { nodeRuntime } from '#runtime/node';
import { type HubSettings, inviteToHub, runHub, signRequest, startHub } from '#service';
import { realmKey, sealFrame } from '#storage';
import { takePort } from '../suites/ports.ts';
import { until } from '../suites/waiting.ts';
import { type Postgres, startPostgres } from './hub-stand.ts';

const runtime = nodeRuntime({ log: () => undefined });
const { clock, crypto, http } = runtime;
/** However long a test takes, nobody has more questions left for it. */
const timeless = { ...runtime, clock: { ...clock, monotonic: () => 0 } };
const stack = new AsyncDisposableStack();
const KEY = realmKey(crypto, new Uint8Array(32).fill(1));
const NOTHING = new Uint8Array(0);

let base: Postgres;
let settings: HubSettings;
let hub: string;
let metricsPort: number;

beforeAll(async () => {
  base = stack.use(await startPostgres());
  metricsPort = await takePort();
  settings = {
    ...{ database: base.url, listen: { address: '127.0.0.1', port: 0 } },
    ...{ quota: 1 << 20, daily: 1 << 20, uses: 1, isProxied: true },
    metrics: { address: '127.0.0.1', port: metricsPort },
  };
  const { endpoint } = stack.use(await startHub(timeless, settings));
  hub = `http://127.0.0.1:${endpoint.port}`;
});
afterAll(() => stack.disposeAsync());

type Asked = {
  readonly method?: string;
  readonly body?: Uint8Array | object;
  readonly at?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

async function signed(keys: DeviceKeys, path: string, asked: Asked = {}): Promise<Request> {
  const { method = 'GET', body = NOTHING, at = hub, headers = {} } = asked;
  const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const url = `${at}/sync/v1/${path}`;
  const request = await signRequest(crypto, signer, { method, url, body: bytes });
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  return request;
}

const ask = async (keys: DeviceKeys, path: string, asked: Asked = {}) =>
  fetch(await signed(keys, path, asked));

async function begin(name: string, at = hub) {
  const realm = Buffer.from(crypto.hash('sha256', new TextEncoder().encode(name))).toString('hex');
  const owner = await generateDeviceKeys(crypto);
  const headers = { 'nymote-invite': await inviteToHub(runtime, settings) };
  const began = await ask(owner, realm, { method: 'PUT', at, headers });
  expect(began.status).toBe(201);
  return { realm, owner };
}

function sealed(realm: string, { id: device }: DeviceKeys, seq: number) {
  const frame = new TextEncoder().encode(`commit ${seq}`);
  const id = Buffer.from(crypto.hash('sha256', frame)).toString('hex');
  return sealFrame(crypto, KEY, realm, { device, seq, id }, frame);
}

const push = (realm: string, keys: DeviceKeys, seq: number, at = hub) =>
  ask(keys, `${realm}/push`, { method: 'POST', body: sealed(realm, keys, seq), at });

const run = (verb: string, realm: string, flags = {}) =>
  runHub(runtime, settings, verb, { flags, operands: { realm } });

/** Reads on until a stream says that something moved; heartbeats may come between. */
async function untilMoved({ body }: Response) {
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const next = async (): Promise<void> => {
    for (let heard = ''; !heard.includes('moved'); ) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`the stream ended: ${heard}`);
      heard += new TextDecoder().decode(value);
    }
  };
  await next();
  return { reader, next };
}

describe('PostgreSQL that is restarted', () => {
  test('is waited for in a sentence, found again, and listened to again', async () => {
    const { realm, owner } = await begin('restart');
    const { reader, next } = await untilMoved(await ask(owner, `${realm}/watch`));

    await base.stop();
    const refused = await ask(owner, `${realm}/state`);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await fetch(`${hub}/health`)).status).toBe(503);
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(text).toContain('nymote_hub_database_up 0');

    await base.start();
    await until('the hub is well', async () => (await fetch(`${hub}/health`)).ok, 200);
    // Something may have been missed meanwhile: whoever listens is told.
    await next();
    expect((await push(realm, owner, 1)).status).toBe(200);
    await next();
    await reader.cancel();
  });
});

/** How long a hub waits for its database. */
const DATABASE_MS = 15_000;

/** As the database's administrator does it. */
async function administer(...commands: readonly string[]): Promise<void> {
  const sql = postgres(base.adminUrl, { max: 1, onnotice: () => undefined });
  for (const command of commands) await sql.unsafe(command);
  await sql.end();
}

const END = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity';

describe('a database that', () => {
  test('takes no more connections is waited for, and listened to again', async () => {
    const { realm, owner } = await begin('crowded');
    const { reader, next } = await untilMoved(await ask(owner, `${realm}/watch`));
    await administer('ALTER ROLE nymote CONNECTION LIMIT 0', `${END} WHERE usename = 'nymote'`);
    const refused = await ask(owner, `${realm}/state`);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await administer('ALTER ROLE nymote CONNECTION LIMIT -1');
    await until('the hub is well', async () => (await fetch(`${hub}/health`)).ok, 200);
    await next();
    expect((await push(realm, owner, 1)).status).toBe(200);
    await next();
    await reader.cancel();
  });

  test('does not answer is not waited for without end', async () => {
    const { metrics: _, ...plain } = settings;
    const hurried = {
      ...clock,
      after: (ms: number, act: () => void) => clock.after(ms === DATABASE_MS ? 500 : ms, act),
    };
    await using own = await startHub({ ...runtime, clock: hurried }, plain);
    const at = `http://127.0.0.1:${own.endpoint.port}`;
    const { realm, owner } = await begin('hanging');
    const sql = postgres(base.url, { max: 1, onnotice: () => undefined });
    await sql.begin(async (slow) => {
      await slow`lock table nymote_commit in access exclusive mode`;
      const refused = await push(realm, owner, 1, at);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    });
    await sql.end();
    await until('it answers again', async () => (await push(realm, owner, 1, at)).ok);
  });

  test('ends the one connection that listens is listened to again, and nothing is missed', async () => {
    const { realm, owner } = await begin('unheard');
    const { reader, next } = await untilMoved(await ask(owner, `${realm}/watch`));
    await administer(`${END} WHERE usename = 'nymote' AND query ILIKE 'listen%'`);
    await next();
    expect((await push(realm, owner, 1)).status).toBe(200);
    await next();
    await reader.cancel();
  });
});

describe('a public realm', () => {
  test('is read by whoever signs, and written by its members alone', async () => {
    const { realm, owner } = await begin('public');
    await push(realm, owner, 1);
    const reader = await generateDeviceKeys(crypto);
    const pull = () => ask(reader, `${realm}/pull`, { method: 'POST', body: {} });
    expect((await pull()).status).toBe(403);

    const wish = { method: 'PUT', body: { public: true } };
    expect((await ask(reader, `${realm}/public`, wish)).status).toBe(403);
    expect((await ask(owner, `${realm}/public`, wish)).status).toBe(200);
    const pulled = await pull();
    expect(pulled.status).toBe(200);
    expect(new Uint8Array(await pulled.arrayBuffer())).toEqual(sealed(realm, owner, 1));
    expect((await ask(reader, `${realm}/state`)).status).toBe(200);
    expect((await push(realm, reader, 1)).status).toBe(403);
    expect((await ask(reader, `${realm}/watch`)).status).toBe(403);
    expect((await ask(reader, `${realm}/public`, wish)).status).toBe(403);

    expect((await run('hub publish', realm, { off: '' })).exitCode).toBe(0);
    expect((await pull()).status).toBe(403);
    expect((await run('hub publish', realm)).stdout).toContain('Everybody');
    expect((await pull()).status).toBe(200);
  });

  test('is read so often and no more by one key; its members go on', async () => {
    const { realm, owner } = await begin('public and popular');
    await run('hub publish', realm);
    const reader = await generateDeviceKeys(crypto);
    const headers = { 'x-forwarded-for': '192.0.2.1' };
    const statuses: number[] = [];
    for (let count = 0; count < 40; count++) {
      statuses.push((await ask(reader, `${realm}/state`, { headers })).status);
    }
    expect(statuses).toEqual([...new Array(30).fill(200), ...new Array(10).fill(429)]);
    const last = await ask(reader, `${realm}/state`, { headers });
    expect([last.status, Number(last.headers.get('retry-after')) > 0]).toEqual([429, true]);
    const other = await generateDeviceKeys(crypto);
    expect((await ask(other, `${realm}/state`, { headers })).status).toBe(200);
    expect((await ask(owner, `${realm}/state`, { headers })).status).toBe(200);
  });
});

test('strangers of one address wear themselves out, and not the members there', async () => {
  const { realm, owner } = await begin('behind one address');
  const headers = { 'x-forwarded-for': '203.0.113.1, 192.0.2.9' };
  expect((await ask(owner, `${realm}/state`, { headers })).status).toBe(200);
  const url = `${hub}/sync/v1/${realm}/state`;
  let status = 0;
  for (let count = 0; count < 700 && status !== 429; count++) {
    status = (await fetch(url, { headers })).status;
  }
  expect(status).toBe(429);
  expect((await ask(owner, `${realm}/state`, { headers })).status).toBe(200);
  const elsewhere = { 'x-forwarded-for': '192.0.2.9, 203.0.113.1' };
  expect((await fetch(url, { headers: elsewhere })).status).toBe(403);
});

test('what nobody proved is not listened to for long', async () => {
  const { realm } = await begin('large bodies');
  const stranger = await generateDeviceKeys(crypto);
  const body = new Uint8Array(200_000);
  const refused = await ask(stranger, `${realm}/push`, { method: 'POST', body });
  expect(refused.status).toBe(400);
});

test('a realm is begun once, and an invitation is not used up by trying', async () => {
  const { realm } = await begin('taken');
  const other = await generateDeviceKeys(crypto);
  const headers = { 'nymote-invite': await inviteToHub(runtime, settings) };
  expect((await ask(other, realm, { method: 'PUT', headers })).status).toBe(403);
  const free = 'ab'.repeat(32);
  expect((await ask(other, free, { method: 'PUT', headers })).status).toBe(201);
});

test('a realm that is forgotten is gone with all it had, and its listeners are told', async () => {
  const { realm, owner } = await begin('forgotten');
  await push(realm, owner, 1);
  const stream = await ask(owner, `${realm}/watch`);
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  expect((await run('hub forget', realm)).stdout).toContain('forgotten');
  // What was said of the push may still be on its way.
  while (!(await reader.read()).done);
  expect((await ask(owner, `${realm}/state`)).status).toBe(403);
  expect((await run('hub forget', realm)).exitCode).toBe(1);
  expect((await run('hub forget', 'no realm')).exitCode).toBe(1);
});

test('it says how much it does, and of whom nothing', async () => {
  const { realm, owner } = await begin('measured');
  await push(realm, owner, 1);
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(text).toMatch(/nymote_hub_requests_total\{action="push",status="200"\} [1-9]/);
  expect(text).toContain('nymote_hub_database_up 1');
  expect(text).not.toContain(realm);
  expect(text).not.toContain(owner.id);
  expect((await fetch(`${hub}/metrics`)).status).toBe(404);
});

test('told to stop, it answers what was asked and lets its listeners go', async () => {
  const arrived = Promise.withResolvers<void>();
  const listen: typeof http.listen = (local, handle, room) =>
    http.listen(
      local,
      (request, from) => {
        if (request.url.endsWith('/push')) arrived.resolve();
        return handle(request, from);
      },
      room,
    );
  const { metrics: _, ...plain } = settings;
  const own = await startHub({ ...runtime, http: { ...http, listen } }, plain);
  const at = `http://127.0.0.1:${own.endpoint.port}`;
  const { realm, owner } = await begin('stopped', at);
  const stream = await ask(owner, `${realm}/watch`, { at });
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  const sql = postgres(base.url, { max: 1, onnotice: () => undefined });
  const { pushed, stopped } = await sql.begin(async (slow) => {
    await slow`lock table nymote_commit in access exclusive mode`;
    const pushed = push(realm, owner, 1, at);
    await arrived.promise;
    const stopped = own[Symbol.asyncDispose]();
    // Longer than a server that closes waits for its answers.
    await runtime.clock.sleep(1_000);
    return { pushed, stopped };
  });
  await sql.end();
  await stopped;
  // What was said before may still be on its way.
  while (!(await reader.read()).done);
  expect((await pushed).status).toBe(200);
});

test('under TLS it is the same', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nymote-hub-'));
  stack.defer(() => rm(directory, { recursive: true }));
  const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => join(directory, name));
  const words =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=hub';
  execFileSync(
    'openssl',
    [
      ...[...words.split(' '), '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', key ?? '', '-out', certificate ?? ''],
    ],
    { stdio: 'ignore' },
  );
  const { metrics: _, ...plain } = settings;
  const tls = { certificate: certificate ?? '', key: key ?? '' };
  const { endpoint } = stack.use(await startHub(runtime, { ...plain, tls }));
  const { realm, owner } = await begin('secure');
  await push(realm, owner, 1);
  const at = `https://127.0.0.1:${endpoint.port}`;
  const { status, body } = await askSecurely(
    await signed(owner, `${realm}/pull`, { method: 'POST', body: {}, at }),
    JSON.stringify({}),
    readFileSync(tls.certificate, 'utf8'),
  );
  expect(status).toBe(200);
  expect(new Uint8Array(body)).toEqual(sealed(realm, owner, 1));
});

function askSecurely(
  { url, method, headers }: Request,
  body: string,
  ca: string,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  const agent = new Agent({ ca });
  return new Promise((resolve, reject) => {
    const options = { agent, method, headers: Object.fromEntries(headers) };
    const outgoing = requestSecurely(url, options, async (incoming) => {
      const chunks = await incoming.toArray();
      agent.destroy();
      resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
