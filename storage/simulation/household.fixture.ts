import type { CommitId } from '../format/commit.ts';
import type { State } from '../format/op.ts';
import type { Store } from '../store.ts';
import { Broken, type Known, outcome } from './check.fixture.ts';
import { DEEDS, type Mistake } from './deeds.fixture.ts';
import { canMeet, comeBack, learn, mayRefuse, pullAll } from './exchange.fixture.ts';
import { beginHomes, type Home, joinAgain } from './home.fixture.ts';
import {
  beginningOf,
  countPhrases,
  cutsKnownTo,
  FIRST_VALUE,
  isBeside,
  isOfPhrase,
  pastOf,
} from './kept.fixture.ts';
import type { Event, Script, Topology } from './script.fixture.ts';

/** Everything there is. */
export type Household = {
  readonly homes: Home[];
  readonly topology: Topology;
  /** Every commit that was ever made. */
  readonly known: Map<CommitId, Known>;
  /** Pages on the network; they may come late, twice, to anybody, or never. */
  readonly pages: Uint8Array[];
  /** Commits that were signed to mislead. */
  readonly forged: Set<CommitId>;
  /** Devices whose disk there was twice, or that got an old one back. */
  readonly twice: Set<string>;
  /** What its devices do that they must not. */
  readonly mistake: Mistake | undefined;
  fresh: number;
  /** How many pages were taken over. */
  taken: number;
};

const MAX_ROUNDS = 12;

export async function settle(script: Script, mistake?: Mistake): Promise<Household> {
  const homes = await beginHomes(script.devices);
  const known = new Map<CommitId, Known>();
  const { topology } = script;
  const forged = new Set<CommitId>();
  const household = {
    ...{ homes, topology, known, pages: [], forged, twice: new Set<string>() },
    mistake,
    fresh: FIRST_VALUE,
    taken: 0,
  };
  const [first] = homes;
  let past: State = new Map();
  for (const commit of ((await first?.store.log({ limit: 1000 })) ?? []).toReversed()) {
    learn(household, commit, past);
    past = (await first?.store.stateAt(commit.id)) ?? past;
  }
  return household;
}

/** Lets one event happen. */
export async function happen(household: Household, event: Event): Promise<void> {
  const [act, who, ...numbers] = event;
  const home = household.homes[who % household.homes.length];
  if (home === undefined) return;
  const isWaking = act === 'sleep' || act === 'clock';
  if (home.isAsleep && !isWaking) return;
  await DEEDS[act](household, home, numbers);
}

/** All meet, as far as they ever can, until nobody has anything new to say. */
export async function meet(household: Household): Promise<void> {
  const { homes } = household;
  for (const home of homes) if (home.isFaulty) await comeBack(household, home);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let added = 0;
    for (const from of homes) {
      for (const to of homes) {
        if (canMeet(household, from, to)) added += await pullAll(household, from, to);
      }
    }
    if (added === 0) return;
  }
  throw new Broken(`still something new after ${MAX_ROUNDS} rounds`);
}

/**
 * Whoever is left behind by where history begins for the others, for a reason, joins again and meets
 * them. Gives one whom nobody left behind.
 */
export async function takeBack(household: Household): Promise<Home | undefined> {
  const { homes } = household;
  const [leader] = homes.toSorted((a, b) => compareStanding(household, b, a));
  if (leader === undefined) return undefined;
  const end = outcome(leader.store);
  const behind = homes.filter(
    ({ store }) => outcome(store) !== end && isLeft(household, store, leader.store),
  );
  for (const home of behind) await joinAgain(home);
  if (behind.length > 0) await meet(household);
  return leader;
}

/** One has what the other may refuse, or the other way round. */
function isLeft(household: Household, store: Store, other: Store): boolean {
  return [
    [store, other],
    [other, store],
  ].some(([has, lacks]) =>
    has?.expand('').some((id) => lacks?.holds(id) === false && mayRefuse(household, lacks, id)),
  );
}

/**
 * Whoever took over nothing beside what was declared comes first, then who heard the phrase, then who
 * dropped most.
 */
function compareStanding(household: Household, { store: a }: Home, { store: b }: Home): number {
  const [one = [], other = []] = [a, b].map((store) => {
    const beginning = beginningOf(store);
    const cuts = cutsKnownTo(household, store);
    const spoken = store.expand('').filter((id) => !isOfPhrase(household, id));
    const isClean = !cuts.some((cut) => spoken.some((id) => isBeside(household, id, cut)));
    const dropped = beginning === undefined ? 0 : pastOf(household, beginning).size;
    return [Number(isClean), countPhrases(household, store), dropped, cuts.length];
  });
  return one.map((rank, at) => rank - (other[at] ?? 0)).find((order) => order !== 0) ?? 0;
}
