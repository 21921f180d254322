/** What goes onto a router: packages that were built, and the executable inside, as it would be. */

import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { openPrograms, PROJECT } from './programs.ts';
import { progress } from './progress.ts';
import type { Row } from './row.ts';

const DIST = join(PROJECT, 'dist');

/** Sizes in MB. */
export async function run(): Promise<readonly Row[]> {
  const packages = await sizesOfPackages();
  if (packages.length === 0) progress('package: none in dist/; npm run package makes them');
  await using opened = await openPrograms();
  const { executable } = opened;
  if (executable === undefined) return packages;
  return [
    ...packages,
    { name: 'executable, x86-64 musl', value: (await stat(executable)).size / 1e6, unit: 'MB' },
    { name: 'the same, gzip', value: (await zippedBytes(executable)) / 1e6, unit: 'MB' },
  ];
}

async function sizesOfPackages(): Promise<readonly Row[]> {
  const files = await readdir(DIST).catch(() => []);
  const packages = files.filter((file) => /\.(ipk|apk)$/.test(file)).sort();
  return Promise.all(
    packages.map(async (name) => {
      const { size } = await stat(join(DIST, name));
      return { name, value: size / 1e6, unit: 'MB' };
    }),
  );
}

async function zippedBytes(path: string): Promise<number> {
  let bytes = 0;
  for await (const chunk of createReadStream(path).pipe(createGzip())) bytes += chunk.length;
  return bytes;
}
