/**
 * A device among several at every step of its disk: what came from others, forks and revocations
 * included, survives power cuts, full disks and wrong bytes as its own commits do (I7).
 * What one writer alone goes through is in ../disk/damage.test.ts and failing-disk.test.ts.
 */

import { beforeAll, describe, expect, test } from 'vitest';
import type { RuntimeErrorCode } from '#runtime';
import { type FakeFiles, PowerCut } from '#runtime/fake';
import type { DraftOp } from '../changes/narrow.ts';
import { StorageError } from '../error.ts';
import type { CommitId } from '../format/commit.ts';
import { DIRECTORY } from '../realm.fixture.ts';
import type { Store } from '../store.ts';
import { digest } from './check.fixture.ts';
import { beginHomes, copyDisk, copyHome, type Home, openOwner } from './home.fixture.ts';

/** Every byte by hand: `NYMOTE_STRIDE=1`. */
const STRIDE = Number(process.env['NYMOTE_STRIDE'] ?? 331);

/** Somebody who holds all that others wrote, in two pages, and a disk as it was before. */
type Others = {
  readonly hub: Home;
  readonly early: Uint8Array;
  readonly late: Uint8Array;
  readonly disk: FakeFiles;
};

let others: Others;
beforeAll(async () => {
  others = await prepareOthers();
});

/** Concurrent owners, one of whom forks, is revoked and goes on; and enough to fill a segment. */
async function prepareOthers(): Promise<Others> {
  const [hub, own, forked] = (await beginHomes(3)) as [Home, Home, Home];
  const twin = await copyHome(forked);
  await put(hub.store, 'names/a/f', 10);
  await put(forked.store, 'names/a/f', 11);
  await put(twin.store, 'names/b', { f: 12 });
  await send(forked.store, hub.store);
  await put(hub.store, 'names/c', { f: 13 });
  const before = own.store.vector();
  const early = await hub.store.exportMissing(before);
  const middle = hub.store.vector();
  await send(twin.store, hub.store);
  const { deviceId = '' } = forked.writer ?? {};
  await change(hub.store, [{ op: 'revoke', path: `devices/${deviceId}`, lastSeq: 0 }]);
  await put(forked.store, 'names/late', { f: 14 });
  await send(forked.store, hub.store);
  await put(hub.store, 'notes/long', { text: 'x'.repeat(90_000) });
  return {
    hub,
    early,
    late: await hub.store.exportMissing(middle),
    disk: await copyDisk(own.files),
  };
}

/** All that a disk is asked to do; `acknowledged` grows with what it was said to hold. */
async function work(files: FakeFiles, acknowledged: Set<CommitId>): Promise<Store> {
  const note = (store: Store) => {
    for (const id of store.expand('')) acknowledged.add(id);
  };
  const store = await openOwner(files);
  note(store);
  for (const step of [
    () => put(store, 'names/a/f', 1),
    () => store.importCommits(others.early),
    () => put(store, 'notes/own', { text: 'y'.repeat(90_000) }),
    () => store.importCommits(others.late),
    () => put(store, 'notes/own', { text: 'z'.repeat(90_000) }),
    () => put(store, 'names/a/f', 2),
    () => store[Symbol.asyncDispose](),
  ]) {
    await step();
    note(store);
  }
  return store;
}

