/** What happens to a household: each act of a script, on one of its devices. */

import type { FakeFiles } from '#runtime/fake';
import type { DraftOp } from '../changes/narrow.ts';
import type { Acknowledged } from '../disk/horizon.ts';
import type { PruneOptions } from '../disk/prune.ts';
import { DIRECTORY } from '../realm.fixture.ts';
import { Broken, checkForgotten, checkHeld, checkMeaning } from './check.fixture.ts';
import {
  ask,
  author,
  canMeet,
  comeBack,
  commit,
  hear,
  learnFresh,
  numbersIn,
  pull,
  REFUSALS,
  take,
  tolerate,
} from './exchange.fixture.ts';
import { attempt, copyDisk, copyHome, type Home, rewind, withPhrase } from './home.fixture.ts';
import type { Household } from './household.fixture.ts';
import { beginningOf } from './kept.fixture.ts';
import type { Act } from './script.fixture.ts';
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

/** A way in which history could be dropped wrongly. */
export type Mistake = keyof typeof MISTAKES;

const YEARS = [0, 1_795_176_000, 1_795_176_000 + 10 * 365 * 86_400, 1_795_176_000 + 200 * 86_400];
const SEASON = 200 * 86_400;
/** As many commits as are worth dropping. */
const MANY = 55;
const MAX_HOMES = 7;
const OCCASIONS = ['asked', 'unasked', 'unasked', 'declared'] as const;
type Numbers = readonly [number, number, number];
type Deed = (household: Household, home: Home, numbers: Numbers) => Promise<void>;

export const DEEDS: Readonly<Record<Act, Deed>> = {
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
  async copy({ homes, twice }, home) {
    if (homes.length >= MAX_HOMES) return;
    homes.push(await copyHome(home));
    twice.add(home.writer?.deviceId ?? '');
  },
  async rewind(household, home) {
    const isBacked = home.backup !== undefined;
    if (isBacked) household.twice.add(home.writer?.deviceId ?? '');
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
    const beginning = beginningOf(home.store);
    const told = await attempt(() => home.store.importCommits(bytes));
    if (told === 'off') return comeBack(household, home);
    if (!('result' in told)) return tolerate(home, told.code, []);
    const ids = home.store.expand('');
    const isSame = beginningOf(home.store) === beginning;
    if (isSame && ids.length !== held + told.result.added) throw new Broken('miscounted');
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
    await checkForgotten(household, home);
  },
  mingle,
  gather,
  season,
  /** Asked for or not; what goes by itself goes however young it is, or nothing ever would. */
  prune(household, home, [a, b, c]) {
    const occasion = OCCASIONS[c % OCCASIONS.length] ?? 'asked';
    const days = occasion === 'asked' ? 180 : 0;
    return drop(household, [home], { days, commits: 1 + (a % 4), occasion }, b);
  },
  async forget(household, home, numbers) {
    const [a, b, c] = numbers;
    const all = { days: 0, commits: 1 + (a % 2) };
    if (b % 4 === 0) return drop(household, [home], all, c);
    // Somebody may be away for half a year, and write meanwhile.
    home.isAsleep = b % 3 === 0;
    if (home.isAsleep && a % 3 === 0) await report(household, home);
    if (b % 2 === 0) await season(household, home, numbers);
    const awake = household.homes.filter(({ isAsleep }) => !isAsleep);
    if (c % 2 === 0) await slip(household, awake[a % awake.length]);
    await gather(household);
    await drop(household, awake.slice(0, 1), all, c);
    await gather(household);
    // Not all of them at once.
    const some = awake.filter((_, index) => (a >> index) % 2 === 0);
    await drop(household, some, all, c);
    home.isAsleep = false;
  },
  /** The same, with all that has to be done first. */
  async purge(household, home, numbers) {
    const [a, b, c] = numbers;
    const all = { days: 0, commits: 1 + (a % 2) };
    // Somebody may be away for half a year, and write meanwhile.
    home.isAsleep = b % 3 === 0;
    if (home.isAsleep && a % 3 === 0) await report(household, home);
    if (home.isAsleep || b % 4 === 0) await season(household, home, numbers);
    const awake = household.homes.filter(({ isAsleep }) => !isAsleep);
    if (c % 2 === 0) await slip(household, awake[a % awake.length]);
    await gather(household);
    await decideAll(household, awake[0]);
    await tell(household, awake);
    await drop(household, awake.slice(0, 1), all, c);
    await tell(household, awake);
    // Not all of them at once.
    const some = awake.filter((_, index) => (a >> index) % 4 > 0);
    await drop(household, some, all, c);
    home.isAsleep = false;
  },
};

/** What is in dispute is not dropped: somebody decides it, and joins what there is. */
async function decideAll(household: Household, home: Home | undefined): Promise<void> {
  if (home?.writer === undefined) return;
  for (const { path, values } of home.store.conflicts()) {
    await author(household, home, home.store, () =>
      home.store.resolve(path, values[0]?.value, 'web'),
    );
  }
  await report(household, home);
}

/** All hear of everything, and of each other that they have heard. */
async function tell(household: Household, awake: readonly Home[]): Promise<void> {
  await gather(household);
  if (household.topology === 'all') return;
  for (const home of awake) await report(household, home);
  await gather(household);
}

