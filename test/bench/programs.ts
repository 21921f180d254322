/**
 * The ways nymote can run on this machine: Node, Bun, and the executable for routers.
 *
 * The executable is compiled anew, so that it is today's; that also fetches Bun, once.
 */

import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeMuslLibraries } from '../conformance/musl-shim.ts';
import { progress } from './progress.ts';

export const PROJECT = join(import.meta.dirname, '../..');

/** A way to run nymote; words of the command line follow `command`. */
export type Program = {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

const MAIN = join(PROJECT, 'service/main.ts');
const CACHE = join(PROJECT, 'node_modules/.cache/nymote');

/** As service/launch.mjs starts Node. */
export const HEAP = ['--max-semi-space-size=4', '--initial-old-space-size=48'];

export const NODE: Program = { name: 'Node', command: [process.execPath, ...HEAP, MAIN], env: {} };

/** All that can be had here; says on stderr what cannot. */
export async function openPrograms(): Promise<
  AsyncDisposable & { readonly programs: readonly Program[]; readonly executable?: string }
> {
  const directory = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  const executable = compile(directory);
  const bun = await findBun();
  return {
    programs: [
      NODE,
      ...(bun ? [{ name: 'Bun', command: [bun, MAIN], env: {} }] : []),
      ...(executable === undefined ? [] : [underMusl(executable, join(directory, 'lib'))]),
    ],
    ...(executable === undefined ? {} : { executable }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Bun's executable, if one was fetched. */
export async function findBun(): Promise<string | undefined> {
  const bun = (await readdir(CACHE).catch(() => [])).find((file) => isBun(file));
  return bun === undefined ? undefined : join(CACHE, bun);
}

/** The Bun for this machine, among those for routers. */
function isBun(file: string): boolean {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x64-baseline';
  return file.startsWith(`bun-linux-${machine}-`) && !file.includes('musl');
}

function compile(directory: string): string | undefined {
  if (process.arch !== 'x64') {
    progress('no executable: Debian runs the one for x86-64 routers only');
    return undefined;
  }
  progress('compiling the executable for x86-64 routers');
  const options = ['--arch', 'x86_64', '--executable-only', '--out', directory];
  const { status, stderr } = spawnSync(process.execPath, ['openwrt/package/build.ts', ...options], {
    cwd: PROJECT,
    encoding: 'utf8',
  });
  if (status === 0) return join(directory, 'nymote-x86_64');
  progress(`no executable: ${stderr.split('\n', 1)[0]}`);
  return undefined;
}

function underMusl(executable: string, libraries: string): Program {
  makeMuslLibraries(libraries);
  return { name: 'executable', command: [executable], env: { LD_LIBRARY_PATH: libraries } };
}
