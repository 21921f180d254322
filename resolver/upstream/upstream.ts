/**
 * Asking one server one question, over the Udp and Tcp seams.
 *
 * Each UDP question is asked from a random port (ports.ts), with its own random id and letters in
 * random case (0x20). Replies that do not match are never believed: what comes from elsewhere or does not
 * parse is ignored and the valid one awaited (TuDoor, 2024); what comes from the server's own
 * address with a wrong id, question, case or cookie looks like a forgery, and the question goes on
 * over TCP. Of a server that seems to change letters, for which there is no TCP, all letters are
 * taken, as the recursor asks for it (agreement.ts).
 *
 * @see RFC 5452 §9: what must match  @see RFC 7766: TCP  @see draft-vixie-dnsext-dns0x20
 * @see RFC 7873 §5.3: cookies
 * Decides nothing about servers or answers: that is the recursor's.
 */

import type { Connection, Endpoint, Random, Runtime } from '#runtime';
import { OPTION } from '../message/edns-option.ts';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { canonicalName, type Name, trustedName } from '../message/name.ts';
import { CLASS, OPCODE, RCODE } from '../message/type.ts';
import { isPlain } from '../recursion/agreement.ts';
import type { Event, Send } from '../recursion/frame.ts';
import { EDNS_REFUSALS, serverKey } from '../recursion/servers.ts';
import { frame, unframe } from '../serving/framing.ts';
import { createPorts, type Port, type Ports } from './ports.ts';
import { createServerCookies, type ServerCookies } from './server-cookies.ts';

/** What we accept in one datagram, which no link fragments (DNS flag day 2020, RFC 9715 §3.1). */
export const UDP_SIZE = 1232;

/** Servers known to change the case of names; the oldest is forgotten. */
const MAX_CASE_CHANGERS = 1024;

/** Messages read from one TCP connection while waiting for ours. */
const MAX_STRAY_MESSAGES = 4;

export type UpstreamOptions = {
  /** Addresses to send from, one for each family; otherwise the kernel's choice. */
  readonly sources: readonly string[];
  readonly randomiseCase: boolean;
  /** What we say we accept in one datagram; unless told, what no link fragments. */
  readonly udpSize?: number;
  /** Sends DNS cookies (RFC 7873); on unless told. */
  readonly cookies?: boolean;
};

export type Upstream = AsyncDisposable & {
  /** What came of it; always within the send's timeout. */
  ask(send: Send): Promise<Event>;
  readonly sends: number;
};

type Sent = {
  readonly id: number;
  readonly name: Name;
  readonly send: Send;
  readonly udpSize: number;
  /** Our half of a cookie and, if known, the server's. */
  readonly cookie: Uint8Array | undefined;
  /** Whether a reply's cookie is right. */
  readonly believes: (reply: Message) => boolean;
};

