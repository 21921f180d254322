/**
 * Apply, confirm, or go back: the machine that decides. Pure; engine.ts carries out what it says.
 *
 *             wanted                armed              written
 *     idle ──────────► arming ─────────────► writing ──────────► watching
 *      ▲                 │ no space, …          │ failed            │ green, and a person where asked
 *      │                 ▼                      ▼                   ▼
 *      │◄──────────── failed          restoring ◄── undo ──  confirming
 *      │                                  │                         │
 *      │◄── rolled back ──────────────────┴── the guard was faster ─┤
 *      │◄── confirmed ──────────────────────────────────────────────┘
 *
 * One change is pending at most; what the head says meanwhile waits, and the newest wins. The guard
 * (a program of its own, /usr/libexec/nymote-guard) holds the deadline: whatever happens to us, an
 * armed change ends confirmed or restored. What was taken back is not tried again, neither alone nor
 * with more, until the head takes something out of it or a person says so (RFC 6241 §8.4 for the
 * rollback).
 */

import type { ChangeKind, OptionLine, UciValue } from './option.ts';
import { refusedIn } from './wait.ts';

/** What the head asks of this device. */
export type Change = {
  /** The newest on options when it was first seen. */
  readonly commit: string;
  /** Digest of this device's options: the same part is the same change, whatever else moves. */
  readonly part: string;
  readonly options: readonly string[];
  /** What differs on the system; nothing: it is so already. */
  readonly changes: readonly OptionLine[];
  readonly kind: ChangeKind;
  readonly seconds: number;
  /** The device whose confirmation is waited for. */
  readonly waitsFor?: string;
};

/** What options were before us; null: they were not there. */
export type Originals = Readonly<Record<string, UciValue | null>>;

export type Pending = Omit<Change, 'waitsFor'> & {
  readonly id: string;
  readonly phase: 'arming' | 'writing' | 'watching' | 'confirming' | 'restoring';
  /** Checks that failed before the change: they cannot speak against it. */
  readonly lame: readonly string[];
  readonly failing: readonly string[];
  readonly greenSince?: number;
  /** Who said that it is good. */
  readonly person?: string;
  /** Why it is being taken back, or will be when what is under way is done. */
  readonly reason?: string;
  readonly originals: Originals;
};

export type Settled = {
  readonly commit: string;
  readonly part: string;
  readonly outcome: 'confirmed' | 'rolled-back' | 'failed';
  readonly reason: string;
  /** Absent when nothing had to be changed. */
  readonly id?: string;
  /** What was taken back. */
  readonly refused?: readonly OptionLine[];
};

/** Everything but `wanted`, `isForced` and `isBusy` outlives the process. */
export type Apply = {
  readonly wanted?: Change;
  readonly pending?: Pending;
  /** How the last change ended. */
  readonly settled?: Settled;
  /** What holds: the last change that was confirmed. */
  readonly applied?: Pick<Settled, 'commit' | 'part'>;
  readonly originals: Originals;
  /** Options that are gone here and that the head is to let go so: nothing is given back then. */
  readonly adopting?: readonly string[];
  /** Also a change that was taken back, or drift: a person's word, until a change has ended. */
  readonly isForced: boolean;
  /** The guard has somebody else's change. */
  readonly isBusy?: true;
};

export const NOTHING_APPLIED: Apply = { originals: {}, isForced: false };

/** What the guard says (`nymote-guard status`). */
export type GuardStatus = {
  readonly pending: { readonly id: string; readonly secondsLeft: number } | null;
  readonly last: {
    readonly id: string;
    readonly outcome: 'confirmed' | 'rolled-back' | 'none';
    readonly reason: string;
  };
};

export type Event =
  | { readonly kind: 'start'; readonly guard: GuardStatus | undefined }
  | { readonly kind: 'wanted'; readonly change: Change; readonly id: string }
  | {
      readonly kind: 'armed';
      readonly result: 'armed' | 'busy' | 'no-space' | 'failed';
      readonly lame: readonly string[];
      readonly originals: Originals;
    }
  | { readonly kind: 'written'; readonly problem?: string }
  | { readonly kind: 'health'; readonly at: number; readonly failing: readonly string[] }
  | { readonly kind: 'guard'; readonly guard: GuardStatus | undefined }
  | { readonly kind: 'person'; readonly id: string; readonly by: string }
  | { readonly kind: 'undo'; readonly by: string }
  | { readonly kind: 'again'; readonly id: string }
  /**
   * A person wants the head to say what the system holds of these; it says so, and what was there
   * before us is of no interest; or it does not, and all is as it was.
   */
  | { readonly kind: 'adopting' | 'adopted' | 'kept'; readonly options: readonly string[] }
  | { readonly kind: 'confirmed'; readonly ok: boolean }
  | { readonly kind: 'restored'; readonly ok: boolean };

