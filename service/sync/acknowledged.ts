/**
 * What the others said lately that they hold, so that history can be dropped without waiting until
 * each of them has written something. Whoever claims too much harms itself: it joins again.
 */

import type { Clock } from '#runtime';
import type { Store, Vector } from '#storage';
import { lastNumbers } from './serve.ts';

/** Numbers by device, by who said so. */
type Numbers = NonNullable<Parameters<Store['retention']>[0]>;

export type Acknowledgements = {
  readonly note: (device: string, held: Vector) => void;
  readonly all: () => Numbers;
};

const DAY_MS = 86_400_000;

/** Forgets what is older than a day. */
export function createAcknowledgements(
  clock: Pick<Clock, 'monotonic'>,
  store: Pick<Store, 'holds'>,
): Acknowledgements {
  const heard = new Map<string, { readonly at: number; readonly numbers: Numbers[string] }>();
  return {
    note(device, held) {
      // A commit under the same number that is not here may be another one.
      const isKnown = Object.values(held)
        .flat()
        .every(([seq, id]) => seq === 0 || id === '' || store.holds(id));
      if (isKnown) heard.set(device, { at: clock.monotonic(), numbers: lastNumbers(held) });
    },
    all() {
      const since = clock.monotonic() - DAY_MS;
      const lately = [...heard].filter(([, { at }]) => at >= since);
      return Object.fromEntries(lately.map(([device, { numbers }]) => [device, numbers]));
    },
  };
}
