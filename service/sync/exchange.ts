/**
 * Synchronisation, the asking side: one exchange with another device or a hub leaves both with the
 * same commits. One round trip finds exactly what each lacks, because numbers of chains say it all.
 */

import * as v from 'valibot';
import type { Http, Signer } from '#runtime';
import type { Vector } from '#storage';
import { signRequest } from '../peers/signed-request.ts';
import type { KeyRing } from './keys.ts';
import { readLimited } from './limited.ts';
import {
  HOLDS,
  KEYS,
  lastNumbers,
  MAX_PAGE_BYTES,
  MORE,
  readJson,
  SYNC_PATH,
  type SyncParties,
  VectorSchema,
} from './serve.ts';
import { type Taking, takePage } from './take.ts';

/** Whom to exchange with. */
export type Source = {
  /** For people. */
  readonly name: string;
  /** `http://address:port`, or a hub's URL. */
  readonly url: string;
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
export type Exchanging = Asking & Pick<SyncParties, 'seal'>;

/** Of the first request: who is not there is to cost little. */
const PATIENCE_MS = 8_000;
const TIMEOUT_MS = 20_000;
const NOTHING = new Uint8Array(0);
const MAX_ANSWER_BYTES = 100_000;
/** Pages of one exchange; what is left comes with the next. */
const MAX_PAGES = 4_096;

const HoldsSchema = v.pipe(
  v.record(v.string(), v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  v.maxEntries(1_024),
);
const CopiesSchema = v.pipe(v.record(v.string(), v.pipe(v.string(), v.base64())), v.maxEntries(16));
const StateSchema = v.object({ vector: VectorSchema });
/** A hub tells no more than how many it stored. */
const PushedSchema = v.object({ stored: v.number(), holds: v.optional(HoldsSchema) });
const GONE = 410;

/** Takes what we lack, then gives what they lack. Throws Error with a sentence when it breaks off. */
export async function exchange(asking: Exchanging, source: Source): Promise<Exchanged> {
  const { holds, ...taken } = await pullAll(asking, source);
  const theirs = holds ?? (await askState(asking, source));
  return { ...taken, pushed: await pushAll(asking, source, theirs) };
}

type Numbers = Readonly<Record<string, number>>;
type Pulled = Omit<Exchanged, 'pushed'> & { readonly holds: Numbers | undefined };

/** Takes what we lack and gives nothing. */
export async function pullAll(asking: Asking, source: Source): Promise<Pulled> {
  const { store, progress } = asking;
  let pulled = 0;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { added, holds, isMore, ...rest } = await pullPage(asking, source, page === 0);
    pulled += added;
    if (added > 0) progress?.(pulled, holds && pulled + lacking(store().vector(), holds));
    if (!isMore || added === 0) return { holds, pulled, ...rest };
  }
  throw new Error('its history does not end');
}

type PulledPage = Omit<Pulled, 'pulled'> & { readonly added: number; readonly isMore: boolean };

async function pullPage(asking: Asking, source: Source, isFirst: boolean): Promise<PulledPage> {
  const body = encode(asking.store().vector());
  const timeoutMs = isFirst ? PATIENCE_MS : TIMEOUT_MS;
  const wish = { method: 'POST', action: 'pull', body, limit: MAX_PAGE_BYTES, timeoutMs };
  const { response, bytes } = await ask(asking, source, wish);
  const copies = new TextEncoder().encode(response.headers.get(KEYS) ?? '');
  asking.learn?.(readJson(CopiesSchema, copies) ?? {});
  const taken = await takePage(asking, bytes);
  if (!taken.ok) throw new Error(`its commits cannot be read (${taken.reason})`);
  const { added, refused, putOff } = taken;
  const isGone = response.status === GONE;
  // What it says of us counts only as far as the store could verify it.
  if (isGone && added === 0) throw new Error('it says that this device was removed');
  const header = new TextEncoder().encode(response.headers.get(HOLDS) ?? '');
  const isMore = isGone || response.headers.get(MORE) !== null;
  return { added, refused, putOff, isMore, holds: readJson(HoldsSchema, header) };
}

/** How many commits one who holds `theirs` has more than we. */
function lacking(ours: Vector, theirs: Numbers): number {
  const held = lastNumbers(ours);
  return Object.entries(theirs).reduce(
    (sum, [device, seq]) => sum + Math.max(0, seq - (held[device] ?? 0)),
    0,
  );
}

async function pushAll(asking: Exchanging, source: Source, theirs: Numbers): Promise<number> {
  const { store, seal } = asking;
  let held = theirs;
  let pushed = 0;
  for (let page = 0; page < MAX_PAGES; page++) {
    if (!hasMore(store().vector(), held)) return pushed;
    const frames = await store().exportMissing(asVector(held));
    if (frames.length === 0) return pushed;
    const body = await seal(frames);
    if (body === undefined) return pushed;
    const wish = { method: 'POST', action: 'push', body, limit: MAX_ANSWER_BYTES };
    const { bytes } = await ask(asking, source, wish);
    const answer = readJson(PushedSchema, bytes);
    // What they do not want they will not want in a moment either.
    if (answer === undefined || answer.stored === 0) return pushed;
    pushed += answer.stored;
    const now = answer.holds ?? (await askState(asking, source));
    // Who stores and holds no more would be given the same again, for ever.
    if (!hasMore(asVector(now), held)) return pushed;
    held = now;
  }
  return pushed;
}

async function askState(asking: Asking, source: Source): Promise<Numbers> {
  const wish = { method: 'GET', action: 'state', body: NOTHING, limit: MAX_PAGE_BYTES };
  const { bytes } = await ask(asking, source, wish);
  const state = readJson(StateSchema, bytes);
  if (state === undefined) throw new Error('its state cannot be read');
  return lastNumbers(state.vector);
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
  507: 'it has no room left for this realm',
};

/** An empty name stands for whichever commit has the number. */
function asVector(numbers: Numbers): Vector {
  return Object.fromEntries(
    Object.entries(numbers).map(([device, seq]) => [device, [[seq, '']] as const]),
  );
}

function hasMore(ours: Vector, theirs: Numbers): boolean {
  return Object.entries(lastNumbers(ours)).some(([device, seq]) => seq > (theirs[device] ?? 0));
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
