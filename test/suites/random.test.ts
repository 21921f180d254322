/** The machine's randomness, which is handed out from blocks: as much as was asked for, and once. */

import { expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';

const { random } = nodeRuntime({ log: () => undefined });

test.each([0, 1, 2, 15, 16, 17, 32, 5_000])('%d octets', (length) => {
  expect(random(length)).toHaveLength(length);
});

test.each([8, 16, 17])('%d octets never come twice, over many blocks', (length) => {
  const drawn = new Set(Array.from({ length: 2_000 }, () => random(length).join()));
  expect(drawn.size).toBe(2_000);
});

test('every octet comes about as often', () => {
  const counts = new Uint32Array(256);
  for (let draw = 0; draw < 20_000; draw++)
    for (const octet of random(13)) counts[octet] = (counts[octet] ?? 0) + 1;
  // 1016 on average, with a deviation of 32.
  expect(Math.min(...counts)).toBeGreaterThan(780);
  expect(Math.max(...counts)).toBeLessThan(1_250);
});
