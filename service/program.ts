/**
 * The program: reads the command line, then either is the service or asks the running one.
 */

import type { Runtime } from '#runtime';
import { type Invocation, printHelp, readArguments } from './cli/arguments.ts';
import { EXIT, runVerb } from './cli/verbs.ts';
import { type Config, readConfig, readConfigFile, readEnvironment } from './config.ts';
import { openRuntime } from './machine.ts';
import { blame, explainFailure, say } from './program/say.ts';
import { untilStopped } from './program/stop.ts';
import { VERSION } from './version.ts';

const DEFAULT_DATA = './data';
const HELP: readonly string[] = ['help', '--help', '-h'];
const isNoHelp = (word: string): boolean => word !== '--help';

/** Does what the words say; returns the exit code. */
export async function main(words: readonly string[]): Promise<number> {
  // A reader that leaves (`nymote log | head`, a log daemon that restarts) must not end us.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const isHelp = words.length === 0 || HELP.includes(words[0] ?? '');
  const meant = isHelp ? words.slice(1) : words;
  const help = isHelp || meant.at(-1) === '--help' ? printHelp(meant.filter(isNoHelp)) : undefined;
  if (help !== undefined) return say({ exitCode: EXIT.ok, stdout: `${help}\n`, stderr: '' });
  const read = readArguments(meant[0] === '--version' ? ['version'] : meant);
  if (!('problem' in read)) return run(read);
  const hint = read.verb ? `nymote ${read.verb.name} --help` : 'nymote help';
  const stderr = `nymote: ${read.problem}; see '${hint}'\n`;
  return say({ exitCode: EXIT.usage, stdout: '', stderr });
}

async function run(read: Invocation): Promise<number> {
  if (read.flags['help'] !== undefined) {
    return say({ exitCode: EXIT.ok, stdout: `${printHelp([read.verb.name])}\n`, stderr: '' });
  }
  switch (read.verb.name) {
    case 'version':
      return say({ exitCode: EXIT.ok, stdout: `${VERSION}\n`, stderr: '' });
    case 'serve':
      return withConfig(read, (await import('./program/serve.ts')).serve);
    case 'hub':
    case 'hub invite':
    case 'hub publish':
    case 'hub forget':
      return (await import('./program/hub.ts')).hub(read);
    case 'resolver':
      return (await import('./program/bare.ts')).bareResolver(read);
    case 'join':
      return joinRealm(read);
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

async function joinRealm(invocation: Invocation): Promise<number> {
  const { join } = await import('./program/join.ts');
  return withConfig(invocation, (runtime, config) => join(runtime, config, invocation));
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
    const { claim, refuseSecond } = await import('./program/serve.ts');
    await refuseSecond(runtime, { data });
    await using _claim = await claim(runtime, { data });
    const { runImport, runRestore } = await import('./cli/backup.ts');
    const run = invocation.verb.name === 'restore' ? runRestore : runImport;
    return say(await run(runtime, data, invocation));
  } catch (error) {
    return explainFailure(error);
  }
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
