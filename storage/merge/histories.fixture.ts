/**
 * Random histories of several devices that meet now and then, made without any part of the merge.
 */

import fc from 'fast-check';
import type { Json } from '../format/json.ts';
import type { Op } from '../format/op.ts';
import type { Step } from '../history/fold.ts';

/** What happened: all commits, oldest first, and which of them each device holds at the end. */
export type Scene = {
  readonly steps: readonly Step[];
  readonly held: ReadonlyMap<string, ReadonlySet<string>>;
};

const DEVICES = ['a', 'b', 'c'] as const;
const RECORDS = ['r/x', 'r/y', 'devices/d'];
const FIELDS = ['f', 'g'];
const PLACES = ['A', 'B', 'C'];

/** An op before it is known which items there are. */
type Wish =
  | Op
  | { readonly op: 'mv' | 'rem'; readonly path: string; readonly nth: number; at?: string };

const record = fc.constantFrom(...RECORDS);
const field = fc.tuple(record, fc.constantFrom(...FIELDS)).map((parts) => parts.join('/'));
const scalar: fc.Arbitrary<Json> = fc.constantFrom<Json>(1, 2, 'p', 'q');
const value: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: scalar },
  { weight: 1, arbitrary: fc.constantFrom<Json>(['q', 'p'], ['p']) },
);
const at = fc.constantFrom(...PLACES);

const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('set'), path: field, value }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('set'),
      path: record,
      value: fc.dictionary(fc.constantFrom(...FIELDS), value, {
        maxKeys: 2,
        noNullPrototype: true,
      }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('del'), path: record }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('del'), path: field }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constantFrom('add', 'rem'), path: field, value: scalar }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('grow'), path: field, value: scalar }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('inc'), path: field, value: fc.constantFrom(1, 5) }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('ins'), path: field, at, value: scalar }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('mv'), path: field, nth: fc.nat(9), at }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('rem'), path: field, nth: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('revoke'),
      path: fc.constant('devices/d'),
      lastSeq: fc.nat(3),
    }),
  },
) as fc.Arbitrary<Wish>;

type Happening =
  | { readonly device: string; readonly wishes: readonly Wish[] }
  | { readonly from: string; readonly to: string };

function happeningsOf(wishes: fc.Arbitrary<Wish>, maxLength: number): fc.Arbitrary<Happening[]> {
  const device = fc.constantFrom(...DEVICES);
  const happening: fc.Arbitrary<Happening> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ device, wishes: fc.array(wishes, { minLength: 1, maxLength: 2 }) }),
    },
    { weight: 2, arbitrary: fc.record({ from: device, to: device }) },
  );
  return fc.array(happening, { minLength: 2, maxLength });
}

/** A list and a set that everybody knows, and then changes without asking. */
const LIST = 'r/x/f';
const SET = 'r/x/g';
const BEGINNING: readonly Happening[] = [
  {
    device: 'a',
    wishes: [
      { op: 'ins', path: LIST, at: 'A', value: 1 },
      { op: 'ins', path: LIST, at: 'B', value: 2 },
      { op: 'add', path: SET, value: 'p' },
    ],
  },
  { from: 'a', to: 'b' },
  { from: 'a', to: 'c' },
];
const change = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('mv'), path: fc.constant(LIST), nth: fc.nat(2), at }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('rem'), path: fc.constant(LIST), nth: fc.nat(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('ins'), path: fc.constant(LIST), at, value: scalar }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constantFrom('add', 'rem'),
      path: fc.constant(SET),
      value: fc.constantFrom('p', 'q'),
    }),
  },
) as fc.Arbitrary<Wish>;

/** Histories that concern few paths, so that devices get into each other's way. */
export const scenes: fc.Arbitrary<Scene> = fc
  .oneof(
    { weight: 4, arbitrary: happeningsOf(wish, 16) },
    {
      weight: 1,
      arbitrary: happeningsOf(change, 10).map((happenings) => [...BEGINNING, ...happenings]),
    },
  )
  .map(play);

function play(happenings: readonly Happening[]): Scene {
  const steps: Step[] = [];
  const held = new Map<string, Set<string>>(DEVICES.map((device) => [device, new Set()]));
  for (const next of happenings) {
    if ('from' in next) {
      for (const id of held.get(next.from) ?? []) held.get(next.to)?.add(id);
      continue;
    }
    const own = held.get(next.device) as Set<string>;
    const past = steps.filter(({ id }) => own.has(id));
    const step = write(next.device, past, next.wishes, `c${String(steps.length).padStart(3, '0')}`);
    steps.push(step);
    own.add(step.id);
  }
  return { steps, held };
}

function write(device: string, past: readonly Step[], wishes: readonly Wish[], id: string): Step {
  const followed = new Set(past.flatMap(({ parents }) => parents));
  const parents = past.map((step) => step.id).filter((known) => !followed.has(known));
  const seq = past.filter((step) => step.device === device).length + 1;
  const ops = wishes.map((item) => resolve(item, past));
  return { id, parents, device, seq, ops };
}

/** Names the item that a wish is about; without any it is about one that never was. */
function resolve(item: Wish, past: readonly Step[]): Op {
  if (!('nth' in item)) return item;
  const items = past.flatMap(({ device, seq, ops }) =>
    ops.flatMap((op, index) =>
      op.op === 'ins' && op.path === item.path ? [`${device}:${seq}:${index}`] : [],
    ),
  );
  const name = items[item.nth % Math.max(items.length, 1)] ?? 'z:1:0';
  const { op, path } = item;
  return op === 'mv'
    ? { op, path, item: name, at: item.at ?? 'A' }
    : { op: 'rem', path, item: name };
}
