/**
 * Which answers the threads may give again, and until when.
 *
 * An answer is filed only under the view its ruling named, if that is also the view the threads see
 * the asker in, and only if nothing changed since the question came: what was ruled before a change
 * is never answered after it (I10).
 */

import type { BatchUdp, Clock } from '#runtime';
import { type Askers, publishAskers } from './askers.ts';
import { type Arena, HEAD, headWord } from './layout.ts';
import { type Asked, createAsked, readAsked } from './question.ts';
import type { Filing } from './record.ts';
import { createTableWriter } from './table.ts';
import { type Kept, readAnswer } from './wire.ts';

/** What the main thread says about an answer that may be given again. */
export type Reuse = {
  /** Who may have it, as in `Askers`. */
  readonly view: string;
  /** How long the ruling holds; may be infinite. */
  readonly seconds: number;
  /** Whether all of it is from our own zone. */
  readonly isFromZone: boolean;
};

/** An own zone's answer is made anew after this, also to renew its signatures in time. */
const ZONE_SECONDS = 60;
/** Of the TTL of others: in its last part the main thread wants to hear who still asks (prefetch.ts). */
const KEPT_SHARE = 0.9;
/** While answers with an end are kept, the clock is watched: when it is set, schedules mean another time. */
const CLOCK_LOOK_MS = 500;
const CLOCK_JUMP_SECONDS = 0.5;

/** A question on its way: what was known when it came, and what was ruled since. */
export type Pending = {
  readonly query: Uint8Array;
  readonly view: number;
  readonly epoch: number;
  reuse: Reuse | undefined;
};

export type Filer = {
  file(ticket: Pending, wire: Uint8Array): void;
  setAskers(askers: Askers): void;
  size(): { entries: number; bytes: number };
  stop(): void;
};

/** Files answers for `arena`; `epochOf` is the one that holds. */
export function createFiler(
  clock: Clock,
  batch: Pick<BatchUdp, 'now'>,
  arena: Arena,
  epochOf: () => number,
): Filer {
  const table = createTableWriter(arena);
  const asked = createAsked();
  const seed = arena.words[headWord(HEAD.seed)] as number;
  let views: ReadonlyMap<string, number> = new Map();
  let last: Askers | undefined;

  function setAskers(askers: Askers): void {
    last = askers;
    views = publishAskers(arena, askers);
  }
  const watch = createClockWatch(clock, () => last && setAskers(last));

  function prepare({ reuse, query, view, epoch }: Pending, wire: Uint8Array): Filing | undefined {
    if (reuse === undefined || view === 0 || views.get(reuse.view) !== view) return undefined;
    if (epoch !== epochOf() || !readAsked(query, 0, query.length, seed, asked)) return undefined;
    const kept = readAnswer(wire, clock.now());
    if (kept === undefined || !isAnswerTo(wire, query, asked, kept)) return undefined;
    const { isFromZone } = reuse;
    const isSteady = isFromZone && reuse.seconds === Number.POSITIVE_INFINITY;
    const seconds = lifetime(kept, reuse);
    const now = Math.floor(batch.now());
    if (seconds <= 0) return undefined;
    return { wire, asked, view, epoch, kept, now, seconds, isFromZone, isSteady };
  }

  return {
    file(ticket, wire) {
      const filing = prepare(ticket, wire);
      if (filing === undefined) return;
      table.put(filing);
      if (ticket.reuse?.seconds !== Number.POSITIVE_INFINITY) watch.until(filing.seconds);
    },
    setAskers,
    size: () => ({ entries: table.entries, bytes: table.bytes }),
    stop: watch.stop,
  };
}

/** Whole seconds for which the answer may be given again. */
function lifetime(kept: Kept, { seconds, isFromZone }: Reuse): number {
  const own = isFromZone ? Math.min(kept.seconds, ZONE_SECONDS) : kept.seconds * KEPT_SHARE;
  return Math.floor(Math.min(own, seconds));
}

/** The answer fits whoever asks the same, and repeats the question as it was. */
function isAnswerTo(wire: Uint8Array, query: Uint8Array, asked: Asked, kept: Kept): boolean {
  if (kept.questionEnd !== asked.end || wire.length > asked.limit) return false;
  for (let at = 12; at < asked.end; at++) if (wire[at] !== query[at]) return false;
  return true;
}

/** Calls `jumped` when the wall clock was moved, as long as somebody wants to know. */
function createClockWatch(
  clock: Clock,
  jumped: () => void,
): { until(seconds: number): void; stop(): void } {
  const offset = (): number => clock.now() - clock.monotonic() / 1_000;
  let before = 0;
  let end = 0;
  let cancel: (() => void) | undefined;

  function look(): void {
    const now = offset();
    if (Math.abs(now - before) > CLOCK_JUMP_SECONDS) jumped();
    before = now;
    cancel = clock.monotonic() < end ? clock.after(CLOCK_LOOK_MS, look) : undefined;
  }
  return {
    until(seconds) {
      end = Math.max(end, clock.monotonic() + seconds * 1_000);
      if (cancel !== undefined) return;
      before = offset();
      cancel = clock.after(CLOCK_LOOK_MS, look);
    },
    stop: () => cancel?.(),
  };
}
