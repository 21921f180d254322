/** Resident memory on each runtime: after the start, and after a thousand signed answers. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHouse } from './house.ts';
import { load } from './load-run.ts';
import { residentMegabytes } from './process.ts';
import { openPrograms, type Program } from './programs.ts';
import { progress } from './progress.ts';
import type { Row } from './row.ts';

const QUESTIONS = 1_000;
const NAMES = ['laptop.alice.nymote', 'nothing.alice.nymote', 'alice.nymote'];

/** One process of each kind. */
export async function run(): Promise<readonly Row[]> {
  await using opened = await openPrograms();
  const rows: Row[] = [];
  for (const program of opened.programs) rows.push(...(await measure(program)));
  return rows;
}

async function measure(program: Program): Promise<readonly Row[]> {
  progress(`memory: ${program.name}`);
  const directory = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  try {
    // A first start compiles, and keeps what it compiled.
    await using first = await startHouse({ program, directory });
    await first[Symbol.asyncDispose]();
    await using house = await startHouse({ program, directory });
    const atStart = await residentMegabytes(house.pid);
    await load({ port: house.port, count: QUESTIONS, names: NAMES });
    const after = await residentMegabytes(house.pid);
    return [
      { name: `${program.name}: after the start`, value: atStart, unit: 'MB' },
      { name: `${program.name}: after ${QUESTIONS} answers`, value: after, unit: 'MB' },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