describe('a disk with commits of several', () => {
  test.each(['lost', 'kept', 'torn'] as const)(
    'that loses power at any step holds what it said it holds (unsynced bytes: %s)',
    async (unsynced) => {
      const steps = await countSteps();
      for (let step = 1; step <= steps; step++) {
        const files = await copyDisk(others.disk);
        files.crashAt(files.steps + step, unsynced);
        const acknowledged = new Set<CommitId>();
        await expect(work(files, acknowledged)).rejects.toBeInstanceOf(PowerCut);
        const store = await openOwner(files.restart());
        expect(missing(store, acknowledged), `step ${step}`).toEqual([]);
        expect(store.problems.filter(({ code }) => code !== 'torn-tail')).toEqual([]);
        await expectToGoOn(store, files.restart(), `step ${step}`);
      }
    },
  );

  test.each(['no-space', 'io'] satisfies RuntimeErrorCode[])(
    'that fails at any step (%s) holds what it said it holds, and goes on',
    async (code) => {
      const steps = await countSteps();
      for (let step = 1; step <= steps; step++) {
        const files = await copyDisk(others.disk);
        files.failAt(files.steps + step, code);
        const acknowledged = new Set<CommitId>();
        await work(files, acknowledged).catch((cause: unknown) => {
          expect((cause as StorageError).code, `step ${step}`).toBe(code);
          expect(cause).toBeInstanceOf(StorageError);
        });
        const store = await openOwner(files);
        expect(missing(store, acknowledged), `step ${step}`).toEqual([]);
        expect(store.problems, `step ${step}`).toEqual([]);
        await expectToGoOn(store, files, `step ${step}`);
      }
    },
  );

  test.each([
    { name: 'cut off', spoil: (bytes: Uint8Array, at: number) => bytes.subarray(0, at) },
    {
      name: 'changed',
      spoil: (bytes: Uint8Array, at: number) => bytes.with(at, (bytes[at] ?? 0) ^ 0x10),
    },
  ])('any byte of which is $name is healed by another device', async ({ spoil }) => {
    const files = await copyDisk(others.disk);
    const whole = digest(await work(files, new Set()));
    const ends = await Promise.all(
      (await files.list(`${DIRECTORY}/log`)).map(async (name) => {
        const path = `${DIRECTORY}/log/${name}`;
        return { path, bytes: (await files.read(path)) ?? new Uint8Array(0) };
      }),
    );
    expect(ends.length).toBeGreaterThan(1);
    const peer = await openOwner(await copyDisk(files));
    for (const { path, bytes } of ends) {
      // Long texts are not looked at as closely.
      for (
        let at = 0;
        at < bytes.length;
        at += bytes[at] === bytes[at + 1] ? 90 * STRIDE : STRIDE
      ) {
        const copy = await copyDisk(files);
        await copy.replace(path, spoil(bytes, at));
        await expectHealed(copy, peer, whole, `${path} at ${at}`);
      }
    }
  });
});

async function countSteps(): Promise<number> {
  const files = await copyDisk(others.disk);
  const before = files.steps;
  await work(files, new Set());
  return files.steps - before;
}

/** It writes, exchanges, and is the same as the other one then, also when it is opened again. */
async function expectToGoOn(store: Store, files: FakeFiles, why: string): Promise<void> {
  await put(store, 'names/after', { f: 1 });
  expect((await store.importCommits(others.early)).refused, why).toEqual([]);
  expect((await store.importCommits(others.late)).refused, why).toEqual([]);
  await put(store, 'names/after', { f: 2 });
  expect(missing(store, others.hub.store.expand('')), why).toEqual([]);
  expect(store.state().get('names')?.get('late'), why).toBeUndefined();
  expect(digest(await openOwner(files)), why).toBe(digest(store));
}

async function expectHealed(files: FakeFiles, peer: Store, whole: string, why: string) {
  const store = await openOwner(files);
  for (let pages = 0; pages < 20 && digest(store) !== whole; pages++) await send(peer, store);
  expect(digest(store), why).toBe(whole);
  expect(digest(await openOwner(files)), why).toBe(whole);
}

function missing(store: Store, ids: Iterable<CommitId>): CommitId[] {
  return [...ids].filter((id) => !store.holds(id));
}

function put(
  store: Store,
  path: string,
  value: number | { readonly [field: string]: string | number },
) {
  return change(store, [{ op: 'set', path, value }]);
}

function change(store: Store, ops: readonly DraftOp[]) {
  return store.commit({ ops, message: 'Change', via: 'test' });
}

async function send(from: Store, to: Store): Promise<void> {
  await to.importCommits(await from.exportMissing(to.vector()));
}
