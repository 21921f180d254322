/**
 * What EDNS options in a query ask for beside the answer: cookies, a name for this server, how long
 * a connection may idle, and lengths that tell nothing.
 *
 * @see RFC 7873 §5.2 (cookies), RFC 5001 (NSID), RFC 7828 §3.3 (keepalive), RFC 8467 §4.1 (padding)
 */

import type { Clock, Endpoint, Random } from '#runtime';
import type { EdnsOption } from '../message/edns.ts';
import { encodeOption, findOption, OPTION } from '../message/edns-option.ts';
import { encodeMessage, type Message } from '../message/message.ts';
import { OPCODE, RCODE } from '../message/type.ts';
import { type Cookies, createCookies } from './cookie.ts';
import { createRateLimit } from './rate-limit.ts';
import { bare, type Handle, respond, type Transport } from './response.ts';
import { IDLE_MILLISECONDS } from './tcp-connection.ts';

/** Responses under encryption fill a multiple of so many octets (RFC 8467 §4.1). */
export const PADDING_BLOCK = 468;
const MAX_MESSAGE = 65_535;

/** Rules on a datagram before anything else is done: go on, stay silent, or answer this. */
type Gate = (query: Message, asker: Endpoint) => 'serve' | 'drop' | Message;

export type Courtesy = {
  /** Serves as `handle` does, with what the options ask for. */
  readonly attend: (handle: Handle) => Handle;
  readonly gate: Gate;
  /** Whether a cookie of ours shows that the asker receives what is sent to its address. */
  readonly proves: (query: Message, asker: Endpoint) => boolean;
};

export type CourtesyOptions = {
  /** Told to who asks for it (RFC 5001); opaque, since strangers may ask. */
  readonly serverId?: Uint8Array;
  /** Whose datagrams are counted; the household's own are not. */
  readonly isLimited: (address: string) => boolean;
};

/** Makes the courtesies of one server. */
export function createCourtesy(
  runtime: { readonly clock: Clock; readonly random: Random },
  { serverId, isLimited }: CourtesyOptions,
): Courtesy {
  const cookies = createCookies(runtime.clock, runtime.random);
  const limit = createRateLimit(runtime.clock);
  return {
    attend: (handle) => async (query, asker, transport) => {
      const cookie = readCookie(cookies, query, asker);
      if (cookie === 'malformed') return respond(query, bare(RCODE.FORMERR));
      const response =
        cookie !== undefined && asksForCookieOnly(query)
          ? respond(query, bare(cookie.isRefuted ? RCODE.BADCOOKIE : RCODE.NOERROR))
          : await handle(query, asker, transport);
      const options = [
        ...(cookie === undefined ? [] : [cookie.reply]),
        ...serverIdFor(query, serverId),
        ...keepaliveFor(query, transport),
      ];
      return pad(query, withOptions(response, options), transport);
    },
    proves: (query, asker) => isProven(readCookie(cookies, query, asker)),
    gate(query, asker) {
      if (!isLimited(asker.address)) return 'serve';
      const cookie = readCookie(cookies, query, asker);
      if (isProven(cookie)) return 'serve';
      const admitted = limit.admit(asker.address);
      if (admitted !== 'slip') return admitted;
      if (cookie === undefined || cookie === 'malformed') {
        return { ...respond(query, bare(RCODE.NOERROR)), truncated: true };
      }
      return withOptions(respond(query, bare(RCODE.BADCOOKIE)), [cookie.reply]);
    },
  };
}

type Cookie = {
  readonly isProven: boolean;
  /** A server's half came along, and it is not ours or too old. */
  readonly isRefuted: boolean;
  readonly reply: EdnsOption;
};

function isProven(cookie: Cookie | 'malformed' | undefined): boolean {
  return cookie !== undefined && cookie !== 'malformed' && cookie.isProven;
}

function readCookie(
  cookies: Cookies,
  { edns }: Message,
  { address }: Endpoint,
): Cookie | 'malformed' | undefined {
  if (edns === undefined || !edns.options.some(({ code }) => code === OPTION.COOKIE)) {
    return undefined;
  }
  const option = findOption(edns.options, 'COOKIE');
  if (option === undefined) return 'malformed';
  const { client, server } = option;
  const { isProven, reply } = cookies.examine(client, server, address);
  const isRefuted = server.length > 0 && !isProven;
  return { isProven, isRefuted, reply: { code: OPTION.COOKIE, data: reply } };
}

/** RFC 7873 §5.4: no question, only the wish to learn a cookie. */
function asksForCookieOnly({ questions, opcode, edns }: Message): boolean {
  return questions.length === 0 && opcode === OPCODE.QUERY && edns?.version === 0;
}

function serverIdFor({ edns }: Message, identifier: Uint8Array | undefined): EdnsOption[] {
  const isAsked = edns?.options.some(({ code }) => code === OPTION.NSID) === true;
  return isAsked && identifier !== undefined ? [encodeOption({ option: 'NSID', identifier })] : [];
}

/** In tenths of a second, and never over UDP (RFC 7828 §3.3.2). */
function keepaliveFor({ edns }: Message, transport: Transport): EdnsOption[] {
  if (transport !== 'tcp' && transport !== 'dot') return [];
  if (edns?.options.some(({ code }) => code === OPTION.KEEPALIVE) !== true) return [];
  return [encodeOption({ option: 'KEEPALIVE', timeout: IDLE_MILLISECONDS / 100 })];
}

/** Who pads wants padding; in the clear it would only be weight (RFC 7830 §6). */
function pad(query: Message, response: Message, transport: Transport): Message {
  if (transport !== 'dot' && transport !== 'doh') return response;
  if (query.edns?.options.some(({ code }) => code === OPTION.PADDING) !== true) return response;
  const size = encodeMessage(response).length + OPTION_HEADER;
  const wanted = Math.min(Math.ceil(size / PADDING_BLOCK) * PADDING_BLOCK, MAX_MESSAGE) - size;
  if (wanted < 0) return response;
  return withOptions(response, [encodeOption({ option: 'PADDING', length: wanted })]);
}

/** Code and length. */
const OPTION_HEADER = 4;

function withOptions(response: Message, options: readonly EdnsOption[]): Message {
  const { edns } = response;
  if (edns === undefined || options.length === 0) return response;
  return { ...response, edns: { ...edns, options: [...edns.options, ...options] } };
}
