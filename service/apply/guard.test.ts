import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { createGuard, parseGuardStatus } from './guard.ts';
import { parseJournal, printJournal } from './journal.ts';
import { type Apply, type Change, NOTHING_APPLIED, step } from './plan.ts';

type Answer = { readonly exitCode: number; readonly stdout?: string } | 'not-found';

const guardThat = (answer: Answer) =>
  createGuard(fakeRuntime({ exec: { '/guard': answer } }).exec, '/guard');

test.each([
  { answer: { exitCode: 0 }, result: 'armed', why: 'the files are kept' },
  { answer: { exitCode: 3 }, result: 'busy', why: 'another change is pending' },
  { answer: { exitCode: 4 }, result: 'no-space', why: 'the flash is full' },
  { answer: { exitCode: 5 }, result: 'failed', why: 'it did not understand' },
  { answer: { exitCode: 1 }, result: 'failed', why: 'it failed' },
  { answer: 'not-found', result: 'failed', why: 'it is gone' },
] as const)('arming: $why', async ({ answer, result }) => {
  expect(await guardThat(answer).arm('id', 90, ['/etc/config/network'])).toBe(result);
});

const LAST = { id: 'a', outcome: 'rolled-back', reason: 'deadline' } as const;

test.each([
  {
    text: '{"pending":{"id":"b","secondsLeft":12,"files":["/etc/config/network"]},"last":{"id":"a","outcome":"rolled-back","reason":"deadline","at":7}}\n',
    status: { pending: { id: 'b', secondsLeft: 12 }, last: LAST },
    why: 'pending, and what was before',
  },
  {
    text: '{"pending":null,"last":{"id":"","outcome":"none","reason":"","at":0}}',
    status: { pending: null, last: { id: '', outcome: 'none', reason: '' } },
    why: 'a new router',
  },
  { text: '{"pending":null}', status: undefined, why: 'half of it' },
  { text: 'nymote-guard: no', status: undefined, why: 'words' },
  { text: '', status: undefined, why: 'nothing' },
])('status: $why', ({ text, status }) => {
  if (status === undefined) expect(parseGuardStatus(text)).toBeUndefined();
  else expect(parseGuardStatus(text)).toMatchObject(status);
});

test('a guard that cannot be asked says nothing', async () => {
  expect(await guardThat({ exitCode: 1, stdout: '{}' }).status()).toBeUndefined();
  expect(await guardThat('not-found').confirm('a')).toBe(false);
});

const CHANGE: Change = {
  ...{ commit: 'c', part: 'p', options: ['network.lan.dns'] },
  ...{ kind: 'risky', seconds: 300 },
  changes: [
    { option: 'network.lan.dns', value: ['1', '2'] },
    { option: 'network.lan.mtu', value: undefined },
  ],
};

test('what is written is read again', () => {
  const pending = step(NOTHING_APPLIED, { kind: 'wanted', change: CHANGE, id: 'x' }).state;
  const { wanted: _, ...kept } = pending;
  const done: Apply = {
    originals: { 'network.lan.dns': null, 'network.lan.mtu': '1400' },
    applied: { commit: 'c', part: 'p' },
    settled: { commit: 'c', part: 'p', outcome: 'failed', reason: 'x', id: 'y' },
    isForced: false,
  };
  const back: Apply = {
    ...done,
    settled: {
      ...{ commit: 'c', part: 'p', outcome: 'rolled-back', reason: 'x', id: 'y' },
      refused: CHANGE.changes,
    },
  };
  for (const state of [NOTHING_APPLIED, kept, done, back]) {
    expect(parseJournal(printJournal(state))).toEqual(state);
  }
});

test('a damaged journal is none', () => {
  const text = printJournal(NOTHING_APPLIED);
  fc.assert(
    fc.property(fc.nat(text.length), fc.string(), (at, noise) => {
      const parsed = parseJournal(text.slice(0, at) + noise);
      expect(parsed === undefined || parsed.pending === undefined).toBe(true);
    }),
  );
});
