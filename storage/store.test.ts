import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { fakeRuntime, manualClock } from '#runtime/fake';
import { toOps } from './changes/change.ts';
import type { Draft } from './changes/draft.ts';
import { StorageError } from './error.ts';
import { parseCommit } from './format/commit.ts';
import { decodeFrame } from './format/frame.ts';
import type { JsonObject } from './format/json.ts';
import { readRecord } from './format/op.ts';
import {
  DIRECTORY,
  founderOf,
  openFounder,
  openReplica,
  setName,
  signerOf,
  upTo,
} from './realm.fixture.ts';
import { openStore } from './store.ts';

const drafts = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), value: fc.nat(3) }), {
  maxLength: 6,
});

/** The error's code, or undefined when nothing was thrown. */
async function codeOf(action: Promise<unknown> | (() => Promise<unknown>)): Promise<unknown> {
  const promise = typeof action === 'function' ? action() : action;
  return promise.then(
    () => undefined,
    (thrown) => (thrown instanceof StorageError ? thrown.code : thrown),
  );
}

describe('a new realm', () => {
  test('is named after its first commit, which names its founder', async () => {
    const store = await openFounder(fakeRuntime(), {
      genesis: { settings: { user: 'alice' }, device: { kind: 'signpost' } },
    });
    expect(store.realm).toBe(store.head);
    expect(readRecord(store.state(), 'realm/settings')).toEqual({ user: 'alice' });
    expect(readRecord(store.state(), 'devices/router')).toMatchObject({
      name: 'Router',
      kind: 'signpost',
      writer: true,
    });
  });

  test('is opened again, not begun again', async () => {
    const runtime = fakeRuntime();
    const first = await openFounder(runtime);
    const again = await openFounder(runtime);
    expect(again.head).toBe(first.head);
    expect(again.problems).toEqual([]);
  });

  test('is not begun where another one is expected', async () => {
    const realm = 'f'.repeat(64);
    const store = await openFounder(fakeRuntime(), { realm });
    expect([store.realm, store.head]).toEqual([realm, '']);
  });

  test('is refused where another one is expected', async () => {
    const runtime = fakeRuntime();
    await openFounder(runtime);
    expect(await codeOf(openFounder(runtime, { realm: 'f'.repeat(64) }))).toBe('other-realm');
  });

  test('is not begun by a store without a writer', async () => {
    const store = await openReplica(fakeRuntime());
    expect([store.realm, store.head, store.seq]).toEqual(['', '', 0]);
    expect(await codeOf(store.commit(setName('a', 1)))).toBe('not-writer');
  });

  test('is refused when a later version wrote it', async () => {
    const runtime = fakeRuntime();
    await openFounder(runtime);
    await runtime.files.replace(
      `${DIRECTORY}/format`,
      new TextEncoder().encode('nymote store 3\n'),
    );
    expect(await codeOf(openFounder(runtime))).toBe('newer-format');
  });
});

