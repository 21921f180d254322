/**
 * Real processes, killed at any moment while two owners write and exchange: what was acknowledged
 * is there, and both end as one (I7). On Node, and on the Bun that the router's executable contains.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore, type Store } from '#storage';
import { realRuntime } from '../suites/real.ts';
import { fetchBun } from './bun.ts';

const CHILD = join(import.meta.dirname, 'store-kill-child.ts');
const PROJECT = join(import.meta.dirname, '../..');
const NAMES = ['first', 'second'] as const;
const ROUNDS = 10;

const RUNTIMES = [
  { name: 'Node', program: () => process.execPath },
  { name: 'Bun', program: fetchBun },
];

/** Runs the child until it has printed some lines, and kills it then. */
async function killOnce(program: string, directory: string, lines: number): Promise<string[]> {
  const child = spawn(program, [CHILD, directory], {
    cwd: PROJECT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    if (printed.split('\n').length > lines) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
  return printed.split('\n').slice(0, -1);
}

test.each(RUNTIMES)(
  `${ROUNDS} kills on $name lose nothing that was acknowledged`,
  async ({ program }) => {
    const executable = program();
    const directory = await mkdtemp(join(tmpdir(), 'nymote-store-kill-'));
    const told = new Set<string>();
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const lines = 3 + ((round * 53) % 120);
        for (const line of await killOnce(executable, directory, lines)) told.add(line);
        await expectAllHeld(directory, told);
      }
      expect(told.size).toBeGreaterThan(ROUNDS * 10);
      await expectOneEnd(directory);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);

async function open(directory: string, name: string): Promise<Store> {
  return openStore(realRuntime(), { directory: join(directory, name) });
}

async function expectAllHeld(directory: string, told: ReadonlySet<string>): Promise<void> {
  for (const name of NAMES) {
    await using store = await open(directory, name);
    const lost = [...told].filter((line) => {
      const [whose, id = ''] = line.split(' ');
      return whose === name && !store.holds(id);
    });
    expect(lost, name).toEqual([]);
    expect(store.problems.filter(({ code }) => code !== 'torn-tail')).toEqual([]);
  }
}

/** What was apart when the power went comes together. */
async function expectOneEnd(directory: string): Promise<void> {
  const [one, other] = [await open(directory, 'first'), await open(directory, 'second')];
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    for (let page = await from.exportMissing(to.vector()); page.length > 0; ) {
      expect((await to.importCommits(page)).refused).toEqual([]);
      page = await from.exportMissing(to.vector());
    }
  }
  expect([one.head, one.merged(), one.conflicts()]).toEqual([
    other.head,
    other.merged(),
    other.conflicts(),
  ]);
  await one[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
}
