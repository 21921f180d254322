/**
 * The backups of others over HTTP: the part of WebDAV that webdav.ts asks for, so that curl, cadaver
 * and rclone work as well.
 *
 *     PROPFIND               /kept/<guest>/          what is there, with sizes
 *     GET, PUT, DELETE, …    /kept/<guest>/<file>
 *
 * Everything wants the guest's token (HTTP Basic); of anybody else no body is read. Not done:
 * further collections, locks, properties, ranges, COPY and MOVE.
 *
 * @see RFC 4918 §9.1 (PROPFIND), §9.3 (MKCOL), §9.6 (DELETE), §9.7 (PUT), §10.1 (DAV)
 * @see RFC 7617: user and password
 */

import {
  type AppendFile,
  type Clock,
  type Crypto,
  type Endpoint,
  type Path,
  RuntimeError,
} from '#runtime';
import { createLimits, type Limits } from '../../hub/limits.ts';
import { readLimited } from '../../sync/limited.ts';
import { digestOfToken, type Guest, isSameDigest } from './guests.ts';
import { isGuest, KEPT_PATH } from './line.ts';
import { isKeptName, type Kept, type Put, type Shelf } from './shelf.ts';

/** A file of a backup has about four megabytes; one commit may make it larger. */
export const MAX_FILE_BYTES = 16 * 2 ** 20;
/** Guests who write at a time, each one file: it is in memory meanwhile. */
const MAX_TAKING = 4;
/** Files that one guest reads at a time. */
const MAX_GIVING = 8;
/** Of the largest file, on a line of 128 kbit/s. */
const BODY_MS = 20 * 60_000;
const CHUNK_BYTES = 65_536;
const RETRY_SECONDS = 30;

/** One whose backups are kept. */
export type Host = { readonly guest: Guest; readonly shelf: Shelf };

type Needs = {
  readonly clock: Pick<Clock, 'after' | 'monotonic'>;
  readonly crypto: Pick<Crypto, 'hash'>;
  readonly find: (name: string) => Host | undefined;
};

type Place = { readonly guest: string; readonly file: string | undefined };

/** Answers guests. */
export function createKeptServer(
  needs: Needs,
): (request: Request, from: Endpoint | Path) => Promise<Response> {
  const limits = createLimits(needs.clock);
  const giving = new Map<string, number>();
  const taking = new Set<string>();

  async function answer(host: Host, place: Place, request: Request): Promise<Response> {
    const { guest, file } = place;
    if (file === undefined) return answerCollection(host, guest, request.method);
    if (request.method === 'PUT') {
      if (taking.has(guest) || taking.size >= MAX_TAKING) return later(503);
      taking.add(guest);
      return take(needs, host, file, request).finally(() => taking.delete(guest));
    }
    if (request.method !== 'GET') return answerFile(host, { guest, file }, request.method);
    const open = giving.get(guest) ?? 0;
    if (open >= MAX_GIVING) return later(503);
    giving.set(guest, open + 1);
    return give(host, file, () => giving.set(guest, (giving.get(guest) ?? 1) - 1));
  }

  return async (request, from) => {
    const name = admit(needs, limits, request, 'address' in from ? from.address : '');
    if (typeof name !== 'string') return name;
    const host = needs.find(name);
    const place = parsePlace(new URL(request.url).pathname);
    return host === undefined || place?.guest !== name ? empty(404) : answer(host, place, request);
  };
}

/** Reads a path by its letter: nothing in it is decoded, nothing leads elsewhere. */
export function parsePlace(pathname: string): Place | undefined {
  if (!pathname.startsWith(KEPT_PATH)) return undefined;
  const [guest = '', file = '', ...more] = pathname.slice(KEPT_PATH.length).split('/');
  if (!isGuest(guest) || more.length > 0) return undefined;
  if (file === '') return { guest, file: undefined };
  return isKeptName(file) ? { guest, file } : undefined;
}

/** Whose token a request carries, or what it is turned away with. */
function admit(
  { crypto, find }: Needs,
  limits: Limits,
  { headers }: Request,
  address: string,
): string | Response {
  const { user, token } = readBasic(headers.get('authorization') ?? '');
  const known = find(user)?.guest;
  // Compared with something in any case, so that a name that is not known takes as long.
  const isRight = isSameDigest(known?.token ?? NOBODY, digestOfToken(crypto, token));
  if (known === undefined || !isRight) {
    const wait = limits.knock(address, undefined);
    limits.stranger(address, undefined);
    if (wait !== undefined) return later(429, wait);
    return empty(401, { 'www-authenticate': 'Basic realm="nymote", charset="UTF-8"' });
  }
  const wait = limits.proven(user);
  if (wait !== undefined) return later(429, wait);
  limits.member(user);
  return user;
}

const NOBODY = '0'.repeat(64);

