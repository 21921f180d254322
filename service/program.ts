/**
 * The program: reads the command line, then either is the service or asks the running one.
 */

import { type Runtime, RuntimeError } from '#runtime';
import { StorageError } from '#storage';
import { type Assets, parseAssets } from '#web-admin';
import { assemble, type Nymote } from './assemble.ts';
import { type Invocation, printHelp, readArguments } from './cli/arguments.ts';
import { spaced } from './cli/enrol.ts';
import { printExplanation, type Told } from './cli/explain.ts';
import { EXIT, type Outcome, runVerb, socketPath } from './cli/verbs.ts';
import {
  type Config,
  type ConfigProblem,
  printEndpoint,
  readConfig,
  readConfigFile,
  readEndpoint,
  readEnvironment,
} from './config.ts';
import { explainBare, readBareFile, startBare } from './dns/bare.ts';
import type { HubSettings } from './hub/serve.ts';
import { openRuntime } from './machine.ts';
import { join } from './peers/join.ts';
import { VERSION } from './version.ts';

const DEFAULT_DATA = './data';

/** Does what the words say; returns the exit code. */
export async function main(words: readonly string[]): Promise<number> {
  // A reader that leaves (`nymote log | head`, a log daemon that restarts) must not end us.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const isHelp = words.length === 0 || ['help', '--help', '-h'].includes(words[0] ?? '');
  if (isHelp) return say({ exitCode: EXIT.ok, stdout: `${printHelp()}\n`, stderr: '' });
  const read = readArguments(words[0] === '--version' ? ['version'] : words);
  if ('problem' in read) {
    const hint = read.verb ? `nymote ${read.verb.name} --help` : 'nymote help';
    return say({
      exitCode: EXIT.usage,
      stdout: '',
      stderr: `nymote: ${read.problem}; see '${hint}'\n`,
    });
  }
  if (read.flags['help'] !== undefined) {
    return say({ exitCode: EXIT.ok, stdout: `${printHelp(read.verb)}\n`, stderr: '' });
  }
  switch (read.verb.name) {
    case 'version':
      return say({ exitCode: EXIT.ok, stdout: `${VERSION}\n`, stderr: '' });
    case 'serve':
      return withConfig(read, serve);
    case 'hub':
    case 'hub invite':
    case 'hub publish':
    case 'hub forget':
      return hub(read);
    case 'resolver':
      return bareResolver(read);
    case 'join':
      return withConfig(read, (runtime, config) => joinRealm(runtime, config, read));
    case 'restore':
    case 'import':
      return withoutService(read);
    case 'watch':
      return watch(read);
    default: {
      const runtime = await openRuntime('error');
      if (/^recovery\b/.test(read.verb.name)) {
        return say(
          await (await import('./cli/recovery.ts')).runRecovery(runtime, dataOf(read), read),
        );
      }
      if (/^backup\b/.test(read.verb.name)) {
        return say(await (await import('./cli/backup.ts')).runBackup(runtime, dataOf(read), read));
      }
      return say(await runVerb(runtime, dataOf(read), read));
    }
  }
}

/** Until Ctrl-C, or until nobody reads (`nymote watch | head`). */
async function watch(invocation: Invocation): Promise<number> {
  const { runWatch } = await import('./cli/watch.ts');
  const { http } = await openRuntime('error');
  const unread = new Promise<void>((resolve) => process.stdout.once('error', () => resolve()));
  const stopped = Promise.race([untilStopped(), unread]);
  const write = (text: string) => void process.stdout.write(text);
  return say(await runWatch({ http, write, stopped }, dataOf(invocation), invocation));
}

const dataOf = ({ flags }: Invocation): string =>
  flags['data'] ?? process.env['NYMOTE_DATA'] ?? DEFAULT_DATA;

/** What fills a store does so while no service has it open. */
async function withoutService(invocation: Invocation): Promise<number> {
  const runtime = await openRuntime('error');
  const data = dataOf(invocation);
  try {
    await refuseSecond(runtime, { data });
    await using _claim = await claim(runtime, { data });
    const { runImport, runRestore } = await import('./cli/backup.ts');
    const run = invocation.verb.name === 'restore' ? runRestore : runImport;
    return say(await run(runtime, data, invocation));
  } catch (error) {
    return explainFailure(error);
  }
}

