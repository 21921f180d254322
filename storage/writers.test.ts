import { describe, expect, test } from 'vitest';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import type { Writer } from './changes/draft.ts';
import type { DraftOp } from './changes/narrow.ts';
import { StorageError } from './error.ts';
import type { Json } from './format/json.ts';
import { readRecord } from './format/op.ts';
import { someone } from './members.fixture.ts';
import { DIRECTORY, founderOf, openFounder, openReplica, signerOf } from './realm.fixture.ts';
import type { StoreOptions } from './realm.ts';
import { openStore, type Store } from './store.ts';

const { crypto } = fakeRuntime();
const OWNER = someone(2);
const OTHER = someone(3);

/** A device's disk and how it opens its store. */
type Home = { readonly runtime: FakeRuntime; readonly open: () => Promise<Store> };

function homeOf(seed: number, options: Partial<StoreOptions> = {}): Home {
  const runtime = fakeRuntime();
  const { id } = someone(seed);
  const writer: Writer = { deviceId: id, name: `Device ${seed}`, signer: signerOf(crypto, seed) };
  return {
    runtime,
    open: () => openStore(runtime, { directory: DIRECTORY, writer, ...options }),
  };
}

/** A founder and two more owners that hold the same. */
async function household(options: Partial<StoreOptions> = {}) {
  const founder = await openFounder(fakeRuntime(), options);
  await change(founder, [
    owner(OWNER.path, OWNER.signingKey, 2),
    owner(OTHER.path, OTHER.signingKey, 3),
    { op: 'set', path: 'names/p', value: { ttl: 60, host: 'a' } },
  ]);
  const settings = { realm: founder.realm, ...options };
  const [home, third] = [homeOf(2, settings), homeOf(3, settings)];
  const [second, last] = [await home.open(), await third.open()];
  await send(founder, second);
  await send(founder, last);
  return { founder, second, last, home };
}

function owner(path: string, signingKey: string, rank: number): DraftOp {
  return { op: 'set', path, value: { role: 'owner', rank, signingKey } };
}

function change(store: Store, ops: readonly DraftOp[]) {
  return store.commit({ ops, message: 'Change', via: 'test' });
}

function put(store: Store, path: string, value: Json) {
  return change(store, [{ op: 'set', path, value }]);
}

/** The keys of `names`, sorted. */
function namesIn(store: Store): string[] {
  const keys = [...(store.state().get('names')?.keys() ?? [])];
  return keys.sort((a, b) => (a < b ? -1 : 1));
}

async function send(from: Store, to: Store) {
  return to.importCommits(await from.exportMissing(to.vector()));
}

async function meet(...stores: readonly Store[]): Promise<void> {
  for (const from of stores) for (const to of stores) if (from !== to) await send(from, to);
}

