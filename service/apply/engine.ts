/**
 * The engine: carries out what plan.ts decides, and tells it what happened.
 *
 *     <data>/apply.json   what is pending, how the last change ended, what options were before
 *
 * It is off, and says why, where there is no guard to take a change back.
 */

import { type Cancel, type Runtime, RuntimeError } from '#runtime';
import { type State as Records, StorageError, type Store } from '#storage';
import { encodeHex } from '../hex.ts';
import type { DeviceStatus } from '../records.ts';
import type { Guard } from './guard.ts';
import type { Health } from './health.ts';
import { printJournal, readJournal, writeJournal } from './journal.ts';
import { classify, type OptionLine, packageOf } from './option.ts';
import { type Apply, type Change, type Command, type Event, type Pending, step } from './plan.ts';
import { optionLines, optionsOf, partOf, waitsFor } from './render.ts';
import { differing, type Uci } from './uci.ts';

type EngineRuntime = Pick<Runtime, 'clock' | 'crypto' | 'files' | 'log' | 'random'>;

export type EngineParties = {
  readonly store: Store;
  readonly self: string;
  readonly directory: string;
  readonly guard: Guard;
  readonly uci: Uci;
  readonly health: Health;
  /** 0: by the kind of change. */
  readonly seconds: number;
  /** What is wrong with the head's state; it is not applied then. */
  readonly problemsOf: (state: Records) => readonly string[];
  /** The name of whoever confirmed, if that one may. */
  readonly confirmedBy: (id: string) => Promise<string | undefined>;
};

export type Engine = {
  readonly state: () => Apply;
  /** Seconds until the guard takes the pending change back, when it was last asked. */
  readonly secondsLeft: () => number | undefined;
  /** Why the newest head is not applied. */
  readonly problem: () => string | undefined;
  /** What the system is to hold. */
  readonly lines: () => readonly OptionLine[];
  confirm(id: string, by: string): void;
  undo(by: string): void;
  /** Gives the pending change so many seconds from now; false when it is over. */
  extend(seconds: number): Promise<boolean>;
  /** Applies what was taken back, or what drifted. */
  again(): Promise<void>;
  /**
   * Has the head let go of these, which are gone here, by `commit`: nothing is given back. False when
   * that could not be written down, and nothing was done.
   */
  adopt(options: readonly string[], commit: () => Promise<void>): Promise<boolean>;
  stop(): Promise<void>;
};

const POLL_MS = 2_000;
/** Somebody else's pending change passes; so does what keeps `uci` from answering. */
const LOOK_MS = 60_000;
const ID_BYTES = 8;

type Running = {
  readonly runtime: EngineRuntime;
  readonly parties: EngineParties;
  readonly busy: Set<Promise<void>>;
  state: Apply;
  saved: string;
  seen: string;
  problem: string | undefined;
  left: { readonly id: string; readonly seconds: number; readonly at: number } | undefined;
  turn: Promise<void>;
  cancelPoll: Cancel;
  isStopped: boolean;
  /** The guard has said what became of the change that an earlier life left. */
  isResumed: boolean;
  /** Adoptions whose commit is under way. */
  adoptions: number;
  /** What this device says of itself was refused: others may hear of it later. */
  isUntold: boolean;
};

/** Starts with what an earlier life left, and follows the store. */
export async function startEngine(runtime: EngineRuntime, parties: EngineParties): Promise<Engine> {
  const state = await readJournal(runtime, parties.directory);
  const running: Running = {
    ...{ runtime, parties, state, busy: new Set() },
    ...{
      saved: printJournal(state),
      seen: '',
      problem: undefined,
      left: undefined,
      isStopped: false,
      isResumed: false,
      adoptions: 0,
      isUntold: false,
    },
    ...{ turn: Promise.resolve(), cancelPoll: () => undefined },
  };
  keepWhatStays(running);
  await resume(running);
  const stopWatching = parties.store.watch(() => {
    void track(running, lookIfNews(running));
  });
  poll(running);
  return {
    state: () => running.state,
    secondsLeft: () => secondsLeft(running),
    problem: () => running.problem,
    lines: () => linesOf(running),
    confirm: (id, by) => feed(running, { kind: 'person', id, by }),
    undo: (by) => feed(running, { kind: 'undo', by }),
    async extend(seconds) {
      const id = running.state.pending?.id;
      if (id === undefined || !(await parties.guard.extend(id, seconds))) return false;
      running.left = { id, seconds, at: runtime.clock.monotonic() };
      return true;
    },
    async again() {
      await look(running);
      feed(running, { kind: 'again', id: newId(runtime) });
    },
    adopt: (options, commit) => adopt(running, options, commit),
    async stop() {
      running.isStopped = true;
      stopWatching();
      running.cancelPoll();
      await Promise.all([...running.busy]);
      await running.turn;
    },
  };
}

