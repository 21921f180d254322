/** The causal past of a commit, in the places of a history's entries. */

import type { History } from './history.ts';

/** The places of a commit and of all in its past that are held. */
export function pastOf(
  history: Pick<History, 'entries' | 'find'>,
  index: number,
): ReadonlySet<number> {
  const past = new Set([index]);
  // Parents come first, so one way down is enough.
  for (let at = index; at >= 0; at--) {
    if (!past.has(at)) continue;
    for (const parent of history.entries.above(at)) if (parent >= 0) past.add(parent);
  }
  return past;
}
