/**
 * Priming: the root's servers are asked who they are, since hints grow old.
 *
 * The first question waits for it, at most some seconds; when the answer's TTL is over it is asked
 * for again while the old one is still used. Without any answer the hints have to do, for a minute.
 *
 * @see RFC 9609 §3: how to ask, §4: what comes back
 */

import type { Clock, Endpoint, Log, Random } from '#runtime';
import { isSpecial, printAddress } from '../message/address.ts';
import type { Message } from '../message/message.ts';
import { type Name, nameFromWire, ROOT } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { safeTtl } from '../message/rrset.ts';
import { RCODE, TYPE } from '../message/type.ts';
import type { Cut, NameServer } from '../recursion/delegation.ts';
import type { Event, Send, Settings } from '../recursion/frame.ts';
import type { Recursion } from '../recursion/recursion.ts';
import { overTcp, resendFor } from '../recursion/resend.ts';
import { MAX_ADDRESSES_PER_SERVER, MAX_SERVERS_PER_REFERRAL } from '../recursion/scrub.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** Servers asked before the hints have to do. */
export const MAX_PRIMING_SERVERS = 3;

/** Milliseconds for each of them. */
const TIMEOUT = 1000;

/** Seconds until it is tried again. */
export const PRIMING_RETRY = 60;

export type Priming = {
  /** The root's delegation as it is known now. */
  readonly root: Cut;
  /** Resolves when questions can go on. */
  ready(): Promise<void>;
};

type Parts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly upstream: Pick<Upstream, 'ask'>;
};

/** Makes it; the first call of `ready` asks. */
export function createPriming(
  { clock, random, log, upstream }: Parts,
  settings: Settings,
): Priming {
  const hints = settings.root;
  let root = hints;
  /** When it was learnt or tried; a date before that is as good as one after its end. */
  let since = Number.POSITIVE_INFINITY;
  let until = 0;
  let underWay: Promise<void> | undefined;
  const now = () => clock.monotonic() / 1000;

  async function prime(): Promise<void> {
    const found = await askSome(upstream, shuffled(endpointsIn(hints, settings), random), settings);
    since = now();
    if (found === undefined) {
      log('warn', 'priming-failed', { retry: PRIMING_RETRY });
      until = since + PRIMING_RETRY;
      return;
    }
    log('info', 'primed', { servers: found.servers.length, ttl: found.ttl });
    root = { zone: ROOT, servers: found.servers, until: Number.POSITIVE_INFINITY };
    until = since + Math.max(found.ttl, PRIMING_RETRY);
  }

  return {
    get root() {
      return root;
    },
    async ready() {
      const isFirst = since === Number.POSITIVE_INFINITY;
      const isCurrent = now() >= since && now() < until;
      if (isCurrent) return;
      underWay ??= prime().finally(() => {
        underWay = undefined;
      });
      if (isFirst) await underWay;
    },
  };
}

/** A recursion that is primed before its first question. */
export function primed(recursion: Recursion, { ready }: Priming): Recursion {
  return {
    async resolve(...question) {
      await ready();
      return recursion.resolve(...question);
    },
    get inFlight() {
      return recursion.inFlight;
    },
  };
}

type Primed = { readonly servers: readonly NameServer[]; readonly ttl: number };

async function askSome(
  { ask }: Pick<Upstream, 'ask'>,
  servers: readonly Endpoint[],
  settings: Settings,
): Promise<Primed | undefined> {
  for (const server of servers.slice(0, MAX_PRIMING_SERVERS)) {
    const send: Send = {
      ...{ server, transport: 'udp', name: ROOT, type: TYPE.NS, timeout: TIMEOUT },
      ...{ edns: true, recursionDesired: false },
    };
    const message = await exchange(ask, settings, send);
    const found = message && readReply(message, settings);
    const servers = found && (await withAddresses(ask, send, found.servers, settings));
    // Names alone lead nowhere: all of them are found by asking the root.
    const isUseful = servers?.some(({ addresses }) => addresses.length > 0);
    if (found !== undefined && servers !== undefined && isUseful) return { ...found, servers };
  }
  return undefined;
}

