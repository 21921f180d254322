/**
 * A router's files in a folder, and the guard over them, in the two shells it may meet.
 *
 * The files are laid out as uci's are; uci itself, which Debian does not have, is stood in for by
 * writing them. Power is cut by another boot id and by a `Fault`: the program that makes the n-th
 * file operation is killed at its entry, and everything else of the guard with it.
 */

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { Shell } from './shells.ts';

export const GUARD = join(
  import.meta.dirname,
  '../../openwrt/package/files/usr/libexec/nymote-guard',
);

/** Programs of the guard that touch files, or that a test wants to count. */
const PROGRAMS = ['cp', 'mv', 'rm', 'mkdir', 'ln', 'sync', 'cat', 'wc', 'df', 'flock'];
const OTHERS = ['sh', 'sleep', 'find', 'strace', 'dash', 'busybox', 'setsid'];

/** What changes a file or makes a change last; a `?` is for kernels that lack the call. */
const CALLS = [
  'write pwrite64 copy_file_range sendfile ftruncate fsync fdatasync sync',
  'rename renameat renameat2 link linkat unlink unlinkat mkdir mkdirat rmdir',
  'chmod fchmod fchmodat chown fchown fchownat lchown utimensat',
]
  .flatMap((line) => line.split(' '))
  .map((call) => `?${call}`)
  .join(',');

/** The `when`-th `call` of the `command`-th program, or of the shell itself (0). */
export type Step = { readonly command: number; readonly call: string; readonly when: number };
export type Fault = Step & { readonly kind: 'kill' | 'full' };

export const OLD = { network: 'lan 192.168.1.1\n', wireless: `key ${'k'.repeat(30)}\n` };
export const NEW = { network: 'lan 10.9.9.9\n', firewall: 'zone wan\n' };
export const CHANGED = { ...OLD, ...NEW };
export const FILES = ['network', 'wireless', 'firewall'].map((name) => `/etc/config/${name}`);

export type Files = Readonly<Record<string, string>>;

