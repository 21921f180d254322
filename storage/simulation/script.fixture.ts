/**
 * What happens to a household in one simulated run, as data: made from a seed, played as often as
 * needed, and made shorter when it went wrong.
 */

import { seededRandom } from '#runtime/fake';

/** One event; the numbers choose among what is possible when it happens. */
export type Event = readonly [act: Act, who: number, a: number, b: number, c: number];

/** A run: how many devices, who may meet whom, and what happens. */
export type Script = {
  readonly devices: number;
  readonly topology: Topology;
  readonly events: readonly Event[];
};

export type Topology = (typeof TOPOLOGIES)[number];

export type Act = (typeof ACTS)[number];

/** Who can ever reach whom: everybody; only the third one; only neighbours. */
const TOPOLOGIES = ['all', 'third', 'third', 'line'] as const;

/** How often each thing happens is how often it is listed. */
const ACTS = [
  ...Array.from({ length: 26 }, () => 'write' as const),
  ...Array.from({ length: 18 }, () => 'pull' as const),
  ...Array.from({ length: 3 }, () => 'send' as const),
  ...Array.from({ length: 5 }, () => 'deliver' as const),
  ...Array.from({ length: 5 }, () => 'resolve' as const),
  'revert',
  'crash',
  'crash',
  'fail',
  'restart',
  'clock',
  'sleep',
  'sleep',
  'revoke',
  'admit',
  'grant',
  'promote',
  'demote',
  'leave',
  'rule',
  'propose',
  'approve',
  'phrase',
  'copy',
  'rewind',
  'mangle',
  'forge',
  'forge',
  'inspect',
  'mingle',
  'gather',
  'season',
  'prune',
  'forget',
  'purge',
] as const;

const EVENTS = 40;
const BYTES = 9;

/** The run that a seed stands for. */
export function scriptOf(seed: number): Script {
  const random = seededRandom(`household ${seed}`);
  const [devices = 0, topology = 0, count = 0] = random(3);
  const bytes = random(EVENTS * BYTES);
  const number = (at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  const events = Array.from({ length: EVENTS - (count % 16) }, (_, index): Event => {
    const at = index * BYTES;
    const act = ACTS[number(at) % ACTS.length] ?? 'write';
    return [act, bytes[at + 2] ?? 0, number(at + 3), number(at + 5), number(at + 7)];
  });
  return {
    devices: 3 + (devices % 4),
    topology: TOPOLOGIES[topology % TOPOLOGIES.length] ?? 'all',
    events,
  };
}

/** The shortest beginning that still fails, then without every event that it can do without. */
export async function shorten(
  script: Script,
  fails: (script: Script) => Promise<boolean>,
): Promise<Script> {
  let { events } = script;
  for (let length = 0; length < events.length; length++) {
    const shorter = events.slice(0, length);
    if (await fails({ ...script, events: shorter })) events = shorter;
  }
  for (let at = events.length - 1; at >= 0; at--) {
    const without = events.toSpliced(at, 1);
    if (await fails({ ...script, events: without })) events = without;
  }
  return { ...script, events };
}
