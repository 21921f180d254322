import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Apply,
  type Change,
  type Command,
  type Event,
  GREEN_MS,
  type GuardStatus,
  NOTHING_APPLIED,
  type Settled,
  step,
} from './plan.ts';

const LINE = { option: 'system.a.b', value: 'x' };

const change = (part: string, rest: Partial<Change> = {}): Change => ({
  ...{ commit: `commit-${part}`, part, options: ['system.a.b'], changes: [LINE] },
  ...{ kind: 'plain', seconds: 90 },
  ...rest,
});

const NONE = { id: '', outcome: 'none', reason: '' } as const;
const pendingGuard = (id: string): GuardStatus => ({
  pending: { id, secondsLeft: 50 },
  last: NONE,
});
const ended = (
  id: string,
  outcome: GuardStatus['last']['outcome'],
  reason: string,
): GuardStatus => ({ pending: null, last: { id, outcome, reason } });

const wanted = (of: Change, id = '1'): Event => ({ kind: 'wanted', change: of, id });
const ARMED: Event = { kind: 'armed', result: 'armed', lame: [], originals: {} };
const WRITTEN: Event = { kind: 'written' };
const health = (at: number, ...failing: string[]): Event => ({ kind: 'health', at, failing });
const person = (id = '1'): Event => ({ kind: 'person', id, by: 'phone' });
const guardSays = (guard: GuardStatus | undefined): Event => ({ kind: 'guard', guard });
const UNDO: Event = { kind: 'undo', by: 'phone' };

function play(events: readonly Event[], from: Apply = NOTHING_APPLIED) {
  const commands: Command['kind'][] = [];
  let state = from;
  for (const event of events) {
    const next = step(state, event);
    state = next.state;
    commands.push(...next.commands.map(({ kind }) => kind));
  }
  return { state, commands };
}

const plain = change('a');
const risky = change('a', { kind: 'risky', seconds: 300 });
const until = (of: Change) => [wanted(of), ARMED, WRITTEN];

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
    events: [wanted(plain), UNDO, { ...ARMED, result: 'busy' } as Event, wanted(plain, '2')],
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
    events: [wanted(plain), { ...ARMED, result: 'busy' } as Event, wanted(plain, '2')],
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

const takenBack = play([...until(risky), guardSays(ended('1', 'rolled-back', 'deadline'))]).state;

test.each([
  { events: [wanted(risky, '2')], ends: [], why: 'the same is not tried again by itself' },
  { events: [wanted(change('b'), '2')], ends: ['arm'], why: 'another wish is' },
  {
    events: [wanted(risky, '2'), { kind: 'again', id: '3' } as const],
    ends: ['arm'],
    why: 'and the same when a person says so',
  },
])('after it was taken back: $why', ({ events, ends }) => {
  expect(play(events, takenBack).commands).toEqual(ends);
});

