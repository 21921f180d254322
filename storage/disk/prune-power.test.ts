/** Power cuts at every step while history is dropped. */

import { describe, expect, test } from 'vitest';
import { fakeFiles, fakeRuntime, PowerCut } from '#runtime/fake';
import { DIRECTORY, openFounder, setName } from '../realm.fixture.ts';

import { ALL, fill, found, plain } from './prune.fixture.ts';

describe('a power cut while history is dropped', () => {
  test.each(['lost', 'kept', 'torn'] as const)(
    'leaves all of it or what is kept (%s)',
    async (unsynced) => {
      const rehearsal = await prepared(fakeFiles());
      const from = rehearsal.runtime.files.steps;
      await rehearsal.store.prune('test', ALL);
      const steps = rehearsal.runtime.files.steps;
      const expected = plain(rehearsal.store);
      let states = '';
      for (let step = from + 1; step <= steps; step++) {
        const files = fakeFiles();
        const { store, runtime } = await prepared(files);
        const before = plain(store);
        files.crashAt(step, unsynced);
        await expect(store.prune('test', ALL)).rejects.toBeInstanceOf(PowerCut);
        const rebooted = fakeRuntime({ files: runtime.files.restart() });
        const again = await openFounder(rebooted);
        expect(
          again.problems.filter(({ code }) => code !== 'torn-tail'),
          `step ${step}`,
        ).toEqual([]);
        const now = JSON.stringify(plain(again));
        expect([JSON.stringify(before), JSON.stringify(expected)], `step ${step}`).toContain(now);
        states += again.base() === undefined ? 'a' : 'b';
        await again.commit(setName('z', step));
        await again.prune('test', ALL);
        const last = await openFounder(fakeRuntime({ files: rebooted.files }));
        expect([last.head, last.problems], `step ${step}`).toEqual([again.head, []]);
      }
      expect(states).toMatch(/^a+b+$/);
    },
  );
});

describe('a power cut while something is forgotten', () => {
  test.each(['lost', 'kept', 'torn'] as const)(
    'leaves it in no file of a store that begins after it (%s)',
    async (unsynced) => {
      const rehearsal = await withSecret(fakeFiles());
      const from = rehearsal.runtime.files.steps;
      await rehearsal.store.prune('test', ALL);
      const steps = rehearsal.runtime.files.steps;
      for (let step = from + 1; step <= steps; step++) {
        const { store, runtime } = await withSecret(fakeFiles());
        runtime.files.crashAt(step, unsynced);
        await expect(store.prune('test', ALL)).rejects.toBeInstanceOf(PowerCut);
        const rebooted = fakeRuntime({ files: runtime.files.restart() });
        const isPruned = (await openFounder(rebooted)).base() !== undefined;
        expect(await found(rebooted, 'hush'), `step ${step}`).toBe(!isPruned);
      }
    },
  );
});

/** In the log, in the checkpoint (a text remembers earlier ones), and in what was moved aside. */
async function withSecret(files: ReturnType<typeof fakeFiles>) {
  const runtime = fakeRuntime({ files });
  const first = await openFounder(runtime);
  for (const value of ['hush\nb', 'b']) {
    const ops = [{ op: 'text', path: 'notes/t/body', value } as const];
    await first.commit({ ops, message: 'Write', via: 'test' });
  }
  await first[Symbol.asyncDispose]();
  await files.makeDirectory(`${DIRECTORY}/quarantine`, 0o700);
  await files.replace(`${DIRECTORY}/quarantine/1.torn`, new TextEncoder().encode('hush'));
  const store = await openFounder(runtime);
  await store.commit(setName('b', 1));
  return { store, runtime };
}

async function prepared(files: ReturnType<typeof fakeFiles>) {
  const runtime = fakeRuntime({ files });
  const store = await openFounder(runtime);
  await fill(store, 8);
  return { store, runtime };
}