/** Makes the asker. */
export function createUpstream(
  runtime: Pick<Runtime, 'clock' | 'random' | 'udp' | 'tcp'>,
  { sources, randomiseCase, udpSize = UDP_SIZE, cookies: sendsCookies = true }: UpstreamOptions,
): Upstream {
  const { clock, random } = runtime;
  const ports = createPorts(runtime);
  const open = new Set<Waiting>();
  const caseChangers = new Set<string>();
  const cookies = sendsCookies ? createServerCookies(runtime) : undefined;
  let sends = 0;
  let isClosed = false;

  /** Runs `start` until it reports, the time is over or we are closed. */
  function within(send: Send, start: (report: (event: Event) => void) => Cleanup): Promise<Event> {
    const began = clock.monotonic();
    return new Promise((resolve) => {
      const finish = (event: Event) => {
        if (!open.delete(waiting)) return;
        waiting.stop = undefined;
        cancel();
        cleanup();
        const milliseconds = clock.monotonic() - began;
        resolve(event.kind === 'reply' ? { ...event, milliseconds } : event);
      };
      const waiting: Waiting = { stop: () => finish({ kind: 'unreachable' }) };
      open.add(waiting);
      // Timers go before sockets: what came while we were busy with something else is not lost.
      let cancel = clock.after(send.timeout, () => {
        cancel = clock.after(0, () => finish({ kind: 'timeout' }));
      });
      const cleanup = start(finish);
    });
  }

  function prepare(send: Send, source: string | undefined): Sent {
    const [high = 0, low = 0] = random(2);
    const server = serverKey(send.server);
    const isMixed = randomiseCase && !caseChangers.has(server) && !isPlain(send);
    // Else in small letters, however we were asked: servers that change letters make them small.
    const name = isMixed ? mixCase(send.name, random) : trustedName(canonicalName(send.name));
    const place = source === undefined ? server : `${server} ${source}`;
    return { id: (high << 8) | low, name, send, udpSize, ...tasted(cookies, place, send) };
  }

  return {
    async ask(send) {
      // What is to be encrypted never goes this way.
      if (isClosed || send.server.secure !== undefined) return { kind: 'unreachable' };
      sends++;
      const source = sourceFor(send.server, sources);
      const sent = prepare(send, source);
      if (send.transport === 'udp') {
        return within(send, (report) => overUdp(ports, sent, source, report));
      }
      const noteCase = () => remember(caseChangers, serverKey(send.server));
      return within(send, (report) => overTcp(runtime, sent, source, { report, noteCase }));
    },
    get sends() {
      return sends;
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      for (const { stop } of [...open]) stop?.();
      await ports[Symbol.asyncDispose]();
    },
  };
}

/** The cookie to send, and what to make of the one that comes back. */
function tasted(
  cookies: ServerCookies | undefined,
  place: string,
  { edns, cookie: wish, transport }: Send,
): Pick<Sent, 'cookie' | 'believes'> {
  const cookie = edns && wish !== 'none' ? cookies?.offer(place) : undefined;
  const believes = (reply: Message): boolean => {
    const isRefusal = EDNS_REFUSALS.includes(reply.rcode);
    if (wish === 'none' && !isRefusal) cookies?.shun(place);
    return cookie === undefined || cookies?.hear(place, cookie, reply, transport) === true;
  };
  return { cookie, believes };
}

type Cleanup = () => void;

/** Emptied when it is over: see flights.ts. */
type Waiting = { stop: (() => void) | undefined };

type Report = (event: Event) => void;

function overUdp(ports: Ports, sent: Sent, source: string | undefined, report: Report): Cleanup {
  const { server } = sent.send;
  const address = source ?? (server.address.includes(':') ? '::' : '0.0.0.0');
  const receive = (data: Uint8Array, from: Endpoint) => {
    if (from.address !== server.address || from.port !== server.port) return;
    const event = judge(data, sent);
    if (event?.kind !== 'reply') socket?.spoil();
    if (event !== undefined) report(event);
  };
  let socket: Port | undefined;
  let isOver = false;
  const dispose = () => {
    if (socket !== undefined) void socket[Symbol.asyncDispose]();
  };
  const use = isPlain(sent.send) ? 'once' : undefined;
  ports.open(address, server, receive, use).then(
    (bound) => {
      socket = bound;
      if (isOver) dispose();
      else bound.send(encodeQuery(sent), server);
    },
    () => report({ kind: 'unreachable' }),
  );
  return () => {
    isOver = true;
    dispose();
  };
}

function overTcp(
  { tcp }: Pick<Runtime, 'tcp'>,
  sent: Sent,
  source: string | undefined,
  { report, noteCase }: { report: Report; noteCase: () => void },
): Cleanup {
  const { server, timeout } = sent.send;
  let connection: Connection | undefined;
  let isOver = false;
  const options = { timeoutMs: timeout, ...(source === undefined ? {} : { localAddress: source }) };
  const run = async () => {
    connection = await tcp.connect(server, options);
    if (isOver) {
      connection.abort();
      return;
    }
    await connection.write(frame(encodeQuery(sent)));
    let strays = 0;
    for await (const data of unframe(connection.received())) {
      const event = judge(data, sent);
      if (event?.kind === 'reply') {
        // Over TCP nobody forges: a server that changes our letters always does so.
        if (!isEchoed(data, sent)) noteCase();
        return report(event);
      }
      if (++strays === MAX_STRAY_MESSAGES) break;
    }
    report({ kind: 'unreachable' });
  };
  run().catch(() => report({ kind: 'unreachable' }));
  return () => {
    isOver = true;
    connection?.abort();
  };
}