/** Ways to put one question: with a cookie learnt, without one, without EDNS, over TCP. */
const MAX_SENDS = 4;

/** An authoritative answer, or nothing that helps. */
async function exchange(ask: Ask, settings: Settings, send: Send): Promise<Message | undefined> {
  let next = send;
  for (let sends = 0; sends < MAX_SENDS; sends++) {
    const event = await ask(next);
    const again = againAfter(next, event, settings);
    if (again !== undefined) {
      next = again;
      continue;
    }
    if (event.kind !== 'reply') return undefined;
    const { rcode, authoritative, truncated } = event.message;
    return rcode === RCODE.NOERROR && authoritative && !truncated ? event.message : undefined;
  }
  return undefined;
}

/** Perhaps forged: TCP knows better. */
function againAfter(sent: Send, event: Event, settings: Settings): Send | undefined {
  if (event.kind === 'forged') return sent.transport === 'udp' ? overTcp(sent) : undefined;
  if (event.kind !== 'reply') return undefined;
  const again = resendFor(sent, event.message, settings);
  return again === 'no-use' ? undefined : again;
}

/** Servers that give minimal answers are asked for the addresses (RFC 9609 §4.2). */
async function withAddresses(
  ask: Ask,
  send: Send,
  servers: readonly NameServer[],
  settings: Settings,
): Promise<NameServer[]> {
  if (servers.some(({ addresses }) => addresses.length > 0)) return [...servers];
  const types = [...(settings.ipv4 ? [TYPE.A] : []), ...(settings.ipv6 ? [TYPE.AAAA] : [])];
  const lookUp = async (name: Name, type: number) => {
    const message = await exchange(ask, settings, { ...send, name, type });
    return message === undefined ? [] : addressesOf(name, message.answers, settings);
  };
  return Promise.all(
    servers.map(async ({ name }) => {
      const found = await Promise.all(types.map((type) => lookUp(name, type)));
      return { name, addresses: found.flat() };
    }),
  );
}

type Ask = Upstream['ask'];

/** RFC 9609 §4.1: NOERROR, AA, the root's NS as the answer, addresses beside it. */
function readReply(message: Message, settings: Settings): Primed | undefined {
  const records = message.answers
    .filter(({ owner, type }) => type === TYPE.NS && owner.key === ROOT.key)
    .slice(0, MAX_SERVERS_PER_REFERRAL);
  const servers = records.flatMap(({ rdata }) => {
    const name = nameFromWire(rdata);
    return name === undefined
      ? []
      : [{ name, addresses: addressesOf(name, message.additionals, settings) }];
  });
  if (servers.length === 0) return undefined;
  return { servers, ttl: Math.min(...records.map(({ ttl }) => safeTtl(ttl))) };
}

function addressesOf(
  name: Name,
  records: readonly ResourceRecord[],
  { allowsSpecial }: Settings,
): string[] {
  const own = records.filter(({ owner }) => owner.key === name.key);
  return [TYPE.A, TYPE.AAAA].flatMap((wanted) =>
    own
      .filter(({ type, rdata }) => type === wanted && (allowsSpecial || !isSpecial(rdata)))
      .slice(0, MAX_ADDRESSES_PER_SERVER)
      .flatMap(({ type, rdata }) => printAddress(type, rdata) ?? []),
  );
}

function endpointsIn({ servers }: Cut, { port, ipv4, ipv6 }: Settings): Endpoint[] {
  return servers
    .flatMap(({ addresses }) => addresses)
    .filter((address) => (address.includes(':') ? ipv6 : ipv4))
    .map((address) => ({ address, port }));
}

/** In random order, so that all of the root's servers share the work (RFC 9609 §3.2). */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const keys = random(items.length);
  return items
    .map((item, index) => ({ item, key: keys[index] ?? 0 }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
