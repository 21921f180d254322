/** `nymote serve`: alone on its data, until a signal. */

import { type Runtime, RuntimeError } from '#runtime';
import { type Assets, parseAssets } from '#web-admin';
import { assemble, type Nymote } from '../assemble.ts';
import { EXIT, socketPath } from '../cli/verbs.ts';
import { type Config, printEndpoint } from '../config.ts';
import { VERSION } from '../version.ts';
import { untilStopped } from './stop.ts';

export async function serve(runtime: Runtime, config: Config): Promise<number> {
  // What `ps` and others that want our ports are to call us, also when Node runs us.
  process.title = 'nymote';
  await refuseSecond(runtime, config);
  await using _claim = await claim(runtime, config);
  const nymote = await assemble(runtime, config, await loadAssets(), {
    memoryBytes: () => process.memoryUsage.rss(),
  });
  const stopped = untilStopped();
  process.stdout.write(greeting(nymote, config));
  await stopped;
  await nymote[Symbol.asyncDispose]();
  return EXIT.ok;
}

/** Two services on one store would each believe to be the only writer. */
export async function refuseSecond(
  { http, files }: Pick<Runtime, 'http' | 'files'>,
  { data }: Pick<Config, 'data'>,
): Promise<void> {
  // Where something else is than a directory, that is what is wrong.
  await files.makeDirectory(data, 0o700);
  try {
    await http.fetch(new Request('http://nymote/api/v1/status'), {
      path: socketPath(data),
      timeoutMs: 2_000,
    });
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    if (error.code === 'not-found' || error.code === 'refused') return;
    if (error.code === 'denied') {
      throw new RuntimeError('denied', `the data in ${data} belongs to another user`, error);
    }
  }
  throw isRunning(data);
}

/** Held from before anything is read until the end: of two that start at once, one sees the other. */
export async function claim(
  { files, tcp }: Pick<Runtime, 'files' | 'tcp'>,
  { data }: Pick<Config, 'data'>,
): Promise<AsyncDisposable> {
  await files.makeDirectory(data, 0o700);
  try {
    return await tcp.listen({ path: `${data}/nymote.lock` }, (connection) => connection.abort());
  } catch (error) {
    const isTaken = error instanceof RuntimeError && error.code === 'address-in-use';
    throw isTaken ? isRunning(data) : error;
  }
}

function isRunning(data: string): RuntimeError {
  return new RuntimeError(
    'refused',
    `nymote is running already with its data in ${data}; stop it first, or name another directory with --data`,
  );
}

/** The web page; without it there is still the API and the command line. */
async function loadAssets(): Promise<Assets> {
  try {
    const built = await import('#web-admin/built', { with: { type: 'json' } });
    return parseAssets(JSON.stringify(built.default));
  } catch {
    return new Map();
  }
}

function greeting(nymote: Nymote, { data, name, user, ubus }: Config): string {
  const [dns] = nymote.dns;
  const isDefault = name === 'laptop' && user === 'alice';
  const lines = [
    `nymote ${VERSION}: this is ${nymote.fqdn}`,
    '',
    `  DNS      ${nymote.dns.map(printEndpoint).join(', ')} (UDP and TCP)`,
    `  Admin    ${nymote.admin.join(', ')}`,
    `  Data     ${data}`,
    `  Tunnels  ${nymote.tunnels}`,
    ...nymote.warnings.map((warning) => `  Note     ${warning}`),
    '',
    // A router's system log keeps what we print, and may send it on; LuCI makes links there.
    ...(ubus === ''
      ? ['Sign in (the link works once, for ten minutes):', `  ${nymote.signInLink}`]
      : []),
    'Ask for a name:',
    `  dig @${dns?.address ?? ''} -p ${dns?.port ?? ''} ${nymote.fqdn} AAAA +dnssec`,
    ...(isDefault
      ? [
          'Your own name instead of alice: npm start -- --user you --name this-machine --data ./mine',
          '(npx nymote then takes --data ./mine too)',
        ]
      : []),
    '',
    'Ready. Ctrl-C stops it.',
    '',
  ];
  return lines.join('\n');
}