describe('committing', () => {
  test('says everything that was asked for', async () => {
    const store = await openFounder(fakeRuntime());
    const { head } = store;
    const commit = await store.commit({ ...setName('a', 1), message: 'Add a\n\nBecause.' });
    expect(commit).toMatchObject({
      id: store.head,
      parents: [head],
      seq: 2,
      realm: store.realm,
      device: 'router',
      name: 'Router',
      message: 'Add a\n\nBecause.',
      via: 'test',
      ops: setName('a', 1).ops,
    });
    expect(await store.read(commit.id)).toEqual(commit);
  });

  test('ops that change nothing write nothing (I4)', async () => {
    const runtime = fakeRuntime();
    const store = await openFounder(runtime);
    const commit = await store.commit(setName('a', 1));
    const { steps } = runtime.files;
    expect(await store.commit(setName('a', 1))).toEqual(commit);
    expect(runtime.files.steps).toBe(steps);
  });

  test('costs one write and one sync', async () => {
    const runtime = fakeRuntime();
    const store = await openFounder(runtime);
    await store.commit(setName('a', 1));
    const { steps } = runtime.files;
    await store.commit(setName('b', 1));
    expect(runtime.files.steps - steps).toBe(2);
  });

  test('is done one after the other', async () => {
    const store = await openFounder(fakeRuntime());
    const commits = await Promise.all(
      ['a', 'b', 'c'].map((key, index) => store.commit(setName(key, index))),
    );
    expect(commits.map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect(commits.at(-1)?.id).toBe(store.head);
  });

  test('orders by number when the clock says 1970', async () => {
    const runtime = { ...fakeRuntime(), clock: manualClock({ now: 0, isSet: false }) };
    const store = await openFounder(runtime);
    await store.commit(setName('a', 1));
    runtime.clock.set(-100);
    await store.commit(setName('a', 2));
    const commits = await (await openFounder(runtime)).log();
    expect(commits.map(({ at, seq }) => [at, seq])).toEqual([
      [0, 3],
      [0, 2],
      [0, 1],
    ]);
  });

  test.each([
    { draft: { ops: [] }, code: 'invalid', why: 'no ops' },
    { draft: { ops: [{ op: 'del', path: 'a' }] }, code: 'invalid', why: 'no path' },
    {
      draft: { ops: [{ op: 'set', path: 'a/b', value: { x: 0.5 } }] },
      code: 'invalid',
      why: 'a fraction',
    },
    {
      draft: { ops: [{ op: 'set', path: 'a/b', value: { x: undefined } }] },
      code: 'invalid',
      why: 'no JSON',
    },
    {
      draft: { ops: [{ op: 'add', path: 'devices/router/name', value: 1 }] },
      code: 'invalid',
      why: 'no set',
    },
    {
      draft: { ops: [{ op: 'del', path: 'devices/router' }] },
      code: 'invalid',
      why: 'nobody could write',
    },
    {
      draft: { ops: [{ op: 'set', path: 'a/b/privateKey', value: 'x' }] },
      code: 'invalid',
      why: 'a secret (I2)',
    },
    { draft: { via: 'a\nb' }, code: 'invalid', why: 'two lines in via' },
    { draft: { message: 'x'.repeat(10_000) }, code: 'too-large', why: 'a long message' },
    {
      draft: { ops: [{ op: 'set', path: 'a/b', value: { x: 'y'.repeat(300_000) } }] },
      code: 'too-large',
      why: 'bytes',
    },
    {
      draft: { ops: Array(5000).fill({ op: 'set', path: 'a/b/c', value: 1 }) },
      code: 'too-large',
      why: 'ops',
    },
    { draft: { ifHead: 'a'.repeat(64) }, code: 'conflict', why: 'the head moved' },
  ] as { draft: Partial<Draft>; code: string; why: string }[])(
    'is refused as $code before anything is written: $why',
    async ({ draft, code }) => {
      const runtime = fakeRuntime();
      const store = await openFounder(runtime);
      const { head } = store;
      const { steps } = runtime.files;
      expect(await codeOf(store.commit({ ...setName('a', 1), ...draft }))).toBe(code);
      expect([store.head, runtime.files.steps]).toEqual([head, steps]);
      expect((await store.commit({ ...setName('a', 1), ifHead: head })).seq).toBe(2);
    },
  );

  test('is refused when the schema finds problems', async () => {
    const problem = { path: 'names/a', message: 'is taken' };
    const schema = vi.fn(() => [problem]);
    const store = await openFounder(fakeRuntime());
    const strict = await openFounder(fakeRuntime({ seed: 2 }), {
      schema: (state) => (state.has('names') ? schema() : []),
    });
    await expect(strict.commit(setName('a', 1))).rejects.toMatchObject({
      code: 'invalid',
      problems: [problem],
    });
    expect(strict.head).toBe(store.head);
  });

  test('is refused when a value must be sealed and is not (I2)', async () => {
    const store = await openFounder(fakeRuntime(), {
      mustBeSealed: (path) => path.endsWith('/wifi'),
    });
    const set = (value: JsonObject) =>
      store.commit({
        ...setName('a', 1),
        ops: [{ op: 'set', path: 'a/b', value: { wifi: value } }],
      });
    expect(await codeOf(set({ clear: 'x' }))).toBe('invalid');
    expect(await codeOf(set({ sealed: 'x' }))).toBeUndefined();
  });

  test('is refused to devices other than the founder', async () => {
    const runtime = fakeRuntime();
    await openFounder(runtime);
    const writer = { deviceId: 'phone', name: 'Phone', signer: signerOf(runtime.crypto, 2) };
    const store = await openStore(runtime, { directory: DIRECTORY, writer });
    expect(store.isWritable).toBe(false);
    expect(await codeOf(store.commit(setName('a', 1)))).toBe('not-writer');
  });

  test('waits while others may hold what this device wrote, which it takes over meanwhile', async () => {
    const [lost, runtime] = [await openFounder(fakeRuntime()), fakeRuntime()];
    const { realm } = lost;
    let isBehind = true;
    const store = await openFounder(runtime, { realm, isBehind: () => isBehind });
    await lost.commit(setName('a', 1));
    expect(await codeOf(store.commit(setName('b', 1)))).toBe('not-writer');
    await store.importCommits(await lost.exportMissing({}));
    expect([store.isWritable, store.isBehind, store.head]).toEqual([false, true, lost.head]);
    isBehind = false;
    await store.commit(setName('b', 1));
    expect([store.isWritable, store.invalid()]).toEqual([true, []]);
  });

  test('never with another key: that would be another device', async () => {
    const store = await openFounder(fakeRuntime());
    const op = { op: 'set', path: 'devices/router/signingKey', value: 'x' } as const;
    expect(await codeOf(store.commit({ ...setName('a', 1), ops: [op] }))).toBe('not-writer');
  });
});

describe('a writer whose key is not the one the realm knows', () => {
  test('is refused before it writes what nobody would believe', async () => {
    const runtime = fakeRuntime();
    const { head } = await openFounder(runtime);
    const writer = { ...founderOf(runtime.crypto), signer: signerOf(runtime.crypto, 9) };
    const store = await openStore(runtime, { directory: DIRECTORY, writer });
    expect(await codeOf(store.commit(setName('a', 1)))).toBe('not-writer');
    expect((await openFounder(runtime)).head).toBe(head);
  });
});

describe('history', () => {
  test('is listed newest first, by path, from a commit on', async () => {
    const store = await openFounder(fakeRuntime());
    for (const key of ['a', 'b', 'a']) await store.commit(setName(key, store.seq));
    const seqs = async (query: Parameters<typeof store.log>[0]) =>
      (await store.log(query)).map(({ seq }) => seq);
    expect(await seqs({})).toEqual([4, 3, 2, 1]);
    expect(await seqs({ limit: 2 })).toEqual([4, 3]);
    expect(await seqs({ path: 'names/a' })).toEqual([4, 2]);
    expect(await seqs({ path: 'names/a/value' })).toEqual([4, 2]);
    expect(await seqs({ path: 'names' })).toEqual([4, 3, 2]);
    expect(await seqs({ before: store.head, limit: 1 })).toEqual([3]);
    expect(await seqs({ limit: -1 })).toEqual([]);
    expect(await codeOf(store.log({ before: 'nothing' }))).toBe('unknown-commit');
  });

  test('tells the state at any commit and what lies between', async () => {
    await fc.assert(
      fc.asyncProperty(drafts, fc.nat(), fc.nat(), async (list, one, other) => {
        const store = await openFounder(fakeRuntime());
        const states = [[store.head, store.state()] as const];
        for (const { key, value } of list) {
          await store.commit(setName(key, value));
          states.push([store.head, store.state()]);
        }
        for (const [id, state] of states.toReversed()) {
          expect(await store.stateAt(id)).toEqual(state);
        }
        const [a = ''] = states[one % states.length] ?? [];
        const [b = ''] = states[other % states.length] ?? [];
        const ops = toOps(await store.diff(a, b));
        const found = ops.map(({ path }) => path);
        expect(new Set(found).size).toBe(found.length);
      }),
      { numRuns: 20 },
    );
  });

  test('can be taken back, and taking back can be taken back', async () => {
    const store = await openFounder(fakeRuntime());
    const before = store.state();
    const { id } = await store.commit(setName('a', 1));
    const after = store.state();
    const reverted = await store.revert(id, 'web');
    expect(reverted).toMatchObject({
      message: `Revert "Set a"\n\nThis reverts commit ${id}.`,
      via: 'web',
    });
    expect(store.state()).toEqual(before);
    await store.revert(reverted.id, 'web');
    expect(store.state()).toEqual(after);
  });

  test.each([
    { since: setName('a', 2), code: 'does-not-apply', why: 'it was overwritten' },
    {
      since: { ...setName('a', 1), ops: [{ op: 'del', path: 'names/a' }] },
      code: 'does-not-apply',
      why: 'it is gone',
    },
  ] as { since: Draft; code: string; why: string }[])(
    'cannot be taken back when $why',
    async ({ since, code }) => {
      const store = await openFounder(fakeRuntime());
      const { id } = await store.commit(setName('a', 1));
      const { head } = await store.commit(since).then(() => store);
      expect(await codeOf(store.revert(id, 'web'))).toBe(code);
      expect(store.head).toBe(head);
    },
  );

  test('cannot be taken back to before the realm began', async () => {
    const store = await openFounder(fakeRuntime());
    expect(await codeOf(store.revert(store.head, 'web'))).toBe('invalid');
  });

  test('moves are told to those who watch', async () => {
    const store = await openFounder(fakeRuntime());
    const previous = store.state();
    const moves = vi.fn();
    const cancel = store.watch(moves);
    await store.commit(setName('a', 1));
    expect(moves).toHaveBeenCalledExactlyOnceWith({
      head: store.head,
      state: store.state(),
      previous,
      commits: [store.head],
    });
    cancel();
    await store.commit(setName('a', 2));
    expect(moves).toHaveBeenCalledTimes(1);
  });
});

describe('a long history', () => {
  test('rolls segments, takes checkpoints, and opens with nothing lost', async () => {
    const runtime = fakeRuntime();
    const store = await openFounder(runtime);
    const ids = [store.head];
    for (let value = 0; value < 600; value++) {
      ids.push((await store.commit(setName(`n${value % 7}`, value))).id);
    }
    const again = await openReplica(runtime);
    expect((await runtime.files.list(`${DIRECTORY}/log`)).length).toBeGreaterThan(1);
    expect(await runtime.files.list(DIRECTORY)).toContain('checkpoint.json');
    expect([again.head, again.seq, again.problems]).toEqual([store.head, 601, []]);
    expect(again.state()).toEqual(store.state());
    expect((await again.log({ limit: 1000 })).map(({ id }) => id)).toEqual(ids.toReversed());
    for (const at of [300, 299, 10, 0, 550]) {
      const state = await again.stateAt(ids[at] ?? '');
      expect(readRecord(state, `names/n${(at + 6) % 7}`)?.['value']).toBe(
        at === 0 ? undefined : at - 1,
      );
    }
  });
});

describe('the first commit', () => {
  test('is a git commit whose frame holds nothing else', async () => {
    const runtime = fakeRuntime();
    const store = await openFounder(runtime);
    const bytes = await store.exportMissing(upTo(0));
    const frame = decodeFrame(bytes, { offset: 0, end: bytes.length });
    if (frame === undefined) throw new Error('no frame');
    const commit = parseCommit(runtime.crypto, frame.commit);
    expect(commit).toMatchObject({ id: store.realm, parents: [], realm: undefined, seq: 1 });
  });
});
