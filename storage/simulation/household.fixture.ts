/** A simulated household: its devices, what is under way between them, and how events happen. */

import type { DraftOp } from '../changes/narrow.ts';
import { concat } from '../format/bytes.ts';
import type { Commit, CommitId } from '../format/commit.ts';
import type { State } from '../format/op.ts';
import { factsOf } from '../rights/rights.ts';
import type { Store } from '../store.ts';
import { Broken, checkHeld, checkMeaning, type Known } from './check.fixture.ts';
import {
  attempt,
  beginHomes,
  copyDisk,
  copyHome,
  type Home,
  restart,
  rewind,
  withPhrase,
} from './home.fixture.ts';
import type { Act, Event, Script, Topology } from './script.fixture.ts';
import {
  admit,
  approve,
  demote,
  grant,
  leave,
  makeRule,
  promote,
  propose,
  revokeOne,
} from './standing.fixture.ts';
import { forge } from './thief.fixture.ts';
import { wishOf } from './wish.fixture.ts';

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
  fresh: number;
  /** How many pages were taken over. */
  taken: number;
};

const YEARS = [0, 1_795_176_000, 1_795_176_000 + 10 * 365 * 86_400, 1_795_176_000 + 200 * 86_400];
const MAX_HOMES = 7;
const MAX_ROUNDS = 12;

