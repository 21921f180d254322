import { describe, expect, test } from 'vitest';
import type { Json } from '../format/json.ts';
import type { Op } from '../format/op.ts';
import { fold, type Step } from '../history/fold.ts';
import type { Rule } from './merged.ts';

/** What `a` and `b` write at the same time, after a common beginning. */
function atOnce(a: readonly Op[], b: readonly Op[], before: readonly Op[] = []) {
  const step = (id: string, device: string, parents: string[], ops: readonly Op[]): Step => ({
    id,
    device,
    parents,
    seq: 1,
    ops,
  });
  const merged = fold([
    step('0', 'z', [], before),
    step('1', 'a', ['0'], a),
    step('2', 'b', ['0'], b),
  ]);
  return { record: merged.state.get('r')?.get('x'), conflicts: merged.conflicts.get('r/x') ?? [] };
}

function set(value: Json, rule?: Rule): Op {
  return { op: 'set', path: 'r/x/f', value, ...(rule === undefined ? {} : { rule }) };
}

describe('of two values', () => {
  const DEVICES: Op[] = [
    { op: 'set', path: 'devices/a', value: {} },
    { op: 'set', path: 'devices/b', value: { role: 'owner' } },
  ];
  test.each([
    { a: 'p', b: 'p', rule: undefined, gives: 'p', rivals: 0, why: 'the same is no conflict' },
    { a: 'q', b: 'p', rule: undefined, gives: 'q', rivals: 2, why: 'the lowest device, else' },
    { a: 'allow', b: 'deny', rule: 'deny', gives: 'deny', rivals: 2, why: 'what denies' },
    { a: true, b: false, rule: 'deny', gives: false, rivals: 2, why: 'what denies' },
    { a: 90, b: 30, rule: 'lower', gives: 30, rivals: 2, why: 'the lower' },
    { a: 'q', b: 3, rule: 'lower', gives: 'q', rivals: 2, why: 'a text is not lower' },
    { a: 'q', b: 'p', rule: 'rank', gives: 'p', rivals: 2, why: 'what an owner wrote' },
    { a: [2, 1], b: [1], rule: undefined, gives: [2, 1], rivals: 2, why: 'lists as values' },
    {
      a: { sealed: 'x' },
      b: { sealed: 'y' },
      rule: undefined,
      gives: { sealed: 'x' },
      rivals: 2,
      why: 'secrets are compared sealed',
    },
  ] as { a: Json; b: Json; rule?: Rule; gives: Json; rivals: number; why: string }[])(
    '$a and $b by $rule: $gives ($why)',
    ({ a, b, rule, gives, rivals }) => {
      const { record, conflicts } = atOnce([set(a, rule)], [set(b, rule)], DEVICES);
      expect(record?.['f']).toEqual(gives);
      expect(conflicts.flatMap((conflict) => conflict.rivals)).toHaveLength(rivals);
    },
  );

  test('the stricter rule counts when they differ', () => {
    const { record, conflicts } = atOnce([set(5, 'lower')], [set(false, 'deny')]);
    expect([record?.['f'], conflicts[0]?.rule]).toEqual([false, 'deny']);
  });

  test('of a new record each field has its own rule', () => {
    const create = (ttl: number): Op => ({
      op: 'set',
      path: 'r/x',
      value: { ttl, host: String(ttl) },
      rule: { ttl: 'lower' },
    });
    const { record } = atOnce([create(9)], [create(3)]);
    expect(record).toEqual({ ttl: 3, host: '9' });
  });
});

describe('counters', () => {
  test('stop at the largest number that JSON holds exactly', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const inc = (value: number): Op => ({ op: 'inc', path: 'r/x/f', value });
    expect(atOnce([inc(most)], [inc(most)]).record?.['f']).toBe(most);
    expect(atOnce([inc(-most)], [inc(-most)]).record?.['f']).toBe(-most);
    expect(atOnce([inc(most)], [inc(-most)], [inc(2)]).record?.['f']).toBe(2);
  });
});

describe('texts', () => {
  const text = (value: string): Op => ({ op: 'text', path: 'r/x/f', value });
  const LONG = Array.from({ length: 1001 }, (_, line) => `line ${line}`).join('\n');
  test.each([
    { before: 'a\nb\nc', a: 'A\nb\nc', b: 'a\nb\nC', gives: ['A\nb\nC'], why: 'merge' },
    { before: 'a\nb', a: 'a\nb', b: 'a\nB', gives: ['a\nB'], why: 'one side changed' },
    { before: 'a', a: 'b', b: 'c', gives: ['b', 'c'], why: 'both are kept where both wrote' },
    {
      before: '__proto__\nb\nc',
      a: '__proto__\nB\nc',
      b: '__proto__\nb\nc\nd',
      gives: ['__proto__\nB\nc\nd'],
      why: 'lines are no names of properties',
    },
    {
      before: LONG,
      a: `A\n${LONG}`,
      b: `${LONG}\nB`,
      gives: [`A\n${LONG}`, `${LONG}\nB`],
      why: 'too long to compare',
    },
  ])('$why', ({ before, a, b, gives }) => {
    const { record, conflicts } = atOnce([text(a)], [text(b)], [text(before)]);
    const rivals = conflicts.flatMap((conflict) => conflict.rivals.map(({ value }) => value));
    expect(rivals.length > 0 ? rivals : [record?.['f']]).toEqual(gives);
  });

  test.each([
    { c: 'x\na\nb\nc', d: 'x\na\nB\nc\ny', gives: 'x\na\nB\nc', why: 'a line of the one' },
    { c: 'a\nb\nc\ny', d: 'x\na\nB\nc\ny', gives: 'a\nB\nc\ny', why: 'a line of the other' },
  ])('that were merged are what both go on from: $why stays away', ({ c, d, gives }) => {
    const step = (id: string, device: string, parents: string[], value: string): Step => {
      return { id, device, parents, seq: Number(id), ops: [text(value)] };
    };
    const steps = [
      step('1', 'z', [], 'a\nb\nc'),
      step('2', 'a', ['1'], 'x\na\nb\nc'),
      step('3', 'b', ['1'], 'a\nb\nc\ny'),
      step('4', 'c', ['2', '3'], c),
      step('5', 'd', ['2', '3'], d),
    ];
    expect(fold(steps).state.get('r')?.get('x')).toEqual({ f: gives });
  });

  test('without a common text are both kept', () => {
    expect(atOnce([text('a')], [text('b')]).conflicts[0]?.rivals).toHaveLength(2);
  });
});
