/** What is not being tried: what it waits for, and what gets it tried again. */

import { expect, test } from 'vitest';
import {
  AGAIN,
  ARMED,
  BUSY,
  change,
  ended,
  guardSays,
  LINE,
  plain,
  play,
  RESTORED,
  risky,
  UNDO,
  until,
  WRITTEN,
  wanted,
} from './plan.fixture.ts';
import type { Event } from './plan.ts';
import { type Wait, waitOf } from './wait.ts';

test.each([
  { events: [wanted(plain)], waits: undefined, why: 'it is being tried' },
  {
    events: [...until(plain), wanted(change('b'), '2')],
    waits: { kind: 'newer' },
    why: 'another one is being tried',
  },
  {
    events: [wanted(plain), BUSY],
    waits: { kind: 'busy' },
    why: "somebody else's is on trial",
  },
  {
    events: [wanted(plain), BUSY, wanted(plain, '2'), ARMED],
    waits: undefined,
    why: "somebody else's is over",
  },
  {
    events: [wanted(change('a', { waitsFor: 'router' }))],
    waits: { kind: 'first', device: 'router' },
    why: 'another device tries it first',
  },
  {
    events: [...until(risky), guardSays(ended('1', 'rolled-back', 'deadline')), wanted(risky, '2')],
    waits: { kind: 'refused', options: ['system.a.b'] },
    why: 'it was taken back: a person decides',
  },
  {
    events: [
      ...until(risky),
      guardSays(ended('1', 'rolled-back', 'deadline')),
      wanted(change('b', { changes: [LINE, { option: 'system.a.c', value: 'z' }] }), '2'),
    ],
    waits: { kind: 'refused', options: ['system.a.b'] },
    why: 'what was taken back is still in it',
  },
  {
    events: [
      ...until(risky),
      guardSays(ended('1', 'rolled-back', 'deadline')),
      ...[wanted(risky, '2'), AGAIN, BUSY],
    ],
    waits: { kind: 'busy' },
    why: "it is tried again, after somebody else's",
  },
  {
    events: [
      ...until(risky),
      guardSays(ended('1', 'rolled-back', 'deadline')),
      ...[wanted({ ...risky, waitsFor: 'router' }, '2'), AGAIN],
    ],
    waits: { kind: 'first', device: 'router' },
    why: 'it is tried again, after another device',
  },
  {
    events: [wanted(change('a', { changes: [], waitsFor: 'router' }))],
    waits: undefined,
    why: 'it is so already',
  },
] satisfies readonly { events: readonly Event[]; waits: Wait | undefined; why: string }[])(
  'what the newest wish waits for: $why',
  ({ events, waits }) => {
    expect(waitOf(play(events).state)).toEqual(waits);
  },
);

const OTHER = change('b', { changes: [{ option: 'system.a.c', value: 'z' }] });
const takenBack = play([...until(risky), guardSays(ended('1', 'rolled-back', 'deadline'))]).state;

test.each([
  { events: [wanted(risky, '2')], ends: [], why: 'the same is not tried again by itself' },
  { events: [wanted(OTHER, '2')], ends: ['arm'], why: 'another wish is' },
  {
    events: [wanted(change('b', { changes: [LINE, ...OTHER.changes] }), '2')],
    ends: [],
    why: 'another wish that has the same in it is not',
  },
  {
    events: [wanted(change('b', { changes: [{ ...LINE, value: 'y' }] }), '2')],
    ends: ['arm'],
    why: 'the same option with another value is',
  },
  {
    events: [wanted(change('b', { changes: [LINE, ...OTHER.changes] }), '2'), AGAIN],
    ends: ['arm'],
    why: 'and all of it when a person says so',
  },
  {
    events: [wanted(risky, '2'), AGAIN],
    ends: ['arm'],
    why: 'and the same when a person says so',
  },
  {
    events: [wanted(risky, '2'), AGAIN, BUSY, wanted(risky, '4')],
    ends: ['arm', 'arm'],
    why: "and a person's word outlives somebody else's change",
  },
  {
    events: [wanted(risky, '2'), AGAIN, ARMED, UNDO, WRITTEN, RESTORED, wanted(risky, '4')],
    ends: ['arm', 'write', 'restore', 'look'],
    why: 'but not its own end',
  },
])('after it was taken back: $why', ({ events, ends }) => {
  expect(play(events, takenBack).commands).toEqual(ends);
});