describe('devices that write at the same time', () => {
  test('end with one head name and one state, and the next commit joins them', async () => {
    const { founder, second, last } = await household();
    await put(founder, 'names/a', { v: 1 });
    await put(second, 'names/b', { v: 2 });
    await put(last, 'names/c', { v: 3 });
    await meet(founder, second, last);
    expect(new Set([founder.head, second.head, last.head]).size).toBe(1);
    expect(founder.heads).toHaveLength(3);
    expect(second.state()).toEqual(founder.state());
    expect(namesIn(last)).toEqual(['a', 'b', 'c', 'p']);
    const joined = await put(last, 'names/d', {});
    expect(joined.parents).toEqual(founder.heads);
    await send(last, founder);
    expect([founder.head, founder.heads]).toEqual([joined.id, [joined.id]]);
  });

  test('are not asked when they saved a form with different fields changed', async () => {
    const { founder, second } = await household();
    await put(founder, 'names/p', { ttl: 61, host: 'a' });
    await put(second, 'names/p', { ttl: 60, host: 'b' });
    await meet(founder, second);
    expect(readRecord(founder.state(), 'names/p')).toEqual({ ttl: 61, host: 'b' });
    expect(founder.conflicts()).toEqual([]);
  });

  test('see both values of one field, one effective by rule, and decide in one step', async () => {
    const { founder, second } = await household({ rule: () => 'lower' });
    const one = await put(founder, 'names/p/ttl', 90);
    const other = await put(second, 'names/p/ttl', 30);
    await meet(founder, second);
    expect(second.conflicts()).toEqual(founder.conflicts());
    expect(founder.conflicts()).toEqual([
      {
        path: 'names/p/ttl',
        values: [
          { value: 30, device: OWNER.id, commit: other.id },
          { value: 90, device: 'router', commit: one.id },
        ],
        effective: 30,
        rule: 'lower',
      },
    ]);
    expect(readRecord(founder.state(), 'names/p')?.['ttl']).toBe(30);
    await second.resolve('names/p/ttl', 90, 'web');
    await send(second, founder);
    expect([founder.conflicts(), readRecord(founder.state(), 'names/p')?.['ttl']]).toEqual([
      [],
      90,
    ]);
    const again = founder.resolve('names/p/ttl', 90, 'web');
    await expect(again).rejects.toMatchObject({ code: 'does-not-apply' });
  });

  test('keep a record that one deleted and the other wrote, and say so', async () => {
    const { founder, second } = await household();
    await change(founder, [{ op: 'del', path: 'names/p' }]);
    await put(second, 'names/p/ttl', 30);
    await meet(founder, second);
    expect(readRecord(founder.state(), 'names/p')).toEqual({ ttl: 30, host: 'a' });
    expect(founder.conflicts().map(({ path }) => path)).toEqual(['names/p']);
    await founder.resolve('names/p', undefined, 'web');
    expect([readRecord(founder.state(), 'names/p'), founder.conflicts()]).toEqual([undefined, []]);
  });

  test('merge lines of a text, and keep both where they wrote over each other', async () => {
    const { founder, second } = await household();
    const text = (store: Store, value: string) =>
      change(store, [{ op: 'text', path: 'names/p/zone', value }]);
    await text(founder, 'a\nb\nc\nd');
    await send(founder, second);
    await text(founder, 'A\nb\nc\nd');
    await text(founder, 'A\nb\nc\nd\ne');
    await text(second, 'a\nb\nc\nD');
    await meet(founder, second);
    expect(founder.conflicts()).toHaveLength(1);
    await founder.resolve('names/p/zone', 'A\nb\nc\nD\ne', 'web');
    await send(founder, second);
    await put(founder, 'names/p/zone', 'A1\nb\nc\nD\ne');
    await put(second, 'names/p/zone', 'A\nb\nc\nD\ne2');
    await meet(founder, second);
    expect(readRecord(second.state(), 'names/p')?.['zone']).toBe('A1\nb\nc\nD\ne2');
    expect(second.conflicts()).toEqual([]);
  });

  test('move, insert and remove items of a list by where they stand', async () => {
    const { founder, second } = await household();
    await put(founder, 'names/p/order', ['x', 'y', 'z']);
    const path = 'names/p/order';
    await change(founder, [{ op: 'ins', path, at: 1, value: 'n' }]);
    await send(founder, second);
    await change(founder, [{ op: 'mv', path, item: 0, at: 3 }]);
    await change(second, [
      { op: 'rem', path, item: 2 },
      { op: 'ins', path, at: 0, value: 'first' },
    ]);
    await meet(founder, second);
    expect(readRecord(second.state(), 'names/p')?.['order']).toEqual(['first', 'n', 'z', 'x']);
    expect(founder.head).toBe(second.head);
  });

  test('take back what they did, whatever others did meanwhile', async () => {
    const { founder, second } = await household();
    const { id } = await change(second, [{ op: 'inc', path: 'names/p/leases', value: 5 }]);
    await change(founder, [{ op: 'inc', path: 'names/p/leases', value: 2 }]);
    await meet(founder, second);
    expect(readRecord(founder.state(), 'names/p')?.['leases']).toBe(7);
    await founder.revert(id, 'web');
    expect(readRecord(founder.state(), 'names/p')?.['leases']).toBe(2);
    expect(await founder.diff(id, founder.head)).toHaveLength(1);
  });

  test('list commits in one order, children before parents', async () => {
    const { founder, second } = await household();
    for (const value of [1, 2, 3]) await put(founder, 'names/a', { value });
    for (const value of [1, 2, 3]) await put(second, 'names/b', { value });
    await meet(founder, second);
    await put(founder, 'names/c', {});
    await send(founder, second);
    const log = await founder.log();
    expect(await second.log()).toEqual(log);
    const ids = log.map(({ id }) => id);
    for (const { id, parents } of log) {
      for (const parent of parents) expect(ids.indexOf(parent)).toBeGreaterThan(ids.indexOf(id));
    }
    expect(await founder.log({ before: log[3]?.id ?? '', limit: 2 })).toEqual(log.slice(4, 6));
  });

  test('open again with all of it, also from a checkpoint', async () => {
    const { founder, second, home } = await household();
    await put(founder, 'names/p/ttl', 1);
    await put(second, 'names/p/ttl', 2);
    await send(founder, second);
    const [state, conflicts] = [second.state(), second.conflicts()];
    for (const why of ['from the log', 'from a checkpoint']) {
      const again = await home.open();
      expect([again.head, again.problems], why).toEqual([second.head, []]);
      expect(again.state(), why).toEqual(state);
      expect(again.conflicts(), why).toEqual(conflicts);
      await again[Symbol.asyncDispose]();
      expect(await home.runtime.files.list(DIRECTORY)).toContain('checkpoint.json');
    }
  });
});

