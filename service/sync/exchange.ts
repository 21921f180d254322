/**
 * Synchronisation, the asking side: one exchange with another device or a hub leaves both with the
 * same commits. One round trip finds exactly what each lacks, because the ends of chains say it all.
 *
 * A hub is not asked what it holds but what we gave it: what others gave under the same numbers need
 * not be the same (ADR 18). And what of it nobody can read hides nothing behind it: pages go on from
 * where the last one ended.
 */

import * as v from 'valibot';
import { type Http, RuntimeError, type Signer } from '#runtime';
import type { Store, Vector } from '#storage';
import { signRequest } from '../peers/signed-request.ts';
import { type Bookmark, createBookmark, openBookmark } from './bookmark.ts';
import type { KeyRing } from './keys.ts';
import type { OwnLate } from './late.ts';
import { readLimited } from './limited.ts';
import {
  HOLDS,
  KEYS,
  lastNumbers,
  MAX_PAGE_BYTES,
  MORE,
  readJson,
  SEEN,
  SYNC_PATH,
  type SyncParties,
  TIPS,
  VectorSchema,
} from './serve.ts';
import { type Taking, takePage } from './take.ts';

/** Whom to exchange with. */
export type Source = {
  /** For people. */
  readonly name: string;
  /** `http://address:port`, or a hub's URL. */
  readonly url: string;
  /** How far it was read before; brought up to date. */
  readonly bookmark?: Bookmark;
};

export type Exchanged = {
  readonly pulled: number;
  readonly pushed: number;
  /** Commits that nobody here can read, or that do not verify. */
  readonly refused: number;
  /** Commits of authors that wrote too much lately. */
  readonly putOff: number;
};

/** How far a catch-up is: commits that came, and how many there are; undefined: not known. */
export type Progress = (done: number, of: number | undefined) => void;

export type Asking = Pick<SyncParties, 'clock' | 'crypto' | 'store' | 'keys'> &
  Pick<Taking, 'allowance'> & {
    readonly http: Pick<Http, 'fetch'>;
    readonly signer: Signer;
    readonly progress?: Progress;
    /** Keys that the other side has for us. */
    readonly learn?: KeyRing['learn'];
  };

/** For giving as well as taking. */
export type Exchanging = Asking & Pick<SyncParties, 'seal'> & { readonly late?: OwnLate };

/** Of the first request: who is not there is to cost little. */
const PATIENCE_MS = 8_000;
const TIMEOUT_MS = 20_000;
const NOTHING = new Uint8Array(0);
const MAX_ANSWER_BYTES = 100_000;
/** Pages of one exchange; what is left comes with the next. */
const MAX_PAGES = 4_096;
/** And of those that brought nothing: a realm full of what nobody can read. */
const MAX_IDLE_PAGES = 64;

