import { expect, test } from 'vitest';
import {
  ARMED,
  BUSY,
  change,
  ended,
  guardSays,
  health,
  LINE,
  NONE,
  pendingGuard,
  person,
  plain,
  play,
  risky,
  UNDO,
  until,
  WRITTEN,
  wanted,
} from './plan.fixture.ts';
import { type Command, type Event, GREEN_MS, type Settled } from './plan.ts';

test.each([
  {
    events: [
      ...until(plain),
      health(0),
      health(GREEN_MS),
      { kind: 'confirmed', ok: true } as const,
    ],
    ends: ['arm', 'write', 'confirm', 'look'],
    outcome: 'confirmed',
    why: 'green long enough confirms a plain change',
  },
  {
    events: [...until(plain), health(0), health(GREEN_MS - 1)],
    ends: ['arm', 'write'],
    outcome: undefined,
    why: 'green for a moment does not',
  },
  {
    events: [...until(plain), health(0), health(5_000, 'LAN address'), health(GREEN_MS)],
    ends: ['arm', 'write'],
    outcome: undefined,
    why: 'red in between begins anew',
  },
  {
    events: [...until(risky), health(0), health(10 * GREEN_MS)],
    ends: ['arm', 'write'],
    outcome: undefined,
    why: 'a risky change needs a person',
  },
  {
    events: [...until(risky), person(), health(0), health(GREEN_MS)],
    ends: ['arm', 'write', 'confirm'],
    outcome: undefined,
    why: 'and with one is confirmed, whoever was first',
  },
  {
    events: [...until(risky), person('other'), health(0), health(GREEN_MS)],
    ends: ['arm', 'write'],
    outcome: undefined,
    why: 'a word on another change does not count',
  },
  {
    events: [
      ...until(risky),
      person(),
      health(0, 'default route'),
      health(GREEN_MS, 'default route'),
    ],
    ends: ['arm', 'write'],
    outcome: undefined,
    why: 'nor does a person instead of health',
  },
  {
    events: [
      wanted(plain),
      { ...ARMED, lame: ['internet'] } as Event,
      WRITTEN,
      health(0, 'internet'),
      health(GREEN_MS, 'internet'),
    ],
    ends: ['arm', 'write', 'confirm'],
    outcome: undefined,
    why: 'what failed before is not held against it',
  },
  {
    events: [
      wanted(plain),
      ARMED,
      { kind: 'written', problem: 'no section' } as const,
      { kind: 'restored', ok: true } as const,
    ],
    ends: ['arm', 'write', 'restore', 'look'],
    outcome: 'rolled-back',
    why: 'what cannot be written is taken back',
  },
  {
    events: [...until(risky), guardSays(ended('1', 'rolled-back', 'deadline'))],
    ends: ['arm', 'write', 'look'],
    outcome: 'rolled-back',
    why: 'the deadline passed',
  },
  {
    events: [
      ...until(risky),
      guardSays({ pending: { id: '1', secondsLeft: 0 }, last: NONE }),
      { kind: 'restored', ok: true } as const,
    ],
    ends: ['arm', 'write', 'restore', 'look'],
    outcome: 'rolled-back',
    why: 'the deadline passed and nobody watches',
  },
  {
    events: [
      ...[...until(plain), UNDO, { kind: 'restored', ok: false } as const],
      guardSays({ pending: { id: '1', secondsLeft: 30 }, last: NONE }),
      guardSays({ pending: { id: '1', secondsLeft: 0 }, last: NONE }),
      { kind: 'restored', ok: true } as const,
    ],
    ends: ['arm', 'write', 'restore', 'restore', 'look'],
    outcome: 'rolled-back',
    why: 'what could not be put back is tried again, at the deadline at the latest',
  },
  {
    events: [...until(plain), UNDO, { kind: 'restored', ok: true } as const],
    ends: ['arm', 'write', 'restore', 'look'],
    outcome: 'rolled-back',
    why: 'a person took it back',
  },
  {
    events: [wanted(plain), UNDO, ARMED, { kind: 'restored', ok: true } as const],
    ends: ['arm', 'restore', 'look'],
    outcome: 'rolled-back',
    why: 'a person took it back before anything was written',
  },
  {
    events: [wanted(plain), UNDO, BUSY, wanted(plain, '2')],
    ends: ['arm', 'look'],
    outcome: 'rolled-back',
    why: 'a person took back what could not even begin',
  },
  {
    events: [wanted(plain), ARMED, UNDO],
    ends: ['arm', 'write'],
    outcome: undefined,
    why: 'what is being written is not taken back at the same time',
  },
  {
    events: [wanted(plain), ARMED, UNDO, WRITTEN, { kind: 'restored', ok: true } as const],
    ends: ['arm', 'write', 'restore', 'look'],
    outcome: 'rolled-back',
    why: 'but when it is written',
  },
  {
    events: [
      ...until(plain),
      health(0),
      health(GREEN_MS),
      UNDO,
      { kind: 'confirmed', ok: true } as const,
    ],
    ends: ['arm', 'write', 'confirm', 'look'],
    outcome: 'confirmed',
    why: 'a person was too late',
  },
  {
    events: [
      ...until(plain),
      health(0),
      health(GREEN_MS),
      UNDO,
      { kind: 'confirmed', ok: false } as const,
    ],
    ends: ['arm', 'write', 'confirm', 'restore'],
    outcome: undefined,
    why: 'a person, and the guard did not confirm',
  },
  {
    events: [wanted(plain), ARMED, guardSays(ended('1', 'rolled-back', 'deadline'))],
    ends: ['arm', 'write'],
    outcome: undefined,
    why: 'the deadline passed while it is being written: nothing else begins meanwhile',
  },
  {
    events: [
      ...until(plain),
      health(0),
      health(GREEN_MS),
      { kind: 'confirmed', ok: false } as const,
      guardSays(ended('1', 'rolled-back', 'deadline')),
    ],
    ends: ['arm', 'write', 'confirm', 'look'],
    outcome: 'rolled-back',
    why: 'the guard was faster than our confirmation',
  },
  {
    events: [...until(plain), guardSays(undefined), guardSays(pendingGuard('1'))],
    ends: ['arm', 'write'],
    outcome: undefined,
    why: 'a guard that says nothing new changes nothing',
  },
  {
    events: [...until(plain), guardSays(ended('other', 'confirmed', 'asked'))],
    ends: ['arm', 'write', 'look'],
    outcome: 'failed',
    why: 'a guard that lost it is said to have',
  },
  {
    events: [wanted(plain), { ...ARMED, result: 'no-space' } as Event],
    ends: ['arm', 'look'],
    outcome: 'failed',
    why: 'without space for the old files nothing is touched',
  },
  {
    events: [wanted(plain), BUSY, wanted(plain, '2')],
    ends: ['arm', 'arm'],
    outcome: undefined,
    why: "somebody else's change is waited for",
  },
  {
    events: [wanted(change('a', { waitsFor: 'router' }))],
    ends: [],
    outcome: undefined,
    why: 'another device tries it first',
  },
  {
    events: [wanted(change('a', { changes: [] }))],
    ends: [],
    outcome: 'confirmed',
    why: 'nothing to write is in force already',
  },
  {
    events: [wanted(change('a', { changes: [], options: [] }))],
    ends: [],
    outcome: undefined,
    why: 'without options there is nothing to say',
  },
] satisfies readonly {
  events: readonly Event[];
  ends: readonly Command['kind'][];
  outcome: Settled['outcome'] | undefined;
  why: string;
}[])('$why', ({ events, ends, outcome }) => {
  const { state, commands } = play(events);
  expect(commands).toEqual(ends);
  expect(state.settled?.outcome).toBe(outcome);
});

