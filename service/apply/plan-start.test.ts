/** What became of a change while we were away. */

import { expect, test } from 'vitest';
import {
  ARMED,
  ended,
  guardSays,
  NONE,
  pendingGuard,
  plain,
  play,
  risky,
  UNDO,
  until,
  wanted,
} from './plan.fixture.ts';
import type { Event, GuardStatus } from './plan.ts';

test.each([
  {
    guard: ended('1', 'rolled-back', 'power-cut'),
    reason: 'the power went before it was confirmed',
    ends: ['look'],
    why: 'the power was cut',
  },
  { guard: pendingGuard('1'), reason: undefined, ends: ['write'], why: 'only we were restarted' },
  {
    guard: { pending: { id: '1', secondsLeft: 0 }, last: NONE },
    reason: undefined,
    ends: ['restore'],
    why: 'the guard could not put it back before us',
  },
  {
    guard: ended('0', 'confirmed', 'asked'),
    reason: expect.stringContaining('does not know'),
    ends: ['look'],
    why: 'the guard lost it',
  },
])('a start in the middle: $why', ({ guard, reason, ends }) => {
  const { state, commands } = play([{ kind: 'start', guard }], play(until(risky)).state);
  expect(commands).toEqual(ends);
  expect(state.settled?.reason).toEqual(reason);
});

test('why a change was taken back before us the guard knows', () => {
  const late: GuardStatus = { pending: { id: '1', secondsLeft: 0 }, last: NONE };
  const { state } = play(
    [
      { kind: 'start', guard: late },
      { kind: 'restored', ok: true },
      guardSays(ended('1', 'rolled-back', 'power-cut')),
    ],
    play(until(risky)).state,
  );
  expect(state.settled?.reason).toBe('the power went before it was confirmed');
});

test('a guard that cannot be asked at the start is asked again', () => {
  const { state, commands } = play([{ kind: 'start', guard: undefined }], play(until(risky)).state);
  expect(commands).toEqual([]);
  const later = play([guardSays(ended('1', 'rolled-back', 'power-cut'))], state);
  expect(later.state.settled?.outcome).toBe('rolled-back');
});

test('a start before the guard was asked begins anew', () => {
  const armed = play([wanted(plain)]).state;
  const { state, commands } = play([{ kind: 'start', guard: ended('', 'none', '') }], armed);
  expect(state.pending).toBeUndefined();
  expect(commands).toEqual(['look']);
});

test.each([
  {
    events: [wanted(plain)],
    ends: ['arm'],
    why: 'it was armed, and what options were before is not known yet',
  },
  { events: [wanted(plain), ARMED, UNDO], ends: ['restore'], why: 'a person had taken it back' },
])('only we were restarted: $why', ({ events, ends }) => {
  const restart: Event = { kind: 'start', guard: pendingGuard('1') };
  expect(play([restart], play(events).state).commands).toEqual(ends);
});
