/**
 * The properties of the merge, held against a merge that is wrong in one decision: whoever changes
 * a property may not let one of these live. Convergence alone lets several.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareDots } from './merged.ts';
import { convergence, intent, type Variant } from './properties.fixture.ts';

/** Enough for the most stubborn of them. */
const RUNS = 2000;

const MUTANTS: readonly { readonly why: string; readonly variant: Variant }[] = [
  {
    why: 'an entry of the newest commit seen counts as unseen',
    variant: { covers: (vector, { device, seq }) => (vector.get(device) ?? 0) > seq },
  },
  {
    why: 'everything counts as seen',
    variant: { covers: () => true },
  },
  {
    why: 'what others wrote at the same time is dropped',
    variant: { survives: (isInOther) => isInOther },
  },
  { why: 'removals are ignored', variant: { survives: () => true } },
  {
    why: 'adding loses against removing',
    variant: {
      survives: (isInOther, isCovered, kind) => isInOther || (!isCovered && kind !== 'member'),
    },
  },
  {
    why: 'moves at the same time are dropped',
    variant: {
      survives: (isInOther, isCovered, kind) => isInOther || (!isCovered && kind !== 'place'),
    },
  },
  { why: 'the vector forgets', variant: { joinSeq: Math.min } },
  { why: 'the mildest revocation wins', variant: { joinLastSeq: Math.max } },
  {
    why: 'deleting beats editing',
    variant: { isAlive: ({ alive, gone }) => alive.length > 0 && gone.length === 0 },
  },
  { why: 'a deleted record comes back with its old fields', variant: { beginsAnew: false } },
  { why: 'a write adds to what it has seen', variant: { replaces: () => false } },
  { why: 'a grow-only set can be emptied', variant: { replaces: () => true } },
  {
    why: 'a counter is the largest of its steps',
    variant: { sum: (counts) => Math.max(...counts) },
  },
  {
    why: 'the newest number wins, not the lowest device',
    variant: { prefer: (a, b) => b.seq - a.seq || compareDots(a, b) },
  },
  { why: 'the highest device wins', variant: { prefer: (a, b) => compareDots(b, a) } },
  { why: 'an item moved twice is there twice', variant: { placesOf: (places) => [...places] } },
  {
    why: 'an item stands where it was moved by the highest device',
    variant: {
      placesOf: (places) => places.toSorted((a, b) => compareDots(b.dot, a.dot)).slice(0, 1),
    },
  },
  { why: 'conflicts are not told', variant: { isConflict: () => false } },
];

test.each(MUTANTS)('is caught: $why', ({ variant }) => {
  const asked = { numRuns: RUNS, endOnFailure: true };
  const isKilled =
    fc.check(intent(variant), asked).failed || fc.check(convergence(variant), asked).failed;
  expect(isKilled).toBe(true);
});