export async function settle(script: Script): Promise<Household> {
  const homes = await beginHomes(script.devices);
  const known = new Map<CommitId, Known>();
  const { topology } = script;
  const forged = new Set<CommitId>();
  const household = { homes, topology, known, pages: [], forged, fresh: 1000, taken: 0 };
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

type Numbers = readonly [number, number, number];
type Deed = (household: Household, home: Home, numbers: Numbers) => Promise<void>;

const DEEDS: Readonly<Record<Act, Deed>> = {
  async write(household, home, numbers) {
    const { writer, store } = home;
    if (writer === undefined) return;
    household.fresh += 1;
    const { fresh } = household;
    await commit(household, home, wishOf(writer.deviceId, store.merged(), numbers, fresh));
  },
  async pull(household, home, [a, b]) {
    const awake = household.homes.filter(
      (each) => !each.isAsleep && canMeet(household, each, home),
    );
    const from = awake[a % Math.max(1, awake.length)];
    if (from !== undefined) await pull(household, from, home, b % 3 === 0 ? 1500 : undefined);
  },
  async send(household, home, [a, b]) {
    const others = household.homes.filter((each) => canMeet(household, home, each));
    const to = others[a % Math.max(1, others.length)];
    if (to === undefined) return;
    const page = await attempt(() =>
      home.store.exportMissing(b % 2 === 0 ? {} : to.store.vector()),
    );
    if (typeof page === 'object' && 'result' in page) household.pages.push(page.result);
  },
  async deliver(household, home, [a, b]) {
    const page = household.pages[a % Math.max(1, household.pages.length)];
    // Pages do not go where their sender cannot.
    if (page === undefined || household.topology !== 'all') return;
    await take(household, home, page);
    if (b % 2 === 0) household.pages.splice(a % household.pages.length, 1);
  },
  async resolve(household, home, [a, b]) {
    const conflicts = home.store.conflicts();
    const conflict = conflicts[a % Math.max(1, conflicts.length)];
    if (conflict === undefined || home.writer === undefined) return;
    const { value } = conflict.values[b % conflict.values.length] ?? {};
    await author(household, home, home.store, () =>
      home.store.resolve(conflict.path, value, 'web'),
    );
  },
  async revert(household, home, [a]) {
    const ids = home.store.expand('');
    const id = ids[a % ids.length] ?? '';
    if (home.writer === undefined) return;
    await author(household, home, home.store, () => home.store.revert(id, 'web'));
  },
  async crash(_, home, [a, b]) {
    const how = (['lost', 'kept', 'torn'] as const)[a % 3] ?? 'lost';
    home.files.crashAt(home.files.steps + 1 + (b % 6), how);
    home.isFaulty = true;
  },
  async fail(_, home, [a, b]) {
    home.files.failAt(home.files.steps + 1 + (b % 4), a % 2 === 0 ? 'io' : 'no-space');
    home.isFaulty = true;
  },
  async restart(household, home, [a]) {
    // A clean stop leaves a checkpoint.
    if (a % 2 === 0 && !home.isFaulty) await home.store[Symbol.asyncDispose]();
    await comeBack(household, home);
  },
  async clock(_, home, [a]) {
    home.clock.set(YEARS[a % YEARS.length] ?? 0);
  },
  async sleep(_, home) {
    home.isAsleep = !home.isAsleep;
  },
  revoke: (household, home, numbers) => ask(household, home, revokeOne(household, home, numbers)),
  leave: (household, home, [a]) =>
    // Else nobody is left who does anything.
    a % 4 > 0 ? Promise.resolve() : ask(household, home, leave(household, home)),
  admit: (household, home, numbers) => ask(household, home, admit(home, numbers)),
  grant: (household, home, numbers) => ask(household, home, grant(home, numbers)),
  promote: (household, home, numbers) => ask(household, home, promote(home, numbers)),
  demote: (household, home, numbers) => ask(household, home, demote(home, numbers)),
  rule: (household, home, numbers) => ask(household, home, makeRule(numbers)),
  propose: (household, home, numbers) => ask(household, home, propose(home, numbers)),
  approve: (household, home, numbers) => ask(household, home, approve(home, numbers)),
  async phrase(household, home, [a, b, c]) {
    if (home.isFaulty) await comeBack(household, home);
    household.fresh += 1;
    const { fresh } = household;
    await withPhrase(home, async (store) => {
      const devices = [...(store.merged().get('devices')?.keys() ?? [])];
      const path = `devices/${devices[b % Math.max(1, devices.length)]}`;
      const ops: DraftOp[] =
        a % 2 === 0 && devices.length > 2
          ? [{ op: 'revoke', path, lastSeq: c % 6 }]
          : [{ op: 'set', path: `names/phrase${c % 3}`, value: { f: fresh } }];
      await author(household, home, store, () =>
        store.commit({ ops, message: 'Rescue', via: 'cli' }),
      );
    });
  },
  async copy({ homes }, home) {
    if (homes.length < MAX_HOMES) homes.push(await copyHome(home));
  },
  async rewind(household, home) {
    const isBacked = home.backup !== undefined;
    if (isBacked) await rewind(home);
    else home.backup = await copyDisk(home.files);
    if (isBacked) home.backup = undefined;
    await checkHeld(household, home);
  },
  async mangle(household, home, [a, b, c]) {
    const page = household.pages[a % Math.max(1, household.pages.length)];
    if (page === undefined || page.length === 0) return;
    const bytes = page.slice();
    bytes[b % bytes.length] = (bytes[b % bytes.length] ?? 0) ^ (1 + (c % 255));
    const held = home.store.expand('').length;
    const told = await attempt(() => home.store.importCommits(bytes));
    if (told === 'off') return comeBack(household, home);
    if (!('result' in told)) return tolerate(home, told.code, []);
    const ids = home.store.expand('');
    if (ids.length !== held + told.result.added) throw new Broken('miscounted');
    for (const id of ids) home.acknowledged.add(id);
    await checkHeld(household, home);
  },
  async forge(household, home, [a, b, c]) {
    const others = household.homes.filter((each) => canMeet(household, home, each));
    const to = others[a % Math.max(1, others.length)];
    const victims = household.homes.flatMap(({ writer }) => writer?.deviceId ?? []);
    const victim = victims.filter((id) => id !== home.writer?.deviceId)[b % 5] ?? '';
    const forged = to && victim && (await attempt(() => forge(home, victim, [c, b])));
    if (!to || !forged || forged === 'off' || !('result' in forged)) return;
    const { id = '', page = new Uint8Array(0) } = forged.result ?? {};
    household.forged.add(id);
    const told = await attempt(() => to.store.importCommits(page));
    if (told === 'off') return comeBack(household, to);
    if (!('result' in told)) tolerate(to, told.code, []);
    await checkHeld(household, to);
  },
  async inspect(household, home) {
    await checkMeaning(household, home);
  },
};

/** Whether two devices can ever meet. */
function canMeet({ homes, topology }: Household, one: Home, other: Home): boolean {
  const [a, b] = [homes.indexOf(one), homes.indexOf(other)];
  if (a === b) return false;
  if (topology === 'third') return a === 2 || b === 2;
  return topology === 'all' || Math.abs(a - b) === 1;
}

async function ask(household: Household, home: Home, ops: readonly DraftOp[]): Promise<void> {
  if (home.writer === undefined || ops.length === 0) return;
  const draft = { ops, message: 'Change', via: 'test' };
  await author(household, home, home.store, () => home.store.commit(draft));
}

async function commit(household: Household, home: Home, ops: readonly DraftOp[]): Promise<void> {
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

/** A commit is made, and what its author knew is remembered. */
async function author(
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

const REFUSALS = ['invalid', 'not-writer', 'does-not-apply', 'fork', 'needs-second-owner'];

function tolerate(home: Home, code: string, allowed: readonly string[]): void {
  const isPlanned = home.isFaulty && (code === 'io' || code === 'no-space');
  if (!isPlanned && !allowed.includes(code)) throw new Broken(`${home.name} refused with ${code}`);
}

function learn({ known }: Household, commit: Commit, past: State): void {
  const { id, parents, device, seq, ops } = commit;
  if (known.has(id)) return;
  known.set(id, { id, parents, device, seq, ops, ...factsOf(past, device, ops) });
}

/** After a power cut or a stop: nothing that was acknowledged is gone, nothing unheard-of is there. */
async function comeBack(household: Household, home: Home, past?: State): Promise<void> {
  await restart(home);
  const fresh = home.store.expand('').filter((id) => !household.known.has(id));
  for (const id of fresh) {
    // It was on its way to the disk when the power went.
    if (past === undefined) throw new Broken(`${home.name} holds ${id}, which nobody wrote`);
    learn(household, await home.store.read(id), past);
  }
  await checkHeld(household, home);
}

async function pull(
  household: Household,
  from: Home,
  to: Home,
  limit: number | undefined,
): Promise<number> {
  const page = await attempt(() => from.store.exportMissing(to.store.vector(), limit));
  if (page === 'off' || !('result' in page)) return 0;
  return page.result.length === 0 ? 0 : take(household, to, page.result);
}

async function pullAll(household: Household, from: Home, to: Home): Promise<number> {
  let all = 0;
  for (let pages = 0; pages < 200; pages++) {
    const page = await from.store.exportMissing(to.store.vector());
    if (page.length === 0) return all;
    const added = await take(household, to, page);
    // Who does not know a fork of another's cannot tell what is held below it, and says it again.
    if (added === 0) return all;
    all += added;
  }
  throw new Broken('more pages than there can be');
}

/** An honest page, however late: nothing in it is refused, and twice is once (I4). */
async function take(household: Household, home: Home, page: Uint8Array): Promise<number> {
  const told = await attempt(() => home.store.importCommits(page));
  if (told === 'off') {
    await comeBack(household, home);
    return 0;
  }
  if (!('result' in told)) {
    tolerate(home, told.code, []);
    return 0;
  }
  const refused = told.result.refused.find(({ id = '' }) => !household.forged.has(id));
  if (refused !== undefined) {
    throw new Broken(`${home.name} refuses ${refused.id}: ${refused.reason.message}`);
  }
  if (home.store.isDiverged) throw new Broken(`${home.name} says that states diverge`);
  for (const id of home.store.expand('')) home.acknowledged.add(id);
  household.taken += 1;
  if (home.isFaulty || household.taken % 4 > 0) return told.result.added;
  const before = home.store.head;
  const again = await home.store.importCommits(concat([page, page]));
  if (again.added !== 0 || home.store.head !== before) throw new Broken('twice is not once');
  return told.result.added;
}
