import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_OPS, type Op } from '../format/op.ts';
import { stateOf } from '../members.fixture.ts';
import { moves, node, play } from '../rights/judge.fixture.ts';
import { findVoid } from '../rights/judge.ts';
import { adoptOps, decideOps, lateChanges, readDecided } from './adopt.ts';

const id = (at: number) => at.toString(16).padStart(64, '0');
const set = (path: string): Op => ({ op: 'set', path, value: {} });
const late = (at: number, ops: readonly Op[], name = 'Phone') => {
  return { id: id(at), device: 'b', seq: at, name, ops };
};
const adopter = (renamed = new Map<string, string>()) => ({
  author: { device: 'a', seq: 7 },
  needsAnother: ({ path }: Op) => path.startsWith('rules/'),
  renamed,
});

test.each([
  {
    set: ['a1 !b1', 'b3', 'b1', 'b2'],
    adopted: [],
    offers: { b: ['b2', 'b3'] },
    why: "in the device's order, however they came",
  },
  {
    set: ['a1 !b0', 'b1', 'b2'],
    adopted: ['b1'],
    offers: { b: ['b2'] },
    why: 'not what was adopted before',
  },
  {
    set: ['a1 !b0', 'b1', 'b2', "b2'"],
    adopted: [],
    offers: { b: ['b1', 'b2', "b2'"] },
    why: 'both ways of a fork, once somebody decided',
  },
  { set: ['b1', "b1'"], adopted: [], offers: {}, why: 'nothing of a fork before' },
  {
    set: ['a1 !b0', 'b1 +c@3', 'c1 ^b1'],
    adopted: [],
    offers: { b: ['b1'], c: ['c1'] },
    why: 'also of those who came with the revoked',
  },
])('late changes are offered $why', ({ set: words, adopted, offers }) => {
  const nodes = words.map(node);
  const found = lateChanges(nodes, findVoid(nodes), new Set(adopted));
  expect(Object.fromEntries(found)).toEqual(offers);
});

test('what is offered is void, belongs to its device, and does not depend on any order', () => {
  fc.assert(
    fc.property(moves, (script) => {
      const nodes = play(script);
      const voids = findVoid(nodes);
      const found = lateChanges(nodes, voids);
      const again = lateChanges([...nodes, ...nodes].reverse(), voids);
      expect(Object.fromEntries(again)).toEqual(Object.fromEntries(found));
      const offered = [...found.values()].flat();
      expect(offered.toSorted()).toEqual(
        [...voids].flatMap(([name, why]) => (why === 'revoked' ? [name] : [])).toSorted(),
      );
    }),
    { numRuns: 200 },
  );
});

test('an adoption has the ops in order, and names what it adopted', () => {
  const adoption = adoptOps(
    [late(1, [set('names/a')]), late(2, [set('names/b'), set('names/a')])],
    adopter(),
  );
  expect(adoption.ops.map(({ path }) => path)).toEqual(['names/a', 'names/b', 'names/a']);
  expect(adoption.message).toBe(`Adopt 2 late changes of Phone\n\n${id(1)}\n${id(2)}`);
  expect(adoption.adopted).toEqual([id(1), id(2)]);
});

test('what was decided is read from the state', () => {
  expect(decideOps('b', [id(1)])).toEqual([{ op: 'grow', path: 'late/b/decided', value: id(1) }]);
  const state = stateOf({ 'late/b': { decided: [id(1)] }, 'late/c': { decided: [id(2), 3] } });
  expect([...readDecided(state)]).toEqual([id(1), id(2)]);
});

test.each([
  { op: { op: 'revoke', path: 'devices/a', lastSeq: 0 }, why: 'a revocation' },
  { op: set('devices/a'), why: 'a whole device' },
  { op: { op: 'del', path: 'devices/a' }, why: 'the removal of one' },
  { op: { op: 'set', path: 'devices/a/role', value: 'owner' }, why: 'a role' },
  { op: { op: 'set', path: 'devices/a/signingKey', value: '' }, why: 'a key' },
  { op: set('realm/settings'), why: 'the realm' },
  { op: set('proposals/a.b'), why: 'what needs two owners' },
  { op: set('late/a'), why: 'what was decided about others' },
  { op: set('keys/k'), why: 'a key of the realm, which a thief would have' },
  { op: set('anchors/root'), why: 'whom the root is trusted by' },
  { op: set('status/a'), why: 'what a device tells of itself' },
  { op: set('confirmations/x'), why: 'a word on a change of then' },
  { op: set('rules/a'), why: 'what this owner may not do alone' },
] as { op: Op; why: string }[])('$why is never adopted', ({ op }) => {
  const adoption = adoptOps([late(1, [op, set('names/a'), set('devices/a/name')])], adopter());
  expect(adoption.omitted).toEqual([op]);
  expect(adoption.ops.map(({ path }) => path)).toEqual(['names/a', 'devices/a/name']);
});

test('items of lists go by the names that their new author gives them', () => {
  const path = 'names/a/list';
  const ins: Op = { op: 'ins', path, at: 'B', value: 1 };
  const move = (item: string): Op => ({ op: 'mv', path, item, at: 'A' });
  const renamed = new Map<string, string>();
  const first = adoptOps([late(1, [set('realm/x'), ins, ins])], adopter(renamed));
  expect(first.ops).toEqual([ins, ins]);
  const ops = [move('b:1:2'), { op: 'rem', path, item: 'b:1:1' } as const, move('c:9:0')];
  expect(adoptOps([late(2, ops)], adopter(renamed)).ops).toEqual([
    move('a:7:1'),
    { op: 'rem', path, item: 'a:7:0' },
    move('c:9:0'),
  ]);
});

test('one adoption takes as many as fit into a commit, whole', () => {
  const many = Array.from({ length: 300 }, (_, at) => late(at, [set('names/a')]));
  const first = adoptOps(many, adopter());
  expect(first.adopted).toHaveLength(100);
  expect(first.message.length).toBeLessThan(8192);
  const big = Array.from({ length: MAX_OPS - 1 }, () => set('names/a'));
  const second = adoptOps([late(1, big), late(2, [set('names/b'), set('names/c')])], adopter());
  expect(second.adopted).toEqual([id(1)]);
});
