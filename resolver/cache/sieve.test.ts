import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSieve, type Sieve } from './sieve.ts';

test('what was used since the hand passed stays, what was not goes', () => {
  const sieve = createSieve<number>(3);
  for (const key of ['a', 'b', 'c']) sieve.set(key, 1, 1);
  sieve.get('a');
  sieve.set('d', 1, 1);
  expect(['a', 'b', 'c', 'd'].map((key) => sieve.get(key) !== undefined)).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

test('a flood of names asked once does not push out what is used (CacheFlush)', () => {
  const sieve = createSieve<number>(100);
  for (let i = 0; i < 50; i++) sieve.set(`mine${i}`, i, 1);
  for (let i = 0; i < 5000; i++) {
    sieve.set(`flood${i}`, i, 1);
    sieve.get(`mine${i % 50}`);
  }
  const left = Array.from({ length: 50 }, (_, i) => sieve.get(`mine${i}`)).filter(
    (value) => value !== undefined,
  );
  expect(left).toHaveLength(50);
});

type Action = { kind: 'set' | 'get' | 'delete' | 'clear'; key: string; size: number };

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom('set', 'set', 'set', 'get', 'get', 'delete', 'clear'),
  key: fc.nat(12).map(String),
  size: fc.nat(40),
});

type Model = Map<string, { value: number; size: number }>;

function apply(sieve: Sieve<number>, model: Model, { kind, key, size }: Action, step: number) {
  switch (kind) {
    case 'set':
      sieve.set(key, step, size);
      model.set(key, { value: step, size });
      return;
    case 'get':
      sieve.get(key);
      return;
    case 'delete':
      sieve.delete(key);
      model.delete(key);
      return;
    case 'clear':
      sieve.clear();
      model.clear();
  }
}

test('never above its limit, never wrong, counts right (against a Map)', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const limit = 100;
      const sieve = createSieve<number>(limit);
      const model: Model = new Map();
      for (const [step, each] of actions.entries()) {
        apply(sieve, model, each, step);
        const held = [...model].filter(([key]) => sieve.get(key) !== undefined);
        for (const [key, { value }] of held) expect(sieve.get(key)).toBe(value);
        expect(sieve.entries).toBe(held.length);
        expect(sieve.bytes).toBe(held.reduce((sum, [, { size }]) => sum + size, 0));
        expect(sieve.bytes).toBeLessThanOrEqual(limit);
      }
    }),
  );
});

test('an entry larger than everything is not kept, and replaces nothing but its key', () => {
  const sieve = createSieve<number>(10);
  sieve.set('a', 1, 5);
  sieve.set('b', 1, 11);
  sieve.set('a', 2, 11);
  expect([sieve.get('a'), sieve.get('b'), sieve.bytes]).toEqual([undefined, undefined, 0]);
});

test('nothing that lasts is evicted while there is something that ended', () => {
  const put = fc.record({ key: fc.nat(12).map(String), size: fc.nat(30), lasts: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(put, { maxLength: 100 }), (puts) => {
      const sieve = createSieve<number>(100);
      const until = new Map<string, number>();
      for (const [now, { key, size, lasts }] of puts.entries()) {
        const before = [...until].filter(([each]) => sieve.get(each) !== undefined);
        sieve.set(key, now, size, { until: now + lasts, now });
        until.set(key, now + lasts);
        const others = before.filter(([each]) => each !== key);
        const gone = others.filter(([each]) => sieve.get(each) === undefined);
        const left = others.filter(([each]) => sieve.get(each) !== undefined);
        const isLastingGone = gone.some(([, end]) => end > now);
        const isEndedLeft = left.some(([, end]) => end <= now);
        expect(isLastingGone && isEndedLeft).toBe(false);
        expect(sieve.bytes).toBeLessThanOrEqual(100);
      }
    }),
  );
});

describe('shares', () => {
  const put = (sieve: Sieve<number>, key: string, share: string) =>
    sieve.set(key, 1, 1, { until: Number.POSITIVE_INFINITY, now: 0, share });
  const held = (sieve: Sieve<number>, prefix: string) =>
    Array.from({ length: 200 }, (_, i) => sieve.get(`${prefix}${i}`)).filter(Boolean).length;

  test('who is alone may fill everything', () => {
    const sieve = createSieve<number>(100, 25);
    for (let i = 0; i < 200; i++) put(sieve, `a${i}`, 'a');
    expect(sieve.bytes).toBe(100);
  });

  test('when others want in, it goes back to its quota, used or not', () => {
    const sieve = createSieve<number>(100, 25);
    for (let i = 0; i < 100; i++) put(sieve, `a${i}`, 'a');
    expect(held(sieve, 'a')).toBe(100);
    for (let i = 0; i < 75; i++) put(sieve, `b${i}`, `b${i % 4}`);
    expect([held(sieve, 'a'), held(sieve, 'b')]).toEqual([25, 75]);
  });

  test('who is above the quota makes room for itself, and others stay', () => {
    const sieve = createSieve<number>(100, 25);
    for (let i = 0; i < 75; i++) put(sieve, `b${i}`, `b${i % 4}`);
    for (let i = 0; i < 5000; i++) put(sieve, `a${i}`, 'a');
    expect(held(sieve, 'b')).toBe(75);
  });

  test('a full map never takes from who is within the quota while another is above (against a model)', () => {
    const step = fc.record({
      share: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      size: fc.integer({ min: 1, max: 10 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const sieve = createSieve<number>(100, 25);
        const model = new Map<string, { share: string; size: number }>();
        const sumOf = (share: string) =>
          [...model.values()].reduce(
            (sum, each) => sum + (each.share === share ? each.size : 0),
            0,
          );
        for (const [index, { share, size }] of steps.entries()) {
          const key = String(index);
          model.set(key, { share, size });
          sieve.set(key, 1, size, { until: Number.POSITIVE_INFINITY, now: 0, share });
          const gone = [...model].filter(([each]) => sieve.get(each) === undefined);
          const isInnocentGone = gone.some(([, each]) => sumOf(each.share) <= 25);
          for (const [each] of gone) model.delete(each);
          const isAnyOver = ['a', 'b', 'c', 'd', 'e'].some((each) => sumOf(each) > 25);
          expect(isInnocentGone && isAnyOver).toBe(false);
          expect(sieve.bytes).toBeLessThanOrEqual(100);
        }
      }),
    );
  });
});