/** Until the guard answers nobody knows what of a change was written: it is neither judged nor confirmed. */
async function resume(running: Running): Promise<void> {
  const guard = await running.parties.guard.status();
  running.isResumed = guard !== undefined || running.state.pending === undefined;
  feed(running, { kind: 'start', guard });
}

/** Events are taken one after the other; each is on the disk before it has consequences (I7). */
function feed(running: Running, event: Event): void {
  running.turn = running.turn.then(async () => {
    const { state, commands } = step(running.state, event);
    running.state = state;
    const isSaved = await save(running);
    if (running.isStopped) return;
    for (const command of commands) void track(running, carryOut(running, command, isSaved));
    if (event.kind !== 'health') await report(running);
  });
}

async function save(running: Running): Promise<boolean> {
  const text = printJournal(running.state);
  const isSaved =
    text === running.saved ||
    (await writeJournal(running.runtime, running.parties.directory, text));
  if (isSaved) running.saved = text;
  return isSaved;
}

function track(running: Running, work: Promise<void>): Promise<void> {
  const done = work
    .catch((error: unknown) => {
      running.runtime.log('error', 'apply-failed', { error: String(error) });
    })
    .finally(() => running.busy.delete(done));
  running.busy.add(done);
  return done;
}

/** What is not written down is not begun: a later life would try it again, whatever became of it. */
async function carryOut(running: Running, command: Command, isSaved: boolean): Promise<void> {
  const { guard } = running.parties;
  running.runtime.log('info', 'apply', { step: command.kind });
  switch (command.kind) {
    case 'arm':
      if (!isSaved) return feed(running, UNSAVED);
      return feed(running, { kind: 'armed', ...(await arm(running, command.pending)) });
    case 'write':
      if (!isSaved) return feed(running, { kind: 'written', problem: 'the disk is full' });
      return feed(running, { kind: 'written', ...(await write(running, command.pending)) });
    case 'confirm':
      return feed(running, { kind: 'confirmed', ok: await guard.confirm(command.id) });
    case 'restore':
      return feed(running, { kind: 'restored', ok: await guard.restore(command.id) });
    case 'look':
      return look(running);
  }
}

const UNSAVED: Event = { kind: 'armed', result: 'no-space', lame: [], originals: {} };

async function arm(
  { parties, state }: Running,
  { id, seconds, changes }: Pending,
): Promise<Omit<Extract<Event, { kind: 'armed' }>, 'kind'>> {
  const { guard, health, uci } = parties;
  const lame = await health.failing();
  const packages = packagesOf(changes);
  const found = await uci.read(packages);
  const news = changes.filter(({ option }) => !Object.hasOwn(state.originals, option));
  const originals = Object.fromEntries(
    news.map(({ option }) => [option, found.get(option) ?? null]),
  );
  const files = packages.map((name) => `/etc/config/${name}`);
  const result = await guard.arm(id, seconds, files);
  // An earlier life of ours may have armed it.
  const isOurs = result === 'busy' && (await guard.status())?.pending?.id === id;
  return { result: isOurs ? 'armed' : result, lame, originals };
}

/** What is left until the guard goes back must be enough for replacing a file. */
const COMMIT_SECONDS = 5;
const TOO_SLOW = 'writing it took so long that nobody could have confirmed it';

async function write(
  { parties }: Running,
  { id, changes }: Pending,
): Promise<{ readonly problem?: string }> {
  const { guard, uci } = parties;
  try {
    await uci.write(changes, async () => {
      const pending = (await guard.status())?.pending;
      const isGuarded = pending?.id === id && pending.secondsLeft >= COMMIT_SECONDS;
      if (!isGuarded) throw new RuntimeError('refused', TOO_SLOW);
    });
    return {};
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return { problem: error.message };
  }
}