export type Command =
  | { readonly kind: 'arm'; readonly pending: Pending }
  | { readonly kind: 'write'; readonly pending: Pending }
  | { readonly kind: 'confirm' | 'restore'; readonly id: string }
  /** Read head and system again, and say what is wanted. */
  | { readonly kind: 'look' };

export type Step = { readonly state: Apply; readonly commands: readonly Command[] };

/** Health that was green once may be a moment's luck. */
export const GREEN_MS = 10_000;

/** What follows from an event. What does not fit the state changes nothing. */
export function step(state: Apply, event: Event): Step {
  switch (event.kind) {
    case 'start':
      return start(state, event.guard);
    case 'wanted':
      return consider({ ...letGo(state, event.change), wanted: event.change }, event.id);
    case 'again':
      return consider({ ...state, isForced: true }, event.id);
    case 'adopting':
      return stay(withAdopting(state, [...adoptingIn(state), ...event.options]));
    case 'adopted':
      return stay(forget(state, event.options));
    case 'kept':
      return stay(withAdopting(state, without(adoptingIn(state), event.options)));
    default:
      return state.pending === undefined
        ? { state, commands: [] }
        : stepPending(state, state.pending, event);
  }
}

type PendingEvent = Extract<Event, { kind: keyof typeof PHASES }>;

function stepPending(state: Apply, pending: Pending, event: PendingEvent): Step {
  const { phase } = pending;
  const isExpected = (PHASES[event.kind] as readonly string[]).includes(phase);
  if (!isExpected) return stay(state);
  switch (event.kind) {
    case 'armed':
      return armed(state, pending, event);
    case 'written':
      if (event.problem !== undefined) return takeBack(state, pending, event.problem);
      if (pending.reason !== undefined) return takeBack(state, pending, pending.reason);
      return stay({ ...state, pending: { ...pending, phase: 'watching' } });
    case 'health':
      return judge(state, look(pending, event));
    case 'person':
      return event.id === pending.id
        ? stay({ ...state, pending: { ...pending, person: event.by } })
        : stay(state);
    case 'undo':
      return undo(state, pending, `${event.by} asked for it`);
    case 'guard':
      return heed(state, pending, event.guard);
    case 'confirmed':
      // The deadline may have been faster: the guard knows.
      if (event.ok) return settle(state, pending, 'confirmed', why(pending));
      if (pending.reason !== undefined) return takeBack(state, pending, pending.reason);
      return stay({ ...state, pending: { ...pending, phase: 'watching' } });
    case 'restored':
      // Without a reason of ours the guard has one: the power, or the deadline.
      if (!event.ok || pending.reason === undefined) return stay(state);
      return settle(state, pending, 'rolled-back', pending.reason);
  }
}

/**
 * When an event means something; at other times it is late. While it is being written the guard's
 * word waits: what follows from it would meet the writing, which goes on.
 */
const PHASES = {
  armed: ['arming'],
  written: ['writing'],
  health: ['watching'],
  person: ['arming', 'writing', 'watching'],
  undo: ['arming', 'writing', 'watching', 'confirming'],
  guard: ['watching', 'confirming', 'restoring'],
  confirmed: ['confirming'],
  restored: ['restoring'],
} as const satisfies { readonly [kind in Event['kind']]?: readonly Pending['phase'][] };

const stay = (state: Apply): Step => ({ state, commands: [] });

