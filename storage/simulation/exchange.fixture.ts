/**
 * What devices of a simulated household say to each other and write, and what they may refuse; all that
 * is made is remembered, so that nothing can be lost unseen.
 */

import type { DraftOp } from '../changes/narrow.ts';
import type { Acknowledged } from '../disk/horizon.ts';
import { concat } from '../format/bytes.ts';
import type { Commit, CommitId } from '../format/commit.ts';
import type { State } from '../format/op.ts';
import { factsOf } from '../rights/rights.ts';
import type { Store } from '../store.ts';
import type { Vector } from '../sync/export.ts';
import type { Refused } from '../sync/receive.ts';
import { Broken, checkHeld } from './check.fixture.ts';
import { attempt, type Home, restart } from './home.fixture.ts';
import type { Household } from './household.fixture.ts';
import { cutsKnownTo, declaredCuts, isDropped, isOfPhrase, mayBeLeft } from './kept.fixture.ts';

/** Whether two devices can ever meet. */
export function canMeet({ homes, topology }: Household, one: Home, other: Home): boolean {
  const [a, b] = [homes.indexOf(one), homes.indexOf(other)];
  if (a === b) return false;
  if (topology === 'third') return a === 2 || b === 2;
  return topology === 'all' || Math.abs(a - b) === 1;
}

export async function ask(
  household: Household,
  home: Home,
  ops: readonly DraftOp[],
): Promise<void> {
  if (home.writer === undefined || ops.length === 0) return;
  const draft = { ops, message: 'Change', via: 'test' };
  await author(household, home, home.store, () => home.store.commit(draft));
}

export async function commit(
  household: Household,
  home: Home,
  ops: readonly DraftOp[],
): Promise<void> {
  const { store, writer } = home;
  if (writer === undefined || ops.length === 0) return;
  const draft = { ops, message: 'Change', via: 'test' };
  const made = await author(household, home, store, () => store.commit(draft));
  const [op] = ops;
  // A value that was never there before cannot be nothing new.
  const isFresh = ops.length === 1 && op?.op === 'set' && !op.path.startsWith('rules');
  if (made === 'nothing' && isFresh) {
    throw new Broken(`${home.name} was told that ${JSON.stringify(op)} is done, and it is not`);
  }
}

export function numbersIn(vector: Vector): Acknowledged[string] {
  return Object.fromEntries(
    Object.entries(vector).map(([device, tips]) => [device, Math.max(...tips.map(([seq]) => seq))]),
  );
}

/** A commit is made, and what its author knew is remembered. */
export async function author(
  household: Household,
  home: Home,
  store: Store,
  write: () => Promise<Commit>,
): Promise<'done' | 'nothing' | 'refused'> {
  const past = store.merged();
  const { heads } = store;
  const made = await attempt(write);
  if (made === 'off' || !('result' in made)) {
    if (made !== 'off') tolerate(home, made.code, REFUSALS);
    if (made !== 'off' && store.heads.join() !== heads.join())
      throw new Broken('refused, but moved');
    if (made === 'off') await comeBack(household, home, past);
    return 'refused';
  }
  const { result } = made;
  if (heads.includes(result.id)) return 'nothing';
  if (result.parents.join() !== heads.join()) throw new Broken('a commit that joins not all heads');
  learn(household, result, past);
  home.acknowledged.add(result.id);
  return 'done';
}

export const REFUSALS = [
  'invalid',
  'not-writer',
  'does-not-apply',
  'fork',
  'needs-second-owner',
  'too-old',
];

export function tolerate(home: Home, code: string, allowed: readonly string[]): void {
  const isPlanned = home.isFaulty && (code === 'io' || code === 'no-space');
  if (!isPlanned && !allowed.includes(code)) throw new Broken(`${home.name} refused with ${code}`);
}

export function learn({ known }: Household, commit: Commit, past: State): void {
  const { id, parents, device, seq, ops } = commit;
  if (known.has(id)) return;
  known.set(id, { id, parents, device, seq, ops, ...factsOf(past, device, ops) });
}

