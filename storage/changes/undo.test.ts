import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeRuntime, manualClock } from '#runtime/fake';
import type { Json } from '../format/json.ts';
import type { Op } from '../format/op.ts';
import { someone } from '../members.fixture.ts';
import { LAPTOP, pair, send } from '../pair.fixture.ts';
import { openFounder } from '../realm.fixture.ts';
import type { Store } from '../store.ts';

const step = fc.record({
  key: fc.constantFrom('names/a', 'names/b', 'rules/a'),
  field: fc.constantFrom(undefined, 'x', 'y'),
  value: fc.option(fc.nat(3), { nil: undefined }),
});
type Step = {
  readonly key: string;
  readonly field: string | undefined;
  readonly value: number | undefined;
};
const history = fc.array(step, { minLength: 1, maxLength: 8 });

async function write(store: Store, { key, field, value }: Step): Promise<void> {
  const path = field === undefined ? key : `${key}/${field}`;
  const set: Op = {
    op: 'set',
    path,
    value: field === undefined ? { x: value ?? 0 } : (value ?? 0),
  };
  const ops: Op[] = [value === undefined ? { op: 'del', path } : set];
  await store.commit({ ops, message: `Change ${path}`, via: 'test' });
}

const plain = (store: Store, only?: string) =>
  [...store.state()]
    .flatMap(([name, records]) => [...records].map(([key, value]) => [`${name}/${key}`, value]))
    .filter(([path]) => only === undefined || path === only)
    .sort();

describe('a range taken back', () => {
  test('leaves what was there before it, if nothing came after it', async () => {
    const check = async (before: readonly Step[], range: readonly Step[]) => {
      const store = await openFounder(fakeRuntime());
      for (const item of before) await write(store, item);
      const [after, expected] = [store.head, plain(store)];
      for (const item of range) await write(store, item);
      const changed = plain(store);
      const reverted = store.revert({ after, to: store.head }, 'test');
      if (JSON.stringify(changed) === JSON.stringify(expected)) {
        await expect(reverted).rejects.toMatchObject({ code: 'does-not-apply' });
      } else await reverted;
      expect(plain(store)).toEqual(expected);
    };
    await fc.assert(fc.asyncProperty(history, history, check), { numRuns: 40 });
  });

  test('of one subtree leaves the rest as it is', async () => {
    const store = await openFounder(fakeRuntime());
    const after = store.head;
    await write(store, { key: 'names/a', field: undefined, value: 1 });
    await write(store, { key: 'rules/a', field: undefined, value: 2 });
    const to = store.head;
    await write(store, { key: 'names/b', field: undefined, value: 3 });
    const { message } = await store.revert({ after, to }, 'test', { path: 'names' });
    expect(message).toBe(`Revert 2 changes\n\nThis reverts commits ${after}..${to}.`);
    expect(store.state().get('names')?.has('a')).toBe(false);
    expect(store.state().get('names')?.get('b')).toEqual({ x: 3 });
    expect(store.state().get('rules')?.get('a')).toEqual({ x: 2 });
  });

  test('written by two devices at once is all that the last one joins', async () => {
    const { first, second } = await pair();
    const after = first.head;
    await write(first, { key: 'names/a', field: undefined, value: 1 });
    await write(second, { key: 'names/b', field: undefined, value: 2 });
    await send(second, first);
    await write(first, { key: 'rules/a', field: undefined, value: 3 });
    expect((await first.revert({ after, to: first.head }, 'test')).message).toContain('3 changes');
    expect([first.state().get('names'), first.state().get('rules')]).toEqual([
      undefined,
      undefined,
    ]);
  });

  const set = (field: string, value: number) => ({ key: 'names/a', field, value }) as const;
  test.each([
    ['names', 'does-not-apply', 'it was written since'],
    ['names/a/y', undefined, 'that field was not'],
    ['rules', 'does-not-apply', 'nothing there was changed'],
    ['Not A Path', 'invalid', 'nothing is called that'],
  ])('at %s ends in %s: %s', async (path, code, _why) => {
    const store = await openFounder(fakeRuntime());
    await write(store, set('x', 1));
    const after = store.head;
    await write(store, set('x', 2));
    await write(store, set('y', 2));
    const to = store.head;
    await write(store, set('x', 3));
    const result = store.revert({ after, to }, 'test', { path });
    if (code === undefined) await result;
    else await expect(result).rejects.toMatchObject({ code });
    expect(store.state().get('names')?.get('a')).toEqual(
      code === undefined ? { x: 3 } : { x: 3, y: 2 },
    );
    await expect(store.revert({ after: to, to: after }, 'test')).rejects.toMatchObject({
      code: 'invalid',
    });
  });
});

