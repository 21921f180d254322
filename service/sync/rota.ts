/** Whom to meet when: what is known of each of the others, and who is next. Decides; meets nobody. */

import type { Clock, Random } from '#runtime';
import { type Bookmark, createBookmark } from './bookmark.ts';

/** Another device, or a hub. */
export type Party = {
  readonly id: string;
  readonly name: string;
  readonly urls: readonly string[];
};

/** How it went with one of them. */
export type Memory = {
  worked: string | undefined;
  at: number | undefined;
  began: number;
  problem: string | undefined;
  failures: number;
  next: number;
  refused: number;
  /** The meeting that is going on. */
  meeting: symbol | undefined;
  /** The head of both when they last met. */
  same: string | undefined;
  /** How far it was read, if it is a hub. */
  readonly bookmark: Bookmark;
  progress: { readonly done: number; readonly of: number | undefined } | undefined;
};

export type Rota = {
  readonly memoryOf: (id: string) => Memory;
  /** At some moment within so many milliseconds, unless it is to be met before. */
  readonly soon: (party: Party, within: number) => void;
  /** Who is to be met now, those that waited longest first. */
  readonly due: () => readonly Party[];
  /** Milliseconds until somebody is, at most a poll. */
  readonly wait: () => number;
  /** Everybody in any order, those that can be reached first. */
  readonly shuffled: () => readonly Party[];
  /** It said something: whoever could not be reached can be now. Tells whether that is news. */
  readonly heard: (party: Party) => boolean;
  /** Begins a meeting; the end of it is to name it. */
  readonly begin: (memory: Memory) => symbol;
  /** Tells whether it was this meeting that ended, and when the next one is. */
  readonly end: (memory: Memory, meeting: symbol, failed: boolean) => boolean;
};

const POLL_MS = 60_000;
/** Changes that come together travel together; the first one after a pause goes at once. */
export const GATHER_MS = 250;
/** After a failure; doubles with each further one. */
const RETRY_MS = 5_000;
const MAX_RETRY_MS = 1_800_000;
/** An answer that takes so long may never come; who asks us meanwhile is met again, within the second. */
const STUCK_MS = 1_000;
const HEARD_MS = 500;
/** Meetings at a time, and of those with whom could not be reached last time. */
const AT_ONCE = 6;
const AT_ONCE_FAILING = 3;

const NEW: Omit<Memory, 'bookmark'> = {
  ...{ worked: undefined, at: undefined, problem: undefined, same: undefined },
  ...{ failures: 0, next: 0, refused: 0, meeting: undefined, progress: undefined },
  began: Number.NEGATIVE_INFINITY,
};

/** Nobody was met yet. */
export function createRota(
  clock: Pick<Clock, 'monotonic'>,
  random: Random,
  parties: () => readonly Party[],
): Rota {
  const memories = new Map<string, Memory>();
  const memoryOf = (id: string): Memory => {
    const begin = (): Memory => ({ ...NEW, bookmark: createBookmark(), next: clock.monotonic() });
    const memory = memories.get(id) ?? begin();
    memories.set(id, memory);
    return memory;
  };
  const busy = (): readonly Memory[] => [...memories.values()].filter(isBusy);
  const idle = (): readonly Party[] => parties().filter(({ id }) => !isBusy(memoryOf(id)));
  return {
    memoryOf,
    soon({ id }, within) {
      const memory = memoryOf(id);
      memory.next = Math.min(memory.next, clock.monotonic() + within * fraction(random));
    },
    due: () => admit(idle(), busy(), memoryOf, clock.monotonic()),
    wait() {
      const next = busy().length >= AT_ONCE ? [] : idle().map(({ id }) => dueAt(memoryOf(id)));
      return Math.min(POLL_MS, ...next.map((at) => at - clock.monotonic()));
    },
    shuffled: () =>
      parties()
        .map((party) => ({ party, key: memoryOf(party.id).failures + fraction(random) }))
        .sort((a, b) => a.key - b.key)
        .map(({ party }) => party),
    heard: ({ id }) => hear(memoryOf(id), clock.monotonic(), random),
    begin(memory) {
      const meeting = Symbol('meeting');
      memory.meeting = meeting;
      memory.began = clock.monotonic();
      memory.next = Number.POSITIVE_INFINITY;
      return meeting;
    },
    end(memory, meeting, failed) {
      if (memory.meeting !== meeting) return false;
      memory.meeting = undefined;
      memory.progress = undefined;
      memory.failures = failed ? memory.failures + 1 : 0;
      // Somebody poked while we were at it: once more.
      if (memory.next < Number.POSITIVE_INFINITY) return true;
      const retry = RETRY_MS * 2 ** Math.min(memory.failures - 1, 10);
      const pause = failed ? Math.min(retry, MAX_RETRY_MS) : POLL_MS;
      memory.next = clock.monotonic() + pause * (0.75 + fraction(random) * 0.5);
      return true;
    },
  };
}

/** However much it was wished for. */
const dueAt = ({ next, began }: Memory): number => Math.max(next, began + GATHER_MS);

/** As many of those that are due as there is room for. */
function admit(
  idle: readonly Party[],
  busy: readonly Memory[],
  memoryOf: Rota['memoryOf'],
  now: number,
): readonly Party[] {
  let room = AT_ONCE - busy.length;
  let failing = AT_ONCE_FAILING - busy.filter(({ failures }) => failures > 0).length;
  const waiting = idle
    .filter(({ id }) => dueAt(memoryOf(id)) <= now)
    .toSorted((a, b) => memoryOf(a.id).next - memoryOf(b.id).next);
  return waiting.filter(({ id }) => {
    const isFailing = memoryOf(id).failures > 0;
    if (room <= 0 || (isFailing && failing <= 0)) return false;
    room -= 1;
    if (isFailing) failing -= 1;
    return true;
  });
}

function hear(memory: Memory, now: number, random: Random): boolean {
  const { failures, meeting, began, progress } = memory;
  const isStuck = meeting !== undefined && progress === undefined && began + STUCK_MS < now;
  if (failures === 0 && !isStuck) return false;
  memory.failures = 0;
  memory.meeting = undefined;
  memory.next = now + HEARD_MS * fraction(random);
  return true;
}

const isBusy = ({ meeting }: Memory): boolean => meeting !== undefined;

/** A number from 0 to less than 1. */
const fraction = (random: Random): number => (random(1)[0] ?? 0) / 256;
