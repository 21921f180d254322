import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { commitIn, decodeFrame, scan } from '../format/frame.ts';
import { buildTree } from '../format/object.ts';
import type { Op } from '../format/op.ts';
import type { Merged } from '../merge/merged.ts';
import { openFounder, openReplica } from '../realm.fixture.ts';
import type { Store } from '../store.ts';
import { declarationPath, hashState, printBase, printState } from './base.ts';

const { crypto } = fakeRuntime();

async function begin(): Promise<Store> {
  const store = await openFounder(fakeRuntime());
  const ops: Op[] = [
    { op: 'text', path: 'notes/t/body', value: 'a\nb' },
    { op: 'set', path: 'names/a', value: { x: 1, list: ['p', 'q'] } },
    { op: 'rem', path: 'names/a/list', value: 'q' },
    { op: 'add', path: 'names/a/set', value: 'm' },
    { op: 'grow', path: 'names/a/grown', value: 'g' },
    { op: 'inc', path: 'names/a/count', value: 3 },
    { op: 'ins', path: 'names/a/items', at: 'A', value: 1 },
    { op: 'text', path: 'notes/t/body', value: 'a\nb\nc' },
  ];
  for (const op of ops) await store.commit({ ops: [op], message: 'Change', via: 'test' });
  return store;
}

/** An owner declares what it likes, as long as it shows the records that the commit's tree has. */
async function forge(store: Store, spoil: (state: string) => string): Promise<Uint8Array> {
  const id = store.head;
  const state = spoil(printState((await store.contentAt(id)) as Merged));
  const vector = { router: store.seq };
  const value = {
    commit: id,
    device: 'router',
    state: hashState(crypto, state),
    vector,
    without: [],
  };
  const op: Op = { op: 'set', path: declarationPath(id), value };
  const declared = await store.commit({ ops: [op], message: 'Declare', via: 'test' });
  const page = await store.exportMissing({});
  const frames = scan(page).frames.map((span) => ({
    span,
    bytes: page.slice(span.offset, span.end),
  }));
  const log = (await store.log({ limit: 100 })).toReversed();
  const frameOf = (name: string) => frames[log.findIndex((commit) => commit.id === name)];
  const treesOf = async (name: string) => {
    const frame = frameOf(name);
    const ops = (frame && decodeFrame(page, frame.span)?.ops) ?? '';
    const { root, others } = buildTree(crypto, await store.contentAt(name), ops);
    return [root.body, ...others.slice(0, 1).map(({ body }) => body)];
  };
  const bytesOf = (name: string) => frameOf(name)?.bytes ?? new Uint8Array(0);
  expect(commitIn(page, frames[0]?.span ?? { offset: 0, end: 0 })).toBeDefined();
  const genesis = log[0]?.id ?? '';
  const proof = {
    ...{ genesis: bytesOf(genesis), commit: bytesOf(id), declared: bytesOf(declared.id) },
    trees: [...(await treesOf(genesis)), ...(await treesOf(declared.id))],
  };
  return printBase(crypto, proof, state);
}

describe('a base that an owner made', () => {
  test('is taken over as it is declared', async () => {
    const store = await begin();
    const base = await forge(store, (state) => state);
    const fresh = await openReplica(fakeRuntime(), { realm: store.realm });
    expect(await fresh.takeBase(base)).toBe(true);
    expect(fresh.state().get('names')).toEqual(store.state().get('names'));
  });

  test.each([
    { from: /"past":\[[^\]]*\]/, to: '"past":7', why: 'earlier texts that are none' },
    { from: /"past":\[[^\]]*\]/, to: '"past":[{"dot":7}]', why: 'one that nobody wrote' },
    { from: /"past":\[[^\]]*\]/, to: '"past":[{"dot":null,"value":"x"}]', why: 'or nothing did' },
    { from: /"removed":\[\]/, to: '"removed":{}', why: 'removed elements that are no list' },
    { from: /"removed":\[\]/, to: '"removed":["x"]', why: 'removed elements without a place' },
    { from: /"dot":\{[^}]*\},"kind":"member"/, to: '"dot":0,"kind":"member"', why: 'no dot' },
    { from: /"seq":\d+\},"kind":"grown"/, to: '"seq":"1"},"kind":"grown"', why: 'a dot of words' },
    { from: /"kind":"set"/, to: '"kind":"sett"', why: 'an entry of no kind' },
    { from: /"at":"A"/, to: '"at":7', why: 'a place that is none' },
    { from: /\{"router":\d+\}/, to: '{"router":"x"}', why: 'a vector without numbers' },
    { from: /,\{\}\]\n/, to: ',{"x":null}]\n', why: 'an end without a number' },
    { from: /(\nnames\/a \[\[[^\]]*\]),\[\]/, to: '$1,7', why: 'deletions that are no list' },
    { from: /$/, to: 'names/b [[],[]]\n', why: 'a record without fields' },
    { from: /$/, to: 'Names/B [[],[],{}]\n', why: 'a record of no name' },
    { from: /$/, to: 'names/b [[],[],{"__proto__":[]}]\n', why: 'a field of no name' },
  ])('is refused with $why', async ({ from, to }) => {
    const store = await begin();
    const base = await forge(store, (state) => {
      expect(state).toMatch(from);
      return state.replace(from, to);
    });
    const fresh = await openReplica(fakeRuntime(), { realm: store.realm });
    await expect(fresh.takeBase(base)).rejects.toMatchObject({ name: 'StorageError' });
    expect(fresh.head).toBe('');
  });
});
