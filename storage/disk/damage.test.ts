/** What the store does about every wrong byte, every cut and every hole on its disk (I7). */

import { describe, expect, test } from 'vitest';
import { type FakeFiles, fakeFiles, fakeRuntime } from '#runtime/fake';
import { scan } from '../format/frame.ts';
import { DIRECTORY, openFounder, openReplica, setName, take, upTo } from '../realm.fixture.ts';
import { SEGMENT, spoil, worked } from '../session.fixture.ts';
import type { Store } from '../store.ts';

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