function encodeQuery({ id, name, send, udpSize, cookie }: Sent): Uint8Array {
  const options = cookie === undefined ? [] : [{ code: OPTION.COOKIE, data: cookie }];
  return encodeMessage({
    id,
    response: false,
    opcode: OPCODE.QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired: send.recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: send.checkingDisabled ?? false,
    rcode: RCODE.NOERROR,
    questions: [{ name, type: send.type, class: CLASS.IN }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: send.edns ? { udpSize, version: 0, dnssecOk: true, options } : undefined,
  });
}

/** Tells what octets from the server's own address are; undefined: nothing to believe or fear. */
function judge(data: Uint8Array, sent: Sent): Event | undefined {
  const { id, name, send } = sent;
  const isExact = isEchoed(data, sent);
  const decoded = decodeMessage(isExact ? withQuestionName(data, send.name) : data);
  if (!decoded.ok || !decoded.message.response) return undefined;
  const { message } = decoded;
  if (message.opcode !== OPCODE.QUERY) return undefined;
  if (message.id !== id) return { kind: 'forged' };
  const [question] = message.questions;
  const isSame =
    question?.type === send.type && question.class === CLASS.IN && question.name.key === name.key;
  const isOurs = isSame && (isExact || send.transport === 'tcp' || isPlain(send));
  // Servers older than EDNS refuse a query without repeating the question.
  const isBareRefusal = question === undefined && REFUSALS.includes(message.rcode);
  if (isSame && !isOurs) return { kind: 'forged', isOnlyCase: true };
  if ((!isOurs && !isBareRefusal) || !sent.believes(message)) return { kind: 'forged' };
  return { kind: 'reply', message, bytes: data.length, milliseconds: 0 };
}

/** Undoes the random case where compression points at it, lest it end up in the cache. */
function withQuestionName(data: Uint8Array, name: Name): Uint8Array {
  const restored = data.slice();
  restored.set(name.wire, HEADER);
  return restored;
}

/** Octets before the question (RFC 1035 §4.1.1). */
const HEADER = 12;

const REFUSALS: readonly number[] = [RCODE.FORMERR, RCODE.NOTIMP];

/** Tells whether the reply has the question's name octet by octet, in our letters. */
function isEchoed(data: Uint8Array, { name }: Sent): boolean {
  return sameOctets(data.subarray(HEADER, HEADER + name.wire.length), name.wire);
}

function remember(servers: Set<string>, server: string): void {
  servers.add(server);
  const [oldest] = servers;
  if (servers.size > MAX_CASE_CHANGERS && oldest !== undefined) servers.delete(oldest);
}

function sameOctets(first: Uint8Array, second: Uint8Array): boolean {
  return first.length === second.length && first.every((octet, index) => octet === second[index]);
}

/** Gives each letter a random case (draft-vixie-dnsext-dns0x20 §2). */
function mixCase(name: Name, random: Random): Name {
  const wire = name.wire.slice();
  const coins = random(wire.length);
  for (let at = 0; wire[at] !== 0 && at < wire.length; ) {
    const end = at + 1 + (wire[at] ?? 0);
    for (at++; at < end; at++) {
      const lower = (wire[at] ?? 0) | 0x20;
      const isLetter = lower >= 0x61 && lower <= 0x7a;
      if (isLetter) wire[at] = ((coins[at] ?? 0) & 1) === 0 ? lower : lower & ~0x20;
    }
  }
  return trustedName(wire);
}

function sourceFor(server: Endpoint, sources: readonly string[]): string | undefined {
  const isIpv6 = server.address.includes(':');
  return sources.find((source) => source.includes(':') === isIpv6);
}
