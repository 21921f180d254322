/**
 * Synchronisation, the answering side of a device: the same three questions that a hub answers.
 *
 *     GET  /sync/v1/<realm>/state   { vector }
 *     POST /sync/v1/<realm>/pull    what the asker holds → sealed commits it lacks, a page
 *     POST /sync/v1/<realm>/push    sealed commits → { stored, refused, holds, tips }; { stored, left }
 *                                   to one that was removed (late.ts)
 *
 * Requests are signed by a full device of the realm (signed-request.ts), commits are sealed under the
 * realm's key, and each is verified by the store before it counts (I3): on any path, through anybody.
 */

import * as v from 'valibot';
import type { Clock, Crypto } from '#runtime';
import type { Store, Vector } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { claimedDevice, isBodyOf, verifyHead } from '../peers/signed-request.ts';
import type { RealmDevice } from '../project.ts';
import type { Allowance } from './allowance.ts';
import { createFarewell, wasMember } from './farewell.ts';
import { copiesFor, type RealmKeys, type SealFrames } from './keys.ts';
import { takeLate } from './late.ts';
import { readLimited } from './limited.ts';
import { takePage } from './take.ts';

/** Where everything of this protocol begins. */
export const SYNC_PATH = '/sync/v1/';
/** A page, and room for one commit that is larger. */
export const MAX_PAGE_BYTES = (1 << 20) + 300_000;
const COMMITS = 'application/vnd.nymote.commits';
/** What the answering side holds, as { device: seq }, with every page. */
export const HOLDS = 'nymote-holds';
/** What need not be given here, by name: what a device holds, what the asker itself gave a hub. */
export const TIPS = 'nymote-tips';
/** Of a hub: where its page ends. */
export const SEEN = 'nymote-seen';
/** Keys of the realm, sealed for who asks, in case it cannot open what brings them. */
export const KEYS = 'nymote-keys';
/** There are further pages. */
export const MORE = 'nymote-more';
/** Node and proxies refuse headers beyond 16 KiB; who has more devices asks for the state. */
const MAX_HOLDS = 8_000;
const MAX_TIPS_TEXT = 5_000;
const MAX_DEVICES = 1_024;
/** Tips of one device: one, unless it used a number twice. */
const MAX_TIPS = 64;
/** Bodies that are read at a time: who replays the beginnings of requests must not fill the memory. */
const MAX_READING = 16;
/** Requests of one device: a long catch-up goes by ten pages a second. What is refused counts too. */
const REQUESTS = { burst: 300, perSecond: 10 };
/** To take what a removed device wrote the whole history is looked at. */
const LATE_COST = 100;
/** To tell it of its end all that it says it lacks: so many commits cost as much as a request. */
const LOOKED_PER_REQUEST = 150;

/** A vector as it travels. */
export const VectorSchema = v.pipe(
  v.record(
    v.pipe(v.string(), v.maxLength(200)),
    v.pipe(
      v.array(v.tuple([v.pipe(v.number(), v.safeInteger(), v.minValue(0)), v.string()])),
      v.maxLength(MAX_TIPS),
    ),
  ),
  v.maxEntries(MAX_DEVICES),
);

export type SyncParties = {
  readonly clock: Pick<Clock, 'after' | 'monotonic'>;
  readonly crypto: Crypto;
  readonly store: () => Store;
  readonly devices: () => readonly RealmDevice[];
  readonly keys: () => RealmKeys;
  readonly seal: SealFrames;
  readonly allowance: Allowance;
};

/** Is told who asked, and what it says that it holds. */
export type Listener = (device: string, held?: Vector) => void;

/** Answers one's other devices. */
export function createSyncServer(
  parties: SyncParties,
  heard: Listener,
): (request: Request) => Promise<Response> {
  const { store } = parties;
  const farewell = createFarewell(parties);
  const budget = createBudget(parties.clock);
  let reading = 0;

  /** One that was removed. */
  async function answerFormer(wish: string, device: string, body: Uint8Array): Promise<Response> {
    if (wish === 'POST pull') {
      const { response, looked } = await farewell(device, readJson(VectorSchema, body));
      budget.spend(device, looked / LOOKED_PER_REQUEST);
      return response;
    }
    if (wish !== 'POST push') return NOT_FOUND();
    budget.spend(device, LATE_COST);
    return Response.json(await takeLate(parties, device, body));
  }

  return async (request) => {
    const { pathname } = new URL(request.url);
    const [realm, action] = pathname.slice(SYNC_PATH.length).split('/');
    // Whom we do not know learns nothing, not even which realm this is.
    if (realm !== store().realm) return NOT_FOUND();
    if (reading >= MAX_READING) return BUSY();
    reading += 1;
    const asked = await readRequest(parties, request).finally(() => {
      reading -= 1;
    });
    if (asked === undefined) return NOT_FOUND();
    const { device, body, isMember } = asked;
    if (!budget.hasRoom(device)) {
      return BUSY();
    }
    const wish = `${request.method} ${action}`;
    if (!isMember) return answerFormer(wish, device, body);
    heard(device);
    switch (wish) {
      case 'GET state':
        return Response.json({ vector: store().vector() });
      case 'POST pull':
        return pull(parties, device, body, heard);
      case 'POST push':
        return push(parties, body, (refused) => budget.spend(device, refused));
      default:
        return NOT_FOUND();
    }
  };
}

