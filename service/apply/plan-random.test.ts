/** Any order of events: what must hold of the machine whatever happens. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { change, guardSays, health, NONE, person, UNDO, wanted } from './plan.fixture.ts';
import {
  type Apply,
  type Command,
  type Event,
  GREEN_MS,
  type GuardStatus,
  NOTHING_APPLIED,
  step,
} from './plan.ts';

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
