/**
 * What the store does when the disk fails it: the power goes at any step, a step is refused, and
 * nothing more can be written (I7).
 */

import { describe, expect, test } from 'vitest';
import { RuntimeError, type RuntimeErrorCode } from '#runtime';
import { type FakeFiles, fakeFiles, fakeRuntime, PowerCut } from '#runtime/fake';
import { StorageError } from '../error.ts';
import { openFounder, openReplica, setName } from '../realm.fixture.ts';
import { SEGMENT, spoil, work, worked } from '../session.fixture.ts';

describe('a power cut at any step', () => {
  test.each(['lost', 'kept', 'torn'] as const)(
    'leaves the old state or the new one, and a store that goes on (unsynced bytes: %s)',
    async (unsynced) => {
      const { ids, files: whole } = await worked();
      for (let step = 1; step <= whole.steps; step++) {
        const files = fakeFiles();
        files.crashAt(step, unsynced);
        const acknowledged: string[] = [];
        await expect(work(files, acknowledged)).rejects.toBeInstanceOf(PowerCut);
        const rebooted = files.restart();
        const store = await openFounder(fakeRuntime({ files: rebooted }));
        const held = (await store.log()).map(({ id }) => id).toReversed();
        expect(held, `step ${step}`).toEqual(ids.slice(0, held.length));
        expect(held.length, `step ${step}`).toBeGreaterThanOrEqual(
          Math.max(acknowledged.length, 1),
        );
        expect(held.length).toBeLessThanOrEqual(acknowledged.length + 1);
        await store.commit(setName('z', step));
        expect((await openReplica(fakeRuntime({ files: rebooted }))).head).toBe(store.head);
      }
    },
  );

  test('while repairing a torn log leaves a log that can be repaired', async () => {
    const { ids, files: whole } = await worked();
    for (let step = 1; step <= 12; step++) {
      const files = fakeFiles();
      files.crashAt(whole.steps, 'torn');
      await work(files, []).catch(() => undefined);
      const rebooted = files.restart();
      rebooted.crashAt(step, 'torn');
      await openFounder(fakeRuntime({ files: rebooted })).catch(() => undefined);
      const store = await openFounder(fakeRuntime({ files: rebooted.restart() }));
      expect(store.head, `step ${step}`).toBe(ids.at(-2));
    }
  });
});

describe('a disk that refuses', () => {
  test.each(['no-space', 'io'] satisfies RuntimeErrorCode[])(
    'one step (%s) costs that commit and no other',
    async (code) => {
      const { files: whole } = await worked();
      for (let step = 1; step <= whole.steps; step++) {
        const files = fakeFiles();
        files.failAt(step, code);
        const open = () => openFounder(fakeRuntime({ files }));
        const store = await open().catch((thrown) => {
          expect((thrown as StorageError).code).toBe(code);
          return open();
        });
        const done = [store.head];
        for (const key of ['a', 'b', 'c']) {
          const { head } = store;
          const commit = await store.commit(setName(key, 1)).catch((thrown) => {
            expect(thrown).toBeInstanceOf(StorageError);
            expect([(thrown as StorageError).code, store.head]).toEqual([code, head]);
          });
          if (commit !== undefined) done.push(commit.id);
        }
        expect(done.length).toBeGreaterThanOrEqual(3);
        const again = await openReplica(fakeRuntime({ files }));
        expect((await again.log()).map(({ id }) => id).toReversed()).toEqual(done);
        expect(again.problems).toEqual([]);
      }
    },
  );

  test('in the middle of a write, and to cut it off, leaves a log that goes on', async () => {
    const { files, breakOnce } = halfWriting();
    const store = await openFounder({ ...fakeRuntime(), files });
    breakOnce();
    await expect(store.commit(setName('a', 1))).rejects.toMatchObject({ code: 'io' });
    expect((await store.commit(setName('b', 1))).seq).toBe(2);
    const again = await openReplica({ ...fakeRuntime(), files });
    expect([again.head, again.problems]).toEqual([store.head, []]);
  });

  test('while it is full, what is stored can be opened and read', async () => {
    const { files, fill } = fillable();
    const store = await openFounder({ ...fakeRuntime(), files });
    await store.commit(setName('a', 1));
    fill(true);
    await expect(store.commit(setName('b', 1))).rejects.toMatchObject({ code: 'no-space' });
    const again = await openFounder({ ...fakeRuntime(), files });
    expect(again.head).toBe(store.head);
    await expect(again.commit(setName('b', 1))).rejects.toMatchObject({ code: 'no-space' });
    fill(false);
    expect((await again.commit(setName('b', 1))).seq).toBe(3);
  });

  test('while it is full, a torn log can be opened and read', async () => {
    const { files, fill } = fillable();
    const store = await openFounder({ ...fakeRuntime(), files });
    await store.commit(setName('a', 1));
    const log = (await files.read(SEGMENT)) ?? new Uint8Array(0);
    await files.replace(SEGMENT, Uint8Array.of(...log, 0, 0, 1, 0, 7, 7, 7, 7, 7));
    fill(true);
    const again = await openFounder({ ...fakeRuntime(), files });
    expect([again.head, again.problems.map(({ code }) => code)]).toEqual([
      store.head,
      ['torn-tail'],
    ]);
    fill(false);
    expect((await again.commit(setName('b', 1))).seq).toBe(3);
    expect((await openReplica({ ...fakeRuntime(), files })).problems).toEqual([]);
  });

  test('while it is full, a damaged log can be opened, and written when it is not', async () => {
    const { files, fill } = fillable();
    const store = await openFounder({ ...fakeRuntime(), files });
    await store.commit(setName('a', 1));
    await spoil(files, (bytes) => bytes.length - 3);
    fill(true);
    const again = await openFounder({ ...fakeRuntime(), files });
    expect([again.head, again.problems.map(({ code }) => code)]).toEqual([
      store.realm,
      ['corrupt-frame'],
    ]);
    fill(false);
    await again.commit(setName('b', 1));
    expect((await openReplica({ ...fakeRuntime(), files })).head).toBe(again.head);
  });
});

/** A disk that can be full: then nothing can be written, but everything read, cut and removed. */
function fillable(): { files: FakeFiles; fill: (isFull: boolean) => void } {
  const files = fakeFiles();
  let full = false;
  const refuse = () => {
    if (full) throw new RuntimeError('no-space', 'the disk is full');
  };
  return {
    fill: (isFull) => {
      full = isFull;
    },
    files: {
      ...files,
      async replace(path, data, mode) {
        refuse();
        await files.replace(path, data, mode);
      },
      async openAppend(path) {
        if ((await files.read(path)) === undefined) refuse();
        const file = await files.openAppend(path);
        return {
          ...file,
          get size() {
            return file.size;
          },
          async append(data) {
            refuse();
            await file.append(data);
          },
        };
      },
    },
  };
}

/** A disk that once writes half of what it is given, and cannot take it back at that moment. */
function halfWriting(): { files: FakeFiles; breakOnce: () => void } {
  const files = fakeFiles();
  let isBroken = false;
  return {
    breakOnce: () => {
      isBroken = true;
    },
    files: {
      ...files,
      async openAppend(path) {
        const file = await files.openAppend(path);
        return {
          ...file,
          get size() {
            return file.size;
          },
          async append(data) {
            await file.append(isBroken ? data.subarray(0, data.length / 2) : data);
            if (isBroken) {
              isBroken = false;
              throw new RuntimeError('io', 'half of it');
            }
          },
        };
      },
    },
  };
}
