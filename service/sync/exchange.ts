/**
 * Synchronisation, the asking side: one exchange with another device or a hub leaves both with the
 * same commits. One round trip finds exactly what each lacks, because numbers of chains say it all.
 */

import * as v from 'valibot';
import type { Http, Signer } from '#runtime';
import { openPage, sealPage, type Vector } from '#storage';
import { signRequest } from '../peers/signed-request.ts';
import { readLimited } from './limited.ts';
import {
  HOLDS,
  lastNumbers,
  MAX_PAGE_BYTES,
  MORE,
  readJson,
  SYNC_PATH,
  type SyncParties,
  VectorSchema,
} from './serve.ts';

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
};

export type Asking = Pick<SyncParties, 'clock' | 'crypto' | 'store' | 'keys'> & {
  readonly http: Pick<Http, 'fetch'>;
  readonly signer: Signer;
  /** Told after each page how far it is, for long histories. */
  readonly progress?: (commits: number) => void;
};

const TIMEOUT_MS = 20_000;
const MAX_ANSWER_BYTES = 100_000;
/** Pages of one exchange; what is left comes with the next. */
const MAX_PAGES = 4_096;

const HoldsSchema = v.pipe(
  v.record(v.string(), v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  v.maxEntries(1_024),
);
const StateSchema = v.object({ vector: VectorSchema });

/** Takes what we lack, then gives what they lack. Throws Error with a sentence when it breaks off. */
export async function exchange(asking: Asking, source: Source): Promise<Exchanged> {
  const { holds, pulled, refused } = await pullAll(asking, source);
  const theirs = holds ?? (await askState(asking, source));
  return { pulled, refused, pushed: await pushAll(asking, source, theirs) };
}

type Numbers = Readonly<Record<string, number>>;

/** Takes what we lack and gives nothing. */
export async function pullAll(
  asking: Asking,
  source: Source,
): Promise<{
  readonly holds: Numbers | undefined;
  readonly pulled: number;
  readonly refused: number;
}> {
  const { crypto, store, keys, progress } = asking;
  let pulled = 0;
  let refused = 0;
  for (let page = 0; page < MAX_PAGES; page++) {
    const body = encode(store().vector());
    const { response, bytes } = await ask(asking, source, 'POST', 'pull', body, MAX_PAGE_BYTES);
    const opened = openPage(crypto, keys(), store().realm, bytes);
    if (!opened.ok) throw new Error(`its commits cannot be read (${opened.reason})`);
    const imported = await store().importCommits(opened.frames);
    pulled += imported.added;
    refused = imported.refused.length + opened.unreadable.length;
    if (imported.added > 0) progress?.(pulled);
    const isDone = response.headers.get(MORE) === null || imported.added === 0;
    if (isDone) {
      const holds = readJson(
        HoldsSchema,
        new TextEncoder().encode(response.headers.get(HOLDS) ?? ''),
      );
      return { holds, pulled, refused };
    }
  }
  throw new Error('its history does not end');
}

async function pushAll(asking: Asking, source: Source, theirs: Numbers): Promise<number> {
  const { crypto, store, keys, progress } = asking;
  let held = theirs;
  let pushed = 0;
  for (let page = 0; page < MAX_PAGES; page++) {
    const [key] = keys();
    if (key === undefined || !hasMore(store().vector(), held)) return pushed;
    const frames = await store().exportMissing(asVector(held));
    if (frames.length === 0) return pushed;
    const sealed = sealPage(crypto, key, store().realm, frames);
    const { bytes } = await ask(asking, source, 'POST', 'push', sealed, MAX_ANSWER_BYTES);
    const stored = readJson(v.object({ stored: v.number() }), bytes)?.stored ?? 0;
    // What they do not want they will not want in a moment either.
    if (stored === 0) return pushed;
    pushed += stored;
    progress?.(pushed);
    held = await askState(asking, source);
  }
  return pushed;
}

async function askState(asking: Asking, source: Source): Promise<Numbers> {
  const { bytes } = await ask(asking, source, 'GET', 'state', new Uint8Array(0), MAX_PAGE_BYTES);
  const state = readJson(StateSchema, bytes);
  if (state === undefined) throw new Error('its state cannot be read');
  return lastNumbers(state.vector);
}

async function ask(
  asking: Asking,
  { url: base }: Source,
  method: string,
  action: string,
  body: Uint8Array,
  limit: number,
): Promise<{ readonly response: Response; readonly bytes: Uint8Array }> {
  const { crypto, signer, http, store, clock } = asking;
  const url = new URL(
    `${SYNC_PATH.slice(1)}${store().realm}/${action}`,
    `${base.replace(/\/$/, '')}/`,
  ).href;
  const request = await signRequest(crypto, signer, { method, url, body });
  const response = await http.fetch(request, { timeoutMs: TIMEOUT_MS });
  const bytes = await readLimited(response, clock, limit);
  if (!response.ok) throw new Error(REFUSALS[response.status] ?? `it answered ${response.status}`);
  if (bytes === undefined) throw new Error('its answer broke off');
  return { response, bytes };
}

const REFUSALS: Readonly<Record<number, string>> = {
  403: 'it does not know this device, or not any more',
  404: 'it does not know this device, or not any more',
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
