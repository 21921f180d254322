/**
 * Keeps this device's store and those of the others the same: an exchange with each full device and
 * with the realm's hub, at once when something changed here or somebody says so, and now and then.
 *
 * Whoever cannot be reached is asked less and less often, until it says something itself. Some are met
 * at a time, so that one that is slow keeps nobody waiting; in a large realm the others a little later,
 * because those who were told first tell them too.
 */

import type { Cancel, Clock, Log, Random } from '#runtime';
import type { RealmDevice } from '../project.ts';
import { type Exchanged, type Exchanging, exchange, type Source } from './exchange.ts';
import { createRota, GATHER_MS, type Memory, type Party, type Rota } from './rota.ts';

/** How things are with one of the others, for people. */
export type Standing = {
  readonly name: string;
  /** Milliseconds since the last exchange that worked; undefined: none since the start. */
  readonly ago: number | undefined;
  /** Why the last attempt failed; undefined when it worked. */
  readonly problem: string | undefined;
  readonly refused: number;
  /** A catch-up that is going on: commits that came, and how many there are. */
  readonly progress: { readonly done: number; readonly of: number | undefined } | undefined;
};

export type Sync = {
  /** Exchanges with everybody, or only with this device, as soon as possible. */
  poke(device?: string): void;
  /** Something came from another one: those who may not have it are told in a moment. */
  forward(): void;
  /** A device came to us: it can be asked again. */
  readonly heard: (device: string) => void;
  standings(): readonly Standing[];
  /** What people should know; undefined while all is well. */
  problem(): string | undefined;
  /** Devices whose changes are put off, because they write too much. */
  limited(): readonly string[];
  stop(): void;
};

type Needs = Omit<Exchanging, 'progress'> & {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly parties: () => readonly Party[];
  /** After each exchange that worked. */
  readonly met?: () => void;
};

const FIRST_MS = 5;
/** Who hears of a change at once, and within which time the others. */
const FIRST_PARTIES = 8;
const SPREAD_MS = 4_000;
/** What came from others is told to so many, within this time. */
const FORWARD_PARTIES = 4;
const FORWARD_MS = 500;

/** Runs until stopped. */
export function startSync(needs: Needs): Sync {
  const { clock, log, random, parties, store } = needs;
  const rota = createRota(clock, random, parties);
  let cancel: Cancel | undefined;
  let isStopped = false;

  function run(): void {
    for (const party of rota.due()) {
      void meet(needs, rota, party)
        .catch((error: unknown) => log('error', 'sync-failed', { error: String(error) }))
        .finally(() => schedule(FIRST_MS));
    }
    // Those that fail wait for each other: looking again at once would find the same.
    schedule(GATHER_MS);
  }

  function schedule(least: number): void {
    cancel?.();
    if (!isStopped) cancel = clock.after(Math.max(least, rota.wait()), run);
  }

  run();
  return {
    poke(device) {
      const wanted = rota.shuffled().filter(({ id }) => device === undefined || id === device);
      wanted.forEach((party, index) => {
        rota.soon(party, index < FIRST_PARTIES ? 0 : SPREAD_MS);
      });
      schedule(FIRST_MS);
    },
    forward() {
      const wanted = rota.shuffled().filter(({ id }) => {
        const { same, failures } = rota.memoryOf(id);
        return same !== store().head && failures === 0;
      });
      for (const party of wanted.slice(0, FORWARD_PARTIES)) rota.soon(party, FORWARD_MS);
      schedule(FIRST_MS);
    },
    heard(device) {
      const party = parties().find(({ id }) => id === device);
      if (party !== undefined && rota.heard(party)) schedule(FIRST_MS);
    },
    standings: () => parties().map(({ id, name }) => standingOf(clock, name, rota.memoryOf(id))),
    problem: () => problemOf(parties(), rota),
    limited: () => needs.allowance?.limited() ?? [],
    stop() {
      isStopped = true;
      cancel?.();
    },
  };
}

/** As long as one can be reached, changes find their way. */
function problemOf(parties: readonly Party[], { memoryOf }: Rota): string | undefined {
  const failures = parties.flatMap(({ id, name }) => {
    const { problem } = memoryOf(id);
    return problem === undefined ? [] : [`${name}: ${problem}`];
  });
  const isAlone = parties.length > 0 && failures.length === parties.length;
  return isAlone ? failures.join('; ') : undefined;
}

async function meet(needs: Needs, rota: Rota, party: Party): Promise<void> {
  const { clock, log, store } = needs;
  const memory = rota.memoryOf(party.id);
  const meeting = rota.begin(memory);
  const progress = (done: number, of: number | undefined): void => {
    memory.progress = { done, of };
  };
  const result = await tryAll({ ...needs, progress }, party, memory);
  const failed = typeof result === 'string';
  if (!rota.end(memory, meeting, failed)) return;
  memory.problem = failed ? result : undefined;
  if (failed) return log('warn', 'sync-party-failed', { failures: memory.failures });
  memory.at = clock.monotonic();
  needs.met?.();
  memory.refused = result.refused;
  memory.same = result.refused + result.putOff === 0 ? store().head : undefined;
  if (result.refused > 0) log('warn', 'sync-commits-refused', { count: result.refused });
  if (result.putOff > 0) log('warn', 'sync-commits-put-off', { count: result.putOff });
}

/** Each place where a device is not costs seconds: where it was last is tried first. */
async function tryAll(
  needs: Exchanging,
  { name, urls }: Party,
  memory: Memory,
): Promise<Exchanged | string> {
  const { worked } = memory;
  const lastFirst = urls.toSorted((a, b) => Number(b === worked) - Number(a === worked));
  let failure = 'it has no known address';
  for (const url of lastFirst) {
    const source: Source = { name, url, bookmark: memory.bookmark };
    try {
      const exchanged = await exchange(needs, source);
      memory.worked = url;
      return exchanged;
    } catch (error) {
      failure = `${new URL(url).host}: ${(error as Error).message}`;
    }
  }
  return failure;
}

function standingOf(clock: Clock, name: string, memory: Memory): Standing {
  const { at, problem, refused, progress } = memory;
  const ago = at === undefined ? undefined : clock.monotonic() - at;
  return { name, ago, problem, refused, progress };
}

/** The other full devices, as parties; nobody for whoever was removed, unless it has to give something. */
export function partiesOf(
  devices: readonly RealmDevice[],
  self: string,
  hub: string | undefined,
  owesLate: boolean,
): readonly Party[] {
  if (!owesLate && !devices.some(({ id }) => id === self)) return [];
  const others = devices
    .filter(({ id, kind }) => id !== self && kind !== 'plain')
    .map(({ id, name, endpoints }) => ({
      ...{ id, name },
      urls: endpoints.map((endpoint) => `http://${endpoint}`),
    }));
  return hub === undefined ? others : [...others, { id: 'hub', name: 'the hub', urls: [hub] }];
}