describe('commits on their way', () => {
  test('may come in any order, and wait for their past', async () => {
    const { founder, last } = await household();
    const vector = founder.vector();
    await put(founder, 'names/a', { v: 1 });
    const middle = founder.vector();
    await put(founder, 'names/a', { v: 2 });
    const late = await founder.exportMissing(middle);
    const early = await last.exportMissing(vector);
    expect(early).toHaveLength(0);
    const told = await last.importCommits(late);
    expect(told).toMatchObject({ added: 0, refused: [], waiting: [founder.head] });
    expect(await send(founder, last)).toMatchObject({ added: 2, waiting: [] });
    expect(last.head).toBe(founder.head);
  });

  test('come in pages, each as large as asked', async () => {
    const { founder, last } = await household();
    for (let value = 0; value < 20; value++) await put(founder, 'names/a', { value });
    let pages = 0;
    for (;;) {
      const page = await founder.exportMissing(last.vector(), 3000);
      if (page.length === 0) break;
      expect((await last.importCommits(page)).refused).toEqual([]);
      pages += 1;
    }
    expect([last.head, pages > 4]).toEqual([founder.head, true]);
  });

  test('bring what concerns devices first', async () => {
    const { founder, second, last } = await household();
    for (let value = 0; value < 9; value++) await put(founder, 'names/a', { value });
    await put(second, `${OWNER.path}/note`, 'news');
    await send(second, founder);
    const page = await founder.exportMissing(last.vector(), 1);
    await last.importCommits(page);
    expect(readRecord(last.state(), OWNER.path)?.['note']).toBe('news');
  });

  test('pass through a device that may write nothing', async () => {
    const { founder, last } = await household();
    const hub = await openReplica(fakeRuntime(), { realm: founder.realm });
    await put(founder, 'names/a', {});
    await send(founder, hub);
    await send(hub, last);
    expect([hub.head, last.head, hub.isWritable]).toEqual([founder.head, founder.head, false]);
  });
});

