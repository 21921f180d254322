import fc from 'fast-check';
import { describe, test } from 'vitest';
import { convergence, intent, RUNS } from './properties.fixture.ts';

describe('any history of any devices', () => {
  test('ends in one state, however it travelled (I4, I5)', () => {
    fc.assert(convergence(), { numRuns: RUNS });
  });

  test('means what an independent reading of it says', () => {
    fc.assert(intent(), { numRuns: RUNS });
  });
});
