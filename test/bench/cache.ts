/** What 100,000 names in the cache take: beside the packets they came in, and in all. */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { progress } from './progress.ts';
import type { Row } from './row.ts';

const NAMES = 100_000;
const FILL = fileURLToPath(new URL('./cache-fill.ts', import.meta.url));

/** One process that does nothing else. */
export async function run(): Promise<readonly Row[]> {
  progress(`cache: ${NAMES} names`);
  const words = ['--expose-gc', FILL, String(NAMES)];
  const output = execFileSync(process.execPath, words, { encoding: 'utf8' });
  const { entries, counted, packetBytes, heapBytes, residentMegabytes } = JSON.parse(output);
  const perName = (bytes: number) => bytes / NAMES;
  return [
    { name: 'a packet', value: perName(packetBytes), unit: 'B', note: `${entries} entries` },
    { name: 'heap for a name', value: perName(heapBytes), unit: 'B' },
    { name: 'overhead beside the packet', value: perName(heapBytes - packetBytes), unit: 'B' },
    { name: 'as the cache counts it', value: perName(counted), unit: 'B' },
    { name: 'resident memory', value: residentMegabytes, unit: 'MB' },
  ];
}
