import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Op, parseOps, printOps, type State } from '../format/op.ts';
import { applyPlain, EMPTY } from '../plain.fixture.ts';
import { diffStates, invert, toOps } from './change.ts';

function stateOf(ops: readonly Op[], before: State = EMPTY): State {
  return applyPlain(before, parseOps(printOps(ops)));
}

const paths = fc.constantFrom('a/x', 'a/y', 'b/x');
const fields = fc.tuple(paths, fc.constantFrom('m', 'n')).map((parts) => parts.join('/'));
const value = fc.oneof(fc.nat(3), fc.constant({ deep: [1] }));
const ops = fc.array(
  fc.oneof(
    fc.record({ op: fc.constant('set'), path: paths, value: fc.record({ m: value }) }),
    fc.record({ op: fc.constant('set'), path: fields, value }),
    fc.record({ op: fc.constantFrom('add', 'rem'), path: fields, value }),
    fc.record({ op: fc.constant('del'), path: fc.oneof(paths, fields) }),
  ) as fc.Arbitrary<Op>,
  { maxLength: 8 },
);

describe('laws', () => {
  test('applying the difference of a and b to a gives b', () => {
    fc.assert(
      fc.property(ops, ops, (one, other) => {
        const [a, b] = [stateOf(one), stateOf(other)];
        expect(stateOf(toOps(diffStates(a, b)), a)).toEqual(b);
        expect(diffStates(a, a)).toEqual([]);
      }),
    );
  });

  test('taking the newest change back gives the state before it', () => {
    fc.assert(
      fc.property(ops, ops, (first, second) => {
        const before = stateOf(first);
        const now = stateOf(second, before);
        const inverse = invert(diffStates(before, now), second, now);
        expect(inverse.ok && stateOf(inverse.ops, now)).toEqual(before);
      }),
    );
  });

  test('what is taken back touches nothing that somebody else wrote since', () => {
    fc.assert(
      fc.property(ops, ops, ops, (first, second, third) => {
        const before = stateOf(first);
        const then = stateOf(second, before);
        const now = stateOf(third, then);
        const inverse = invert(diffStates(before, then), second, now);
        if (!inverse.ok) return;
        const changed = new Set(diffStates(before, then).map(({ path }) => path));
        const touched = inverse.ops.map(({ path }) => path);
        for (const path of touched) {
          expect([...changed].some((own) => path === own || path.startsWith(`${own}/`))).toBe(true);
        }
      }),
    );
  });
});

describe('taking back', () => {
  const SET: Op[] = [{ op: 'set', path: 'a/x', value: { m: 1 } }];
  test.each([
    {
      change: [{ op: 'set', path: 'a/x/m', value: 2 }],
      since: [{ op: 'set', path: 'a/x/n', value: 9 }],
      gives: { m: 1, n: 9 },
      why: 'another field was written',
    },
    {
      change: [{ op: 'set', path: 'a/x/m', value: 2 }],
      since: [{ op: 'set', path: 'a/x/m', value: 3 }],
      gives: ['a/x/m'],
      why: 'the same field was written',
    },
    {
      change: [{ op: 'del', path: 'a/x' }],
      since: [{ op: 'set', path: 'a/x/n', value: 9 }],
      gives: ['a/x'],
      why: 'the deleted record is there again',
    },
    {
      change: [{ op: 'add', path: 'a/x/s', value: 'p' }],
      since: [{ op: 'add', path: 'a/x/s', value: 'q' }],
      gives: { m: 1, s: ['q'] },
      why: 'another member was added',
    },
    {
      change: [{ op: 'add', path: 'a/new/s', value: 'p' }],
      since: [{ op: 'add', path: 'a/new/s', value: 'q' }],
      gives: { m: 1 },
      why: 'another member was added to a record that the change made',
    },
  ] as { change: Op[]; since: Op[]; gives: unknown; why: string }[])(
    'when $why',
    ({ change, since, gives }) => {
      const before = stateOf(SET);
      const then = stateOf(change, before);
      const now = stateOf(since, then);
      const inverse = invert(diffStates(before, then), change, now);
      const result = inverse.ok
        ? stateOf(inverse.ops, now).get('a')?.get('x')
        : inverse.overwritten;
      expect(result).toEqual(gives);
    },
  );
});
