/**
 * Follows the keys of a zone that has a trust anchor: asks for them now and then, whatever is
 * cached, and says what is trusted from then on.
 *
 * Without a date no time passes: nothing is asked, nothing waited for (I9). When it is time is
 * looked up on the wall clock every minute, so that neither sleep nor a corrected clock matters.
 *
 * @see RFC 5011 §2.3: active refresh. What follows from an answer is dnssec/rollover.ts's.
 */

import type { Cancel, Clock, Crypto, Log } from '#runtime';
import { COSTLY, keyTag } from '../dnssec/algorithms.ts';
import type { TrustAnchor } from '../dnssec/anchors.ts';
import {
  type Configured,
  isConfigured,
  observe,
  queryInterval,
  retryInterval,
  type Sighting,
  sight,
  type TrackedKey,
  trustedNow,
} from '../dnssec/rollover.ts';
import type { Check } from '../dnssec/verify.ts';
import { printName } from '../message/name.ts';
import { TYPE } from '../message/type.ts';
import { fullBudget } from '../recursion/budget.ts';
import type { Recursion } from '../recursion/recursion.ts';
import type { Verifier } from '../recursion/verifier.ts';

/** Milliseconds between two looks at the clock. */
export const LOOK_MS = 60_000;

export type AnchorWatch = Disposable & {
  /** Begins: asks after `delay` milliseconds for the first time. */
  start(delay: number): void;
  /** The keys as they are known now. */
  readonly keys: readonly TrackedKey[];
};

type Parts = {
  readonly clock: Clock;
  readonly crypto: Pick<Crypto, 'hash' | 'verify'>;
  readonly verifier: Pick<Verifier, 'settle'>;
  readonly log: Log;
  readonly recursion: Pick<Recursion, 'resolve'>;
  /** The anchor as configured. */
  readonly anchor: TrustAnchor;
  /** What an earlier run knew. */
  readonly saved: readonly TrackedKey[];
  /** Hears what is trusted whenever that changes; undefined: nothing is any more. */
  readonly apply: (anchor: TrustAnchor | undefined) => void;
  /** Hears what the next run must know, whenever that changes. */
  readonly save: (keys: readonly TrackedKey[]) => void;
};

/** Passes the cache over, and avoids nobody. */
const NOBODY: ReadonlySet<string> = new Set();

/** Makes it; what was saved holds at once. */
export function createAnchorWatch(parts: Parts): AnchorWatch {
  const { clock, log, anchor, apply, save, saved } = parts;
  const configured: Configured = { anchor, crypto: parts.crypto };
  let keys = saved;
  let last: Sighting | undefined;
  /** Seconds since 1970; a clock that goes back behind `asked` is no reason to wait. */
  let due = 0;
  let asked = 0;
  let cancel: Cancel = () => undefined;
  let isStopped = false;
  if (saved.length > 0) apply(trustedNow(saved, configured));

  async function look(): Promise<void> {
    const now = Math.floor(clock.now());
    if (!clock.isSet() || (now >= asked && now < due)) return;
    asked = now;
    const seen = await see(parts, trustedNow(keys, configured));
    last = seen ?? last;
    due = now + (seen?.present === undefined ? retryInterval(last) : queryInterval(seen));
    if (seen !== undefined) note(observe(keys, seen, configured, now));
  }

  function note(next: readonly TrackedKey[]): void {
    if (next === keys) return;
    for (const change of changesBetween(keys, next)) {
      log('info', 'trust-anchor', { zone: printName(anchor.name), ...change });
    }
    keys = next;
    apply(trustedNow(keys, configured));
    // What follows from the settings needs no keeping.
    save(keys.filter(({ rdata, state }) => state !== 'valid' || !isConfigured(rdata, configured)));
  }

  function tick(): void {
    look()
      .catch((error: unknown) => log('error', 'anchor-watch-failed', { error: String(error) }))
      .finally(() => {
        if (!isStopped) cancel = clock.after(LOOK_MS, tick);
      });
  }

  return {
    start(delay) {
      cancel = clock.after(delay, tick);
    },
    get keys() {
      return keys;
    },
    [Symbol.dispose]() {
      isStopped = true;
      cancel();
    },
  };
}

/** Asks for the zone's keys and reads them. */
async function see(
  { clock, crypto, recursion, verifier }: Parts,
  trusted: TrustAnchor | undefined,
): Promise<Sighting | undefined> {
  if (trusted === undefined) return undefined;
  const budget = fullBudget(clock.monotonic() / 1000);
  const resolved = await recursion.resolve(trusted.name, TYPE.DNSKEY, budget, NOBODY);
  const { outcome } = resolved;
  // Without a date no time passes, also when it got lost on the way.
  if (outcome.kind !== 'answer' || !clock.isSet()) return undefined;
  const time = { now: clock.now(), clockIsSet: true };
  const purse = { budget: resolved.budget };
  const check: Check = { crypto, time, purse, tried: [], costly: COSTLY };
  for (;;) {
    const seen = sight(outcome.rrset, trusted, check);
    if (seen === undefined || !('kind' in seen)) return seen;
    if ((await verifier.settle(seen, check)) !== undefined) return undefined;
  }
}

function changesBetween(before: readonly TrackedKey[], after: readonly TrackedKey[]) {
  const stateIn = (keys: readonly TrackedKey[], { rdata }: TrackedKey) =>
    keys.find((each) => each.rdata.join() === rdata.join())?.state ?? 'unknown';
  const gone = before.filter((key) => stateIn(after, key) === 'unknown');
  return [...after, ...gone]
    .map((key) => ({
      tag: keyTag(key.rdata),
      from: stateIn(before, key),
      to: stateIn(after, key),
    }))
    .filter(({ from, to }) => from !== to);
}