describe('a point restored', () => {
  test('is as it was, whatever came since, and members stay', async () => {
    const check = async (before: readonly Step[], since: readonly Step[]) => {
      const { first: store } = await pair();
      for (const item of before) await write(store, item);
      const [point, expected] = [store.head, plain(store)];
      for (const item of since) await write(store, item);
      await store.commit({
        ops: [{ op: 'set', path: `devices/${LAPTOP}/name`, value: 'New' }],
        message: 'Name it',
        via: 'test',
      });
      await store.restore(point, 'test').catch((thrown) => {
        expect(thrown).toMatchObject({ code: 'does-not-apply' });
      });
      const isConfiguration = ([path]: readonly unknown[]) => !String(path).startsWith('devices/');
      expect(plain(store).filter(isConfiguration)).toEqual(expected.filter(isConfiguration));
      expect(store.state().get('devices')?.get(LAPTOP)?.['name']).toBe('New');
    };
    await fc.assert(fc.asyncProperty(history, history, check), { numRuns: 25 });
  });

  test.each([
    ['names/a', { a: { x: 1, y: 1 }, b: { x: 9 } }, 'the record'],
    ['names/a/x', { a: { x: 1 }, b: { x: 9 } }, 'one field of what was deleted since'],
    ['names', { a: { x: 1, y: 1 } }, 'the collection, also what came since'],
  ])('at %s brings back %o: %s', async (path, names, _why) => {
    const store = await openFounder(fakeRuntime());
    await write(store, { key: 'names/a', field: undefined, value: 1 });
    await write(store, { key: 'names/a', field: 'y', value: 1 });
    const point = store.head;
    await write(store, { key: 'names/a', field: undefined, value: undefined });
    await write(store, { key: 'names/b', field: undefined, value: 9 });
    await store.restore(point, 'test', { path });
    expect(Object.fromEntries(store.state().get('names') ?? [])).toEqual(names);
  });
});

describe('what devices keep for themselves', () => {
  const KEPT = [
    ['keys/k/router', { sealed: 'AAAA' }, 'without the newest key a removed device reads again'],
    ['late/router/decided', ['a'], 'it would be asked again'],
    ['status/router/at', 1, 'a device tells it of itself'],
    ['confirmations/c/at', 1, 'it is about a change that was tried then'],
    ['anchors/root/keys', [1], 'old keys of the root are not trusted again'],
  ] as const;
  const begin = async (path: string, value: Json) => {
    const { first: store } = await pair();
    const point = store.head;
    await store.commit({
      ops: [
        { op: 'set', path, value },
        { op: 'set', path: 'names/a', value: { x: 1 } },
      ],
      message: 'Change both',
      via: 'test',
    });
    return { store, point };
  };
  const read = (store: Store, path: string) => {
    const [collection = '', key = '', field = ''] = path.split('/');
    return store.state().get(collection)?.get(key)?.[field];
  };

  test.each(KEPT)('%s outlives a restored point: %o, %s', async (path, value, _why) => {
    const { store, point } = await begin(path, value);
    await store.restore(point, 'test');
    expect([store.state().has('names'), read(store, path)]).toEqual([false, value]);
    const alone = store.restore(point, 'test', { path });
    const says = expect.stringContaining('what devices note for themselves stay as they are');
    await expect(alone).rejects.toMatchObject({ code: 'does-not-apply', message: says });
    const again = store.restore(point, 'test', { path: 'names' });
    await expect(again).rejects.toMatchObject({ message: 'it is so already' });
  });

  test.each(KEPT)('%s outlives the commit that wrote it: %o, %s', async (path, value, _why) => {
    const { store, point } = await begin(path, value);
    await store.revert({ after: point, to: store.head }, 'test');
    expect([store.state().has('names'), read(store, path)]).toEqual([false, value]);
  });
});

