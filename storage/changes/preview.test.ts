import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import type { Json } from '../format/json.ts';
import { someone } from '../members.fixture.ts';
import { pair, send } from '../pair.fixture.ts';
import { openFounder, openReplica, setName } from '../realm.fixture.ts';
import type { Draft, Rules } from './draft.ts';

type Ops = Draft['ops'];

const set = (path: string, value: Json): Ops[number] => ({ op: 'set', path, value });

const RULES: Rules = {
  mustBeSealed: (path) => path.startsWith('secrets/'),
  schema: (state) =>
    [...(state.get('names')?.entries() ?? [])].flatMap(([key, { value }]) =>
      value === 13 ? [{ path: `names/${key}/value`, message: 'no thirteen' }] : [],
    ),
};

describe('a preview', () => {
  test.each<{ ops: Ops; says: object; why: string }>([
    {
      ops: [set('names/a/value', 2), set('names/b', { value: 3 })],
      says: {
        changes: [
          { path: 'names/a/value', before: 1, after: 2 },
          { path: 'names/b', before: undefined, after: { value: 3 } },
        ],
        ...{ problems: [], isReadable: true, needsSecondOwner: false },
      },
      why: 'says what would change',
    },
    { ops: [set('names/a', { value: 1 })], says: { changes: [], problems: [] }, why: 'or nothing' },
    {
      ops: [set('names/a/value', 13)],
      says: {
        changes: [{ path: 'names/a/value', before: 1, after: 13 }],
        problems: [{ path: 'names/a/value', message: 'no thirteen' }],
        isReadable: true,
      },
      why: 'says what breaks the rules, and what it would be',
    },
    {
      ops: [set('secrets/wifi', { key: 'in the clear' })],
      says: { unsealed: [{ path: 'secrets/wifi/key', message: 'must be sealed' }] },
      why: 'says which secrets are in the clear (I2)',
    },
    {
      ops: [set('No/Path', 1)],
      says: { changes: [], isReadable: false, problems: [{ message: 'no path: No/Path' }] },
      why: 'says what cannot be read',
    },
    {
      ops: [],
      says: { isReadable: false, problems: [{ path: '', message: 'a commit without ops' }] },
      why: 'of nothing',
    },
  ])('$why', async ({ ops, says }) => {
    const store = await openFounder(fakeRuntime(), RULES);
    const { id: head } = await store.commit(setName('a', 1));
    expect(await store.preview(ops)).toMatchObject(says);
    expect([store.head, (await store.log({})).length]).toEqual([head, 2]);
  });

  test('is what the commit then makes', async () => {
    const store = await openFounder(fakeRuntime());
    const ops = [set('names/a', { value: 1 }), set('names/a/value', 2), set('names/b', {})];
    const { state, changes } = await store.preview(ops);
    const before = store.head;
    await store.commit({ ops, message: 'The same', via: 'test' });
    expect(store.state()).toEqual(state);
    expect(await store.diff(before, store.head)).toEqual(changes);
  });

  test.each([
    {
      rule: set('realm/settings/twoOwners', ['names']),
      told: { needsSecondOwner: true, problems: [] },
      why: 'what two owners decide',
    },
    {
      rule: set(`${someone(2).path}/role`, 'guest'),
      told: { needsSecondOwner: false, problems: [{ path: 'names/a' }] },
      why: 'what this device may not write',
    },
  ])('tells $why', async ({ rule, told }) => {
    const { first, second } = await pair();
    await first.commit({ ops: [rule], message: 'A rule', via: 'test' });
    await send(first, second);
    expect(await second.preview([set('names/a', {})])).toMatchObject(told);
  });

  test('where nothing may be written', async () => {
    const store = await openReplica(fakeRuntime(), { realm: 'f'.repeat(64) });
    expect(await store.preview([set('names/a', {})])).toMatchObject({
      ...{ changes: [], isReadable: false },
      problems: [{ path: 'names/a', message: 'this device may not write' }],
    });
  });
});
