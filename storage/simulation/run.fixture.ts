/** One run from beginning to end, and what must be true then. */

import { Broken, checkHeld, checkMeaning, checkTrees, digest } from './check.fixture.ts';
import { copyHome } from './home.fixture.ts';
import { happen, meet, settle } from './household.fixture.ts';
import { type Script, scriptOf, shorten } from './script.fixture.ts';

/** Plays a script; throws when anything is not as it must be. */
export async function play(script: Script): Promise<void> {
  const household = await settle(script);
  for (const event of script.events) await happen(household, event);
  await meet(household);
  const { homes } = household;
  const [first, ...others] = homes;
  if (first === undefined) return;
  const end = digest(first.store);
  for (const home of others) {
    const own = digest(home.store);
    if (own !== end) throw new Broken(`${home.name} and ${first.name}: ${differ(own, end)}`);
  }
  for (const { acknowledged } of homes) {
    await checkHeld(household, { ...first, acknowledged });
  }
  await checkMeaning(household, first);
  // Every store looked at each tree as it came; once more is for those that were replayed.
  if (script.events.length % 4 === 0) await checkTrees(first.store);
  const last = homes.at(-1) ?? first;
  if (digest((await copyHome(last)).store) !== end) throw new Broken('opened again it is another');
}

/** What went wrong in a run, undefined when nothing did. */
export async function failureOf(script: Script): Promise<unknown> {
  try {
    await play(script);
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