export type Result = {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** Stands in the PATH for each program: counts, and lets the chosen one meet its fault. */
const COUNTER = `#!/bin/dash
read -r n <"$FAULT_COUNT"
n=$((n + 1))
echo $n >"$FAULT_COUNT"
program="$FAULT_TOOLS/\${0##*/}"
if [ "$FAULT_COMMAND" = all ]; then
  exec strace -q -e signal=none -o "$FAULT_LOG.$n" -e "trace=$FAULT_CALLS" -- "$program" "$@"
fi
[ "$n" = "$FAULT_COMMAND" ] || exec "$program" "$@"
strace -q -e signal=none -o "$FAULT_LOG.$n" -e "trace=$FAULT_CALLS" -e "inject=$FAULT_INJECT" -- "$program" "$@"
status=$?
# strace's own exit code is not always that of what was killed.
grep -q 'exited with' "$FAULT_LOG.$n" || kill -9 0
exit $status
`;

function need(result: SpawnSyncReturns<string>, program: string, debianPackage: string): Result {
  if (result.error !== undefined && (result.error as NodeJS.ErrnoException).code === 'ENOENT') {
    throw new Error(`${program} is missing: apt-get install ${debianPackage}`);
  }
  const { status, stdout, stderr } = result;
  return { status, stdout, stderr };
}

/** Makes a router with the old configuration; `remove` it at the end. */
export function createStand(shell: Shell, base = tmpdir()) {
  const folder = mkdtempSync(join(base, 'nymote-guard-'));
  const root = join(folder, 'root');
  const state = join(root, 'etc/nymote/guard');
  const config = join(root, 'etc/config');
  const proc = join(folder, 'proc');
  const tools = join(folder, 'tools');
  const counters = join(folder, 'counters');
  const log = join(folder, 'strace');
  const reloads = join(folder, 'reloads');

  function makeTools(): void {
    mkdirSync(tools);
    mkdirSync(counters);
    for (const program of [...PROGRAMS, ...OTHERS]) {
      const own = shell.isBusybox && !['flock', 'strace', 'dash', 'setsid'].includes(program);
      const found = own ? 'busybox' : program;
      const path = ['/usr/bin', '/bin'].map((place) => join(place, found)).find(existsSync);
      if (path === undefined) throw new Error(`${found} is missing: apt-get install ${found}`);
      symlinkSync(path, join(tools, program));
    }
    for (const program of PROGRAMS) {
      writeFileSync(join(counters, program), COUNTER);
      chmodSync(join(counters, program), 0o755);
    }
  }

  function write(files: Files): void {
    for (const [name, content] of Object.entries(files)) {
      const path = join(config, name);
      writeFileSync(`${path}.new`, content);
      renameSync(`${path}.new`, path);
    }
  }

  /** A clock that stands still, and a boot of its own. */
  function setClock(boot: string, seconds: number): void {
    mkdirSync(join(proc, 'sys/kernel/random'), { recursive: true });
    for (const [name, content] of [
      ['sys/kernel/random/boot_id', `${boot}\n`],
      ['uptime', `${seconds}.25 1.00\n`],
    ] as const) {
      // Somebody may be reading.
      writeFileSync(join(proc, `${name}.new`), content);
      renameSync(join(proc, `${name}.new`), join(proc, name));
    }
  }

  const environment = () => ({
    NYMOTE_GUARD_STATE: state,
    NYMOTE_GUARD_ROOT: root,
    NYMOTE_GUARD_PROC: proc,
    NYMOTE_GUARD_HOOKS: join(folder, 'hooks'),
    NYMOTE_GUARD_RELOAD: `echo "$*" >>'${reloads}'`,
  });

  function spawn(command: readonly string[], env: Record<string, string>): Result {
    const [program = '', ...args] = command;
    const result = spawnSync(program, args, {
      encoding: 'utf8',
      env: { ...environment(), PATH: tools, ...env },
    });
    return need(result, program, shell.debianPackage);
  }

  const run = (...args: string[]) => spawn([...shell.command, GUARD, ...args], {});
  const arm = (id = 'change', seconds = '60') => run('arm', id, seconds, ...FILES);

  /** `setsid`, so that a power cut ends all of it and nothing else. */
  function runFaulty(args: readonly string[], fault: Step & { readonly inject: string }): Result {
    const self = fault.command === 0 ? ['-e', `inject=${fault.inject}`] : [];
    const tracer = ['-e', 'signal=none', '-e', `trace=${CALLS}`, ...self, '--'];
    const traced = fault.command <= 0 ? ['strace', '-q', '-o', `${log}.0`, ...tracer] : [];
    writeFileSync(join(folder, 'count'), '0\n');
    return spawn(['setsid', '-w', ...traced, ...shell.command, GUARD, ...args], {
      PATH: `${counters}:${tools}:/usr/bin:/bin`,
      FAULT_COUNT: join(folder, 'count'),
      FAULT_TOOLS: tools,
      FAULT_COMMAND: fault.command < 0 ? 'all' : String(fault.command),
      FAULT_CALLS: CALLS,
      FAULT_INJECT: fault.inject,
      FAULT_LOG: log,
    });
  }

  makeTools();
  mkdirSync(config, { recursive: true });
  setClock('boot-1', 1_000);
  write(OLD);

  return {
    folder,
    root,
    state,
    config,
    setClock,
    write,
    environment,
    // What a killed guard had started may still be at work.
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 20 }),
    run,
    arm,

    /** Armed, and made. */
    change(): void {
      expect(arm()).toEqual({ status: 0, stdout: '', stderr: '' });
      write(NEW);
    },

    runWith: (env: Record<string, string>, ...args: string[]) =>
      spawn([...shell.command, GUARD, ...args], env),

    /** The configuration from before any change. */
    reset(): void {
      rmSync(config, { recursive: true });
      mkdirSync(config);
      write(OLD);
    },

    /** What is configured; anything else in the folder shows, too. */
    read: (): Files =>
      Object.fromEntries(
        readdirSync(config).map((name) => [name, readFileSync(join(config, name), 'utf8')]),
      ),
    status: () => JSON.parse(run('status').stdout),
    reloads: () => (existsSync(reloads) ? readFileSync(reloads, 'utf8').trim().split('\n') : []),
    forgetReloads: () => rmSync(reloads, { force: true }),

    /** Every file operation of one call, found by a run that is left alone. */
    listSteps(...args: string[]): Step[] {
      for (const name of readdirSync(dirname(log))) {
        if (name.startsWith('strace.')) rmSync(join(dirname(log), name));
      }
      const { status, stderr } = runFaulty(args, { command: -1, call: '', when: 0, inject: '' });
      if (status !== 0) throw new Error(`guard ${args.join(' ')}: ${status}\n${stderr}`);
      return readdirSync(dirname(log))
        .flatMap((name) => /^strace\.(\d+)$/.exec(name)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b)
        .flatMap((command) => {
          const counts = new Map<string, number>();
          const lines = readFileSync(`${log}.${command}`, 'utf8').split('\n');
          return lines.flatMap((line): Step[] => {
            const [, call, result] = /^(\w+)\(.* = (\S+)/.exec(line) ?? [];
            if (call === undefined) return [];
            // strace counts each kind of call on its own, and those that fail and change nothing.
            const when = (counts.get(call) ?? 0) + 1;
            counts.set(call, when);
            return result === '-1' ? [] : [{ command, call, when }];
          });
        });
    },

    /** Runs the guard where nothing can be written any more, not even to us. */
    runFull(...args: string[]): number | null {
      const calls = '?write,?pwrite64,?copy_file_range,?sendfile';
      const tracer = ['-f', '-qq', '-o', `${log}.full`, '-e', `trace=${calls}`];
      const inject = ['-e', `inject=${calls}:error=ENOSPC`, '--'];
      return spawn(['strace', ...tracer, ...inject, ...shell.command, GUARD, ...args], {}).status;
    },

    /** What one call makes last, renames, links and removes, in order, with paths below the root. */
    listOrder(...args: string[]): string[] {
      const calls = CALLS.split(',').filter((call) => /sync|rename|link/.test(call));
      const tracer = ['strace', '-f', '-y', '-qq', '-e', 'signal=none', '-e', `trace=${calls}`];
      const { stderr } = spawn([...tracer, '--', ...shell.command, GUARD, ...args], {});
      return stderr.split('\n').flatMap((line) => {
        const [, call, rest, result] = /(\w+)\((.*)\) += (\S+)/.exec(line) ?? [];
        if (call === undefined || result !== '0') return [];
        const paths = [...(rest ?? '').matchAll(/"([^"]+)"|\d<([^>]+)>/g)];
        const names = paths.map(([, quoted, opened]) =>
          (quoted ?? opened ?? '').slice(root.length),
        );
        return [[call.replace(/at2?$/, ''), ...names].join(' ')];
      });
    },

    /** Runs the guard until it meets `fault`. */
    runInto({ kind, ...step }: Fault, ...args: string[]): Result {
      const what = kind === 'kill' ? 'signal=KILL' : 'error=ENOSPC';
      return runFaulty(args, { ...step, inject: `${step.call}:${what}:when=${step.when}` });
    },

    /** Keeps everything as it is, to be brought back by calling the result. */
    remember(): () => void {
      const saved = join(folder, 'saved');
      rmSync(saved, { recursive: true, force: true });
      cpSync(root, saved, { recursive: true, preserveTimestamps: true });
      return () => {
        rmSync(root, { recursive: true });
        cpSync(saved, root, { recursive: true, preserveTimestamps: true });
      };
    },
  };
}
