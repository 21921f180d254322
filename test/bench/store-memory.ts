/**
 * What an open store takes beyond the bare runtime, on Node, on Bun and as an executable; beside an
 * Automerge document with the same changes, which is all in memory as well.
 *
 * In one file, as on a router: read from its sources, Node takes 13 MB more for modules and types.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Runtime } from '#runtime';
import { makeMuslLibraries } from '../conformance/musl-shim.ts';
import { stop } from './house.ts';
import { fillDocument, fillStore } from './household.ts';
import { findBun, HEAP, PROJECT, type Program } from './programs.ts';
import { progress } from './progress.ts';
import type { Row } from './row.ts';

const HOLDER = 'test/bench/holder.ts';
/** With a way to ask for a collection. */
const NODE_OPTIONS = [...HEAP, '--expose-gc'];
const RUNS = 3;

type Memory = { readonly resident: number; readonly share: number; readonly peak: number };

/** A household of `commits` commits, held by one process of each kind. */
export async function measureMemory(runtime: Runtime, commits: number): Promise<readonly Row[]> {
  // Nothing here depends on a disk, and filling a real one three times takes minutes.
  const root = await mkdtemp('/dev/shm/nymote-bench-');
  const built = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  try {
    progress(`store: a household of ${commits} commits`);
    const { directory, count } = await fillStore(runtime, root, commits);
    const document = await fillDocument(root, count);
    const peer = new URL(import.meta.resolve('@automerge/automerge')).pathname;
    const rows: Row[] = [];
    for (const program of await findPrograms(built)) {
      progress(`store: memory, ${program.name}`);
      const bare = await measure(program, ['nothing']);
      const ours = await measure(program, ['store', directory]);
      const theirs = await measure(program, ['automerge', peer, document]).catch(() => undefined);
      rows.push(...rowsOf(`${program.name}, ${count} commits`, bare, ours, theirs));
    }
    return rows;
  } finally {
    for (const each of [root, built]) await rm(each, { recursive: true });
  }
}

function rowsOf(name: string, bare: Memory, ours: Memory, theirs: Memory | undefined): Row[] {
  const row = (what: string, field: keyof Memory, from: keyof Memory, note: string): Row => {
    const value = ours[field] - bare[from];
    const other = theirs && theirs[field] - bare[from];
    const peer = other && { name: 'Automerge', value: other, ratio: value / other };
    return { name: `${name}: ${what}`, value, unit: 'MB', note, ...(peer ? { peer } : {}) };
  };
  const note = `bare runtime ${bare.resident.toFixed(1)} MB`;
  return [
    row('resident beyond the bare runtime', 'resident', 'resident', 'budget 25'),
    row('the same, pages shared with others divided', 'share', 'share', note),
    row('at most while opening', 'peak', 'resident', note),
  ];
}

async function findPrograms(root: string): Promise<readonly Program[]> {
  const outdir = join(root, 'holder');
  const entryPoints = [join(PROJECT, HOLDER)];
  const options = {
    bundle: true,
    minify: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
  } as const;
  const outExtension = { '.js': '.mjs' };
  await build({ entryPoints, outdir, outExtension, ...options, logLevel: 'error' });
  const holder = join(outdir, 'holder.mjs');
  const bun = await findBun();
  const executable = compile(root);
  return [
    { name: 'Node', command: [process.execPath, ...NODE_OPTIONS, holder], env: {} },
    ...(bun === undefined ? [] : [{ name: 'Bun', command: [bun, holder], env: {} }]),
    ...(executable === undefined ? [] : [executable]),
  ];
}

function compile(root: string): Program | undefined {
  if (process.arch !== 'x64') return undefined;
  progress('store: compiling an executable that holds a store');
  const options = ['--arch', 'x86_64', '--executable-only', '--entry', HOLDER, '--out', root];
  const { status, stderr } = spawnSync(process.execPath, ['openwrt/package/build.ts', ...options], {
    cwd: PROJECT,
    encoding: 'utf8',
  });
  if (status !== 0) {
    progress(`no executable: ${stderr.split('\n', 1)[0]}`);
    return undefined;
  }
  const libraries = join(root, 'lib');
  makeMuslLibraries(libraries);
  const command = [join(root, 'nymote-x86_64')];
  return { name: 'executable', command, env: { LD_LIBRARY_PATH: libraries } };
}

/** The least of some processes: what more they have is what the machine happened to give. */
async function measure(program: Program, words: readonly string[]): Promise<Memory> {
  const all: Memory[] = [];
  for (let run = 0; run < RUNS; run++) all.push(await measureOnce(program, words));
  const least = (field: keyof Memory) => Math.min(...all.map((each) => each[field]));
  return { resident: least('resident'), share: least('share'), peak: least('peak') };
}

async function measureOnce(
  { name, command, env }: Program,
  words: readonly string[],
): Promise<Memory> {
  const [file = '', ...rest] = command;
  const child = spawn(file, [...rest, ...words], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    await untilReady(child, name);
    return await readMemory(child.pid ?? 0);
  } finally {
    await stop(child);
  }
}

async function untilReady(child: ChildProcess, name: string): Promise<void> {
  const said: string[] = [];
  child.stderr?.on('data', (chunk) => said.push(String(chunk)));
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${code}: ${said.join('')}`);
  });
  await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended]);
  ended.catch(() => undefined);
}

/** See proc_pid_status(5), and smaps_rollup in proc(5). */
async function readMemory(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const read = (text: string, field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1_024;
  return {
    resident: read(status, 'VmRSS'),
    share: read(rollup, 'Pss'),
    peak: read(status, 'VmHWM'),
  };
}
