/**
 * The real process on real ports and a real disk: started, asked, stopped, cleaned up after.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takePort } from '../suites/ports.ts';
import { PATIENCE_MS, until } from '../suites/waiting.ts';

const PROJECT = join(import.meta.dirname, '../..');
const MAIN = join(PROJECT, 'service/main.ts');

const RUN_MS = 180_000;

/** Datagrams can be lost and machines busy: dig's own patience is too short for that. */
export const DIG_PATIENTLY = ['+tries=3', '+time=20'];

const PACKAGES: Readonly<Record<string, string>> = {
  dig: 'bind9-dnsutils',
  delv: 'bind9-dnsutils',
  git: 'git',
  unbound: 'unbound',
  mount: 'mount',
  setpriv: 'util-linux',
};

/** What a program ended with. */
export type Ended = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** Where a service is to live and how it is to run. */
export type Place = {
  readonly data: string;
  readonly ports: Ports;
  /** After the flags that every test needs. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What runs service/main.ts, with its arguments; this Node when absent. */
  readonly program?: readonly string[];
};

export type Ports = {
  readonly dns: number;
  readonly admin: number;
  readonly control: number;
  readonly wireguard: number;
};

/** The running process. */
export type Service = AsyncDisposable & {
  readonly place: Place;
  readonly pid: number;
  /** Everything it has printed so far. */
  readonly said: () => string;
  /** The one-time code of the link it printed. */
  readonly code: () => string;
  /** Runs one command of ours against it. */
  run(...words: readonly string[]): Promise<Ended>;
  /** The same with `--json`, parsed. */
  json(...words: readonly string[]): Promise<Record<string, unknown>>;
  dig(...args: readonly string[]): Promise<string>;
  /** Closes the pipes that it prints to. */
  readonly stopListening: () => void;
  /** Resolves with the exit code, or the signal's name. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
};

/** A directory that goes with the test. */
export async function makeRoom(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'nymote-service-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Ports of one's own for a service. */
export async function findPorts(): Promise<Ports> {
  const [dns, admin] = [await takePort(), await takePort()];
  return { dns, admin, control: await takePort(), wireguard: await takePort() };
}

/** The words that start it, for tests that expect it not to. */
export function serveWords({ data, ports, flags = [] }: Place): string[] {
  const { dns, admin, control, wireguard } = ports;
  return [
    ...['serve', '--data', data, '--tunnels', 'off', '--endpoints', '192.0.2.1'],
    ...['--dns', `127.0.0.1:${dns}`, '--admin', `127.0.0.1:${admin}`],
    ...['--control-port', String(control), '--wireguard-port', String(wireguard)],
    ...['--interface', `nym${dns}`],
    // Nobody answers there, and nothing of a test goes to the internet.
    ...['--forward', '127.0.0.1:1', ...flags],
  ];
}

/** Runs `nymote` with these words to its end. */
export function nymote(words: readonly string[], options: Partial<Place> = {}): Promise<Ended> {
  const [program = process.execPath, ...args] = options.program ?? [];
  const env = options.env === undefined ? {} : { env: options.env };
  return runProgram(program, [...args, MAIN, ...words], env);
}

/** Starts the service and waits until it says that it is ready. */
export async function startService(place: Place): Promise<Service> {
  const [program = process.execPath, ...args] = place.program ?? [];
  const child = spawn(program, [...args, MAIN, ...serveWords(place)], {
    cwd: PROJECT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...place.env },
  });
  const output = gather(child);
  const said = (): string => output.join('');
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal));
    child.once('error', () => resolve(null));
  });
  await whenReady(child, said, exited);
  const stop: Service['stop'] = (signal = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return exited;
  };
  const run: Service['run'] = (...words) => nymote([...words, '--data', place.data]);
  return {
    ...{ place, pid: child.pid ?? 0, said, stop, run },
    stopListening() {
      child.stdout.destroy();
      child.stderr.destroy();
    },
    code: () => /sign-in#(\S+)/.exec(said())?.[1] ?? '',
    async json(...words) {
      const { stdout, stderr } = await run(...words, '--json');
      if (stdout === '') throw new Error(stderr);
      return JSON.parse(stdout) as Record<string, unknown>;
    },
    dig: async (...words) => {
      const at = [...DIG_PATIENTLY, '@127.0.0.1', '-p', String(place.ports.dns)];
      return (await runProgram('dig', [...at, ...words])).stdout;
    },
    async [Symbol.asyncDispose]() {
      await stop('SIGKILL');
    },
  };
}

