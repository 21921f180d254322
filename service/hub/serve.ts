/**
 * `nymote hub`: a hub in the foreground, over PostgreSQL.
 *
 * What it says is plain HTTP unless it is given a certificate: commits are sealed and requests
 * signed, so a proxy in front of it learns who talks and not what.
 */

import type { Credentials, Endpoint, Listener, Runtime } from '#runtime';
import { type ConfigProblem, readEndpoint } from '../config.ts';
import { METRICS_TYPE } from '../metrics.ts';
import { createHub, type Hub } from './app.ts';
import { type HubDatabase, openDatabase } from './database.ts';

/** What the command line says of a hub. */
export type HubSettings = {
  readonly database: string;
  readonly listen: Endpoint;
  /** Bytes that a realm may take. */
  readonly quota: number;
  /** Bytes that a device may give in a day. */
  readonly daily: number;
  /** Realms that an invitation is good for. */
  readonly uses: number;
  /** Where Prometheus reads how things are. */
  readonly metrics?: Endpoint;
  /** A proxy stands before us, and says who asks in `X-Forwarded-For`. */
  readonly isProxied: boolean;
  readonly tls?: { readonly certificate: string; readonly key: string };
};

const DEFAULT_LISTEN = { address: '127.0.0.1', port: 8054 };
/** Ten commits a day of a kilobyte fill it in eighteen years. */
const DEFAULT_QUOTA_MB = 64;
/** Ten thousand commits: a long history comes in a few days, a broken device stops within one. */
const DEFAULT_DAILY_MB = 16;
/** A stream from each device of a community; memory ends before. */
const MAX_CONNECTIONS = 50_000;
/** A street behind one address. */
const MAX_CONNECTIONS_PER_SOURCE = 2_000;
/** What was asked before a stop may wait for the database so long. */
const ANSWER_MS = 5_000;
const MB = 1 << 20;
const REALM = /^[0-9a-f]{64}$/;
/** Octets of an invitation's code. */
const CODE_BYTES = 18;

/** Reads the flags; `environment` may have the database's password, which no argument may (I2). */
export function readHubSettings(
  flags: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): HubSettings | ConfigProblem {
  const database = readDatabase(flags['database'], environment['NYMOTE_DATABASE']);
  if (typeof database !== 'string') return database;
  const listen = flags['listen'] === undefined ? DEFAULT_LISTEN : readEndpoint(flags['listen']);
  if (listen === undefined) return blame(`--listen is address:port, not ${flags['listen']}`);
  const metrics = flags['metrics'] === undefined ? undefined : readEndpoint(flags['metrics']);
  if (flags['metrics'] !== undefined && metrics === undefined) {
    return blame(`--metrics is address:port, not ${flags['metrics']}`);
  }
  const quota = readCount(flags['quota'], DEFAULT_QUOTA_MB);
  if (quota === undefined) return blame('--quota is in megabytes');
  const daily = readCount(flags['daily'], DEFAULT_DAILY_MB);
  if (daily === undefined) return blame('--daily is in megabytes');
  const uses = readCount(flags['uses'], 1);
  if (uses === undefined) return blame('--uses is a number of realms');
  const { certificate, key } = flags;
  if ((certificate === undefined) !== (key === undefined)) {
    return blame('--certificate and --key go together');
  }
  return {
    ...{ database, listen, uses, quota: quota * MB, daily: daily * MB },
    isProxied: flags['proxied'] !== undefined,
    ...(metrics === undefined ? {} : { metrics }),
    ...(certificate === undefined || key === undefined ? {} : { tls: { certificate, key } }),
  };
}

function readCount(text: string | undefined, otherwise: number): number | undefined {
  const count = Number(text ?? otherwise);
  return Number.isInteger(count) && count > 0 ? count : undefined;
}

function readDatabase(
  flag: string | undefined,
  variable: string | undefined,
): string | ConfigProblem {
  const database = flag ?? variable;
  if (database === undefined) return blame('say where PostgreSQL is: --database postgres://…');
  const url = URL.parse(database);
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    return blame('--database is a URL: postgres://user@host/name');
  }
  if (flag !== undefined && url.password !== '') {
    return blame(
      'a password in an argument is everybody’s to see; put the whole URL into NYMOTE_DATABASE, or the password into PGPASSWORD',
    );
  }
  return database;
}

