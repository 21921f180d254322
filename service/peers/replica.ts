/**
 * Replication between one's own devices, the asking side: a replica asks any full node for the
 * commits it lacks, now and then and when it hears that there are some.
 */

import type { Clock, Endpoint, Http, Log, Random } from '#runtime';
import { printEndpoint, readEndpoint } from '../config.ts';
import type { RealmDevice } from '../project.ts';
import {
  BOUND_BYTES,
  ID_BYTES,
  type Parties,
  PURPOSE,
  REPLICATE_PATH,
  readLimited,
  type Wish,
} from './replicate.ts';

/** One page of the store's export and room for a frame that is larger (256 KiB). */
const MAX_REPLY_BYTES = 2 << 20;
const MAX_HINT_BYTES = 100;
const MAX_PAGES = 10_000;
const FETCH_TIMEOUT_MS = 10_000;
const POLL_SECONDS = 60;

/** Numbers a device's requests, each above the last. */
export type Stamps = { next(): number; raise(last: number): void };

/** Stamps that follow the clock, unless it goes back. */
export function createStamps(clock: Pick<Clock, 'now'>): Stamps {
  let stamp = 0;
  return {
    next() {
      stamp = Math.max(stamp + 1, Math.floor(clock.now() * 1_000));
      return stamp;
    },
    raise(last) {
      if (Number.isSafeInteger(last)) stamp = Math.max(stamp, last);
    },
  };
}

export type Replica = {
  /** Asks at once, as when another device says that its head moved. */
  poll(): Promise<void>;
  /** Why the last attempt failed, for people; undefined when it worked. */
  problem(): string | undefined;
  stop(): void;
};

type ReplicaRuntime = {
  readonly clock: Clock;
  readonly random: Random;
  readonly http: Http;
  readonly log: Log;
};

/** Keeps this replica's store up to date, until stopped. */
export function startReplica(
  runtime: ReplicaRuntime,
  parties: Parties,
  endpoints: () => readonly string[],
): Replica {
  const { clock, random, http, log } = runtime;
  const stopping = new AbortController();
  const stamps = createStamps(clock);
  const worked = new Map<string, string>();
  let problem: string | undefined;
  let running: Promise<void> | undefined;
  let isNews = false;

  async function ask(): Promise<void> {
    const failures: string[] = [];
    for (const device of fullDevices(parties)) {
      const failure = await pullFrom({ ...parties, http, stamps, worked }, device, endpoints());
      if (failure === undefined) {
        problem = undefined;
        return;
      }
      failures.push(`${device.name}: ${failure}`);
    }
    problem = failures.join('; ') || 'there is no other full device';
    log('warn', 'replication-failed', { devices: failures.length });
  }

  /** News that come meanwhile may be younger than the answer under way: it is asked once more. */
  async function askUntilCurrent(): Promise<void> {
    do {
      isNews = false;
      await ask();
    } while (isNews && !stopping.signal.aborted);
  }

  const poll = (): Promise<void> => {
    isNews = true;
    running ??= askUntilCurrent().finally(() => {
      running = undefined;
    });
    return running;
  };

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await poll();
      const jitter = 0.75 + ((random(1)[0] ?? 0) / 255) * 0.5;
      await clock.sleep(POLL_SECONDS * jitter * 1_000, stopping.signal).catch(() => undefined);
    }
  }
  void loop();
  return { poll, problem: () => problem, stop: () => stopping.abort() };
}

/** Whom to ask, in order: the writer is never behind, the others can be. */
function fullDevices({ devices, self }: Parties): readonly RealmDevice[] {
  return devices()
    .filter(({ id, kind }) => id !== self && kind !== 'plain')
    .sort((a, b) => Number(b.writer ?? false) - Number(a.writer ?? false));
}

type Asking = Omit<Parties, 'devices'> & {
  readonly http: Http;
  readonly stamps: Stamps;
  /** Where a device was last met, by its key: each place where it is not costs seconds. */
  readonly worked?: Map<string, string>;
};
type Source = Pick<RealmDevice, 'publicKey' | 'endpoints'>;

