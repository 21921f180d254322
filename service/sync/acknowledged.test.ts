import { expect, test } from 'vitest';
import { manualClock } from '#runtime/fake';
import type { Vector } from '#storage';
import { createAcknowledgements } from './acknowledged.ts';

const store = { holds: (id: string) => id.startsWith('held') };

test.each<{ held: Vector; numbers: object | undefined; why: string }>([
  { held: { a: [[3, 'held3']] }, numbers: { a: 3 }, why: 'what is held here as well' },
  { held: { a: [[3, '']] }, numbers: { a: 3 }, why: 'of what was dropped there, its number' },
  { held: { a: [[0, 'x']] }, numbers: { a: 0 }, why: 'nothing is nothing' },
  {
    held: { a: [[3, 'held3']], b: [[2, 'another']] },
    numbers: undefined,
    why: 'nothing of who has another commit under a number',
  },
])('$held is taken as $numbers: $why', async ({ held, numbers }) => {
  const clock = manualClock();
  const { note, all } = createAcknowledgements(clock, store);
  note('desk', held);
  expect(all()).toEqual(numbers === undefined ? {} : { desk: numbers });
  await clock.advance(86_400_001);
  expect(all()).toEqual({});
});