/** All who are not away meet. */
async function gather(household: Household): Promise<void> {
  for (const from of household.homes) {
    for (const to of household.homes) {
      if (from.isAsleep || to.isAsleep || !canMeet(household, from, to)) continue;
      hear(from, to);
      if (from.store.head !== to.store.head) await pull(household, from, to, undefined);
    }
  }
}

/** Half a year and more goes by; who is not away is heard of. */
async function season(household: Household, home: Home, [a]: Numbers): Promise<void> {
  const awake = household.homes.filter(({ isAsleep }) => !isAsleep);
  for (const each of household.homes) {
    each.clock.set(each.clock.now() + SEASON);
    each.heard.clear();
  }
  for (const each of awake) await report(household, each);
  // Less than this is not dropped for its age.
  for (let count = 0; a % 16 === 0 && count < MANY; count++) await report(household, home);
}

/** Somebody writes a line that nobody was to read, and takes it out. */
async function slip(household: Household, home: Home | undefined): Promise<void> {
  if (home === undefined) return;
  household.fresh += 1;
  const lines = linesOf(home);
  await write(household, home, [...lines, `line ${household.fresh}`]);
  await write(household, home, [...lines, 'end']);
}

/** Two write at the same text, and meet now and then: earlier versions come to crowd each other out. */
async function mingle(household: Household, one: Home, [a, b, c]: Numbers): Promise<void> {
  const others = household.homes.filter((each) => canMeet(household, one, each) && !each.isAsleep);
  const other = others[c % Math.max(1, others.length)];
  if (other === undefined) return;
  for (let at = 0; at < 12; at++) {
    const [from, to] = (a >> at) % 2 === 0 ? [one, other] : [other, one];
    household.fresh += 1;
    const lines = linesOf(from);
    const place = (c >> at) % (lines.length + 1);
    await write(household, from, lines.toSpliced(place, (b >> at) % 2, `line ${household.fresh}`));
    if ((b >> at) % 3 === 0) await pull(household, from, to, undefined);
  }
}

function linesOf({ store }: Home): readonly string[] {
  const body = store.merged().get('notes')?.get('t')?.['body'];
  return typeof body === 'string' ? body.split('\n') : [];
}

function write(household: Household, home: Home, lines: readonly string[]): Promise<void> {
  const value = lines.join('\n');
  return commit(household, home, [{ op: 'text', path: 'notes/t/body', value }]);
}

function report(household: Household, home: Home): Promise<void> {
  household.fresh += 1;
  const path = `status/${home.writer?.deviceId}`;
  return ask(household, home, [{ op: 'set', path, value: { seen: household.fresh } }]);
}

/** Each drops what it may; to the first the power may go meanwhile. */
async function drop(
  household: Household,
  homes: readonly Home[],
  options: PruneOptions,
  fate: number,
): Promise<void> {
  const [first] = homes;
  if (first !== undefined && !first.isFaulty && fate % 3 === 0) {
    // A clean stop leaves a checkpoint, in which there may be what is to go.
    await first.store[Symbol.asyncDispose]();
    await comeBack(household, first);
    const how = (['lost', 'kept', 'torn'] as const)[(fate >> 2) % 3] ?? 'lost';
    first.files.crashAt(first.files.steps + 1 + ((fate >> 4) % 24), how);
    first.isFaulty = true;
  }
  for (const home of homes) {
    const past = home.store.merged();
    const acknowledged = MISTAKES[household.mistake ?? 'none'].believe(household, home);
    const before = await copyDisk(home.files);
    const { seq } = home.store;
    const done = await attempt(() => home.store.prune('test', { ...options, acknowledged }));
    const isDeclared = home.store.seq > seq;
    if (isDeclared && options.occasion === 'declared') throw new Broken('declared unasked');
    if (done === 'off') await comeBack(household, home, past);
    else if (!('result' in done)) tolerate(home, done.code, REFUSALS);
    await MISTAKES[household.mistake ?? 'none'].clear(home, before);
    await learnFresh(household, home, past);
    await checkHeld(household, home);
    // What a disk that fails could not remove goes when it is opened again.
    if (!home.isFaulty) await checkForgotten(household, home);
  }
}

const MISTAKES = {
  none: { believe: (_, { heard }) => Object.fromEntries(heard), clear: async () => undefined },
  /** Nobody is waited for. */
  haste: {
    believe({ homes }, { store }) {
      const all = numbersIn(store.vector());
      return Object.fromEntries(homes.map(({ writer }) => [writer?.deviceId ?? '', all]));
    },
    clear: async () => undefined,
  },
  /** A file of before is left where nobody reads it. */
  leftover: {
    believe: (_, { heard }) => Object.fromEntries(heard),
    async clear({ files, isFaulty }, before) {
      const bytes = isFaulty ? undefined : await before.read(`${DIRECTORY}/log/00000001.log`);
      if (bytes !== undefined) await files.replace(`${DIRECTORY}/old`, bytes, 0o600);
    },
  },
} as const satisfies Record<
  string,
  {
    readonly believe: (household: Household, home: Home) => Acknowledged;
    readonly clear: (home: Home, before: FakeFiles) => Promise<void>;
  }
>;
