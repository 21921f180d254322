/**
 * Keeps this device's store and those of the others the same: an exchange with each full device and
 * with the realm's hub, at once when something changed here or somebody says so, and now and then.
 *
 * Whoever cannot be reached is asked less and less often, until it says something itself.
 */

import type { Cancel, Clock, Log, Random } from '#runtime';
import type { RealmDevice } from '../project.ts';
import { type Asking, type Exchanged, exchange, type Source } from './exchange.ts';

/** How things are with one of the others, for people. */
export type Standing = {
  readonly name: string;
  /** Milliseconds since the last exchange that worked; undefined: none since the start. */
  readonly ago: number | undefined;
  /** Why the last attempt failed; undefined when it worked. */
  readonly problem: string | undefined;
  readonly refused: number;
};

export type Sync = {
  /** Exchanges with everybody, or only with this device, as soon as possible. */
  poke(device?: string): void;
  /** A device came to us: it can be asked again. */
  readonly heard: (device: string) => void;
  standings(): readonly Standing[];
  /** What people should know; undefined while all is well. */
  problem(): string | undefined;
  stop(): void;
};

/** Another device, or a hub. */
export type Party = {
  readonly id: string;
  readonly name: string;
  readonly urls: readonly string[];
};

type Needs = Asking & {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly parties: () => readonly Party[];
};

const POLL_SECONDS = 60;
/** Changes that come together travel together. */
const GATHER_MS = 250;
/** Doubles from one poll with each failure. */
const MAX_PAUSE_SECONDS = 1_800;

type Memory = {
  worked: string | undefined;
  at: number | undefined;
  problem: string | undefined;
  failures: number;
  next: number;
  refused: number;
};

/** Runs until stopped. */
export function startSync(needs: Needs): Sync {
  const { clock, log } = needs;
  const memories = new Map<string, Memory>();
  let cancel: Cancel | undefined;
  let isRunning = false;
  let isStopped = false;

  const memoryOf = (id: string): Memory => {
    const known = memories.get(id);
    if (known !== undefined) return known;
    const memory = { ...NEW, next: clock.monotonic() };
    memories.set(id, memory);
    return memory;
  };

  async function round(): Promise<void> {
    const due = needs.parties().filter(({ id }) => memoryOf(id).next <= clock.monotonic());
    for (const party of due) {
      if (isStopped) return;
      await meet(needs, party, memoryOf(party.id));
    }
  }

  async function run(): Promise<void> {
    cancel?.();
    if (isRunning || isStopped) return;
    isRunning = true;
    try {
      await round();
    } catch (error) {
      log('error', 'sync-failed', { error: String(error) });
    } finally {
      isRunning = false;
      schedule();
    }
  }

  function schedule(): void {
    if (isStopped || isRunning) return;
    cancel?.();
    const next = needs.parties().map(({ id }) => memoryOf(id).next);
    const wait = Math.min(POLL_SECONDS * 1_000, ...next.map((at) => at - clock.monotonic()));
    cancel = clock.after(Math.max(GATHER_MS, wait), () => void run());
  }

  void run();
  return {
    poke(device) {
      for (const { id } of needs.parties()) {
        if (device === undefined || id === device) memoryOf(id).next = clock.monotonic();
      }
      schedule();
    },
    heard(device) {
      const memory = memoryOf(device);
      if (memory.failures === 0) return;
      memory.failures = 0;
      memory.next = Math.min(memory.next, clock.monotonic() + POLL_SECONDS * 1_000);
    },
    standings: () => needs.parties().map(({ id, name }) => standingOf(clock, name, memoryOf(id))),
    problem() {
      const parties = needs.parties();
      const failures = parties.flatMap(({ id, name }) => {
        const { problem } = memoryOf(id);
        return problem === undefined ? [] : [`${name}: ${problem}`];
      });
      // As long as one can be reached, changes find their way.
      return parties.length > 0 && failures.length === parties.length
        ? failures.join('; ')
        : undefined;
    },
    stop() {
      isStopped = true;
      cancel?.();
    },
  };
}

const NEW: Memory = {
  ...{ worked: undefined, at: undefined, problem: undefined },
  ...{ failures: 0, next: 0, refused: 0 },
};

async function meet(needs: Needs, party: Party, memory: Memory): Promise<void> {
  const { clock, random, log } = needs;
  const asked = memory.next;
  const result = await tryAll(needs, party, memory);
  const failed = typeof result === 'string';
  memory.failures = failed ? memory.failures + 1 : 0;
  memory.problem = failed ? result : undefined;
  if (failed) log('warn', 'sync-party-failed', { failures: memory.failures });
  else {
    memory.at = clock.monotonic();
    memory.refused = result.refused;
    if (result.refused > 0) log('warn', 'sync-commits-refused', { count: result.refused });
  }
  // Somebody poked while we were at it: once more.
  if (memory.next !== asked) return;
  const pause = Math.min(POLL_SECONDS * 2 ** Math.min(memory.failures, 10), MAX_PAUSE_SECONDS);
  const jitter = 0.75 + ((random(1)[0] ?? 0) / 255) * 0.5;
  memory.next = clock.monotonic() + pause * jitter * 1_000;
}

/** Each place where a device is not costs seconds: where it was last is tried first. */
async function tryAll(
  needs: Needs,
  { name, urls }: Party,
  memory: Memory,
): Promise<Exchanged | string> {
  const { worked } = memory;
  const lastFirst = urls.toSorted((a, b) => Number(b === worked) - Number(a === worked));
  let failure = 'it has no known address';
  for (const url of lastFirst) {
    const source: Source = { name, url };
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

function standingOf(clock: Clock, name: string, { at, problem, refused }: Memory): Standing {
  return { name, ago: at === undefined ? undefined : clock.monotonic() - at, problem, refused };
}

/** The other full devices, as parties. */
export function partiesOf(
  devices: readonly RealmDevice[],
  self: string,
  hub: string | undefined,
): readonly Party[] {
  const others = devices
    .filter(({ id, kind }) => id !== self && kind !== 'plain')
    .map(({ id, name, endpoints }) => ({
      ...{ id, name },
      urls: endpoints.map((endpoint) => `http://${endpoint}`),
    }));
  return hub === undefined ? others : [...others, { id: 'hub', name: 'the hub', urls: [hub] }];
}
