/**
 * The single executable for routers: Bun for musl with our program inside.
 *
 * Bun comes from the npm registry the user has configured, through `npm pack`, and is used only if
 * its hash is the one pinned here. The same sources give the same bytes, wherever they are built.
 * Run as a program it prints the path of the Bun for this machine, for tests on it.
 *
 * @see https://bun.com/docs/bundler/executables
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Machine } from './payload.ts';

const VERSION = '1.4.5';

type Bun = { readonly integrity: string; readonly megabytes: number };

/** What `npm view @oven/<name>@1.4.5 dist.integrity` says. */
const BUNS = {
  'bun-linux-x64-baseline': {
    integrity:
      'sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==',
    megabytes: 52,
  },
  'bun-linux-aarch64': {
    integrity:
      'sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==',
    megabytes: 52,
  },
  'bun-linux-x64-musl-baseline': {
    integrity:
      'sha512-cWJhU8h0+MiUgpSt99sQhjxLIIosKEcKYdtKddohokUvAuN6jKOy7g7+QDTZTXtwHxz93wL3BX+L6wXVPDUH3A==',
    megabytes: 49,
  },
  'bun-linux-aarch64-musl': {
    integrity:
      'sha512-XCNc+WvvMAdNNb+OWTogpy+N9wm62fkVeEVLb6how0RZhW5LPi6c7BlkeVCuWps7XjEl2saFpHFa20/1E+PAHg==',
    megabytes: 49,
  },
} as const satisfies Record<string, Bun>;

type BunName = keyof typeof BUNS;

/** The compiler that runs here; without AVX2, which not every machine has. */
const COMPILERS: Readonly<Record<string, BunName>> = {
  x64: 'bun-linux-x64-baseline',
  arm64: 'bun-linux-aarch64',
};

/** What runs on the router; x86 routers are often Atoms without AVX2. */
const RUNTIMES = {
  x86_64: { bun: 'bun-linux-x64-musl-baseline', target: 'bun-linux-x64-musl-baseline' },
  aarch64: { bun: 'bun-linux-aarch64-musl', target: 'bun-linux-arm64-musl' },
} as const satisfies Record<Machine, { readonly bun: BunName; readonly target: string }>;

const PROJECT = join(import.meta.dirname, '..', '..');

/** Says what is being done, in one line. */
export type Report = (line: string) => void;

/** Builds the web admin's files, which the program imports and the executable so contains. */
export function buildAssets(report: Report): void {
  const script = 'web-admin/ui/build.mjs';
  if (!existsSync(join(PROJECT, script))) return;
  report('build  web admin');
  execFileSync(process.execPath, [script], {
    cwd: PROJECT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** The path of the Bun that runs on this machine; it is a compiler, too. */
function fetchCompiler(report: Report): string {
  const name = COMPILERS[process.arch];
  if (process.platform !== 'linux' || name === undefined) {
    throw new Error(`no Bun for ${process.platform} on ${process.arch}: use Linux`);
  }
  return fetchBun(name, report);
}

/** What its threads run: scripts of their own, or each would hold the whole program once more. */
const THREADS = ['runtime/bun-batch-thread.ts', 'resolver/datapath/loop.ts'];

/** Compiles `entry`, a path inside the project, and returns the executable's bytes. */
export function compile(machine: Machine, entry: string, report: Report): Buffer {
  const compiler = fetchCompiler(report);
  const { bun, target } = RUNTIMES[machine];
  const runtime = fetchBun(bun, report);
  const directory = mkdtempSync(join(makeCache(), 'compile-'));
  try {
    // The name is also the program's path inside the executable: always the same.
    const output = join(directory, 'nymote');
    const options = [
      'build',
      entry,
      ...THREADS,
      '--compile',
      '--minify',
      // What is imported when it is wanted is not loaded before.
      '--splitting',
      // All in one folder, where `new URL('./loop.ts', import.meta.url)` finds it.
      '--entry-naming=[name].[ext]',
      `--target=${target}`,
      `--compile-executable-path=${runtime}`,
      // A router's working directory is not ours to take settings from.
      '--no-compile-autoload-dotenv',
      '--no-compile-autoload-bunfig',
      `--outfile=${output}`,
    ];
    run(compiler, options, PROJECT);
    const bytes = readFileSync(output);
    report(`compile  ${machine}  ${megabytes(bytes.length)}`);
    return bytes;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Sizes as people read them. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The path of a Bun, from the cache or the registry. */
function fetchBun(name: BunName, report: Report): string {
  const cache = makeCache();
  const path = join(cache, `${name}-${VERSION}`);
  if (existsSync(path)) return path;
  const { integrity, megabytes: expected } = BUNS[name];
  report(`fetch  @oven/${name} ${VERSION}  ${expected} MB`);
  const directory = mkdtempSync(join(cache, 'fetch-'));
  try {
    run(
      'npm',
      ['pack', `@oven/${name}@${VERSION}`, '--silent', '--pack-destination', directory],
      PROJECT,
    );
    const file = readdirSync(directory).find((found) => found.endsWith('.tgz'));
    if (file === undefined) throw new Error(`npm pack gave no file for @oven/${name}`);
    const archive = readFileSync(join(directory, file));
    const hash = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    if (hash !== integrity)
      throw new Error(`@oven/${name} ${VERSION} is not what we pinned: ${hash}`);
    const unpacked = join(directory, 'bun');
    writeFileSync(unpacked, takeFromTar(gunzipSync(archive), 'package/bin/bun'), { mode: 0o755 });
    // Into place only when whole: an interrupted build leaves nothing that looks finished.
    renameSync(unpacked, path);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return path;
}

function run(program: string, args: readonly string[], cwd: string): void {
  try {
    execFileSync(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (thrown) {
    const { stderr, message } = thrown as { readonly stderr?: Buffer; readonly message: string };
    throw new Error(`${message}\n${stderr?.toString() ?? ''}`, { cause: thrown });
  }
}

/** One file of a ustar archive whose hash was checked. */
function takeFromTar(archive: Buffer, path: string): Buffer {
  let at = 0;
  while (at + 512 <= archive.length) {
    const name = archive.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const length = Number.parseInt(archive.toString('latin1', at + 124, at + 136), 8) || 0;
    if (name === path) return archive.subarray(at + 512, at + 512 + length);
    at += 512 + Math.ceil(length / 512) * 512;
  }
  throw new Error(`${path} is not in the archive`);
}

/** Beside the installed modules, or in the user's cache where those cannot be written. */
function makeCache(): string {
  const modules = join(PROJECT, 'node_modules');
  const home = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const cache = existsSync(modules) ? join(modules, '.cache', 'nymote') : join(home, 'nymote');
  mkdirSync(cache, { recursive: true });
  return cache;
}

if (import.meta.main) console.log(fetchCompiler((line) => console.error(line)));