const NOT_FOUND = (): Response => new Response(null, { status: 404 });
const BUSY = (): Response => new Response(null, { status: 429, headers: { 'retry-after': '30' } });

type Asked = { readonly device: string; readonly body: Uint8Array; readonly isMember: boolean };

/** A signed request of one who is a member or was one; of nobody else a body is read. */
async function readRequest(
  { clock, crypto, store, devices }: SyncParties,
  request: Request,
): Promise<Asked | undefined> {
  const claimed = claimedDevice(crypto, request);
  const known = devices().find(({ id, kind }) => id === claimed && kind !== 'plain');
  if (claimed === undefined || (!known && !wasMember(store(), claimed))) return undefined;
  const requester = await verifyHead(crypto, request);
  if (requester?.device !== claimed) return undefined;
  const body = await readLimited(request, clock, MAX_PAGE_BYTES);
  if (body === undefined || !isBodyOf(crypto, request, body)) return undefined;
  const isMember = known?.signingKey === encodeBase64(requester.publicKey);
  return { device: claimed, body, isMember };
}

/** Members only: as many as the realm has. */
function createBudget(clock: Pick<Clock, 'monotonic'>) {
  const left = new Map<string, { tokens: number; at: number }>();
  const spend = (device: string, tokens: number): number => {
    const now = clock.monotonic();
    const { tokens: before, at } = left.get(device) ?? { tokens: REQUESTS.burst, at: now };
    const filled = Math.min(REQUESTS.burst, before + ((now - at) / 1_000) * REQUESTS.perSecond);
    left.set(device, { tokens: filled - tokens, at: now });
    return filled;
  };
  return { spend, hasRoom: (device: string) => spend(device, 0) >= 1 && spend(device, 1) >= 1 };
}

async function pull(
  { store, seal }: SyncParties,
  device: string,
  body: Uint8Array,
  heard: Listener,
): Promise<Response> {
  const known = readJson(VectorSchema, body);
  if (known === undefined) return new Response(null, { status: 400 });
  heard(device, known);
  const sealed = await seal(await store().exportMissing(known));
  if (sealed === undefined) return new Response(null, { status: 503 });
  // The asker comes again until there is nothing.
  const vector = store().vector();
  const headers = pageHeaders(lastNumbers(vector), vector, sealed.length > 0);
  const copies = JSON.stringify(copiesFor(store().state(), device));
  return new Response(new Uint8Array(sealed), { headers: { ...headers, [KEYS]: copies } });
}

async function push(
  parties: SyncParties,
  body: Uint8Array,
  charge: (refused: number) => void,
): Promise<Response> {
  const { store } = parties;
  const taken = await takePage(parties, body);
  if (!taken.ok) return Response.json({ error: taken.reason }, { status: 400 });
  const { added: stored, refused, waiting, putOff } = taken;
  charge(refused);
  // Saves the question for it; whoever holds too much for one answer is asked.
  const tips = store().vector();
  const holds = lastNumbers(tips);
  const isShort = JSON.stringify(holds).length <= MAX_HOLDS;
  return Response.json({ stored, refused, waiting, putOff, ...(isShort ? { holds, tips } : {}) });
}

/** What goes with a page of commits. */
export function pageHeaders(
  holds: Readonly<Record<string, number>>,
  tips: Vector | undefined,
  isMore: boolean,
): Record<string, string> {
  const text = JSON.stringify(holds);
  const names = JSON.stringify(tips);
  return {
    'content-type': COMMITS,
    ...(text.length <= MAX_HOLDS ? { [HOLDS]: text } : {}),
    ...(tips !== undefined && names.length <= MAX_TIPS_TEXT ? { [TIPS]: names } : {}),
    ...(isMore ? { [MORE]: 'yes' } : {}),
  };
}

/** The number of each device's newest commit. */
export function lastNumbers(vector: Vector): Readonly<Record<string, number>> {
  const entries = Object.entries(vector).map(
    ([device, tips]) => [device, Math.max(...tips.map(([seq]) => seq))] as const,
  );
  return Object.fromEntries(entries);
}

/** JSON of this shape; undefined for anything else. */
export function readJson<T>(schema: v.GenericSchema<unknown, T>, body: Uint8Array): T | undefined {
  try {
    const parsed = v.safeParse(schema, JSON.parse(new TextDecoder().decode(body)));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