async function whenReady(
  child: ChildProcess,
  said: () => string,
  exited: Promise<unknown>,
): Promise<void> {
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  try {
    await until('nymote is ready', () => said().includes('\nReady.') || isGone());
  } finally {
    if (!said().includes('\nReady.')) {
      child.kill('SIGKILL');
      await exited;
    }
  }
  if (isGone()) throw new Error(`nymote did not start: ${said()}`);
}

/** Waits until somebody listens on a TCP port. */
export function untilOpen(port: number): Promise<void> {
  return until(`somebody listens on port ${port}`, async () => {
    const socket = connect({ host: '127.0.0.1', port });
    const isOpen = await once(socket, 'connect', { signal: AbortSignal.timeout(PATIENCE_MS) }).then(
      () => true,
      () => false,
    );
    socket.destroy();
    return isOpen;
  });
}

/** What delv says; it waits for ten seconds and is asked again after them. */
export async function delv(...args: readonly string[]): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const { stdout, stderr } = await runProgram('delv', args);
    if (attempt === 5 || !stderr.includes('timed out')) return stdout;
  }
}

/** Starts Debian's Unbound as a resolver that asks the service and validates with its anchor. */
export async function startUnbound(
  service: Service,
  directory: string,
  settings: readonly string[] = [],
): Promise<AsyncDisposable & { readonly dig: Service['dig'] }> {
  const anchor = (await service.run('zone', 'anchor', '--format', 'unbound')).stdout;
  const port = await takePort();
  const file = join(directory, 'unbound.conf');
  await writeFile(
    file,
    `server:
  directory: "${directory}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1
  port: ${port}
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  ${[...anchor.trim().split('\n'), ...settings].join('\n  ')}
remote-control:
  control-enable: no
stub-zone:
  name: "alice.nymote"
  stub-addr: 127.0.0.1@${service.place.ports.dns}
`,
  );
  const program = 'unbound';
  const child = spawn(program, ['-d', '-p', '-c', file], { stdio: 'ignore' });
  const failed = once(child, 'error').then(() => {
    throw missing(program);
  });
  failed.catch(() => undefined);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await Promise.race([untilOpen(port), failed]);
  return {
    async dig(...words) {
      const at = [...DIG_PATIENTLY, '@127.0.0.1', '-p', String(port), '+dnssec'];
      return (await runProgram('dig', [...at, ...words])).stdout;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** What a command printed; one that failed, or had to complain, fails the test with its words. */
export async function did(service: Service, ...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await service.run(...words);
  if (exitCode === 0 && stderr === '') return stdout;
  throw new Error(`${words.join(' ')}: exit ${exitCode}: ${stdout}${stderr}`);
}

/** What a command printed, however it ended. */
export const said = async (service: Service, ...words: readonly string[]): Promise<string> =>
  (await service.run(...words)).stdout;

/** Runs a program to its end; a missing one says where to get it. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    cwd: PROJECT,
    env: { ...process.env, ...options.env },
    timeout: RUN_MS,
  });
  const output: [string[], string[]] = [[], []];
  child.stdout.on('data', (data: Buffer) => output[0].push(String(data)));
  child.stderr.on('data', (data: Buffer) => output[1].push(String(data)));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const ended = Promise.withResolvers<number>();
  child.once('close', (code, signal) => {
    // Whatever was expected of it, that was not: the time is over, or the machine out of memory.
    if (code === null)
      ended.reject(new Error(`${program} was ended by ${signal}: ${output.flat()}`));
    else ended.resolve(code);
  });
  child.once('error', () => ended.reject(missing(program)));
  const exitCode = await ended.promise;
  return { exitCode, stdout: output[0].join(''), stderr: output[1].join('') };
}

function missing(program: string): Error {
  const name = PACKAGES[program];
  return new Error(
    name === undefined
      ? `${program} cannot be run`
      : `${program} is missing: install the Debian package ${name}`,
  );
}

function gather(child: ChildProcess): string[] {
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => output.push(String(data)));
  }
  return output;
}
