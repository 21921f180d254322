/**
 * Replication between one's own devices, the answering side (replica.ts asks).
 *
 *     POST /peer/v1/replicate   sender's id (26) · sealed request
 *                            →  sealed page of frames, bound to the request
 *
 * Runs over TCP on the control port, on any path: both ways are sealed between the two devices, and
 * every commit is verified by the store before it counts (I3). A replica tells where it can be
 * reached; the writer makes that a commit.
 */

import * as v from 'valibot';
import type { Clock } from '#runtime';
import type { Store, Vector } from '#storage';
import { readEndpoint } from '../config.ts';
import type { RealmDevice } from '../project.ts';
import type { Sealing } from './sealed.ts';

/** Path of the one request. */
export const REPLICATE_PATH = '/peer/v1/replicate';

/** A device's id: base32 of 16 bytes. */
export const ID_BYTES = 26;
const MAX_REQUEST_BYTES = 65_536;
const MAX_DEVICES = 500;
const MAX_DEVICE_ID = 200;
/** Commits of one device that used a number twice. */
const MAX_FORKS = 64;
/** Who feeds a body slowly holds one of few connections, or the only poll of a replica. */
const BODY_MS = 20_000;
/** What is sealed: a key for each. */
export const PURPOSE = {
  request: 'replicate request',
  reply: 'replicate reply',
  stale: 'replicate stale',
} as const;
/** Replies are bound to the request they answer by its first bytes, nonce included. */
export const BOUND_BYTES = 32;

const SeqSchema = v.pipe(v.number(), v.integer(), v.minValue(0));

const WishSchema = v.strictObject({
  /** Grows with every request of a sender: an older one is a replay. */
  stamp: v.pipe(v.number(), v.integer()),
  /** What the sender holds: of each device its last commits. */
  since: v.pipe(
    v.record(
      v.pipe(v.string(), v.maxLength(MAX_DEVICE_ID)),
      v.pipe(v.array(v.tuple([SeqSchema, v.string()])), v.maxLength(MAX_FORKS)),
    ),
    v.maxEntries(MAX_DEVICES),
  ),
  endpoints: v.pipe(v.array(v.string()), v.maxLength(16)),
});

export type Wish = Omit<v.InferOutput<typeof WishSchema>, 'since'> & { readonly since: Vector };

export type ReplicaNews = { readonly device: string; readonly endpoints: readonly string[] };

export type Parties = {
  readonly clock: Pick<Clock, 'after'>;
  readonly self: string;
  readonly sealing: Sealing;
  readonly devices: () => readonly RealmDevice[];
  readonly store: () => Store;
};

/** Answers replicas. `heard` gets what a replica says of itself. */
export function createReplicationServer(
  { clock, sealing, devices, store }: Parties,
  heard: (news: ReplicaNews) => void,
): (request: Request) => Promise<Response> {
  const stamps = new Map<string, number>();
  return async (request) => {
    const body = await readLimited(request, clock, MAX_REQUEST_BYTES);
    const id = body && new TextDecoder().decode(body.subarray(0, ID_BYTES));
    const sender = devices().find((device) => device.id === id && device.kind !== 'plain');
    const sealed = body?.subarray(ID_BYTES);
    const plain = sender && sealed && sealing.open(sender.publicKey, PURPOSE.request, sealed);
    const wish = readWish(plain);
    // Whom we do not know, and what we cannot read, learns nothing.
    if (!sender || !sealed || !wish) return new Response(null, { status: 404 });
    const last = stamps.get(sender.id) ?? 0;
    if (wish.stamp <= last) {
      // A router whose clock went back learns where to go on; a replay learns nothing it can open.
      const hint = new TextEncoder().encode(String(last));
      const sealedHint = sealing.seal(
        sender.publicKey,
        PURPOSE.stale,
        hint,
        sealed.subarray(0, BOUND_BYTES),
      );
      return new Response(sealedHint && new Uint8Array(sealedHint), { status: 409 });
    }
    stamps.set(sender.id, wish.stamp);
    heard({ device: sender.id, endpoints: wish.endpoints.filter((text) => readEndpoint(text)) });
    const page = await store().exportMissing(wish.since);
    const reply = sealing.seal(
      sender.publicKey,
      PURPOSE.reply,
      page,
      sealed.subarray(0, BOUND_BYTES),
    );
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

/** A body of at most `limit` bytes; undefined when it is larger, breaks off or takes too long. */
export async function readLimited(
  { body }: Pick<Request, 'body'>,
  clock: Pick<Clock, 'after'>,
  limit: number,
): Promise<Uint8Array | undefined> {
  const reader = body?.getReader();
  const give = (): void => void reader?.cancel().catch(() => undefined);
  let isLate = false;
  const cancel = clock.after(BODY_MS, () => {
    isLate = true;
    give();
  });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (let step = await reader?.read(); step?.done === false; step = await reader?.read()) {
      size += step.value.length;
      if (size > limit) {
        give();
        return undefined;
      }
      chunks.push(step.value);
    }
  } catch {
    // Whoever sent it is gone.
    return undefined;
  } finally {
    cancel();
  }
  return isLate ? undefined : joined(chunks, size);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