function linesOf({ parties, state }: Running): readonly OptionLine[] {
  const { originals, adopting = [] } = state;
  const records = parties.store.state();
  const givenBack = Object.entries(originals).filter(([option]) => !adopting.includes(option));
  return optionLines(records, parties.self, Object.fromEntries(givenBack));
}

/** What the head says and what the system holds. */
async function look(running: Running): Promise<void> {
  const { runtime, parties, state } = running;
  const { store, self, uci } = parties;
  const records = store.state();
  const part = partOf(runtime.crypto, records, self);
  const lines = linesOf(running);
  if (lines.length === 0 && state.settled === undefined) return;
  const [problem] = parties.problemsOf(records);
  running.problem = problem;
  if (problem !== undefined && part !== state.applied?.part) return;
  const found = await uci.read(packagesOf(lines));
  const changes = differing(lines, found);
  const waiting = waitsFor(runtime.crypto, records, self);
  const known = [state.settled, state.applied].find((each) => each?.part === part);
  const change: Change = {
    commit: known?.commit ?? (await newestWish(store)),
    part,
    options: optionsOf(records, self).map(({ option }) => option),
    changes,
    ...deadlineOf(changes, parties.seconds),
    ...(waiting === undefined ? {} : { waitsFor: waiting }),
  };
  feed(running, { kind: 'wanted', change, id: newId(runtime) });
}

/** By which people know it; what devices say of themselves comes after it. */
async function newestWish(store: Store): Promise<string> {
  const [newest] = await store.log({ path: 'options', limit: 1 });
  return newest?.id ?? store.head;
}

function deadlineOf(
  changes: readonly OptionLine[],
  seconds: number,
): Pick<Change, 'kind' | 'seconds'> {
  const { kind, seconds: usual } = classify(changes.map(({ option }) => option));
  return { kind, seconds: seconds === 0 ? usual : seconds };
}

/**
 * Written down before the commit, it counts once the head has let go: a crash leaves both or neither
 * (I7). What waits for a second owner holds until that one agrees.
 */
async function adopt(
  running: Running,
  options: readonly string[],
  commit: () => Promise<void>,
): Promise<boolean> {
  running.adoptions += 1;
  try {
    feed(running, { kind: 'adopting', options });
    await running.turn;
    if (running.saved !== printJournal(running.state)) return false;
    await commit();
    feed(running, { kind: 'adopted', options });
    return true;
  } finally {
    running.adoptions -= 1;
    keepWhatStays(running);
  }
}

/** What the head holds on to, and nobody proposes to let go of, is not adopted any more. */
function keepWhatStays(running: Running): void {
  const { parties, state, adoptions } = running;
  const { adopting = [] } = state;
  if (adopting.length === 0 || adoptions > 0) return;
  const proposed = proposedIn(parties.store.merged());
  const options = optionsOf(parties.store.state(), parties.self)
    .filter(({ option, id }) => adopting.includes(option) && !proposed.has(`options/${id}`))
    .map(({ option }) => option);
  if (options.length > 0) feed(running, { kind: 'kept', options });
}

/** The paths that somebody would like to be gone. */
function proposedIn(state: Records): ReadonlySet<string> {
  const all = [...(state.get('proposals')?.values() ?? [])].flatMap(
    ({ ops }) => ops as readonly { readonly op: string; readonly path: string }[],
  );
  return new Set(all.filter(({ op }) => op === 'del').map(({ path }) => path));
}

/** Most commits are no business of the system's. */
async function lookIfNews(running: Running): Promise<void> {
  keepWhatStays(running);
  if (running.isUntold) running.turn = running.turn.then(() => report(running));
  const { runtime, parties } = running;
  const records = parties.store.state();
  const part = partOf(runtime.crypto, records, parties.self);
  const news = `${part} ${waitsFor(runtime.crypto, records, parties.self) ?? ''}`;
  await heedPeople(running);
  if (news === running.seen) return;
  running.seen = news;
  await look(running);
}