/** After a start: what became of the change that was under way. */
function start(state: Apply, guard: GuardStatus | undefined): Step {
  const { pending } = state;
  if (pending === undefined) return { state, commands: [{ kind: 'look' }] };
  // It is asked again soon; until then nothing is touched, or taken for written.
  if (guard === undefined) return stay(state);
  if (guard.pending?.id === pending.id) {
    const isBack = pending.reason !== undefined || pending.phase === 'restoring';
    if (isBack || guard.pending.secondsLeft <= 0) return restore(state, pending);
    // What options were before was not told yet. The guard knows a change that it has.
    if (pending.phase === 'arming') return { state, commands: [{ kind: 'arm', pending }] };
    // Half of it may have been written: writing it again changes nothing (I4).
    const { greenSince: _, ...rest } = pending;
    const resumed: Pending = { ...rest, phase: 'writing' };
    return {
      state: { ...state, pending: resumed },
      commands: [{ kind: 'write', pending: resumed }],
    };
  }
  if (guard.last.id === pending.id && guard.last.outcome !== 'none') {
    return heed(state, pending, guard);
  }
  // It was never armed, so nothing was touched.
  if (pending.phase === 'arming') return drop(state);
  return settle(state, pending, 'failed', LOST);
}

const LOST = 'the guard does not know of it any more; look at what is on the system';

function drop(state: Apply): Step {
  const { pending: _, ...rest } = state;
  return { state: rest, commands: [{ kind: 'look' }] };
}

function consider(state: Apply, id: string): Step {
  const { wanted, pending, settled } = state;
  if (wanted === undefined || pending !== undefined) return stay(state);
  const { isBusy: _, ...idle } = state;
  if (wanted.changes.length === 0) return stay(inPlace(idle, wanted));
  const isNews = wanted.part !== settled?.part && refusedIn(state).length === 0;
  if (wanted.waitsFor !== undefined || !(isNews || state.isForced)) return stay(idle);
  const { waitsFor: __, ...change } = wanted;
  const begun: Pending = {
    ...change,
    ...{ id, phase: 'arming', lame: [], failing: [], originals: {} },
  };
  return {
    state: { ...idle, pending: begun },
    commands: [{ kind: 'arm', pending: begun }],
  };
}

/** The system is as the head says, whoever made it so. */
function inPlace(state: Apply, { commit, part, options }: Change): Apply {
  // What was taken back stays so in our words until a person asks again.
  const isKnown = state.settled?.part === part && !state.isForced;
  const isNothing = state.settled === undefined && options.length === 0;
  if (isKnown || isNothing) return { ...state, isForced: false };
  return {
    ...state,
    isForced: false,
    settled: { commit, part, outcome: 'confirmed', reason: 'it was so already' },
    applied: { commit, part },
    originals: keep(state.originals, options),
  };
}

function armed(
  state: Apply,
  pending: Pending,
  { result, lame, originals }: Extract<Event, { kind: 'armed' }>,
): Step {
  const { reason: undone } = pending;
  if (undone !== undefined) {
    if (result === 'armed') return takeBack(state, pending, undone);
    return settle(state, pending, 'rolled-back', undone);
  }
  if (result === 'armed') {
    const next: Pending = { ...pending, phase: 'writing', lame, originals };
    return { state: { ...state, pending: next }, commands: [{ kind: 'write', pending: next }] };
  }
  if (result === 'busy') {
    const { pending: _, ...rest } = state;
    return stay({ ...rest, isBusy: true });
  }
  const reason =
    result === 'no-space'
      ? 'the old configuration cannot be kept: its disk is full, or can only be read'
      : 'the guard could not keep the old configuration; nymote has to be root for that (on OpenWrt: uci set nymote.main.settings=1)';
  return settle(state, pending, 'failed', reason);
}

function look(
  pending: Pending,
  { at, failing: all }: Extract<Event, { kind: 'health' }>,
): Pending & { readonly at: number } {
  const failing = all.filter((check) => !pending.lame.includes(check));
  const { greenSince = at, ...rest } = pending;
  return failing.length === 0 ? { ...rest, at, failing, greenSince } : { ...rest, at, failing };
}

/** Confirms what has been green long enough, and by a person where that is asked for. */
function judge(state: Apply, { at, ...pending }: Pending & { readonly at: number }): Step {
  const isGreen = pending.greenSince !== undefined && at - pending.greenSince >= GREEN_MS;
  const isSaid = pending.kind !== 'risky' || pending.person !== undefined;
  if (!isGreen || !isSaid) return stay({ ...state, pending });
  return {
    state: { ...state, pending: { ...pending, phase: 'confirming' } },
    commands: [{ kind: 'confirm', id: pending.id }],
  };
}

