/**
 * Synchronisation, the answering side of a device: the same three questions that a hub answers.
 *
 *     GET  /sync/v1/<realm>/state   { vector }
 *     POST /sync/v1/<realm>/pull    what the asker holds → sealed commits it lacks, a page
 *     POST /sync/v1/<realm>/push    sealed commits → { stored, refused }
 *
 * Requests are signed by a full device of the realm (signed-request.ts), commits are sealed under the
 * realm's key, and each is verified by the store before it counts (I3): on any path, through anybody.
 */

import * as v from 'valibot';
import type { Clock, Crypto } from '#runtime';
import { openPage, type Store, sealPage, type Vector } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { verifyRequest } from '../peers/signed-request.ts';
import type { RealmDevice } from '../project.ts';
import type { RealmKeys } from './keys.ts';
import { readLimited } from './limited.ts';

/** Where everything of this protocol begins. */
export const SYNC_PATH = '/sync/v1/';
/** A page, and room for one commit that is larger. */
export const MAX_PAGE_BYTES = (1 << 20) + 300_000;
const COMMITS = 'application/vnd.nymote.commits';
/** What the answering side holds, as { device: seq }, with every page. */
export const HOLDS = 'nymote-holds';
/** There are further pages. */
export const MORE = 'nymote-more';
/** Node and proxies refuse headers beyond 16 KiB; who has more devices asks for the state. */
const MAX_HOLDS = 8_000;
const MAX_DEVICES = 1_024;
/** Tips of one device: one, unless it used a number twice. */
const MAX_TIPS = 64;

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
  readonly clock: Pick<Clock, 'after'>;
  readonly crypto: Crypto;
  readonly store: () => Store;
  readonly devices: () => readonly RealmDevice[];
  readonly keys: () => RealmKeys;
};

/** Answers one's other devices; `heard` is told who asked. */
export function createSyncServer(
  parties: SyncParties,
  heard: (device: string) => void,
): (request: Request) => Promise<Response> {
  const { clock, crypto, store, devices } = parties;
  return async (request) => {
    const { pathname } = new URL(request.url);
    const [realm, action] = pathname.slice(SYNC_PATH.length).split('/');
    const body = await readLimited(request, clock, MAX_PAGE_BYTES);
    const requester = body && (await verifyRequest(crypto, request, body));
    const device = devices().find(({ id, kind }) => id === requester?.device && kind !== 'plain');
    // Whom we do not know learns nothing, not even which realm this is.
    if (!requester || !device || realm !== store().realm)
      return new Response(null, { status: 404 });
    if (device.signingKey !== encodeBase64(requester.publicKey)) {
      return new Response(null, { status: 404 });
    }
    heard(device.id);
    switch (`${request.method} ${action}`) {
      case 'GET state':
        return Response.json({ vector: store().vector() });
      case 'POST pull':
        return pull(parties, body);
      case 'POST push':
        return push(parties, body);
      default:
        return new Response(null, { status: 404 });
    }
  };
}

async function pull({ crypto, store, keys }: SyncParties, body: Uint8Array): Promise<Response> {
  const known = readJson(VectorSchema, body);
  const [key] = keys();
  if (known === undefined) return new Response(null, { status: 400 });
  if (key === undefined) return new Response(null, { status: 503 });
  const { realm } = store();
  const page = await store().exportMissing(known);
  // The asker comes again until there is nothing.
  const headers = pageHeaders(lastNumbers(store().vector()), page.length > 0);
  return new Response(new Uint8Array(sealPage(crypto, key, realm, page)), { headers });
}

async function push({ crypto, store, keys }: SyncParties, body: Uint8Array): Promise<Response> {
  const opened = openPage(crypto, keys(), store().realm, body);
  if (!opened.ok) return Response.json({ error: opened.reason }, { status: 400 });
  const { added, refused, waiting } = await store().importCommits(opened.frames);
  return Response.json({
    stored: added,
    refused: refused.length + opened.unreadable.length,
    waiting: waiting.length,
  });
}

/** What goes with a page of commits. */
export function pageHeaders(
  holds: Readonly<Record<string, number>>,
  isMore: boolean,
): Record<string, string> {
  const text = JSON.stringify(holds);
  return {
    'content-type': COMMITS,
    ...(text.length <= MAX_HOLDS ? { [HOLDS]: text } : {}),
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