/** Takes over all that `source` has and we lack. Returns why it did not work. */
export async function pullFrom(
  asking: Asking,
  source: Source,
  endpoints: readonly string[],
): Promise<string | undefined> {
  let failure = 'it has no known endpoint';
  const key = String(source.publicKey);
  const last = asking.worked?.get(key);
  const lastFirst = source.endpoints.toSorted((a, b) => Number(b === last) - Number(a === last));
  for (const text of lastFirst) {
    const place = readEndpoint(text);
    if (place === undefined) continue;
    try {
      await pullAll(asking, source, place, endpoints);
      asking.worked?.set(key, text);
      return undefined;
    } catch (error) {
      failure = `${printEndpoint(place)}: ${(error as Error).message}`;
    }
  }
  return failure;
}

async function pullAll(
  asking: Asking,
  { publicKey }: Source,
  place: Endpoint,
  endpoints: readonly string[],
): Promise<void> {
  const store = asking.store();
  for (let page = 0; page < MAX_PAGES; page++) {
    const since = store.vector();
    const frames = await askFor(asking, publicKey, place, {
      since,
      endpoints: [...endpoints],
    });
    if (frames.length === 0) return;
    const { added, refused } = await store.importCommits(frames);
    const [first] = refused;
    if (first !== undefined) throw first.reason;
    if (added === 0) return;
  }
}

/** One page; asks once more when the other side has seen a later stamp of ours. */
async function askFor(
  asking: Asking,
  publicKey: Uint8Array,
  place: Endpoint,
  wish: Omit<Wish, 'stamp'>,
): Promise<Uint8Array> {
  const first = await askOnce(asking, publicKey, place, wish);
  const page = first === 'stale' ? await askOnce(asking, publicKey, place, wish) : first;
  if (page === 'stale') throw new Error('it takes our requests for replays');
  return page;
}

async function askOnce(
  asking: Asking,
  publicKey: Uint8Array,
  place: Endpoint,
  wish: Omit<Wish, 'stamp'>,
): Promise<Uint8Array | 'stale'> {
  const { sealing, stamps } = asking;
  const plain = JSON.stringify({ ...wish, stamp: stamps.next() } satisfies Wish);
  const sealed = sealing.seal(publicKey, PURPOSE.request, new TextEncoder().encode(plain));
  if (sealed === undefined) throw new Error('its key is no key');
  const response = await send(asking, place, sealed);
  const { purpose, limit } = ANSWERS[response.status] ?? {};
  if (purpose === undefined || limit === undefined) {
    throw new Error(`it answered ${response.status}; perhaps this device was removed`);
  }
  const reply = await readLimited(response, asking.clock, limit);
  const opened = reply && sealing.open(publicKey, purpose, reply, sealed.subarray(0, BOUND_BYTES));
  if (opened === undefined) throw new Error('its reply broke off or cannot be opened');
  if (response.ok) return opened;
  stamps.raise(Number(new TextDecoder().decode(opened)));
  return 'stale';
}

/** The statuses that carry something sealed. */
const ANSWERS: Readonly<Record<number, { readonly purpose: string; readonly limit: number }>> = {
  200: { purpose: PURPOSE.reply, limit: MAX_REPLY_BYTES },
  409: { purpose: PURPOSE.stale, limit: MAX_HINT_BYTES },
};

function send({ http, self }: Asking, place: Endpoint, sealed: Uint8Array): Promise<Response> {
  const body = new Uint8Array(ID_BYTES + sealed.length);
  body.set(new TextEncoder().encode(self));
  body.set(sealed, ID_BYTES);
  const url = `http://${printEndpoint(place)}${REPLICATE_PATH}`;
  return http.fetch(new Request(url, { method: 'POST', body }), { timeoutMs: FETCH_TIMEOUT_MS });
}