function say({ exitCode, stdout, stderr }: Outcome): number {
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  return exitCode;
}

/** Collects the settings, then goes on; says all that is wrong with them otherwise. */
async function withConfig(
  { flags }: Invocation,
  next: (runtime: Runtime, config: Config) => Promise<number>,
): Promise<number> {
  const { json: _, autoConfirm: __, ...settings } = flags;
  const environment = readEnvironment(process.env);
  const directory = settings['data'] ?? environment.values['data'] ?? DEFAULT_DATA;
  const path = `${directory}/nymote.json`;
  const { files } = await openRuntime('error');
  try {
    const bytes = await files.read(path);
    const file = bytes && readConfigFile(path, new TextDecoder().decode(bytes));
    if (file !== undefined && 'message' in file) return blame([file]);
    const sources = [
      ...(file ? [file] : []),
      environment,
      { name: 'the command line', values: settings },
    ];
    const result = readConfig(sources);
    if ('problems' in result) return blame(result.problems);
    const runtime = await openRuntime(result.config.logLevel);
    return await next(runtime, result.config);
  } catch (error) {
    return explainFailure(error);
  }
}

function blame(problems: readonly ConfigProblem[]): number {
  const lines = problems.map(({ source, message }) => `nymote: ${source}: ${message}\n`);
  return say({ exitCode: EXIT.usage, stdout: '', stderr: lines.join('') });
}

/** The world said no: a sentence. Anything else is our own bug and keeps its stack. */
function explainFailure(error: unknown, hints = HINTS): number {
  if (!(error instanceof RuntimeError || error instanceof StorageError)) throw error;
  const hint = hints[error.code];
  const stderr = `nymote: ${error.message}${hint === undefined ? '' : `\n        ${hint}`}\n`;
  return say({ exitCode: error.code === 'denied' ? EXIT.denied : EXIT.failed, stdout: '', stderr });
}

const HINTS: Readonly<Record<string, string>> = {
  'address-in-use':
    'Stop the other program, or choose another port: --dns, --admin or --control-port.',
  denied:
    'Run it as the user whose data this is. Ports below 1024 and tunnels need root, or CAP_NET_BIND_SERVICE and CAP_NET_ADMIN.',
  'no-space': 'The disk is full; nothing was changed.',
};

