/**
 * What holds of the outside world on Node holds on Bun: the suites of all seams, run by `bun test`,
 * which takes vitest's words for its own.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { fetchBun } from './bun.ts';
import { runProgram } from './service-stand.ts';

/** As vitest.config.ts: for what hangs. */
const TIMEOUT_MS = 170_000;

const SUITES = join(import.meta.dirname, '../suites');
const suites = readdirSync(SUITES).filter((name) => name.endsWith('.test.ts'));

let bun = '';
beforeAll(() => {
  bun = fetchBun();
});

test.each(suites)('%s', async (name) => {
  const args = ['test', '--only-failures', `--timeout=${TIMEOUT_MS}`, join(SUITES, name)];
  const { exitCode, stderr } = await runProgram(bun, args);
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toMatch(/^ [1-9]\d* pass$/m);
});