/** Serves until disposed: then what was asked is still answered, and who listens is told to go. */
export async function startHub(
  runtime: Runtime,
  settings: HubSettings,
): Promise<AsyncDisposable & { readonly endpoint: Endpoint }> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await openHubDatabase(runtime, settings));
  const hub = await createHub(runtime, database, settings.isProxied);
  const answering = new Set<Promise<Response>>();
  const fetch: Hub['fetch'] = async (...request) => {
    const answer = hub.fetch(...request);
    answering.add(answer);
    return await answer.finally(() => answering.delete(answer));
  };
  const listener = opening.use(await listen(runtime, settings, fetch));
  opening.defer(async () => {
    const patience = new AbortController();
    const isOver = runtime.clock.sleep(ANSWER_MS, patience.signal).catch(() => undefined);
    await Promise.race([Promise.allSettled(answering), isOver]);
    patience.abort();
  });
  // First of all: a stream would hold the server open.
  opening.use(hub);
  if (settings.metrics !== undefined) {
    opening.use(await runtime.http.listen(settings.metrics, (request) => report(hub, request)));
  }
  const endpoint = 'port' in listener.local ? listener.local : settings.listen;
  const opened = opening.move();
  return { endpoint, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function listen(
  runtime: Runtime,
  settings: HubSettings,
  fetch: Hub['fetch'],
): Promise<Listener> {
  const { http } = runtime;
  const { isProxied, tls, listen: local } = settings;
  const perSource = isProxied ? MAX_CONNECTIONS : MAX_CONNECTIONS_PER_SOURCE;
  const room = { connections: MAX_CONNECTIONS, perSource };
  if (tls === undefined) return http.listen(local, fetch, room);
  return http.listenSecurely(local, await readCredentials(runtime, tls), fetch, room);
}

async function report(hub: Hub, { url }: Request): Promise<Response> {
  if (new URL(url).pathname !== '/metrics') return new Response(null, { status: 404 });
  return new Response(await hub.metrics(), { headers: { 'content-type': METRICS_TYPE } });
}

/** What is done to a hub's database beside the hub: `hub invite`, `hub publish`, `hub forget`. */
export async function runHub(
  runtime: Pick<Runtime, 'crypto' | 'random'>,
  settings: HubSettings,
  verb: string,
  {
    flags,
    operands,
  }: {
    readonly flags: Readonly<Record<string, string>>;
    readonly operands: Readonly<Record<string, string>>;
  },
): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  const told = (stdout: string) => ({ exitCode: 0, stdout: `${stdout}\n`, stderr: '' });
  if (verb === 'hub invite') return told(await inviteToHub(runtime, settings));
  const realm = operands['realm'] ?? '';
  const isOff = flags['off'] !== undefined;
  await using database = await openHubDatabase(runtime, settings);
  const isHere =
    REALM.test(realm) &&
    (verb === 'hub forget' ? await database.forget(realm) : await database.publish(realm, !isOff));
  if (!isHere) return { exitCode: 1, stdout: '', stderr: `nymote: no realm ${realm} is here\n` };
  if (verb === 'hub forget')
    return told(`${realm} is forgotten; its devices still hold all of it.`);
  return told(isOff ? `Only its members read ${realm}.` : `Everybody can read ${realm}.`);
}

/** Makes an invitation; the code is shown once. */
export async function inviteToHub(
  runtime: Pick<Runtime, 'crypto' | 'random'>,
  settings: HubSettings,
): Promise<string> {
  await using database = await openHubDatabase(runtime, settings);
  const code = Buffer.from(runtime.random(CODE_BYTES)).toString('base64url');
  await database.invite(code, settings.uses);
  return code;
}

function openHubDatabase(
  { crypto }: Pick<Runtime, 'crypto'>,
  { database, quota, daily }: HubSettings,
): Promise<HubDatabase> {
  const hash = (text: string) => crypto.hash('sha256', new TextEncoder().encode(text));
  return openDatabase({ url: database, quota, daily, hash });
}

async function readCredentials(
  { files }: Pick<Runtime, 'files'>,
  { certificate, key }: NonNullable<HubSettings['tls']>,
): Promise<Credentials> {
  const read = async (path: string): Promise<string> => {
    const bytes = await files.read(path);
    if (bytes === undefined) throw new Error(`there is no file ${path}`);
    return new TextDecoder().decode(bytes);
  };
  return { certificate: await read(certificate), key: await read(key) };
}

const blame = (message: string): ConfigProblem => ({ source: 'hub', message });
