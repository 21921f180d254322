/**
 * What names in the cache take beside the packets they came in, and what memory that is in all, on
 * each runtime; and how much more of it there is when far more is asked for than fits.
 */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findBun, HEAP } from './programs.ts';
import { progress } from './progress.ts';
import type { Row } from './row.ts';

const NAMES = 100_000;
const ROOMY = 1024 ** 3;

/** Nearly nothing, and as much as half of the names take; what else the process needs is in both. */
const SMALL = 1024 ** 2;
const LIMIT = 24 * 1024 ** 2;
const FLOOD = 400_000;

const FILL = fileURLToPath(new URL('./cache-fill.ts', import.meta.url));

/** Processes that do nothing else. */
export async function run(): Promise<readonly Row[]> {
  const bun = await findBun();
  const rows = measure('Node', [process.execPath, ...HEAP]);
  return bun === undefined ? rows : [...rows, ...measure('Bun', [bun])];
}

function measure(name: string, program: readonly string[]): Row[] {
  progress(`cache: ${name}, ${NAMES} names`);
  const { entries, counted, packetBytes, heapBytes, residentMegabytes } = fill(
    program,
    NAMES,
    ROOMY,
  );
  progress(`cache: ${name}, ${FLOOD} names that do not fit`);
  const small = fill(program, FLOOD, SMALL);
  const full = fill(program, FLOOD, LIMIT);
  const perName = (bytes: number) => bytes / NAMES;
  const taken = (full.heapBytes - small.heapBytes) / (full.counted - small.counted);
  const byLimit = (field: 'residentMegabytes' | 'restingMegabytes') =>
    ((full[field] - small[field]) * 1e6) / (LIMIT - SMALL);
  const rows: Row[] = [
    { name: 'a packet', value: perName(packetBytes), unit: 'B', note: `${entries} entries` },
    { name: 'memory for a name', value: perName(heapBytes), unit: 'B' },
    {
      ...{ name: 'overhead beside the packet (budget 60)', unit: 'B' },
      value: perName(heapBytes - packetBytes),
    },
    { name: 'as the cache counts it', value: perName(counted), unit: 'B' },
    { name: 'resident memory', value: residentMegabytes, unit: 'MB' },
    { name: 'full: memory by what is counted', value: taken, unit: '×' },
    {
      ...{ name: 'full: resident by the limit (budget 1.3)', unit: '×' },
      value: byLimit('restingMegabytes'),
    },
    {
      ...{ name: 'full: the same, at once', unit: '×' },
      value: byLimit('residentMegabytes'),
    },
  ];
  return rows.map((row) => ({ ...row, name: `${name}: ${row.name}` }));
}

type Filled = {
  readonly entries: number;
  readonly counted: number;
  readonly packetBytes: number;
  readonly heapBytes: number;
  readonly residentMegabytes: number;
  readonly restingMegabytes: number;
};

function fill(program: readonly string[], names: number, limit: number): Filled {
  const [file = '', ...flags] = program;
  const words = [...flags, '--expose-gc', FILL, String(names), String(limit)];
  return JSON.parse(execFileSync(file, words, { encoding: 'utf8' }));
}
