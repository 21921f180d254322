import { expect, test } from 'vitest';
import { BOUNDS, createTally } from './tally.ts';

test('nothing happened, nothing is told', () => {
  const { answers, recursion } = createTally().view();
  expect(answers).toEqual([]);
  expect(recursion).toEqual({ upTo: BOUNDS.map(() => 0), seconds: 0, count: 0 });
});

test('answers by transport, origin and response code', () => {
  const tally = createTally();
  tally.count('udp', 'cache', 0, 0.1);
  tally.count('udp', 'cache', 0, 0.1);
  tally.count('doh', 'policy', 5, 0.1);
  tally.count('tcp', 'local', 4000, 0.1);
  expect(tally.view().answers).toEqual([
    { transport: 'udp', from: 'cache', rcode: 'NOERROR', count: 2 },
    { transport: 'tcp', from: 'local', rcode: 'other', count: 1 },
    { transport: 'doh', from: 'policy', rcode: 'REFUSED', count: 1 },
  ]);
});

test.each([
  { milliseconds: 0, upTo: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], why: 'no time at all' },
  { milliseconds: 100, upTo: [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1], why: 'a bound is included' },
  { milliseconds: 101, upTo: [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], why: 'above it' },
  { milliseconds: 60_000, upTo: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], why: 'above all' },
])('$milliseconds ms: $why', ({ milliseconds, upTo }) => {
  const tally = createTally();
  tally.count('udp', 'cache', 0, milliseconds);
  tally.count('udp', 'recursion', 0, milliseconds);
  const { recursion } = tally.view();
  expect(recursion).toEqual({ upTo, seconds: milliseconds / 1000, count: 1 });
});
