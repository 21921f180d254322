import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSieve } from './sieve.ts';

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

const action = fc.record({
  isSet: fc.boolean(),
  key: fc.nat(12).map(String),
  size: fc.nat(40),
});

test('never above its limit, never wrong, counts right (against a Map)', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const limit = 100;
      const sieve = createSieve<number>(limit);
      const model = new Map<string, { value: number; size: number }>();
      for (const [value, { isSet, key, size }] of actions.entries()) {
        if (isSet) {
          sieve.set(key, value, size);
          model.set(key, { value, size });
        } else sieve.get(key);
        const held = [...model].filter(([key]) => sieve.get(key) !== undefined);
        for (const [key, { value }] of held) expect(sieve.get(key)).toBe(value);
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
