/** Runs load.ts as a process of its own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { HOST } from './house.ts';

/** Questions in flight: enough to keep a server busy, few enough for any socket buffer. */
const WINDOW = 64;

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
export async function load({ port, count, names, prefix = [] }: Load): Promise<Loaded> {
  const words = [process.execPath, LOAD, HOST, String(port), String(count), String(WINDOW), '1'];
  const [file = '', ...args] = [...prefix, ...words, ...names];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the load ended with ${code}`);
  return JSON.parse(output);
}
