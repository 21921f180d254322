/** From spawn to the first signed answer, on each runtime: an empty directory, and one with data. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHouse } from './house.ts';
import { NODE, openPrograms, type Program } from './programs.ts';
import { progress } from './progress.ts';
import { percentile, type Row } from './row.ts';

const RUNS = 10;

type Start = { readonly milliseconds: number; readonly cpuMilliseconds: number };

/** Ten starts of each kind. */
export async function run(): Promise<readonly Row[]> {
  await using opened = await openPrograms();
  // As on the very first start after an installation.
  const env = { NODE_DISABLE_COMPILE_CACHE: '1' };
  const programs = [...opened.programs, { ...NODE, name: 'Node, nothing kept', env }];
  const rows: Row[] = [];
  for (const program of programs) rows.push(...(await measure(program)));
  return rows;
}

async function measure(program: Program): Promise<readonly Row[]> {
  const fresh: Start[] = [];
  const again: Start[] = [];
  // One start uncounted: it fills the disk's cache and Node's.
  for (let count = 0; count <= RUNS; count++) {
    progress(`start: ${program.name}, ${count} of ${RUNS}`);
    const directory = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
    try {
      const first = await startOnce(program, directory);
      const second = await startOnce(program, directory);
      if (count > 0) {
        fresh.push(first);
        again.push(second);
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
  return [...rowsOf(`${program.name}, new realm`, fresh), ...rowsOf(`${program.name}`, again)];
}

async function startOnce(program: Program, directory: string): Promise<Start> {
  await using house = await startHouse({ program, directory: join(directory, 'data') });
  const { milliseconds, cpuMilliseconds } = house;
  return { milliseconds, cpuMilliseconds };
}

function rowsOf(name: string, starts: readonly Start[]): readonly Row[] {
  const times = starts.map(({ milliseconds }) => milliseconds);
  const cpu = starts.reduce((sum, { cpuMilliseconds }) => sum + cpuMilliseconds, 0);
  return [
    { name: `${name}: p50`, value: percentile(times, 0.5), unit: 'ms', note: 'budget 500' },
    { name: `${name}: p95`, value: percentile(times, 0.95), unit: 'ms' },
    { name: `${name}: CPU`, value: cpu / starts.length, unit: 'ms' },
  ];
}
