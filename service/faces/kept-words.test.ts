import { expect, test } from 'vitest';
import { rangeOf } from '../cli/history.ts';
import { sayKeep, sayKept, sayPruned, warnOfHistory } from './kept-words.ts';

const DAY = 86_400;
const kept = {
  commits: 418,
  since: 20_000 * DAY,
  isPruned: true,
  devices: [],
};
const keep = { days: 180, commits: 400, megabytes: 8 };
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
    "'desk' has not been heard of for 40 days: after 140 more `nymote history prune` goes on without it, and it may have to join again.",
    'away',
  ],
  [
    { ...kept, devices: [device(200)] },
    "'desk' has not been heard of for 200 days: `nymote history prune` goes on without it, and it may have to join again; by itself nothing is dropped before it comes back or is removed.",
    'gone',
  ],
])('%o says %s (%s)', (retention, sentence, _why) => {
  expect(sayKept(retention, keep, 0)).toContain(sentence);
});

test('who was here lately, or has never said a date, needs no sentence', () => {
  const devices = [device(3), device(undefined)];
  expect(sayKept({ ...kept, devices }, keep, 0)).toHaveLength(2);
});

test.each([
  {
    keep,
    words:
      'The history takes 3.0 MB. From 8 MB on what is old is dropped, as soon as all your devices know of it. What is younger than 180 days, and the last 400 changes, always stay.',
    why: 'by itself',
  },
  {
    keep: { days: 30, commits: 50 },
    words:
      'The history takes 3.0 MB. Nothing is dropped by itself. What is younger than 30 days, and the last 50 changes, always stay.',
    why: 'switched off',
  },
])('how much is kept: $why', ({ keep: wanted, words }) => {
  expect(sayKeep(wanted, 3 << 20)).toBe(words);
  expect(sayKeep(wanted, 900)).toContain('takes less than 0.1 MB');
});

test.each([
  { megabytes: 9, kind: 'not-founder', words: undefined, why: 'not much more than it is to' },
  { megabytes: 17, kind: undefined, words: undefined, why: 'nobody has looked yet' },
  {
    megabytes: 17,
    kind: 'no-backup',
    words:
      'The history takes 17 MB. Nothing is dropped now: the last backup is old or failed, see `nymote doctor`.',
    why: 'a flash fills up',
  },
] as const)('a warning: $why', ({ megabytes, kind, words }) => {
  const obstacle = () => (kind === undefined ? undefined : { kind });
  const pruning = { keep: () => keep, isBig: () => true, obstacle };
  expect(warnOfHistory(pruning, megabytes << 20)).toEqual(words === undefined ? [] : [words]);
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
