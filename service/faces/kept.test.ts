import { expect, test } from 'vitest';
import { rangeOf } from '../cli/history.ts';
import { sayKept, sayPruned } from './kept.ts';

const DAY = 86_400;
const kept = {
  commits: 418,
  since: 20_000 * DAY,
  isPruned: true,
  horizon: { days: 180, commits: 400 },
  devices: [],
};
const device = (silentDays: number | undefined) => ({ device: 'd', name: 'desk', silentDays });

test.each([
  [{ ...kept }, '418 changes are kept, since 2024-10-04; older ones were dropped.', 'dropped'],
  [
    { ...kept, commits: 1, isPruned: false },
    '1 change is kept, since 2024-10-04; none were dropped.',
    'all',
  ],
  [
    { ...kept, devices: [device(40)] },
    "'desk' has not been heard of for 40 days: after 140 more it may have to join again.",
    'away',
  ],
  [
    { ...kept, devices: [device(200)] },
    "'desk' has not been heard of for 200 days: it is not waited for any more, and may have to join again.",
    'gone',
  ],
])('%o says %s (%s)', (retention, sentence, _why) => {
  expect(sayKept(retention)).toContain(sentence);
});

test('who was here lately, or has never said a date, needs no sentence', () => {
  expect(sayKept({ ...kept, devices: [device(3), device(undefined)] })).toHaveLength(2);
});

test.each([
  [
    { dropped: 0, waitingFor: ['desk'] },
    'Nothing was dropped: desk must hear of it first; do this again then.',
    'waits',
  ],
  [
    { dropped: 0, waitingFor: [], reason: 'young' },
    'Nothing was dropped: all of it is young enough to be kept.',
    'young',
  ],
  [
    { dropped: 1, waitingFor: [] },
    '1 change was dropped. Backups made before, and devices that stay away, still have them.',
    'done',
  ],
] as const)('%o says %s (%s)', (pruned, sentence, _why) => {
  expect(sayPruned(pruned)).toBe(sentence);
});

test.each([
  ['abc', { to: 'abc' }, 'one'],
  ['abc..def', { after: 'abc', to: 'def' }, 'a range as git writes it'],
])('%s means %o: %s', (text, range, _why) => {
  expect(rangeOf(text)).toEqual(range);
});