describe('what counts for nothing', () => {
  test('is what a revoked device wrote beyond its last number, whenever it arrives', async () => {
    const { founder, second, last } = await household();
    await put(second, 'names/good', { v: 1 });
    await send(second, founder);
    const lastSeq = 1;
    await put(second, 'names/stolen', { v: 1 });
    await change(founder, [{ op: 'revoke', path: OWNER.path, lastSeq }]);
    await send(second, last);
    await meet(founder, last);
    expect(founder.head).toBe(last.head);
    for (const store of [founder, last]) {
      expect(namesIn(store)).toEqual(['good', 'p']);
      expect(readRecord(store.state(), OWNER.path)).toBeUndefined();
    }
    await put(last, 'names/after', {});
    await put(founder, 'names/more', {});
    await meet(founder, last);
    await put(founder, 'names/end', {});
    expect((await send(founder, last)).refused).toEqual([]);
    expect(last.state()).toEqual(founder.state());
    await send(last, second);
    await expect(put(second, 'names/x', {})).rejects.toMatchObject({ code: 'not-writer' });
  });

  test('is what a device wrote that used a number twice; both stay as evidence', async () => {
    const { founder, second, last, home } = await household();
    await put(second, 'names/one', {});
    const copy = homeOf(2, { realm: founder.realm });
    const twin = await copy.open();
    await send(founder, twin);
    await put(twin, 'names/two', {});
    await send(second, founder);
    await send(twin, last);
    await meet(founder, last);
    expect([founder.head, founder.heads.length]).toEqual([last.head, 2]);
    expect(namesIn(founder)).toEqual(['p']);
    await put(founder, 'names/after', {});
    expect((await send(founder, last)).refused).toEqual([]);
    expect(last.state()).toEqual(founder.state());
    await founder[Symbol.asyncDispose]();
    await send(last, second);
    expect((await home.open()).state()).toEqual(last.state());
  });

  test('in one page with what joins it, is found out all the same', async () => {
    const { founder, second, last } = await household();
    await put(second, 'names/late', {});
    await change(founder, [{ op: 'revoke', path: OWNER.path, lastSeq: 0 }]);
    await send(second, founder);
    await put(founder, 'names/joined', {});
    expect((await send(founder, last)).refused).toEqual([]);
    expect(last.state()).toEqual(founder.state());
  });
});

describe('a merge that breaks the rules', () => {
  const schema: StoreOptions['schema'] = (state) =>
    (state.get('names')?.size ?? 0) > 2 ? [{ path: 'names', message: 'too many' }] : [];

  test('is held but not shown until somebody puts it right', async () => {
    const { founder, second, home } = await household({ schema });
    await put(founder, 'names/a', {});
    await put(second, 'names/b', {});
    const before = second.state();
    const moves: unknown[] = [];
    second.watch(({ state }) => moves.push(state));
    await send(founder, second);
    expect([second.state(), second.merged().get('names')?.size]).toEqual([before, 3]);
    expect([second.invalid(), moves]).toEqual([[{ path: 'names', message: 'too many' }], [before]]);
    const again = await home.open();
    expect([again.invalid().length, again.state().get('names')?.size]).toEqual([1, 2]);
    await expect(put(second, 'names/c', {})).resolves.toBeDefined();
    await change(second, [
      { op: 'del', path: 'names/a' },
      { op: 'del', path: 'names/b' },
    ]);
    expect([second.invalid(), second.state()]).toEqual([[], second.merged()]);
  });
});

test('a founder of another realm is not taken for one of ours', async () => {
  const { founder } = await household();
  const other = await openFounder(fakeRuntime(), { genesis: { settings: { user: 'bob' } } });
  const { refused } = await founder.importCommits(await other.exportMissing({}));
  expect(refused[0]?.reason).toBeInstanceOf(StorageError);
  expect([refused[0]?.reason.code, founderOf(crypto).deviceId]).toEqual(['other-realm', 'router']);
});
