/** The launcher on a machine where npm does not do as it should. */

import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const LIMIT = '20 * 60_000';
const LOCK = { packages: { '': {}, 'node_modules/hono': { version: '1.0.0' } } };

let root = '';

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nymote-launch-'));
  await mkdir(join(root, 'service'));
  await mkdir(join(root, 'bin'));
  const launcher = await readFile(join(PROJECT, 'service', 'launch.mjs'), 'utf8');
  expect(launcher).toContain(LIMIT);
  await writeFile(join(root, 'service', 'launch.mjs'), launcher.replace(LIMIT, '3_000'));
  await writeFile(join(root, 'package-lock.json'), JSON.stringify(LOCK));
});

afterAll(() => rm(root, { recursive: true, force: true }));

test.each([
  {
    npm: 'test -e again && { echo "npm: no route"; exit 1; }; touch again; exec sleep 60',
    said: ['npm stands still; once more', 'npm: no route', 'npm ci failed'],
    why: 'npm that stands still is asked once more',
  },
  {
    npm: 'exec sleep 60',
    said: ['npm stands still; once more', 'npm ci failed'],
    why: 'not twice',
  },
  { npm: 'exit 1', said: ['npm ci failed'], why: 'what npm itself gives up is not tried again' },
  { npm: undefined, said: ['npm is missing: install it'], why: 'there is none' },
])('$why', async ({ npm, said }) => {
  const program = join(root, 'bin', 'npm');
  await rm(program, { force: true });
  if (npm !== undefined) {
    await writeFile(program, `#!/bin/sh\n${npm}\n`);
    await chmod(program, 0o755);
  }
  const ended = spawnSync(process.execPath, ['service/launch.mjs', '--prepare-tests'], {
    cwd: root,
    env: { PATH: npm === undefined ? join(root, 'bin') : `${join(root, 'bin')}:/bin:/usr/bin` },
    encoding: 'utf8',
  });
  expect(ended.status).toBe(1);
  const lines = ended.stderr.split('\n').slice(1, -1);
  expect(lines.map((line, at) => line.includes(said[at] ?? 'nothing more'))).toEqual(
    said.map(() => true),
  );
});
