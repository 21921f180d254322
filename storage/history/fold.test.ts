import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Op } from '../format/op.ts';
import { fold, orderCausally } from './fold.ts';

type Fake = { id: string; parents: string[]; device: string; seq: number; ops: Op[] };

/** A history in which every commit has up to three parents among the earlier ones. */
const history: fc.Arbitrary<Fake[]> = fc
  .array(
    fc.record({
      device: fc.constantFrom('a', 'b', 'c'),
      parents: fc.array(fc.nat(), { maxLength: 3 }),
      key: fc.constantFrom('x', 'y'),
      value: fc.integer(),
    }),
    { maxLength: 20 },
  )
  .map((drafts) =>
    drafts.map(({ device, parents, key, value }, index) => ({
      id: `c${String(index).padStart(2, '0')}`,
      device,
      seq: index + 1,
      parents:
        index === 0
          ? []
          : [...new Set(parents.map((parent) => `c${String(parent % index).padStart(2, '0')}`))],
      ops: [{ op: 'set', path: `names/${key}/value`, value }],
    })),
  );

test('the state depends on the set of commits, not on their order or repetition (I4, I5)', () => {
  const shuffled = history.chain((commits) =>
    fc.tuple(
      fc.constant(commits),
      fc.shuffledSubarray(commits, { minLength: commits.length }),
      fc.subarray(commits),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([commits, other, again]) => {
      expect(fold([...other, ...again])).toEqual(fold(commits));
    }),
  );
});

test('parents come first, and nothing is lost', () => {
  fc.assert(
    fc.property(history, (commits) => {
      const { ordered, waiting } = orderCausally(commits.toReversed());
      const seen = new Set<string>();
      for (const { id, parents } of ordered) {
        expect(parents.every((parent) => seen.has(parent))).toBe(true);
        seen.add(id);
      }
      expect(waiting).toEqual([]);
      expect(ordered).toHaveLength(commits.length);
    }),
  );
});

test('what misses a parent waits, and so does what follows it', () => {
  const commits = ['1', '2', '3', '4'].map((id, index, ids) => ({
    id,
    device: 'a',
    parents: ids.slice(Math.max(0, index - 1), index),
  }));
  const { ordered, waiting } = orderCausally(commits.filter(({ id }) => id !== '2'));
  expect(ordered.map(({ id }) => id)).toEqual(['1']);
  expect(waiting.map(({ id }) => id)).toEqual(['3', '4']);
});
