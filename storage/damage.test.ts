/**
 * What the store does when the disk does its worst: every crash point, every full disk, every
 * wrong byte (I7).
 */

import { describe, expect, test } from 'vitest';
import { RuntimeError, type RuntimeErrorCode } from '#runtime';
import { type FakeFiles, fakeFiles, fakeRuntime, PowerCut } from '#runtime/fake';
import { StorageError } from './error.ts';
import { scan } from './frame.ts';
import { DIRECTORY, openFounder, openReplica, setName, take, upTo } from './realm.fixture.ts';
import type { Store } from './store.ts';

const SEGMENT = `${DIRECTORY}/log/00000001.log`;

/** What a session of the founder's does; `acknowledged` grows with what it was told is safe. */
async function work(files: FakeFiles, acknowledged: string[]): Promise<void> {
  const store = await openFounder(fakeRuntime({ files }));
  acknowledged.push(store.head);
  for (const key of ['a', 'b', 'c']) {
    acknowledged.push((await store.commit(setName(key, acknowledged.length))).id);
  }
}

/** The ids of a session without faults; they are the same in every session. */
async function rehearse(): Promise<{ readonly ids: readonly string[]; readonly steps: number }> {
  const files = fakeFiles();
  const ids: string[] = [];
  await work(files, ids);
  return { ids, steps: files.steps };
}

