/** Requests to a target over HTTP: what its statuses mean, and bodies that are not believed. */

import { type Clock, type Runtime, RuntimeError } from '#runtime';
import { encodeBase64 } from '../base64.ts';
import { BackupError, type BackupErrorCode } from './error.ts';
import { type Credentials, translated } from './target.ts';

/**
 * Sends a request; statuses among `fine` are answers, all others fail. Of the body at most `limit`
 * bytes and one more are read.
 */
export type Ask = (
  request: Request,
  fine: readonly number[],
  limit?: number,
) => Promise<{ readonly status: number; readonly body: Uint8Array }>;

/** For whatever is little, and besides what a line of 64 kbit/s takes for the rest. */
const LEAST_MS = 20 * 60_000;
const SLOWEST_BYTES_PER_MS = 8;
/** Before an answer, and between two parts of it: who says nothing for so long will not go on. */
const STALL_MS = 60_000;
const HTTPS_PORT = 443;

const patienceFor = (bytes: number): number => LEAST_MS + bytes / SLOWEST_BYTES_PER_MS;

/** Makes the sender for a target called `name`; with a pin, only that key is spoken to. */
export function askOver(
  { http, clock }: Pick<Runtime, 'http' | 'clock'>,
  name: string,
  pin?: string,
): Ask {
  const read = async (response: Response, fine: readonly number[], limit: number) => {
    const { status } = response;
    if (fine.includes(status))
      return { status, body: await readBody(clock, name, response, limit) };
    await response.body?.cancel();
    throw new BackupError(STATUS[status] ?? 'io', `${name} ${WORDS[status] ?? `says ${status}`}`);
  };
  return (request, fine, limit = 0) =>
    translated(name, async () => {
      if (pin === undefined) {
        // The answer to a file comes when all of it is there.
        const length = Number(request.headers.get('content-length') ?? 0);
        const timeoutMs = request.body === null ? STALL_MS : patienceFor(length);
        return read(await http.fetch(request, { timeoutMs }), fine, limit);
      }
      const { hostname, port } = new URL(request.url);
      const remote = {
        address: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port || HTTPS_PORT),
      };
      await using session = await http.connect(remote, { pins: [pin] });
      return await read(await session.fetch(request), fine, limit);
    });
}

const STATUS: Readonly<Record<number, BackupErrorCode>> = {
  401: 'denied',
  403: 'denied',
  404: 'unreachable',
  409: 'unreachable',
  413: 'no-space',
  507: 'no-space',
};

const WORDS: Readonly<Record<number, string>> = {
  401: 'wants other credentials',
  403: 'does not let us',
  404: 'has no such place',
  409: 'has no such place',
  413: 'takes no file of this size',
  507: 'is full',
};

/** The body, at most `limit` bytes and one more: who sends more than was listed sends another file. */
export async function readBody(
  clock: Pick<Clock, 'after'>,
  name: string,
  response: Response,
  limit: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of inTime(clock, response.body, patienceFor(limit))) {
      parts.push(part);
      length += part.length;
      if (length > limit) break;
    }
  } catch (thrown) {
    const isLate = thrown instanceof RuntimeError && thrown.code === 'timeout';
    const words = isLate ? 'stopped sending before the end' : 'broke off';
    throw new BackupError('unreachable', `${name} ${words}`, thrown);
  }
  const body = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    body.set(part, offset);
    offset += part.length;
  }
  return body.subarray(0, limit + 1);
}

/** The parts of a body, as long as they keep coming and end some day. */
async function* inTime(
  clock: Pick<Clock, 'after'>,
  body: ReadableStream<Uint8Array> | null,
  patienceMs: number,
): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  const late = Promise.withResolvers<never>();
  const giveUp = () => late.reject(new RuntimeError('timeout', 'it stopped sending'));
  const cancelAll = clock.after(patienceMs, giveUp);
  try {
    for (;;) {
      const cancel = clock.after(STALL_MS, giveUp);
      const { done, value } = await Promise.race([reader.read(), late.promise]).finally(cancel);
      if (done) return;
      yield value;
    }
  } finally {
    cancelAll();
    // Whoever is silent may be silent about this, too.
    reader.cancel().catch(() => undefined);
  }
}

/** User and password as HTTP has them (RFC 7617). */
export const basic = ({ user, secret }: Credentials): string =>
  `Basic ${encodeBase64(new TextEncoder().encode(`${user}:${secret}`))}`;

/** The text between tags of this name, of whatever namespace; entities that XML has are read. */
export function elementTexts(xml: string, tag: string): string[] {
  const pattern = new RegExp(`<(?:[A-Za-z0-9]+:)?${tag}(?:\\s[^>]*)?>([^<]*)</`, 'g');
  return [...xml.matchAll(pattern)].map(([, text = '']) =>
    text.replaceAll(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => ENTITIES[entity] ?? ''),
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  amp: '&',
};
