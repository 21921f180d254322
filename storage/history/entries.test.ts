import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Entry, EntryList, markPast } from './entries.ts';

const idOf = (number: number) => number.toString(16).padStart(2, '0').repeat(32);

const entry = (number: number, parents: readonly number[] = [], seq = number + 1): Entry => ({
  id: idOf(number),
  parents: parents.map(idOf),
  device: `device-${number % 3}`,
  seq,
  place: { segment: 1 + (number >> 4), offset: number * 700, end: number * 700 + 699 },
});

/** Any history: each builds on some of those before it, and perhaps on one that is not here. */
const histories = fc
  .array(fc.array(fc.nat(200), { maxLength: 3 }), { maxLength: 150 })
  .map((choices) =>
    choices.map((above, at) =>
      entry(at, [...new Set(above.map((choice) => (choice < at ? choice : 250)))]),
    ),
  );

test('what was added is what is there, however many there are', () => {
  fc.assert(
    fc.property(histories, (all) => {
      const list = new EntryList(all);
      expect([...list]).toEqual(all);
      expect([...list.reversed()]).toEqual(all.toReversed());
      expect([...list.numbers()]).toEqual(all.map(({ device, seq }) => ({ device, seq })));
      expect(list.ids()).toEqual(all.map(({ id }) => id));
      expect(list.ids(3, 7)).toEqual(all.slice(3, 7).map(({ id }) => id));
      all.forEach(({ id, parents }, at) => {
        expect(list.find(id)).toBe(at);
        const places = parents.map((parent) => all.findIndex((other) => other.id === parent));
        expect(list.above(at)).toEqual(places);
      });
      expect([list.at(-1), list.at(all.length)]).toEqual([undefined, undefined]);
    }),
  );
});

test('a commit and its past are marked, and nothing else', () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(160), { maxLength: 3 }), (all, asked) => {
      const past = new Set(asked.map(idOf));
      for (const { id, parents } of all.toReversed()) {
        if (past.has(id)) for (const parent of parents) past.add(parent);
      }
      const marks = markPast(new EntryList(all), asked.map(idOf));
      expect([...marks]).toEqual(all.map(({ id }) => Number(past.has(id))));
    }),
  );
});

describe('order', () => {
  test.each([
    { all: [], isCausal: true, isChain: true, why: 'nothing' },
    {
      all: [entry(0), entry(1, [0]), entry(2, [1])],
      isCausal: true,
      isChain: true,
      why: 'a chain',
    },
    {
      all: [entry(0), entry(1, [0]), entry(2, [0])],
      isCausal: true,
      isChain: false,
      why: 'a fork',
    },
    { all: [entry(0), entry(1)], isCausal: true, isChain: false, why: 'two beginnings' },
    {
      ...{ all: [entry(0), entry(1, [0]), entry(2, [1, 0])], isCausal: true, isChain: false },
      why: 'a join',
    },
    { all: [entry(1, [0]), entry(0)], isCausal: false, isChain: false, why: 'a parent after it' },
    { all: [entry(1, [9])], isCausal: false, isChain: false, why: 'a parent that is not here' },
    { all: [entry(0), entry(0)], isCausal: false, isChain: false, why: 'one twice' },
  ])('$why', ({ all, isCausal, isChain }) => {
    const list = new EntryList(all);
    expect({ isCausal: list.isCausal(), isChain: list.isChain() }).toEqual({ isCausal, isChain });
  });

  test('a parent that comes later is found then', () => {
    const list = new EntryList([entry(1, [0])]);
    expect(list.above(0)).toEqual([-1]);
    list.add(entry(0));
    expect(list.above(0)).toEqual([1]);
    expect(list.at(0)?.parents).toEqual([idOf(0)]);
  });
});

test('numbers may be as large as a commit can say', () => {
  const large = { ...entry(1), seq: 999_999_999_999_999 };
  const place = { segment: 99_999_999, offset: 4_294_967_000, end: 4_294_967_295 };
  expect(new EntryList([{ ...large, place }]).at(0)).toEqual({ ...large, place });
});

test.each([
  { name: '', why: 'nothing' },
  { name: 'ab', why: 'too short' },
  { name: idOf(1).toUpperCase().replaceAll('0', 'A'), why: 'upper case' },
  { name: `${idOf(1).slice(0, 63)}g`, why: 'no hex' },
  { name: `${idOf(1)}00`, why: 'too long' },
])('no name: $why', ({ name }) => {
  expect(new EntryList([entry(1)]).find(name)).toBeUndefined();
});

test('names that begin alike are told apart', () => {
  const all = Array.from({ length: 300 }, (_, at) => ({
    ...entry(0),
    id: `${'7'.repeat(56)}${at.toString(16).padStart(8, '0')}`,
  }));
  const list = new EntryList(all);
  expect(all.map(({ id }) => list.find(id))).toEqual(all.map((_, at) => at));
});
