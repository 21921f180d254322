/**
 * Answers from data past its end, when nothing newer can be had in time.
 *
 * The name's servers are always asked first. Who asks waits 1.8 s for them; the search goes on
 * behind the stale answer, and whoever asks meanwhile gets that at once. After a failure the servers
 * are left alone for 30 s; where there is no old answer the cache of failures is shorter (RFC 9520).
 *
 * @see RFC 8767: §4 what may be served, §5 the four timers
 * What is bogus is no failure to refresh: it stays an error, whatever was right before.
 */

import type { Clock, Log } from '#runtime';
import type { Name } from '../message/name.ts';
import { type Budget, MAX_MILLISECONDS, millisecondsLeft } from '../recursion/budget.ts';
import type { Outcome } from '../recursion/frame.ts';
import { isCurrent } from '../recursion/judgement.ts';
import { fromCache } from '../recursion/known.ts';
import { isFromAbove, type Route } from '../recursion/route.ts';
import type { Judged, Validation } from '../recursion/validation.ts';
import type { Cache, Lookup } from './cache.ts';

/** Milliseconds until a stale answer is given in place of waiting (RFC 8767 §5, client response timer). */
export const CLIENT_RESPONSE_MILLISECONDS = 1800;

/** Milliseconds until servers that failed are asked again (RFC 8767 §5, failure recheck timer). */
const RECHECK_MILLISECONDS = 30_000;
/** Questions whose servers failed, some 100 octets each; beyond that the oldest is forgotten. */
export const MAX_FAILED = 4096;

type Parts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly cache: Cache;
  readonly validation: Pick<Validation, 'resolve'>;
  /** The route that holds for a question. */
  readonly routeOf: (name: Name, type: number) => Route | undefined;
  /** Whether anything is validated at all: then only what was validated is good enough. */
  readonly isValidating: boolean;
};

/** Puts stale answers in front of a validation. */
export function serveStale(parts: Parts): Pick<Validation, 'resolve'> {
  const { clock, log, cache, validation, isValidating, routeOf } = parts;
  const late = new Set<string>();
  const failures = createFailures(clock);
  const monotonic = () => clock.monotonic() / 1000;

  function knownIn(lookup: Lookup, name: Name, type: number): Outcome | undefined {
    const outcome = fromCache(name, type, monotonic(), lookup);
    return outcome && isFromAbove(outcome, routeOf(name, type)) ? undefined : outcome;
  }

  function stale(name: Name, type: number, budget: Budget): Judged | undefined {
    const outcome = knownIn(cache.past, name, type);
    if (outcome === undefined || !isServable(outcome, isValidating, clock.isSet()))
      return undefined;
    const { judgement } = outcome;
    const judged = judgement === undefined ? {} : { judgement };
    return { outcome, budget, from: 'cache', isStale: true, ...judged };
  }

  /** The search, or undefined when it takes too long; then it goes on by itself. */
  async function inTime(
    key: string,
    search: Promise<Judged>,
    budget: Budget,
  ): Promise<Judged | undefined> {
    const spent = MAX_MILLISECONDS - millisecondsLeft(budget, monotonic());
    const timer = Promise.withResolvers<undefined>();
    const left = Math.max(0, CLIENT_RESPONSE_MILLISECONDS - spent);
    const cancel = clock.after(left, () => timer.resolve(undefined));
    try {
      const first = await Promise.race([search, timer.promise]);
      if (first === undefined) finishLater(key, search);
      return first;
    } finally {
      cancel();
    }
  }

  function finishLater(key: string, search: Promise<Judged>): void {
    late.add(key);
    search
      .then((found) => isUnreachable(found) && failures.note(key))
      .catch((error: unknown) => log('error', 'refresh-failed', { error: String(error) }))
      .finally(() => late.delete(key));
  }

  return {
    async resolve(name, type, budget, unchecked) {
      const isAlive = knownIn(cache, name, type) !== undefined;
      const known = isAlive ? undefined : stale(name, type, budget);
      if (known === undefined) return validation.resolve(name, type, budget, unchecked);
      const key = `${type} ${name.key}`;
      if (late.has(key) || failures.isRecent(key)) return known;
      const search = validation.resolve(name, type, budget, unchecked);
      const found = await inTime(key, search, budget);
      if (found === undefined) return known;
      if (!isUnreachable(found)) return found;
      failures.note(key);
      return known;
    },
  };
}

/** Which searches failed a moment ago. */
function createFailures(clock: Pick<Clock, 'monotonic'>): {
  note(key: string): void;
  isRecent(key: string): boolean;
} {
  /** When, the longest ago first. */
  const times = new Map<string, number>();
  return {
    note(key) {
      times.delete(key);
      const [oldest] = times.size < MAX_FAILED ? [] : times.keys();
      if (oldest !== undefined) times.delete(oldest);
      times.set(key, clock.monotonic());
    },
    isRecent(key) {
      const at = times.get(key) ?? Number.NEGATIVE_INFINITY;
      return clock.monotonic() - at < RECHECK_MILLISECONDS;
    },
  };
}

/** What was never checked, or not by a date, is not served where checking is the rule. */
function isServable(
  { kind, judgement }: Outcome,
  isValidating: boolean,
  clockIsSet: boolean,
): boolean {
  if (kind === 'failure' || judgement?.state === 'bogus') return false;
  return judgement === undefined ? !isValidating : isCurrent(judgement, clockIsSet);
}

/** Nobody could tell; a loop and an over-long DNAME are what the zone says. */
function isUnreachable({ outcome, judgement }: Judged): boolean {
  if (outcome.kind !== 'failure' || judgement?.state === 'bogus') return false;
  return outcome.dname === undefined && outcome.reason !== 'alias-loop';
}
