import fc from 'fast-check';
import { expect, test } from 'vitest';
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
