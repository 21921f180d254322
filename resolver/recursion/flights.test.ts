import { expect, test } from 'vitest';
import { createFlights } from './flights.ts';

test('who wants the same waits for the same, and what is done is forgotten', async () => {
  const flights = createFlights<number>();
  const { promise, resolve } = Promise.withResolvers<number>();
  const started = flights.start('a', () => promise);
  expect([flights.find('a') === started, flights.find('b'), flights.size]).toEqual([
    true,
    undefined,
    1,
  ]);
  resolve(7);
  expect(await started).toBe(7);
  expect([flights.find('a'), flights.size]).toEqual([undefined, 0]);
});

test('so is what failed', async () => {
  const flights = createFlights<number>();
  const started = flights.start('a', () => Promise.reject(new Error('lost')));
  await expect(started).rejects.toThrow('lost');
  expect(flights.size).toBe(0);
});
