/**
 * `nymote hub`: a hub in the foreground, over PostgreSQL.
 *
 * What it says is plain HTTP unless it is given a certificate: commits are sealed and requests
 * signed, so a proxy in front of it learns who talks and not what.
 */

import type { Credentials, Endpoint, Listener, Runtime } from '#runtime';
import { type ConfigProblem, readEndpoint } from '../config.ts';
import { createHub } from './app.ts';
import { type HubDatabase, openDatabase } from './database.ts';

/** What the command line says of a hub. */
export type HubSettings = {
  readonly database: string;
  readonly listen: Endpoint;
  /** Bytes that a realm may take. */
  readonly quota: number;
  /** Realms that an invitation is good for. */
  readonly uses: number;
  readonly tls?: { readonly certificate: string; readonly key: string };
};

const DEFAULT_LISTEN = { address: '127.0.0.1', port: 8054 };
/** Ten commits a day of a kilobyte fill it in eighteen years. */
const DEFAULT_QUOTA_MB = 64;
const MB = 1 << 20;
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
  const megabytes = Number(flags['quota'] ?? DEFAULT_QUOTA_MB);
  if (!(Number.isInteger(megabytes) && megabytes > 0)) return blame('--quota is in megabytes');
  const uses = Number(flags['uses'] ?? 1);
  if (!(Number.isInteger(uses) && uses > 0)) return blame('--uses is a number of realms');
  const { certificate, key } = flags;
  if ((certificate === undefined) !== (key === undefined)) {
    return blame('--certificate and --key go together');
  }
  const tls = certificate === undefined || key === undefined ? {} : { tls: { certificate, key } };
  return { database, listen, quota: megabytes * MB, uses, ...tls };
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

/** Serves until disposed. */
export async function startHub(
  runtime: Runtime,
  settings: HubSettings,
): Promise<AsyncDisposable & { readonly endpoint: Endpoint }> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await openHubDatabase(runtime, settings));
  const hub = opening.use(await createHub(runtime, database));
  const credentials = settings.tls && (await readCredentials(runtime, settings.tls));
  const handle = (request: Request) => hub.fetch(request);
  const listener: Listener = opening.use(
    credentials === undefined
      ? await runtime.http.listen(settings.listen, handle)
      : await runtime.http.listenSecurely(settings.listen, credentials, handle),
  );
  const endpoint = 'port' in listener.local ? listener.local : settings.listen;
  const opened = opening.move();
  return { endpoint, [Symbol.asyncDispose]: () => opened.disposeAsync() };
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
  { database, quota }: HubSettings,
): Promise<HubDatabase> {
  const hash = (text: string) => crypto.hash('sha256', new TextEncoder().encode(text));
  return openDatabase({ url: database, quota, hash });
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
