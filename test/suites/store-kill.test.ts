/** A process that commits is killed at any moment: no acknowledged commit is lost (I7). */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openStore } from '#storage';
import { realRuntime } from './real.ts';

const CHILD = fileURLToPath(new URL('./store-child.ts', import.meta.url));
const ROUNDS = 12;

/** Runs the child until it has printed some ids, and kills it a moment later. */
async function killOnce(directory: string, round: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  let lines = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    lines = printed.split('\n').length;
    // Between two and a hundred commits, each time at another point of the cycle.
    if (lines > 2 + ((round * 37) % 100)) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
  return printed.split('\n').slice(0, -1);
}

test(`${ROUNDS} kills lose nothing that was acknowledged`, async () => {
  const root = await mkdtemp(join(tmpdir(), 'nymote-kill-'));
  const directory = join(root, 'store');
  const acknowledged = new Set<string>();
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const id of await killOnce(directory, round)) acknowledged.add(id);
      await using store = await openStore(realRuntime(), { directory });
      const held = new Set<string>();
      for (let page = await store.log({ limit: 1000 }); page.length > 0; ) {
        for (const { id } of page) held.add(id);
        page = await store.log({ limit: 1000, before: page.at(-1)?.id ?? '' });
      }
      expect([...acknowledged].filter((id) => !held.has(id))).toEqual([]);
      // A commit that was written but not yet acknowledged may be there: one per life.
      expect(held.size - acknowledged.size).toBeLessThanOrEqual(round + 1);
      expect(store.problems.every(({ code }) => code === 'torn-tail')).toBe(true);
    }
    expect(acknowledged.size).toBeGreaterThan(ROUNDS);
  } finally {
    await rm(root, { recursive: true });
  }
});
