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

/** Makes a lab whose namespaces are called `<prefix>-<name>`. */
export async function createLab(prefix: string) {
  if (process.getuid?.() !== 0)
    throw new Error('network namespaces need root: run as root or with sudo');
  const folder = await mkdtemp(join(tmpdir(), `${prefix}-`));
  const namespaces: string[] = [];
  const running: Running[] = [];

  const full = (name: string): string => `${prefix}-${name}`;

  return {
    folder,

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
      await Promise.all(running.map((program) => program.stop('SIGTERM')));
      for (const name of namespaces) {
        const pids = await run('ip', 'netns', 'pids', name);
        for (const pid of pids.stdout.split('\n').filter(Boolean)) kill(Number(pid));
        await run('ip', 'netns', 'delete', name);
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type Lab = Awaited<ReturnType<typeof createLab>>;

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended between the listing and the signal.
  }
}

function follow(child: ChildProcess, command: string): Running {
  let output = '';
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => {
      hasEnded = true;
      resolve();
    });
  });
  child.on('error', (error) => (output += error.message));
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));

  return {
    output: () => output,
    pid: child.pid ?? -1,
    async says(pattern, seconds = 15) {
      const deadline = Date.now() + seconds * 1_000;
      while (!pattern.test(output)) {
        if (hasEnded) throw new Error(`${command} ended without saying ${pattern}:\n${output}`);
        if (Date.now() > deadline) throw new Error(`${command} did not say ${pattern}:\n${output}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return output;
    },
    async stop(signal = 'SIGTERM') {
      if (hasEnded) return;
      child.kill(signal);
      const patience = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await ended;
      clearTimeout(patience);
    },
  };
}