/** What the guard did without us. */
function heed(state: Apply, pending: Pending, guard: GuardStatus | undefined): Step {
  if (guard === undefined) return stay(state);
  if (guard.pending?.id === pending.id) {
    // Where nobody runs `nymote-guard watch`, the deadline is kept nevertheless, and what could not
    // be put back is tried again.
    const isLate = guard.pending.secondsLeft <= 0 && pending.phase !== 'confirming';
    const { reason = describeRollback(pending, 'deadline') } = pending;
    return isLate ? takeBack(state, pending, reason) : stay(state);
  }
  const { id, outcome, reason } = guard.last;
  if (id !== pending.id || outcome === 'none') return settle(state, pending, 'failed', LOST);
  if (outcome === 'confirmed') return settle(state, pending, 'confirmed', why(pending));
  return settle(state, pending, 'rolled-back', pending.reason ?? describeRollback(pending, reason));
}

function describeRollback({ failing, kind, person }: Pending, reason: string): string {
  if (reason === 'power-cut') return 'the power went before it was confirmed';
  if (reason !== 'deadline') return 'it was taken back by hand';
  if (failing.length > 0) return `at the deadline this did not work: ${failing.join(', ')}`;
  return kind === 'risky' && person === undefined
    ? 'nobody confirmed it in time'
    : 'it was not confirmed in time';
}

const why = ({ person }: Pending): string =>
  person === undefined ? 'everything works' : `everything works, and ${person} confirmed it`;

/** Takes it back, or notes that it is to be when what is under way is done. */
function undo(state: Apply, pending: Pending, reason: string): Step {
  if (pending.phase === 'watching') return takeBack(state, pending, reason);
  return stay({ ...state, pending: { ...pending, reason } });
}

function takeBack(state: Apply, pending: Pending, reason: string): Step {
  return restore(state, { ...pending, reason });
}

function restore(state: Apply, pending: Pending): Step {
  return {
    state: { ...state, pending: { ...pending, phase: 'restoring' } },
    commands: [{ kind: 'restore', id: pending.id }],
  };
}

function settle(
  { wanted, applied, originals, ...before }: Apply,
  pending: Pending,
  outcome: Settled['outcome'],
  reason: string,
): Step {
  const { id, commit, part, options, changes } = pending;
  const isGood = outcome === 'confirmed';
  const now = isGood ? { commit, part } : applied;
  const state: Apply = {
    ...(wanted === undefined ? {} : { wanted }),
    ...(now === undefined ? {} : { applied: now }),
    settled: {
      ...{ commit, part, outcome, reason, id },
      ...(outcome === 'rolled-back' ? { refused: changes } : {}),
    },
    originals: isGood ? keep({ ...pending.originals, ...originals }, options) : originals,
    isForced: false,
  };
  // What was written again is not gone any more.
  const back = isGood ? changes.map(({ option }) => option) : [];
  const adopting = without(adoptingIn(before), back);
  return { state: withAdopting(state, adopting), commands: [{ kind: 'look' }] };
}

/** The head has let go of what it was to let go of. */
function letGo(state: Apply, { options }: Change): Apply {
  return forget(state, without(adoptingIn(state), options));
}

function forget({ pending, originals, ...rest }: Apply, options: readonly string[]): Apply {
  const left = (all: Originals): Originals => keep(all, without(Object.keys(all), options));
  const kept = pending && { ...pending, originals: left(pending.originals) };
  const state: Apply = {
    ...rest,
    originals: left(originals),
    ...(kept === undefined ? {} : { pending: kept }),
  };
  return withAdopting(state, without(adoptingIn(state), options));
}

const adoptingIn = ({ adopting = [] }: Pick<Apply, 'adopting'>): readonly string[] => adopting;

function withAdopting({ adopting: _, ...rest }: Apply, options: readonly string[]): Apply {
  return options.length === 0 ? rest : { ...rest, adopting: [...new Set(options)] };
}

const without = (all: readonly string[], gone: readonly string[]): readonly string[] =>
  all.filter((each) => !gone.includes(each));

/** What an option was before us is of interest as long as the head has a word on it. */
function keep(originals: Originals, options: readonly string[]): Originals {
  return Object.fromEntries(
    Object.entries(originals).filter(([option]) => options.includes(option)),
  );
}