/** After a power cut or a stop: nothing that was acknowledged is gone, nothing unheard-of is there. */
export async function comeBack(household: Household, home: Home, past?: State): Promise<void> {
  await restart(home);
  // It was on its way to the disk when the power went.
  await learnFresh(household, home, past);
  await checkHeld(household, home);
}

/** A commit that its author has not said to be there. */
export async function learnFresh(
  household: Household,
  home: Home,
  past: State | undefined,
): Promise<void> {
  for (const id of home.store.expand('').filter((each) => !household.known.has(each))) {
    if (past === undefined) throw new Broken(`${home.name} holds ${id}, which nobody wrote`);
    learn(household, await home.store.read(id), past);
  }
}

export async function pull(
  household: Household,
  from: Home,
  to: Home,
  limit: number | undefined,
): Promise<number> {
  hear(from, to);
  const page = await attempt(() => from.store.exportMissing(to.store.vector(), limit));
  if (page === 'off' || !('result' in page)) return 0;
  return page.result.length === 0 ? 0 : take(household, to, page.result);
}

export async function pullAll(household: Household, from: Home, to: Home): Promise<number> {
  let all = 0;
  for (let pages = 0; pages < 200; pages++) {
    hear(from, to);
    const page = await from.store.exportMissing(to.store.vector());
    if (page.length === 0) return all;
    const added = await take(household, to, page);
    // Who does not know a fork of another's cannot tell what is held below it, and says it again.
    if (added === 0) return all;
    all += added;
  }
  throw new Broken('more pages than there can be');
}

/** Whoever asks says what it holds; a number that stands for another commit says nothing. */
export function hear({ heard, store }: Home, { writer, store: other }: Home): void {
  const said = Object.entries(other.vector());
  const isKnown = said.every(([, tips]) => tips.every(([, id]) => id === '' || store.holds(id)));
  if (writer !== undefined && isKnown) heard.set(writer.deviceId, numbersIn(other.vector()));
}

/**
 * An honest page, however late: nothing in it is refused but what lies behind or beside the beginning
 * of history, and twice is once (I4).
 */
export async function take(household: Household, home: Home, page: Uint8Array): Promise<number> {
  const told = await attempt(() => home.store.importCommits(page));
  if (told === 'off') {
    await comeBack(household, home);
    return 0;
  }
  if (!('result' in told)) {
    tolerate(home, told.code, []);
    return 0;
  }
  const refused = told.result.refused.find((each) => !isRightly(household, home, each));
  if (refused !== undefined) {
    throw new Broken(`${home.name} refuses ${refused.id}: ${refused.reason.message}`);
  }
  const isWrong = told.result.refused.some(({ reason }) => reason.code === 'wrong-tree');
  const { isDiverged } = home.store;
  home.isAlarmed = isDiverged && (isWrong || home.isAlarmed);
  if (isDiverged && !home.isAlarmed) throw new Broken(`${home.name} says that states diverge`);
  for (const id of home.store.expand('')) home.acknowledged.add(id);
  household.taken += 1;
  // A fork may take back the declaration for which something was refused.
  const isRefused = told.result.refused.length > 0;
  if (home.isFaulty || isRefused || household.taken % 4 > 0) return told.result.added;
  const before = home.store.head;
  const again = await home.store.importCommits(concat([page, page]));
  if (again.added !== 0 || home.store.head !== before) throw new Broken('twice is not once');
  return told.result.added;
}

/** What is refused lies behind or beside a beginning, and that is what is said. */
function isRightly(household: Household, { store }: Home, { id, reason }: Refused): boolean {
  if (id !== undefined && household.forged.has(id)) return true;
  const isOld =
    reason.code === 'too-old' || (reason.code === 'wrong-tree' && isOfPhrase(household, id ?? ''));
  if (id !== undefined) return isOld && mayRefuse(household, store, id);
  // Somebody's beginning, while there are commits here beside it.
  const cuts = declaredCuts(household);
  return (
    reason.code === 'conflict' &&
    store.expand('').some((each) => cuts.some((cut) => mayBeLeft(household, each, cut)))
  );
}

export function mayRefuse(household: Household, store: Store, id: CommitId): boolean {
  const cuts = cutsKnownTo(household, store);
  return (
    isDropped(household, store, id) || cuts.some((cut) => mayBeLeft(household, id, cut, store))
  );
}