describe('who belongs to the realm', () => {
  const NEW = someone(3);
  const record = { role: 'owner', rank: 3, name: 'tablet', signingKey: NEW.signingKey };
  const admit: Op = { op: 'set', path: NEW.path, value: record };
  const name: Op = { op: 'set', path: 'names/a', value: { x: 1 } };
  const members = (store: Store) => new Set(store.state().get('devices')?.keys());

  test.each([
    { ops: [admit], why: 'who is taken back so would not be revoked, and keep the keys' },
    { ops: [{ op: 'revoke', path: `devices/${LAPTOP}`, lastSeq: 0 }], why: 'and nobody returns' },
  ] as const)('is not taken back: $why', async ({ ops }) => {
    const { first: store } = await pair();
    const { id } = await store.commit({ ops, message: 'Decide', via: 'test' });
    const after = members(store);
    await expect(store.revert(id, 'test')).rejects.toMatchObject({
      code: 'does-not-apply',
      message: expect.stringContaining('add or remove a device'),
    });
    expect(members(store)).toEqual(after);
  });

  test('stays when the rest of a range is taken back', async () => {
    const { first: store } = await pair();
    const after = store.head;
    await store.commit({ ops: [admit, name], message: 'Both', via: 'test' });
    await store.revert({ after, to: store.head }, 'test');
    expect([store.state().has('names'), members(store)]).toEqual([
      false,
      new Set([NEW.id, LAPTOP, 'router']),
    ]);
  });

  test('is as it is when one of them is restored by name', async () => {
    const { first: store } = await pair();
    const point = store.head;
    await store.commit({ ops: [admit], message: 'Let it in', via: 'test' });
    const restored = store.restore(point, 'test', { path: NEW.path });
    await expect(restored).rejects.toMatchObject({ code: 'does-not-apply' });
    expect(members(store)).toContain(NEW.id);
  });

  test('says nothing of a phone, which has no key of the history', async () => {
    const { first: store } = await pair();
    const phone: Op = { op: 'set', path: 'devices/phone', value: { name: 'phone' } };
    const { id } = await store.commit({ ops: [phone], message: 'Add phone', via: 'test' });
    await store.revert(id, 'test');
    expect(members(store)).toEqual(new Set([LAPTOP, 'router']));
  });
});

describe('the log', () => {
  test.each([
    [{ device: LAPTOP }, ['Fix the Printer'], 'a device'],
    [{ person: 'cli:am' }, ['Fix the Printer'], 'who asked'],
    [{ person: 'lapTOP' }, ['Fix the Printer'], "a device's name"],
    [{ reason: 'printer' }, ['Fix the Printer', 'Add a printer'], 'why'],
    [{ since: 150, until: 250, path: 'names' }, ['Add a printer'], 'when'],
    [{ reason: 'printer', path: 'rules' }, ['Fix the Printer'], 'several at once'],
  ])('%o lists %o: %s', async (query, messages, _why) => {
    const clock = manualClock({ now: 100 });
    const { first, second } = await pair(clock);
    await clock.advance(100_000);
    await first.commit({
      ops: [{ op: 'set', path: 'names/p', value: {} }],
      message: 'Add a printer',
      via: 'web',
    });
    await clock.advance(100_000);
    await send(first, second);
    await second.commit({
      ops: [{ op: 'set', path: 'rules/p', value: {} }],
      message: 'Fix the Printer',
      via: 'cli:amara',
    });
    const found = await second.log(query);
    expect(found.map(({ message }) => message)).toEqual(messages);
  });
});