test.each([
  {
    guard: ended('1', 'rolled-back', 'power-cut'),
    reason: 'the power went before it was confirmed',
    ends: ['look'],
    why: 'the power was cut',
  },
  { guard: pendingGuard('1'), reason: undefined, ends: ['write'], why: 'only we were restarted' },
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

/** A guard as it is meant to be, a person, and a disk, played beside the machine. */
class World {
  state: Apply = NOTHING_APPLIED;
  armed: string | undefined;
  last: GuardStatus['last'] = NONE;
  queue: Command[] = [];
  at = 0;
  greenFrom: number | undefined;
  said = '';
  confirmations = 0;

  feed(event: Event): void {
    const next = step(this.state, event);
    this.state = next.state;
    this.queue.push(...next.commands);
    // What is still being written would be written after it was taken back.
    const kinds = this.queue.map(({ kind }) => kind);
    expect(kinds.includes('write') && kinds.includes('restore')).toBe(false);
  }

  status(): GuardStatus {
    const pending = this.armed === undefined ? null : { id: this.armed, secondsLeft: 1 };
    return { pending, last: this.last };
  }

  end(outcome: 'confirmed' | 'rolled-back', reason: string): void {
    if (this.armed === undefined) return;
    this.last = { id: this.armed, outcome, reason };
    this.armed = undefined;
  }

  run(command: Command, luck: number): void {
    switch (command.kind) {
      case 'arm': {
        expect([undefined, command.pending.id]).toContain(this.armed);
        if (luck > 0) this.armed = command.pending.id;
        this.greenFrom = undefined;
        const result = this.armed === undefined ? 'no-space' : 'armed';
        this.feed({ kind: 'armed', result, lame: [], originals: {} });
        break;
      }
      case 'write':
        this.feed({ kind: 'written', ...(luck === 1 ? { problem: 'x' } : {}) });
        break;
      case 'confirm': {
        const isOurs = this.armed === command.id;
        if (isOurs) {
          expect(this.at - (this.greenFrom ?? this.at)).toBeGreaterThanOrEqual(GREEN_MS);
          if (this.state.pending?.kind === 'risky') expect(this.said).toBe(command.id);
          this.end('confirmed', 'asked');
          this.confirmations += 1;
        }
        this.feed({ kind: 'confirmed', ok: isOurs });
        break;
      }
      case 'restore': {
        const isOurs = this.armed === command.id;
        if (isOurs) this.end('rolled-back', 'asked');
        this.feed({ kind: 'restored', ok: isOurs });
        break;
      }
      default:
    }
  }

  health(isGreen: boolean): void {
    const isWatched = this.state.pending?.phase === 'watching';
    if (isWatched) this.greenFrom = isGreen ? (this.greenFrom ?? this.at) : undefined;
    this.feed(health(this.at, ...(isGreen ? [] : ['x'])));
  }

  say(): void {
    this.said = this.state.pending?.id ?? '';
    this.feed(person(this.said));
  }

  crash(): void {
    const { wanted: _, ...kept } = this.state;
    this.state = { ...kept, isForced: false };
    this.queue = [];
    this.greenFrom = undefined;
    this.feed({ kind: 'start', guard: this.status() });
  }
}

const RARE = ['red', 'undo', 'poll', 'late', 'crash', 'again'] as const;
const move = fc.record({
  move: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('want', 'say') },
    { weight: 16, arbitrary: fc.constantFrom('run', 'green') },
    { weight: 2, arbitrary: fc.constantFrom(...RARE) },
  ),
  part: fc.constantFrom('a', 'b', 'c'),
  kind: fc.constantFrom('plain', 'risky'),
  luck: fc.integer({ min: 0, max: 9 }),
});

type Move = { move: string; part: string; kind: 'plain' | 'risky'; luck: number };

function act(world: World, { move: next, part, kind, luck }: Move, id: string): void {
  const acts: Readonly<Record<string, () => void>> = {
    want: () => world.feed(wanted(change(part, { kind }), id)),
    again: () => world.feed({ kind: 'again', id }),
    run: () => {
      const command = world.queue.shift();
      if (command !== undefined) world.run(command, luck);
    },
    green: () => world.health(true),
    red: () => world.health(false),
    say: () => world.say(),
    undo: () => world.feed(UNDO),
    poll: () => world.feed(guardSays(world.status())),
    late: () => world.end('rolled-back', 'deadline'),
    crash: () => world.crash(),
  };
  world.at += 6_000;
  acts[next]?.();
}

test('one change at a time, none confirmed without health, every armed one ends', () => {
  let confirmed = 0;
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80, size: 'max' }), (script) => {
      const world = new World();
      for (const [index, each] of script.entries()) act(world, each, String(index));
      const { settled, applied } = world.state;
      if (settled?.outcome === 'confirmed') expect(applied?.part).toBe(settled.part);
      confirmed += world.confirmations;
      world.end('rolled-back', 'deadline');
      world.crash();
      expect(world.state.pending).toBeUndefined();
    }),
    { numRuns: 500 },
  );
  expect(confirmed).toBeGreaterThan(0);
});