describe('a power cut at any step', () => {
  test.each(['lost', 'kept', 'torn'] as const)(
    'leaves the old state or the new one, and a store that goes on (unsynced bytes: %s)',
    async (unsynced) => {
      const { ids, steps } = await rehearse();
      for (let step = 1; step <= steps; step++) {
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
    const { ids, steps } = await rehearse();
    for (let step = 1; step <= 12; step++) {
      const files = fakeFiles();
      files.crashAt(steps, 'torn');
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
      const { steps } = await rehearse();
      for (let step = 1; step <= steps; step++) {
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

describe('the log', () => {
  test('cut anywhere opens with what was whole', async () => {
    const { files, ids } = await worked();
    const bytes = (await files.read(SEGMENT)) ?? new Uint8Array(0);
    const ends = scan(bytes).frames.map(({ end }) => end);
    for (let size = bytes.length; size >= (ends[0] ?? 0); size -= 13) {
      await files.replace(SEGMENT, bytes.subarray(0, size));
      const store = await openFounder(fakeRuntime({ files }));
      expect(store.head).toBe(ids[ends.filter((end) => end <= size).length - 1]);
      expect(store.problems.every(({ code }) => code === 'torn-tail')).toBe(true);
    }
  });

  test.each([0, 0xff, 0x5a])('with a tail of %i opens as it was', async (byte) => {
    const { files, ids } = await worked();
    const bytes = (await files.read(SEGMENT)) ?? new Uint8Array(0);
    for (const length of [1, 7, 8, 9, 700]) {
      await files.replace(SEGMENT, Uint8Array.of(...bytes, ...new Uint8Array(length).fill(byte)));
      const store = await openFounder(fakeRuntime({ files }));
      expect(store.head).toBe(ids.at(-1));
      expect(store.problems).toHaveLength(1);
      expect(await files.read(SEGMENT)).toEqual(bytes);
    }
  });

  test('with a wrong byte anywhere opens with the commits before it, and says so', async () => {
    const { files, ids } = await worked();
    const original = (await files.read(SEGMENT)) ?? new Uint8Array(0);
    const ends = scan(original).frames.map(({ end }) => end);
    for (let at = 0; at < original.length; at += 11) {
      const copy = fakeFiles([DIRECTORY, `${DIRECTORY}/log`]);
      const bytes = original.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      await copy.replace(SEGMENT, bytes);
      const store = await openFounder(fakeRuntime({ files: copy }));
      const before = ends.filter((end) => end <= at).length;
      const isRebegun = before === 0 && store.problems.length === 0;
      expect(isRebegun, `byte ${at}`).toBe(false);
      expect(store.head, `byte ${at}`).toBe(ids[before - 1] ?? '');
      expect(store.problems.length, `byte ${at}`).toBeGreaterThan(0);
      // Only a damaged last commit leaves nothing that waits for it.
      expect(store.isWritable, `byte ${at}`).toBe(before === ids.length - 1);
    }
  });

  test('moves damaged bytes aside, deletes nothing, and stays as it then is', async () => {
    const { files } = await worked();
    const original = (await files.read(SEGMENT)) ?? new Uint8Array(0);
    const [, second] = scan(original).frames;
    await spoil(files, () => (second?.offset ?? 0) + 20);
    const damaged = (await files.read(SEGMENT)) ?? new Uint8Array(0);
    await openFounder(fakeRuntime({ files }));
    const [name = ''] = await files.list(`${DIRECTORY}/quarantine`);
    const aside = (await files.read(`${DIRECTORY}/quarantine/${name}`)) ?? new Uint8Array(0);
    const kept = (await files.read(SEGMENT)) ?? new Uint8Array(0);
    expect(aside).toEqual(damaged.slice(second?.offset, second?.end));
    expect(kept.length + aside.length).toBe(damaged.length);
    const again = await openFounder(fakeRuntime({ files }));
    expect(again.problems.map(({ code }) => code)).toEqual(['missing-commits']);
    await expect(again.commit(setName('z', 1))).rejects.toMatchObject({ code: 'corrupt' });
    expect(await files.read(SEGMENT)).toEqual(kept);
  });

  test('gone altogether is never mistaken for a new realm', async () => {
    const files = fakeFiles();
    const store = await openFounder(fakeRuntime({ files }));
    for (let value = 0; value < 150; value++) await store.commit(setName('a', value));
    expect(await files.list(DIRECTORY)).toContain('checkpoint.json');
    await files.remove(SEGMENT);
    const again = await openFounder(fakeRuntime({ files }));
    expect([again.head, again.isWritable]).toEqual(['', false]);
    expect(again.problems.map(({ code, since }) => [code, since])).toContainEqual([
      'missing-commits',
      0,
    ]);
  });
});

describe('a hole in the history', () => {
  test('before the checkpoint leaves the head as it was, and is healed by another device', async () => {
    const { files, store, replica } = await withHole(5);
    const again = await openFounder(fakeRuntime({ files }));
    expect(again.head).toBe(store.head);
    expect(again.state()).toEqual(store.state());
    expect(again.isWritable).toBe(true);
    const since = again.problems.find(({ code }) => code === 'missing-commits')?.since ?? -1;
    expect(since).toBe(4);
    await again.commit(setName('z', 1));
    const [newest, , older] = await again.log({ limit: 3 });
    expect(await again.stateAt(newest?.id ?? '')).toEqual(again.state());
    expect(await again.stateAt(older?.id ?? '')).toBeDefined();
    const [sixth] = (await replica.log({ limit: 1000 })).filter(({ seq }) => seq === 7);
    await expect(again.stateAt(sixth?.id ?? '')).rejects.toMatchObject({ code: 'corrupt' });
    const { head } = again;
    await take(again, await replica.exportMissing(upTo(since)));
    expect([again.head, again.problems]).toEqual([head, []]);
    expect(await again.stateAt(sixth?.id ?? '')).toEqual(await replica.stateAt(sixth?.id ?? ''));
    expect((await openFounder(fakeRuntime({ files }))).problems).toEqual([]);
  });

  test('without a checkpoint stops at the hole, and is healed by another device', async () => {
    const { files, store, replica } = await withHole(5);
    await files.remove(`${DIRECTORY}/checkpoint.json`);
    const again = await openFounder(fakeRuntime({ files }));
    expect([again.seq, again.isWritable]).toEqual([4, false]);
    await take(again, await replica.exportMissing(upTo(4)));
    expect([again.head, again.problems, again.isWritable]).toEqual([store.head, [], true]);
    expect((await openFounder(fakeRuntime({ files }))).head).toBe(store.head);
  });

  test('at the very beginning is healed as well', async () => {
    const { files, store, replica } = await withHole(1);
    await files.remove(`${DIRECTORY}/checkpoint.json`);
    const again = await openFounder(fakeRuntime({ files }));
    expect([again.head, again.isWritable]).toEqual(['', false]);
    await take(again, await replica.exportMissing(upTo(0)));
    expect([again.head, again.realm, again.problems]).toEqual([store.head, store.realm, []]);
  });
});

describe('the checkpoint', () => {
  test('is written when a store closes that has grown, and only then', async () => {
    const files = fakeFiles();
    for (const why of ['it has grown', 'nothing happened']) {
      const store = await openFounder(fakeRuntime({ files }));
      await store.commit(setName('a', 1));
      const before = files.steps;
      await store[Symbol.asyncDispose]();
      expect(files.steps > before, why).toBe(why === 'it has grown');
      expect(await files.list(DIRECTORY)).toContain('checkpoint.json');
    }
  });

  test('with a wrong byte anywhere is not believed', async () => {
    const files = fakeFiles();
    const store = await openFounder(fakeRuntime({ files }));
    for (let value = 0; value < 100; value++) await store.commit(setName('a', value));
    const path = `${DIRECTORY}/checkpoint.json`;
    const bytes = (await files.read(path)) ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += 17) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await files.replace(path, damaged);
      const again = await openReplica(fakeRuntime({ files }));
      expect([again.head, again.problems.map(({ code }) => code)]).toEqual([
        store.head,
        ['bad-checkpoint'],
      ]);
      expect(again.state()).toEqual(store.state());
    }
  });
});

async function worked(): Promise<{ files: FakeFiles; ids: readonly string[] }> {
  const files = fakeFiles();
  const ids: string[] = [];
  await work(files, ids);
  return { files, ids };
}

async function spoil(
  files: Pick<FakeFiles, 'read' | 'replace'>,
  where: (bytes: Uint8Array) => number,
): Promise<void> {
  const bytes = (await files.read(SEGMENT)) ?? new Uint8Array(0);
  const at = where(bytes);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  await files.replace(SEGMENT, bytes);
}

/** A founder whose `seq`th commit is spoiled on disk, behind a checkpoint, and a sound replica. */
async function withHole(seq: number): Promise<{ files: FakeFiles; store: Store; replica: Store }> {
  const files = fakeFiles();
  const store = await openFounder(fakeRuntime({ files }));
  for (let value = 0; value < 120; value++) await store.commit(setName(`n${value % 3}`, value));
  const replica = await openReplica(fakeRuntime());
  while (replica.seq < store.seq) await take(replica, await store.exportMissing(upTo(replica.seq)));
  await spoil(files, (bytes) => (scan(bytes).frames[seq - 1]?.offset ?? 0) + 100);
  return { files, store, replica };
}

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
