/**
 * Network namespaces and the programs that run in them, all gone when disposed.
 *
 * Everything a lab starts is registered here, so that a failing step leaves no process, namespace or
 * folder behind. Needs root.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE_MS } from '../suites/waiting.ts';

export type Output = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end. A program that cannot be started is an error with its name. */
export function run(file: string, ...args: string[]): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', (error) => reject(new Error(`cannot run ${file}: ${error.message}`)));
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** Runs a program that has to succeed; returns what it printed. */
export async function must(file: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(file, ...args);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** A program that keeps running, with what it has said so far. */
export type Running = {
  readonly output: () => string;
  /** Resolves with the output when `pattern` has been said; fails after `seconds` or at its end. */
  readonly says: (pattern: RegExp, seconds?: number) => Promise<string>;
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
  readonly pid: number;
};

const PATIENCE_SECONDS = PATIENCE_MS / 1_000;
const STOP_MS = 20_000;

/** Looks again and again; false when it never was so in that time. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  seconds = PATIENCE_SECONDS,
): Promise<boolean> {
  const deadline = performance.now() + seconds * 1_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/**
 * Makes a lab. Namespaces, and interfaces that wireguard-go knows by name, are of the whole machine:
 * what is called so here carries the number of this process.
 */
export async function createLab(prefix: string) {
  if (process.getuid?.() !== 0)
    throw new Error('network namespaces need root: run as root or with sudo');
  const folder = await mkdtemp(join(tmpdir(), `${prefix}-`));
  const namespaces: string[] = [];
  const running: Running[] = [];

  const full = (name: string): string => `${prefix}-${process.pid}-${name}`;

  return {
    folder,
    /** What `ip netns` calls a namespace of this lab. */
    fullName: full,

    async namespace(name: string): Promise<void> {
      await run('ip', 'netns', 'delete', full(name));
      await must('ip', 'netns', 'add', full(name));
      namespaces.push(full(name));
      await must('ip', '-n', full(name), 'link', 'set', 'lo', 'up');
    },

    /** A cable between two namespaces; the addresses are with prefix length. */
    async cable(a: string, addressA: string, b: string, addressB: string): Promise<void> {
      await must(
        'ip',
        '-n',
        full(a),
        'link',
        'add',
        `to-${b}`,
        'type',
        'veth',
        'peer',
        'name',
        `to-${a}`,
        'netns',
        full(b),
      );
      await must('ip', '-n', full(a), 'address', 'add', addressA, 'dev', `to-${b}`);
      await must('ip', '-n', full(b), 'address', 'add', addressB, 'dev', `to-${a}`);
      await must('ip', '-n', full(a), 'link', 'set', `to-${b}`, 'up');
      await must('ip', '-n', full(b), 'link', 'set', `to-${a}`, 'up');
    },

    run: (name: string, ...command: string[]): Promise<Output> =>
      run('ip', 'netns', 'exec', full(name), ...command),
    must: (name: string, ...command: string[]): Promise<string> =>
      must('ip', 'netns', 'exec', full(name), ...command),

    start(name: string, ...command: string[]): Running {
      const child = spawn('ip', ['netns', 'exec', full(name), ...command], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const program = follow(child, command.join(' '));
      running.push(program);
      return program;
    },

    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(running.map((program) => program.stop()));
      for (const name of namespaces) {
        // wireguard-go removes its socket, which would stay for ever, when it may.
        if ((await signal(name, 'SIGTERM')) > 0) {
          await until(async () => (await signal(name, 0)) === 0, STOP_MS / 1_000);
        }
        await signal(name, 'SIGKILL');
        await run('ip', 'netns', 'delete', name);
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type Lab = Awaited<ReturnType<typeof createLab>>;

/** To all that run in a namespace; returns how many that is. */
async function signal(namespace: string, which: NodeJS.Signals | 0): Promise<number> {
  const { stdout } = await run('ip', 'netns', 'pids', namespace);
  const pids = stdout.split('\n').filter(Boolean);
  for (const pid of pids) {
    try {
      process.kill(Number(pid), which);
    } catch {
      // It ended between the listing and the signal.
    }
  }
  return pids.length;
}

function follow(child: ChildProcess, command: string): Running {
  let output = '';
  let isSilent = false;
  const ended = new Promise<void>((resolve) => {
    // `close` may never come: what it leaves running may hold its pipes.
    child.on('exit', () => resolve());
    child.on('error', (error) => {
      output += error.message;
      isSilent = true;
      resolve();
    });
  });
  child.on('close', () => {
    isSilent = true;
  });
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));

  return {
    output: () => output,
    pid: child.pid ?? -1,
    async says(pattern, seconds = PATIENCE_SECONDS) {
      const isSaid = await until(() => isSilent || pattern.test(output), seconds);
      if (pattern.test(output)) return output;
      const how = isSaid ? 'ended without saying' : 'did not say';
      throw new Error(`${command} ${how} ${pattern}:\n${output}`);
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(patience);
    },
  };
}
