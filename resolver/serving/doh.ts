/**
 * DNS over HTTPS: a message in the URL or in the body, the answer as the body.
 *
 * Each answer may be kept by the one who asked and by nobody else, for what policy says depends on
 * the asker. Everything that is a DNS message gets 200, whatever its return code (§4.2.1).
 *
 * @see RFC 8484; RFC 9110 for the status codes
 */

import type { Clock, Endpoint, Path } from '#runtime';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { RCODE, TYPE } from '../message/type.ts';
import { BASE64URL, fromDigits } from '../message/wire/digits.ts';
import { type Handle, refusalOf } from './response.ts';
import { createWaiting } from './waiting.ts';

/** Where the service is, and how clients are told (RFC 8484 §4.1, RFC 9461 §5). */
export const DOH_PATH = '/dns-query';
export const DOH_TEMPLATE = `${DOH_PATH}{?dns}`;

const MEDIA_TYPE = 'application/dns-message';
const MAX_MESSAGE = 65_535;
/** Octets of a question in a URL; a name and its options take far less. */
const MAX_QUERY_IN_URL = 4_096;
/** Milliseconds a body may take to arrive. */
export const BODY_MILLISECONDS = 5_000;
/** Questions under way for one address; of all of them, who holds most loses first (waiting.ts). */
export const MAX_PER_CLIENT = 100;

export type DohService = (request: Request, from: Endpoint | Path) => Promise<Response>;

/** Makes what answers HTTP requests. */
export function createDohService(
  clock: Pick<Clock, 'after' | 'monotonic'>,
  handle: Handle,
): DohService {
  const underWay = new Map<string, number>();
  const waiting = createWaiting(clock);

  async function serve(request: Request, asker: Endpoint): Promise<Response> {
    const read = await readQuery(request, clock);
    if (typeof read === 'number') return refuse(read);
    const decoded = decodeMessage(read);
    if (!decoded.ok) {
      const refusal = refusalOf(decoded);
      return refusal === undefined ? refuse(400) : reply(refusal);
    }
    return decoded.message.response
      ? refuse(400)
      : reply(await handle(decoded.message, asker, 'doh'));
  }

  return async (request, from) => {
    if (!('address' in from)) return refuse(404);
    const { address } = from;
    const mine = underWay.get(address) ?? 0;
    if (mine >= MAX_PER_CLIENT) return refuse(429);
    // Nobody forges the sender of a stream.
    const ticket = waiting.enter(address, () => true);
    if (ticket === undefined) return refuse(503);
    underWay.set(address, mine + 1);
    let isWanted = false;
    let response: Response;
    try {
      response = await serve(request, from);
    } finally {
      isWanted = ticket.leave();
      const left = (underWay.get(address) ?? 1) - 1;
      if (left === 0) underWay.delete(address);
      else underWay.set(address, left);
    }
    return isWanted ? response : refuse(503);
  };
}

function refuse(status: number): Response {
  const headers = status === 405 ? { allow: 'GET, POST' } : {};
  return new Response(null, { status, headers: { ...headers, 'cache-control': 'no-store' } });
}

function reply(response: Message): Response {
  const body = encodeMessage(response);
  return new Response(body.slice(), {
    headers: {
      'content-type': MEDIA_TYPE,
      'content-length': String(body.length),
      'cache-control': cacheControl(response),
    },
  });
}

/** The octets of the query, or the status that says what is wrong. */
async function readQuery(
  request: Request,
  clock: Pick<Clock, 'after'>,
): Promise<Uint8Array | number> {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname !== DOH_PATH) return 404;
  switch (request.method) {
    case 'GET': {
      const text = searchParams.get('dns');
      if (text === null || text === '') return 400;
      if (text.length > (MAX_QUERY_IN_URL * 4) / 3) return 414;
      return fromDigits(BASE64URL, text.replace(/={1,2}$/, '')) ?? 400;
    }
    case 'POST': {
      const [type = ''] = (request.headers.get('content-type') ?? '').split(';', 1);
      if (type.trim().toLowerCase() !== MEDIA_TYPE) return 415;
      if (Number(request.headers.get('content-length') ?? 0) > MAX_MESSAGE) return 413;
      return readBody(request, clock);
    }
    default:
      return 405;
  }
}

async function readBody(
  request: Request,
  clock: Pick<Clock, 'after'>,
): Promise<Uint8Array | number> {
  const reader = request.body?.getReader();
  if (reader === undefined) return 400;
  let isLate = false;
  const cancel = clock.after(BODY_MILLISECONDS, () => {
    isLate = true;
    reader.cancel().catch(() => undefined);
  });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) return 408;
      if (done) break;
      size += value.length;
      if (size > MAX_MESSAGE) {
        reader.cancel().catch(() => undefined);
        return 413;
      }
      chunks.push(value);
    }
  } catch {
    // The client went away.
    return 400;
  } finally {
    cancel();
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

/** Fresh as long as the shortest of the answers; for a denial what its SOA says (RFC 8484 §5.1). */
function cacheControl({ rcode, answers, authorities }: Message): string {
  const isAnswer = rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;
  const soa = authorities.find(({ type }) => type === TYPE.SOA);
  const ttls = [
    ...answers.map(({ ttl }) => ttl),
    ...(soa === undefined ? [] : [soa.ttl, minimumOf(soa.rdata)]),
  ];
  return isAnswer && ttls.length > 0 ? `private, max-age=${Math.min(...ttls)}` : 'no-store';
}

/** The last number of an SOA (RFC 2308 §4). */
function minimumOf(rdata: Uint8Array): number {
  return rdata.length < 4
    ? 0
    : new DataView(rdata.buffer, rdata.byteOffset + rdata.length - 4, 4).getUint32(0);
}