async function heedPeople(running: Running): Promise<void> {
  const { parties, state } = running;
  const id = state.pending?.id;
  if (id === undefined || parties.store.state().get('confirmations')?.get(id) === undefined) return;
  const by = await parties.confirmedBy(id);
  if (by !== undefined) feed(running, { kind: 'person', id, by });
}

/** Looks after a pending change every few seconds, and at the system now and then. */
function poll(running: Running): void {
  const { clock } = running.runtime;
  const pause = running.state.pending === undefined ? LOOK_MS : POLL_MS;
  let waited = 0;
  const tick = (): void => {
    running.cancelPoll = clock.after(POLL_MS, () => {
      waited += POLL_MS;
      const isDue = running.state.pending !== undefined || waited >= pause;
      if (!isDue) return tick();
      void track(running, attend(running)).then(() => {
        if (!running.isStopped) poll(running);
      });
    });
  };
  tick();
}

async function attend(running: Running): Promise<void> {
  const { parties, runtime } = running;
  if (running.state.pending === undefined) return look(running);
  if (!running.isResumed) return resume(running);
  await heedPeople(running);
  const asked = running.state.pending;
  // It is being told of the change: what it says meanwhile may be from before.
  if (asked === undefined || asked.phase === 'arming') return;
  const guard = await parties.guard.status();
  if (running.state.pending?.id !== asked.id) return;
  const left = guard?.pending;
  running.left = left
    ? { id: left.id, seconds: left.secondsLeft, at: runtime.clock.monotonic() }
    : undefined;
  feed(running, { kind: 'guard', guard });
  if (running.state.pending?.phase !== 'watching') return;
  const failing = await parties.health.failing();
  feed(running, { kind: 'health', at: runtime.clock.monotonic(), failing });
}

function secondsLeft({ left, runtime, state }: Running): number | undefined {
  if (left === undefined || left.id !== state.pending?.id) return undefined;
  return Math.max(0, Math.round(left.seconds - (runtime.clock.monotonic() - left.at) / 1_000));
}

/** What this device says of itself in the store; only news become a commit. */
async function report(running: Running): Promise<void> {
  const { runtime, parties, state } = running;
  const { store, self } = parties;
  running.isUntold = false;
  const { settled, applied } = state;
  // What the guard does not have yet may have to wait for somebody else's, again and again.
  const pending = state.pending?.phase === 'arming' ? undefined : state.pending;
  if (pending === undefined && settled === undefined) return;
  const isRefused = settled !== undefined && settled.outcome !== 'confirmed';
  const record: Omit<DeviceStatus, 'at'> = {
    ...(applied === undefined ? {} : { applied: applied.commit, part: applied.part }),
    ...(settled === undefined ? {} : { outcome: settled.outcome, reason: settled.reason }),
    ...(isRefused ? { refused: settled.commit } : {}),
    ...(pending === undefined
      ? {}
      : { pending: { id: pending.id, commit: pending.commit, kind: pending.kind } }),
  };
  const { at: _, ...last } = store.state().get('status')?.get(self) ?? {};
  if (printed(last) === printed(record)) return;
  const value = JSON.parse(JSON.stringify({ ...record, at: Math.floor(runtime.clock.now()) }));
  const message = describeStatus(record);
  try {
    await store.commit({
      ops: [{ op: 'set', path: `status/${self}`, value }],
      message,
      via: 'apply',
    });
  } catch (error) {
    // Others do not hear of it yet; what holds here is in our own file.
    if (!(error instanceof StorageError)) throw error;
    running.isUntold = true;
    runtime.log('info', 'apply-status-not-committed', { reason: error.code });
  }
}

function describeStatus({ pending, outcome, reason }: Omit<DeviceStatus, 'at'>): string {
  if (pending !== undefined) return `Trying ${pending.commit.slice(0, 12)}`;
  const words = { confirmed: 'Confirmed', 'rolled-back': 'Taken back', failed: 'Not applied' };
  return `${words[outcome ?? 'failed']}: ${reason ?? ''}`;
}

const printed = (record: object): string =>
  JSON.stringify(
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)),
    sortKeys,
  );

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const packagesOf = (lines: readonly OptionLine[]): readonly string[] => [
  ...new Set(lines.map(({ option }) => packageOf(option))),
];

function newId({ random }: Pick<Runtime, 'random'>): string {
  return encodeHex(random(ID_BYTES));
}
