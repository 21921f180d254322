/** One run from beginning to end, and what must be true then. */

import type { CommitId } from '../format/commit.ts';
import type { Store } from '../store.ts';
import {
  Broken,
  checkForgotten,
  checkHeld,
  checkMeaning,
  checkTrees,
  digest,
  outcome,
} from './check.fixture.ts';
import type { Mistake } from './deeds.fixture.ts';
import { copyHome } from './home.fixture.ts';
import { happen, meet, settle, takeBack } from './household.fixture.ts';
import { beginningOf } from './kept.fixture.ts';
import { type Script, scriptOf, shorten } from './script.fixture.ts';

/** Plays a script; throws when anything is not as it must be. */
export async function play(script: Script, mistake?: Mistake): Promise<void> {
  const household = await settle(script, mistake);
  for (const event of script.events) await happen(household, event);
  await meet(household);
  const first = await takeBack(household);
  if (first === undefined) return;
  const { homes } = household;
  const end = outcome(first.store);
  for (const home of homes) {
    const own = outcome(home.store);
    if (own !== end) throw new Broken(`${home.name} and ${first.name}: ${differ(own, end)}`);
    await checkForgotten(household, home);
  }
  // Whoever dropped the same is the same.
  const wholes = new Map<CommitId | undefined, string>();
  for (const { name, store } of homes) {
    const whole = wholes.get(beginningOf(store)) ?? printWhole(store);
    wholes.set(beginningOf(store), whole);
    if (printWhole(store) !== whole)
      throw new Broken(`${name}: ${differ(printWhole(store), whole)}`);
  }
  for (const { acknowledged } of homes) {
    await checkHeld(household, { ...first, acknowledged });
  }
  await checkMeaning(household, first);
  // Every store looked at each tree as it came; once more is for those that were replayed.
  if (script.events.length % 4 === 0) await checkTrees(first.store);
  const last = homes.at(-1) ?? first;
  if (digest((await copyHome(last)).store) !== digest(last.store)) {
    throw new Broken('opened again it is another');
  }
}

function printWhole(store: Store): string {
  // Each founder's disk may have declared it by itself: what proves it differs then.
  const [, , ...state] = new TextDecoder().decode(store.base()).split('\n');
  return `${digest(store)} ${state.join()}`;
}

/** What went wrong in a run, undefined when nothing did. */
export async function failureOf(script: Script, mistake?: Mistake): Promise<unknown> {
  try {
    await play(script, mistake);
    return undefined;
  } catch (cause) {
    return cause ?? new Error('nothing was thrown');
  }
}

/** Plays the run of a seed; a failure names the seed and the shortest script that shows it. */
export async function playSeed(seed: number): Promise<void> {
  const script = scriptOf(seed);
  const failure = await failureOf(script);
  if (failure === undefined) return;
  const short = await shorten(script, async (each) => (await failureOf(each)) !== undefined);
  const words = `seed ${seed}: ${JSON.stringify(short)}`;
  throw new Broken(words, { cause: (await failureOf(short)) ?? failure });
}

function differ(one: string, other: string): string {
  let at = 0;
  while (one[at] === other[at]) at += 1;
  return [one, other].map((text) => text.slice(Math.max(0, at - 100), at + 200)).join('\n');
}
