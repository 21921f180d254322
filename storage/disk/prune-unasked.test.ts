/** History that is dropped without anybody asking for it: with more care than when somebody does. */

import { describe, expect, test } from 'vitest';
import { RuntimeError } from '#runtime';
import { fakeFiles, fakeRuntime, manualClock } from '#runtime/fake';
import { LAPTOP, pair, send } from '../pair.fixture.ts';
import { DIRECTORY, openFounder, setName } from '../realm.fixture.ts';
import { ALL, fill, plain } from './prune.fixture.ts';

const DAY = 86_400_000;
const UNASKED = { occasion: 'unasked', commits: 20 } as const;

describe('by itself', () => {
  test.each([
    { old: 300, young: 100, dropped: 300, why: 'most of it is old' },
    { old: 100, young: 400, dropped: 0, why: 'what stays would be written again for little' },
  ])('$dropped go: $why', async ({ old, young, dropped }) => {
    const clock = manualClock();
    const store = await openFounder(fakeRuntime({ clock }));
    await fill(store, old);
    await clock.advance(200 * DAY);
    await fill(store, young);
    const { bytes } = store;
    expect(await store.prune('test', UNASKED)).toMatchObject({ dropped });
    expect(store.bytes < bytes * 0.75).toBe(dropped > 0);
    expect(await store.prune('test', UNASKED)).toMatchObject({ dropped: 0, reason: 'young' });
  });

  test('nobody is left behind: who was silent for a year is waited for', async () => {
    const clock = manualClock();
    const { first, second } = await pair(clock);
    await second.commit(setName('late', 1));
    await fill(first, 100);
    await clock.advance(400 * DAY);
    await fill(first, 20);
    const { seq } = first;
    const options = { ...UNASKED, acknowledged: {} };
    expect(await first.prune('test', options)).toMatchObject({ waitingFor: ['Laptop'] });
    expect(first.seq).toBe(seq);
    await send(second, first);
    await send(first, second);
    await second.commit(setName('late', 2));
    await send(second, first);
    expect(first.merged().get('names')?.get('late')).toEqual({ value: 2 });
  });

  test('what was declared without somebody who is away is dropped all the same', async () => {
    const clock = manualClock();
    const { first } = await pair(clock);
    await fill(first, 100);
    await clock.advance(400 * DAY);
    await fill(first, 20);
    expect((await first.prune('test', { commits: 20 })).dropped).toBeGreaterThan(90);
  });

  test.each(['unasked', 'declared'] as const)(
    'a device that may not declare drops what was declared (%s), and declares nothing',
    async (occasion) => {
      const { first, second } = await pair();
      await fill(first, 100);
      await send(first, second);
      const { head } = second;
      await second.prune('test', { ...ALL, occasion });
      expect(second.head).toBe(head);
      const acknowledged = { [LAPTOP]: { router: first.seq } };
      await first.prune('test', { ...ALL, acknowledged });
      await send(first, second);
      expect((await second.prune('test', { occasion })).dropped).toBeGreaterThan(90);
      expect(plain(second)).toEqual(plain(first));
    },
  );

  test('nothing is declared where only what was declared is asked for', async () => {
    const store = await openFounder(fakeRuntime());
    await fill(store, 100);
    const { head } = store;
    expect(await store.prune('test', { ...ALL, occasion: 'declared' })).toMatchObject({
      dropped: 0,
    });
    expect(store.head).toBe(head);
  });
});

test.each([0, 1, 2])(
  'a disk that is full at the segment %i of what stays is no fuller afterwards',
  async (last) => {
    const files = fakeFiles();
    let room = Number.POSITIVE_INFINITY;
    const replace: typeof files.replace = async (path, data, mode) => {
      if (path.includes('/log/') && room-- <= 0) throw new RuntimeError('no-space', 'full');
      await files.replace(path, data, mode);
    };
    const store = await openFounder(fakeRuntime({ files: { ...files, replace } }));
    for (let value = 0; value < 4; value++) {
      const set = {
        op: 'set',
        path: `names/n${value}`,
        value: { x: 'x'.repeat(200_000) },
      } as const;
      await store.commit({ ops: [set], message: 'Set', via: 'test' });
    }
    await store.commit(setName('z', 1));
    const [before, segments] = [plain(store), await files.list(`${DIRECTORY}/log`)];
    room = last;
    const pruning = store.prune('test', { days: 0, commits: 4 });
    await expect(pruning).rejects.toMatchObject({ code: 'no-space' });
    expect(await files.list(`${DIRECTORY}/log`)).toEqual(segments);
    await store.commit(setName('z', 2));
    const again = await openFounder(fakeRuntime({ files }));
    expect([again.head, again.problems]).toEqual([store.head, []]);
    const names = (state: typeof before) => new Map(state).get('names');
    expect(names(plain(again))).toEqual({ ...names(before), z: { value: 2 } });
    expect(await files.list(`${DIRECTORY}/log`)).not.toContain('00000001.log');
  },
);
