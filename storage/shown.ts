/**
 * What the running system gets to see: never a merge that breaks the rules.
 */

import type { Held } from './disk/load.ts';
import type { Problem } from './error.ts';
import type { State } from './format/op.ts';
import type { StoreOptions } from './realm.ts';

/** How far back a state that obeys the rules is looked for when the newest does not. */
const MAX_LOOK_BACK = 64;

/** What may be shown of a state: itself, or the last one that obeyed the rules. */
export type Shown = { readonly state: State; readonly problems: readonly Problem[] };

/**
 * When the state does not obey the rules, the newest that does is shown. If there is none nearby,
 * the rules have changed rather than the state, and there is nothing better to show.
 */
export async function findShown(
  { schema }: StoreOptions,
  { root, history, merged }: Held,
): Promise<Shown> {
  const problems = root === undefined ? [] : (schema?.(merged.state) ?? []);
  if (problems.length === 0) return { state: merged.state, problems };
  const { length } = history.entries;
  for (let index = length - 1; index >= Math.max(0, length - MAX_LOOK_BACK); index--) {
    const { state } = await history.stateAt(index).catch(() => merged);
    if (schema?.(state).length === 0) return { state, problems };
  }
  return { state: merged.state, problems };
}