test('what is adopted is not given back, also while something else is pending', () => {
  const kept = { 'system.a.b': 'old', 'system.a.c': 'old' };
  const { state } = play([
    wanted(plain),
    { ...ARMED, originals: kept } as Event,
    { kind: 'adopted', options: ['system.a.b'] },
  ]);
  expect(state.pending?.originals).toEqual({ 'system.a.c': 'old' });
  const after = play([{ kind: 'adopted', options: ['system.a.b'] }], {
    ...{ originals: kept, isForced: false },
  });
  expect(after.state.originals).toEqual({ 'system.a.c': 'old' });
});

test.each([
  { result: 'no-space', says: 'its disk is full, or can only be read' },
  { result: 'failed', says: 'nymote has to be root' },
] as const)('why nothing was begun is said: $result', ({ result, says }) => {
  const { state } = play([wanted(plain), { kind: 'armed', result, lame: [], originals: {} }]);
  expect(state.settled).toMatchObject({ outcome: 'failed', reason: expect.stringContaining(says) });
});

test('what comes meanwhile waits, and the newest follows', () => {
  const { state } = play([...until(plain), wanted(change('b'), '2'), wanted(change('c'), '3')]);
  expect(state.pending?.part).toBe('a');
  const next = play(
    [health(0), health(GREEN_MS), { kind: 'confirmed', ok: true }, wanted(change('c'), '4')],
    state,
  );
  expect(next.state.pending?.part).toBe('c');
});

test('what an option was before is kept until the head lets it go', () => {
  const begun: Event[] = [
    wanted(plain),
    { ...ARMED, originals: { 'system.a.b': 'old' } } as Event,
    WRITTEN,
    health(0),
    health(GREEN_MS),
    { kind: 'confirmed', ok: true },
  ];
  const { state } = play(begun);
  expect(state.originals).toEqual({ 'system.a.b': 'old' });
  const gone = change('b', { options: [], changes: [LINE] });
  const after = play([wanted(gone, '2'), ...begun.slice(1)], state).state;
  expect(after.originals).toEqual({});
});
