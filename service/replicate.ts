/**
 * Replication between one's own devices: a replica asks any full node for the commits it lacks.
 *
 *     POST /peer/v1/replicate   sender's id (26) · sealed request
 *                            →  sealed page of frames, bound to the request
 *
 * Runs over TCP on the control port, on any path: both ways are sealed between the two devices, and
 * every commit is verified by the store before it counts (I3). A replica tells where it can be
 * reached; the writer makes that a commit.
 */

import * as v from 'valibot';
import type { Clock, Endpoint, Http, Log, Random } from '#runtime';
import type { Store } from '#storage';
import { printEndpoint, readEndpoint } from './config.ts';
import type { RealmDevice } from './project.ts';
import type { Sealing } from './sealed.ts';

/** Path of the one request. */
export const REPLICATE_PATH = '/peer/v1/replicate';

const ID_BYTES = 26;
const MAX_REQUEST_BYTES = 8_192;
/** One page of the store's export and room for a frame that is larger (256 KiB). */
const MAX_REPLY_BYTES = 2 << 20;
const MAX_PAGES = 10_000;
const FETCH_TIMEOUT_MS = 10_000;
const POLL_SECONDS = 60;
const REQUEST = 'replicate request';
const REPLY = 'replicate reply';

const WishSchema = v.strictObject({
  /** Grows with every request of a sender: an older one is a replay. */
  stamp: v.pipe(v.number(), v.integer()),
  since: v.pipe(v.number(), v.integer(), v.minValue(0)),
  endpoints: v.pipe(v.array(v.string()), v.maxLength(16)),
});

type Wish = v.InferOutput<typeof WishSchema>;

export type ReplicaNews = { readonly device: string; readonly endpoints: readonly string[] };

type Parties = {
  readonly self: string;
  readonly sealing: Sealing;
  readonly devices: () => readonly RealmDevice[];
  readonly store: () => Store;
};

/** Answers replicas. `heard` gets what a replica says of itself. */
export function createReplicationServer(
  { sealing, devices, store }: Parties,
  heard: (news: ReplicaNews) => void,
): (request: Request) => Promise<Response> {
  const stamps = new Map<string, number>();
  return async (request) => {
    const body = await readLimited(request, MAX_REQUEST_BYTES);
    const id = body && new TextDecoder().decode(body.subarray(0, ID_BYTES));
    const sender = devices().find((device) => device.id === id && device.kind !== 'plain');
    const sealed = body?.subarray(ID_BYTES);
    const plain = sender && sealed && sealing.open(sender.publicKey, REQUEST, sealed);
    const wish = readWish(plain);
    // Whom we do not know, and what we cannot read, learns nothing.
    if (!sender || !sealed || !wish) return new Response(null, { status: 404 });
    if (wish.stamp <= (stamps.get(sender.id) ?? 0)) return new Response(null, { status: 409 });
    stamps.set(sender.id, wish.stamp);
    heard({ device: sender.id, endpoints: wish.endpoints.filter((text) => readEndpoint(text)) });
    const page = await store().exportSince(wish.since);
    const reply = sealing.seal(sender.publicKey, REPLY, page, sealed.subarray(0, 32));
    return new Response(reply === undefined ? null : new Uint8Array(reply));
  };
}

function readWish(plain: Uint8Array | undefined): Wish | undefined {
  if (plain === undefined) return undefined;
  try {
    const parsed = v.safeParse(WishSchema, JSON.parse(new TextDecoder().decode(plain)));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
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
  const { clock, random, log } = runtime;
  const stopping = new AbortController();
  let problem: string | undefined = 'not asked yet';
  let running: Promise<void> | undefined;
  let stamp = 0;

  const nextStamp = (): number => {
    stamp = Math.max(stamp + 1, Math.floor(clock.now() * 1_000));
    return stamp;
  };

  async function ask(): Promise<void> {
    const others = parties
      .devices()
      .filter(({ id, kind }) => id !== parties.self && kind !== 'plain');
    // The writer is never behind; the others can be.
    const ranked = [...others].sort(
      (a, b) => Number(b.writer ?? false) - Number(a.writer ?? false),
    );
    const failures: string[] = [];
    for (const device of ranked) {
      const failure = await pullFrom(runtime, parties, device, nextStamp, endpoints());
      if (failure === undefined) {
        problem = undefined;
        return;
      }
      failures.push(`${device.name}: ${failure}`);
    }
    problem = failures.join('; ') || 'there is no other full device';
    log('warn', 'replication-failed', { devices: ranked.length });
  }

  const poll = (): Promise<void> => {
    running ??= ask().finally(() => {
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

/** Takes over all that `device` has and we lack. Returns why it did not work. */
export async function pullFrom(
  { http }: Pick<ReplicaRuntime, 'http'>,
  { self, sealing, store }: Omit<Parties, 'devices'>,
  device: Pick<RealmDevice, 'publicKey' | 'endpoints'>,
  nextStamp: () => number,
  endpoints: readonly string[],
): Promise<string | undefined> {
  const places = device.endpoints
    .map((text) => readEndpoint(text))
    .filter((place) => place !== undefined);
  let failure = 'it has no known endpoint';
  for (const place of places) {
    try {
      for (let page = 0; page < MAX_PAGES; page++) {
        const { seq } = store();
        const wish = { stamp: nextStamp(), since: seq, endpoints: [...endpoints] };
        const frames = await askFor(http, place, self, sealing, device, wish);
        if (frames.length === 0) return undefined;
        await store().importCommits(frames);
        if (store().seq === seq) return undefined;
      }
      return undefined;
    } catch (error) {
      failure = `${printEndpoint(place)}: ${(error as Error).message}`;
    }
  }
  return failure;
}

async function askFor(
  http: Http,
  place: Endpoint,
  self: string,
  sealing: Sealing,
  { publicKey }: Pick<RealmDevice, 'publicKey'>,
  wish: Wish,
): Promise<Uint8Array> {
  const sealed = sealing.seal(publicKey, REQUEST, new TextEncoder().encode(JSON.stringify(wish)));
  if (sealed === undefined) throw new Error('its key is no key');
  const body = new Uint8Array(ID_BYTES + sealed.length);
  body.set(new TextEncoder().encode(self));
  body.set(sealed, ID_BYTES);
  const request = new Request(`http://${printEndpoint(place)}${REPLICATE_PATH}`, {
    method: 'POST',
    body,
  });
  const response = await http.fetch(request, { timeoutMs: FETCH_TIMEOUT_MS });
  if (!response.ok)
    throw new Error(`it answered ${response.status}; perhaps this device was removed`);
  const reply = await readLimited(response, MAX_REPLY_BYTES);
  const page = reply && sealing.open(publicKey, REPLY, reply, sealed.subarray(0, 32));
  if (page === undefined) throw new Error('its reply cannot be opened');
  return page;
}

/** A body of at most `limit` bytes; undefined when it is larger. */
export async function readLimited(
  { body }: Pick<Request, 'body'>,
  limit: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