const HoldsSchema = v.pipe(
  v.record(v.string(), v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  v.maxEntries(1_024),
);
const SeenSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const CopiesSchema = v.pipe(v.record(v.string(), v.pipe(v.string(), v.base64())), v.maxEntries(16));
const StateSchema = v.object({ given: v.optional(VectorSchema), vector: v.unknown() });
/** A hub of before tells no more than how many it stored. */
const PushedSchema = v.object({
  stored: v.number(),
  holds: v.optional(HoldsSchema),
  given: v.optional(VectorSchema),
  tips: v.optional(VectorSchema),
  forks: v.optional(v.array(v.unknown())),
  left: v.optional(v.number()),
});
const GONE = 410;
const NOTHING_LEFT = { refused: 0, putOff: 0 };

/** Takes what we lack, then gives what they lack. Throws Error with a sentence when it breaks off. */
export async function exchange(asking: Exchanging, source: Source): Promise<Exchanged> {
  const { holds, tips, ...taken } = await pullAll(asking, source).catch(async (error) => {
    // Whom nobody can reach is not asked twice.
    if (!(error instanceof RuntimeError)) await giveLate(asking, source);
    throw error;
  });
  const theirs = tips ?? (holds && asVector(holds)) ?? (await askState(asking, source));
  const { pushed, isForked, isWhole } = await pushAll(asking, source, theirs);
  // It has not heard of our removal, or holds what anybody gives: what is late came with the rest.
  if (isWhole && asking.late?.isOwed()) asking.late.taken();
  if (!isForked) return { ...taken, pushed };
  // Each knew one branch; they show the other one to who has told its own.
  const { pulled, refused, putOff } = await pullAll(asking, source);
  return {
    pushed,
    pulled: taken.pulled + pulled,
    refused: taken.refused + refused,
    putOff: taken.putOff + putOff,
  };
}

/** Who was removed gives what the others may want still; the refusal is told when that fails. */
async function giveLate(asking: Exchanging, source: Source): Promise<void> {
  const { late } = asking;
  const body = late?.isOwed() ? await late.page() : undefined;
  if (body === undefined) return;
  const wish = { method: 'POST', action: 'push', body, limit: MAX_ANSWER_BYTES };
  const { bytes } = await ask(asking, source, wish);
  const answer = readJson(PushedSchema, bytes);
  if (answer === undefined) throw new Error('its answer cannot be read');
  const { left = 0 } = answer;
  if (left > 0) throw new Error('it does not take all that this device wrote late yet');
  late?.taken();
}

type Numbers = Readonly<Record<string, number>>;
type Pulled = Omit<Exchanged, 'pushed'> & {
  readonly holds: Numbers | undefined;
  readonly tips: Vector | undefined;
};

/** Takes what we lack and gives nothing. */
export async function pullAll(asking: Asking, source: Source): Promise<Pulled> {
  const { clock, store, keys, progress } = asking;
  const { url, bookmark: kept = createBookmark() } = source;
  const bookmark = openBookmark(clock, kept, url, keys().length);
  let pulled = 0;
  let left = NOTHING_LEFT;
  for (let page = 0, idle = 0; page < MAX_PAGES; page++) {
    const { added, holds, tips, isMore, seen, ...rest } = await pullPage(
      asking,
      source,
      page === 0,
      bookmark.seen,
    );
    pulled += added;
    // A device says the same again; a hub goes on behind what was of no use.
    const { refused, putOff } = seen === undefined ? NOTHING_LEFT : left;
    left = { refused: refused + rest.refused, putOff: putOff + rest.putOff };
    if (added > 0) progress?.(pulled, holds && pulled + lacking(store().vector(), holds));
    const isStuck = added === 0 && (seen === undefined || seen <= bookmark.seen);
    bookmark.seen = seen ?? bookmark.seen;
    idle += Number(added === 0);
    if (isMore && !isStuck && idle <= MAX_IDLE_PAGES) continue;
    // What is on a hub under a number says nothing of what we gave.
    const own = seen === undefined ? holds : undefined;
    return { holds: own, tips, pulled, ...left };
  }
  throw new Error('its history does not end');
}

type Pushed = {
  readonly pushed: number;
  readonly isForked: boolean;
  /** They hold all of ours. */
  readonly isWhole: boolean;
};

type PulledPage = Omit<Pulled, 'pulled'> & {
  readonly added: number;
  readonly isMore: boolean;
  readonly seen: number | undefined;
};

async function pullPage(
  asking: Asking,
  source: Source,
  isFirst: boolean,
  after: number,
): Promise<PulledPage> {
  const body = encode(asking.store().vector());
  const timeoutMs = isFirst ? PATIENCE_MS : TIMEOUT_MS;
  const action = `pull?after=${after}`;
  const wish = { method: 'POST', action, body, limit: MAX_PAGE_BYTES, timeoutMs };
  const { response, bytes } = await ask(asking, source, wish);
  const { headers } = response;
  asking.learn?.(readHeader(CopiesSchema, headers, KEYS) ?? {});
  const taken = await takePage(asking, bytes);
  if (!taken.ok) throw new Error(`its commits cannot be read (${taken.reason})`);
  const { added, refused, putOff } = taken;
  const isGone = response.status === GONE;
  // What it says of us counts only as far as the store could verify it.
  if (isGone && added === 0) throw new Error('it says that this device was removed');
  return {
    ...{ added, refused, putOff },
    isMore: isGone || headers.get(MORE) !== null,
    holds: readHeader(HoldsSchema, headers, HOLDS),
    tips: readHeader(VectorSchema, headers, TIPS),
    seen: readHeader(SeenSchema, headers, SEEN),
  };
}

function readHeader<T>(
  schema: v.GenericSchema<unknown, T>,
  headers: Headers,
  name: string,
): T | undefined {
  return readJson(schema, new TextEncoder().encode(headers.get(name) ?? ''));
}

/** How many commits one who holds `theirs` has more than we. */
function lacking(ours: Vector, theirs: Numbers): number {
  const held = lastNumbers(ours);
  return Object.entries(theirs).reduce(
    (sum, [device, seq]) => sum + Math.max(0, seq - (held[device] ?? 0)),
    0,
  );
}

async function pushAll(asking: Exchanging, source: Source, theirs: Vector): Promise<Pushed> {
  const { store, seal } = asking;
  let held = theirs;
  let pushed = 0;
  let isForked = false;
  for (let page = 0; page < MAX_PAGES; page++) {
    if (!hasMore(store().vector(), held)) break;
    const frames = await store().exportMissing(held);
    const body = frames.length === 0 ? undefined : await seal(frames);
    if (body === undefined) break;
    const wish = { method: 'POST', action: 'push', body, limit: MAX_ANSWER_BYTES };
    const { bytes } = await ask(asking, source, wish);
    const answer = readJson(PushedSchema, bytes);
    if (answer === undefined) break;
    const { stored, given, tips, holds, forks = [] } = answer;
    pushed += stored;
    isForked ||= forks.length > 0 || isApart(store(), tips ?? {});
    const now = given ?? tips ?? (holds && asVector(holds)) ?? (await askState(asking, source));
    // Who stores and holds no more, or does not want it, would be given the same again, for ever.
    if (!hasMore(now, held)) break;
    held = now;
  }
  return { pushed, isForked, isWhole: !hasMore(store().vector(), held) };
}

/** Of a hub what we gave, of a device what it holds. */
async function askState(asking: Asking, source: Source): Promise<Vector> {
  const wish = { method: 'GET', action: 'state', body: NOTHING, limit: MAX_PAGE_BYTES };
  const { bytes } = await ask(asking, source, wish);
  const state = readJson(StateSchema, bytes);
  const parsed = v.safeParse(VectorSchema, state?.given ?? state?.vector);
  if (!parsed.success) throw new Error('its state cannot be read');
  return parsed.output;
}

type Wish = {
  readonly method: string;
  readonly action: string;
  readonly body: Uint8Array;
  /** Of the answer. */
  readonly limit: number;
  readonly timeoutMs?: number;
};

async function ask(
  { crypto, signer, http, store, clock }: Asking,
  { url: base }: Source,
  { method, action, body, limit, timeoutMs = TIMEOUT_MS }: Wish,
): Promise<{ readonly response: Response; readonly bytes: Uint8Array }> {
  const url = new URL(
    `${SYNC_PATH.slice(1)}${store().realm}/${action}`,
    `${base.replace(/\/$/, '')}/`,
  ).href;
  const request = await signRequest(crypto, signer, { method, url, body });
  const response = await http.fetch(request, { timeoutMs });
  const bytes = await readLimited(response, clock, limit);
  const { status } = response;
  if (!response.ok && status !== GONE) throw new Error(REFUSALS[status] ?? `it answered ${status}`);
  if (bytes === undefined) throw new Error('its answer broke off');
  return { response, bytes };
}

const REFUSALS: Readonly<Record<number, string>> = {
  403: 'it does not know this device, or not any more',
  404: 'it does not know this device, or not any more',
  429: 'it was asked too often',
  503: 'it has no key of the realm yet, or is busy',
  507: 'it has no room left for more from this device',
};

/** An empty name stands for whichever commit has the number. */
function asVector(numbers: Numbers): Vector {
  return Object.fromEntries(
    Object.entries(numbers).map(([device, seq]) => [device, [[seq, '']] as const]),
  );
}

/** Tells whether a device holds the end of a branch that we do not have. */
function isApart(store: Pick<Store, 'holds'>, tips: Vector): boolean {
  const ids = Object.values(tips).flatMap((ends) => ends.map(([, id]) => id));
  return ids.some((id) => id !== '' && !store.holds(id));
}

/** Tells whether one has an end of a chain that the other does not have, as far as names are told. */
function hasMore(ours: Vector, theirs: Vector): boolean {
  const known = new Map(Object.entries(theirs));
  return Object.entries(ours).some(([device, tips]) => {
    const held = known.get(device) ?? [];
    const isHeld = ([seq, id]: readonly [number, string]): boolean =>
      seq === 0 ||
      held.some(([last, name]) => name === id || ((name === '' || id === '') && last >= seq));
    return !tips.every(isHeld);
  });
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