async function serve(runtime: Runtime, config: Config): Promise<number> {
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
async function refuseSecond(
  { http }: Pick<Runtime, 'http'>,
  { data }: Pick<Config, 'data'>,
): Promise<void> {
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
async function claim(
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

const BARE_HINTS: typeof HINTS = {
  'address-in-use': 'Stop the other program, or choose another address or port: listen.',
  denied: 'Ports below 1024 need root or CAP_NET_BIND_SERVICE.',
};

/** Nothing but the resolver: its file says all there is to say. */
async function bareResolver({ flags, operands }: Invocation): Promise<number> {
  const path = flags['config'];
  if (path === undefined) {
    return blame([{ source: 'resolver', message: 'say where its settings are: --config FILE' }]);
  }
  try {
    const read = await readBareFile((await openRuntime('error')).files, path);
    if ('problems' in read) return blame(read.problems);
    const { explain: name } = flags;
    if (name !== undefined) {
      const told = await explainBare(await openRuntime('error'), read.bare, {
        ...{ name, type: operands['type'] ?? 'A' },
      });
      return told === undefined ? blame([NO_QUESTION]) : say(explained(told, flags));
    }
    const runtime = await openRuntime(read.bare.logLevel, 'stdout');
    const stopped = untilStopped();
    const resolver = await startBare(runtime, read.bare);
    await stopped;
    await resolver[Symbol.asyncDispose]();
    return EXIT.ok;
  } catch (error) {
    return explainFailure(error, BARE_HINTS);
  }
}

/** A hub, or something about one; what its database says against it is for people. */
async function hub({ verb, flags, operands }: Invocation): Promise<number> {
  const { readHubSettings, runHub } = await import('./hub/serve.ts');
  const settings = readHubSettings(flags, process.env);
  if ('message' in settings) return blame([settings]);
  try {
    const runtime = await openRuntime('info');
    if (verb.name !== 'hub') {
      return say(await runHub(runtime, settings, verb.name, { flags, operands }));
    }
    return await serveHub(runtime, settings);
  } catch (error) {
    if (error instanceof RuntimeError) return explainFailure(error, HUB_HINTS);
    return say({ exitCode: EXIT.failed, stdout: '', stderr: `nymote: hub: ${reasonOf(error)}\n` });
  }
}

async function serveHub(runtime: Runtime, settings: HubSettings): Promise<number> {
  const { startHub } = await import('./hub/serve.ts');
  const stopped = untilStopped();
  await using opened = await startHub(runtime, settings);
  const where = `${settings.tls ? 'https' : 'http'}://${printEndpoint(opened.endpoint)}`;
  process.stdout.write(`nymote ${VERSION}: a hub at ${where}\nReady. Ctrl-C stops it.\n`);
  await stopped;
  return EXIT.ok;
}

const HUB_HINTS: typeof HINTS = {
  'address-in-use': 'Stop the other program, or choose another address or port: --listen.',
};

/** PostgreSQL refuses by a message; what cannot be reached has only a code. */
function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}

const NO_QUESTION = { source: '--explain', message: 'a name, and after it a type such as AAAA' };

function explained(told: Told, { json }: Invocation['flags']): Outcome {
  const text = json === undefined ? printExplanation(told) : JSON.stringify(told, undefined, 2);
  return { exitCode: EXIT.ok, stdout: `${text}\n`, stderr: '' };
}

/** One wish to stop may arrive twice: from a terminal or a supervisor, and from launch.mjs. */
const ECHO_MS = 1_000;

/** Until this is called, a signal ends us at once, whatever we wait for; so does a second one. */
function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let first: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      first ??= performance.now();
      if (performance.now() - first > ECHO_MS) process.exit(EXIT.failed);
      resolve();
    });
  }
  return promise;
}

/** `nymote:join?at=…&code=…` is an address and a code in one, for cameras. */
function readInvitation({ operands }: Invocation): { endpoint: string; code: string } {
  const { endpoint = '', code = '' } = operands;
  if (!endpoint.startsWith('nymote:')) return { endpoint, code };
  const query = new URLSearchParams(endpoint.slice(endpoint.indexOf('?') + 1));
  return { endpoint: query.get('at') ?? '', code: query.get('code') ?? '' };
}

async function joinRealm(
  runtime: Runtime,
  config: Config,
  invocation: Invocation,
): Promise<number> {
  const { endpoint: place, code } = readInvitation(invocation);
  const endpoint = readEndpoint(place, config.controlPort);
  if (endpoint === undefined) {
    const stderr = `nymote: '${place}' is not address:port\n`;
    return say({ exitCode: EXIT.usage, stdout: '', stderr });
  }
  process.stderr.write(`Asking ${printEndpoint(endpoint)} …\n`);
  const giveUp = new AbortController();
  process.once('SIGINT', () => giveUp.abort());
  const isAuto = invocation.flags['autoConfirm'] !== undefined;
  const joined = await join(
    runtime,
    config,
    { endpoint, code, isAuto },
    { signal: giveUp.signal, compare: askToCompare, progress: showProgress },
  );
  if (!joined.ok)
    return say({ exitCode: EXIT.failed, stdout: '', stderr: `nymote: ${joined.reason}\n` });
  const stdout = `This machine is ${joined.name} now. Start it with: nymote serve --data ${config.data}\n`;
  return say({ exitCode: EXIT.ok, stdout, stderr: '' });
}

function askToCompare(code: string): void {
  process.stderr.write(
    `Compare: ${spaced(code)}\nIs that what the other device shows? Then confirm it there. Ctrl-C gives up.\n`,
  );
}

/** One line that is written over, where somebody is looking. */
function showProgress(done: number, of: number | undefined): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${of ?? 'many'} changes `);
}