function readBasic(header: string): { readonly user: string; readonly token: string } {
  const [, credentials = ''] = /^Basic +([A-Za-z0-9+/]{1,200}={0,2})$/i.exec(header) ?? [];
  try {
    const [user = '', token = ''] = atob(credentials).split(':', 2);
    return { user, token };
  } catch {
    return { user: '', token: '' };
  }
}

async function answerCollection(host: Host, name: string, method: string): Promise<Response> {
  switch (method) {
    case 'PROPFIND':
      return multistatus([
        describeOne(`${KEPT_PATH}${name}/`, '<d:resourcetype><d:collection/></d:resourcetype>'),
        ...(await host.shelf.list()).map((file) => describeFile(name, file)),
      ]);
    case 'OPTIONS':
      return empty(204, { allow: 'OPTIONS, PROPFIND', dav: '1' });
    default:
      // MKCOL too: it is there (RFC 4918 §9.3.1).
      return empty(405, { allow: 'OPTIONS, PROPFIND' });
  }
}

/** Names need no escaping: they have neither `&` nor `<`. */
const describeFile = (guest: string, { name, size }: Kept): string =>
  describeOne(
    `${KEPT_PATH}${guest}/${name}`,
    `<d:resourcetype/><d:getcontentlength>${size}</d:getcontentlength>`,
  );

const describeOne = (href: string, properties: string): string =>
  `<d:response><d:href>${href}</d:href><d:propstat><d:prop>${properties}</d:prop>` +
  '<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>\n';

const multistatus = (responses: readonly string[]): Response =>
  new Response(`${XML}<d:multistatus xmlns:d="DAV:">\n${responses.join('')}</d:multistatus>\n`, {
    status: 207,
    headers: { 'content-type': 'application/xml; charset="utf-8"' },
  });

const XML = '<?xml version="1.0" encoding="utf-8"?>\n';

async function answerFile(
  { shelf }: Host,
  { guest, file: name }: { readonly guest: string; readonly file: string },
  method: string,
): Promise<Response> {
  switch (method) {
    case 'PROPFIND': {
      const found = (await shelf.list()).find((each) => each.name === name);
      return found === undefined ? empty(404) : multistatus([describeFile(guest, found)]);
    }
    case 'HEAD': {
      const file = await shelf.open(name);
      if (file === undefined) return empty(404);
      await file[Symbol.asyncDispose]();
      return empty(200, headersOf(file));
    }
    case 'DELETE':
      return empty((await shelf.remove(name)) ? 204 : 404);
    case 'OPTIONS':
      return empty(204, { allow: FILE_METHODS, dav: '1' });
    default:
      return empty(405, { allow: FILE_METHODS });
  }
}

const FILE_METHODS = 'OPTIONS, PROPFIND, GET, HEAD, PUT, DELETE';

const headersOf = ({ size }: AppendFile) => ({
  'content-type': 'application/octet-stream',
  'content-length': String(size),
});

/** Gives a file piece by piece: who reads slowly holds one piece in memory. */
async function give({ shelf }: Host, name: string, done: () => void): Promise<Response> {
  const file = await shelf.open(name).catch((thrown: unknown) => {
    done();
    throw thrown;
  });
  if (file === undefined) {
    done();
    return empty(404);
  }
  let offset = 0;
  const end = async (): Promise<void> => {
    done();
    await file[Symbol.asyncDispose]();
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = await file.read(offset, CHUNK_BYTES).catch(async (thrown: unknown) => {
        await end();
        throw thrown;
      });
      offset += chunk.length;
      if (chunk.length > 0) return controller.enqueue(chunk);
      controller.close();
      await end();
    },
    cancel: end,
  });
  return new Response(body, { headers: headersOf(file) });
}

async function take(
  { clock }: Needs,
  { guest, shelf }: Host,
  name: string,
  request: Request,
): Promise<Response> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > MAX_FILE_BYTES) return empty(413);
  if (declared > guest.quota) return empty(507);
  const bytes = await readLimited(request, clock, MAX_FILE_BYTES, BODY_MS);
  if (bytes === undefined) return empty(400);
  if (request.headers.has('content-length') && bytes.length !== declared) return empty(400);
  try {
    return empty(STATUS[await shelf.put(name, bytes, guest.quota)]);
  } catch (thrown) {
    if (thrown instanceof RuntimeError && thrown.code === 'no-space') return empty(507);
    throw thrown;
  }
}

const STATUS = {
  created: 201,
  same: 204,
  replaced: 204,
  taken: 403,
  full: 507,
} as const satisfies Record<Put, number>;

const empty = (status: number, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(null, { status, headers });

const later = (status: 429 | 503, seconds = RETRY_SECONDS): Response =>
  empty(status, { 'retry-after': String(seconds) });
