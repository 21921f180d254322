/** Events of the machine of a change, as tests say them. */

import {
  type Apply,
  type Change,
  type Command,
  type Event,
  type GuardStatus,
  NOTHING_APPLIED,
  step,
} from './plan.ts';

export const LINE = { option: 'system.a.b', value: 'x' };

export const change = (part: string, rest: Partial<Change> = {}): Change => ({
  ...{ commit: `commit-${part}`, part, options: ['system.a.b'], changes: [LINE] },
  ...{ kind: 'plain', seconds: 90 },
  ...rest,
});

export const NONE = { id: '', outcome: 'none', reason: '' } as const;
export const pendingGuard = (id: string): GuardStatus => ({
  pending: { id, secondsLeft: 50 },
  last: NONE,
});
export const ended = (
  id: string,
  outcome: GuardStatus['last']['outcome'],
  reason: string,
): GuardStatus => ({ pending: null, last: { id, outcome, reason } });

export const wanted = (of: Change, id = '1'): Event => ({ kind: 'wanted', change: of, id });
export const ARMED: Event = { kind: 'armed', result: 'armed', lame: [], originals: {} };
export const BUSY: Event = { kind: 'armed', result: 'busy', lame: [], originals: {} };
export const WRITTEN: Event = { kind: 'written' };
export const health = (at: number, ...failing: string[]): Event => ({
  kind: 'health',
  at,
  failing,
});
export const person = (id = '1'): Event => ({ kind: 'person', id, by: 'phone' });
export const guardSays = (guard: GuardStatus | undefined): Event => ({ kind: 'guard', guard });
export const RESTORED: Event = { kind: 'restored', ok: true };
export const AGAIN: Event = { kind: 'again', id: '3' };
export const UNDO: Event = { kind: 'undo', by: 'phone' };

export function play(events: readonly Event[], from: Apply = NOTHING_APPLIED) {
  const commands: Command['kind'][] = [];
  let state = from;
  for (const event of events) {
    const next = step(state, event);
    state = next.state;
    commands.push(...next.commands.map(({ kind }) => kind));
  }
  return { state, commands };
}

/** One that health alone confirms, and one that a person has to. */
export const plain = change('a');
export const risky = change('a', { kind: 'risky', seconds: 300 });
/** All that happens until it is written. */
export const until = (of: Change): readonly Event[] => [wanted(of), ARMED, WRITTEN];
