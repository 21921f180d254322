/**
 * Counts of what was answered and how long it took, for metrics: numbers only, no names, nobody.
 *
 * Each answer costs an addition in an array; words are made when somebody looks.
 */

import { rcodeName } from '../message/type.ts';
import type { Origin } from './part.ts';
import type { Transport } from './response.ts';

const TRANSPORTS = ['udp', 'tcp', 'dot', 'doh'] as const satisfies readonly Transport[];
const ORIGINS = [
  ...(['zone', 'cache', 'recursion', 'forward', 'policy', 'local'] as const),
] as const satisfies readonly Origin[];

/** Response codes from here on count as one (RFC 6895 §2.3: 24 to 3840 are unassigned). */
const RCODES = 24;

/** Upper bounds of the times other servers took, in seconds. */
export const BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts since the start. */
export type TallyView = {
  readonly answers: readonly {
    readonly transport: Transport;
    readonly from: Origin;
    readonly rcode: string;
    readonly count: number;
  }[];
  /** Of answers that other servers were asked for: how many took up to each of the bounds, and all. */
  readonly recursion: {
    readonly upTo: readonly number[];
    readonly seconds: number;
    readonly count: number;
  };
};

export type Tally = {
  count(transport: Transport, from: Origin, rcode: number, milliseconds: number): void;
  view(): TallyView;
};

/** All zero. */
export function createTally(): Tally {
  const counts = new Float64Array(TRANSPORTS.length * ORIGINS.length * RCODES);
  const upTo = new Float64Array(BOUNDS.length);
  let seconds = 0;
  let asked = 0;

  function time(taken: number): void {
    asked++;
    seconds += taken;
    for (let at = BOUNDS.length - 1; at >= 0 && taken <= (BOUNDS[at] ?? 0); at--) {
      upTo[at] = (upTo[at] ?? 0) + 1;
    }
  }

  return {
    count(transport, from, rcode, milliseconds) {
      const place = TRANSPORTS.indexOf(transport) * ORIGINS.length + ORIGINS.indexOf(from);
      const at = place * RCODES + Math.min(rcode, RCODES - 1);
      counts[at] = (counts[at] ?? 0) + 1;
      if (from === 'recursion' || from === 'forward') time(milliseconds / 1000);
    },
    view: () => ({
      answers: TRANSPORTS.flatMap((transport, row) =>
        ORIGINS.flatMap((from, column) =>
          Array.from({ length: RCODES }, (_, rcode) => ({
            ...{ transport, from, rcode: rcode === RCODES - 1 ? 'other' : rcodeName(rcode) },
            count: counts[(row * ORIGINS.length + column) * RCODES + rcode] ?? 0,
          })),
        ),
      ).filter(({ count }) => count > 0),
      recursion: { upTo: [...upTo], seconds, count: asked },
    }),
  };
}
