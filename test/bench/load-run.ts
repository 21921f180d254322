/** Runs load.ts, or load.c, as a process of its own. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOST } from './house.ts';

/** Questions in flight: enough to keep a server busy, few enough for any socket buffer. */
const WINDOW = 64;
/** For servers that take and give in batches: several of them. */
const BATCHES_WINDOW = 200;

const LOAD = fileURLToPath(new URL('./load.ts', import.meta.url));

export type Load = {
  readonly port: number;
  readonly count: number;
  readonly names: readonly string[];
  readonly prefix?: readonly string[];
};

export type Loaded = {
  readonly answered: number;
  readonly lost: number;
  readonly seconds: number;
};

/** Asks `count` questions for AAAA with DO set; tells how that went. */
export function load({ port, count, names, prefix = [] }: Load): Promise<Loaded> {
  const words = [process.execPath, LOAD, HOST, String(port), String(count), String(WINDOW), '1'];
  return run([...prefix, ...words, ...names]);
}

/** The same by the program in C, which takes less of the machine; DO is set when `wantsDnssec`. */
export function askInBatches(
  program: string,
  { port, count, names, prefix = [], wantsDnssec = false }: Load & { wantsDnssec?: boolean },
): Promise<Loaded> {
  const words = [program, port, count, BATCHES_WINDOW, wantsDnssec ? 1 : 0].map(String);
  return run([...prefix, ...words, ...names]);
}

async function run([file = '', ...args]: readonly string[]): Promise<Loaded> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the load ended with ${code}`);
  return JSON.parse(output);
}

/** One of the programs in C that lie here. */
export function compile(directory: string, name: string): string {
  const program = join(directory, name);
  try {
    execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, `${name}.c`)]);
  } catch (thrown) {
    throw new Error('gcc is missing: apt-get install gcc libc6-dev', { cause: thrown });
  }
  return program;
}
