/**
 * Finds out the prefix of a network's NAT64 by asking the network's own resolvers for addresses of
 * a name that has only IPv4 ones, and asks again before what they say ends.
 *
 * @see RFC 7050 §3, §3.1
 * Does not check the answer by DNSSEC (§3.1): the name is answered differently in every network.
 */

import type { Cancel, Clock, Log } from '#runtime';
import type { Message } from '../message/message.ts';
import { parseName, ROOT } from '../message/name.ts';
import { safeTtl } from '../message/rrset.ts';
import { RCODE, TYPE } from '../message/type.ts';
import { printIpv6 } from '../message/wire/address-text.ts';
import type { Send } from '../recursion/frame.ts';
import { overTcp, resendFor } from '../recursion/resend.ts';
import type { RouteServer } from '../recursion/route.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { type Nat64Prefix, prefixIn } from './nat64.ts';

/** Seconds until nobody knowing a prefix is asked again. */
export const RETRY_SECONDS = 60;
/** Seconds between two questions at least and at most, whatever the TTL says. */
const MIN_SECONDS = 60;
const MAX_SECONDS = 86_400;
/** The question comes again when this part of the TTL is over (RFC 7050 §3: before it ends). */
const REFRESH_PART = 0.9;
/** Milliseconds to wait for one resolver. */
const TIMEOUT = 2_000;

const NAME = parseName('ipv4only.arpa.') ?? ROOT;

export type Nat64Watch = Disposable & {
  /** The prefix as far as it is known. */
  readonly prefix: Nat64Prefix | undefined;
  /** Begins to ask. */
  start(): void;
};

/** Watches what these resolvers say. */
export function watchNat64(
  {
    clock,
    log,
    upstream,
  }: {
    readonly clock: Pick<Clock, 'after'>;
    readonly log: Log;
    readonly upstream: Pick<Upstream, 'ask'>;
  },
  servers: readonly RouteServer[],
): Nat64Watch {
  let prefix: Nat64Prefix | undefined;
  let told: string | undefined;
  let cancel: Cancel = () => {};
  let isOver = false;

  async function look(): Promise<void> {
    const found = await discover(upstream, servers);
    if (isOver) return;
    prefix = found?.prefix;
    // Also that there is none: whoever asks for DNS64 expects one.
    if (nameOf(prefix) !== told) log('info', 'nat64-prefix', { prefix: nameOf(prefix) });
    told = nameOf(prefix);
    const seconds = found === undefined ? RETRY_SECONDS : found.ttl * REFRESH_PART;
    const wait = Math.min(Math.max(seconds, MIN_SECONDS), MAX_SECONDS);
    cancel = clock.after(wait * 1_000, () => void look());
  }

  return {
    get prefix() {
      return prefix;
    },
    start: () => void look(),
    [Symbol.dispose]() {
      isOver = true;
      cancel();
    },
  };
}

const nameOf = (prefix: Nat64Prefix | undefined) =>
  prefix === undefined ? 'none' : `${printIpv6(prefix.octets)}/${prefix.length}`;

type Found = { readonly prefix: Nat64Prefix; readonly ttl: number };

/** The first answer that shows a prefix. */
async function discover(
  upstream: Pick<Upstream, 'ask'>,
  servers: readonly RouteServer[],
): Promise<Found | undefined> {
  for (const server of servers) {
    const message = await exchange(upstream, {
      ...{ server, transport: 'udp', name: NAME, type: TYPE.AAAA, edns: false },
      ...{ recursionDesired: true, timeout: TIMEOUT },
    });
    for (const { type, rdata, ttl } of message?.answers ?? []) {
      const prefix = type === TYPE.AAAA ? prefixIn(rdata) : undefined;
      if (prefix !== undefined) return { prefix, ttl: safeTtl(ttl) };
    }
  }
  return undefined;
}

async function exchange({ ask }: Pick<Upstream, 'ask'>, send: Send): Promise<Message | undefined> {
  const first = send.server.secure === undefined ? send : overTcp(send);
  const event = await ask(first);
  const again = event.kind === 'reply' ? resendFor(first, event.message, {}) : undefined;
  const isAgain = again !== undefined && again !== 'no-use';
  const last = isAgain ? await ask(again) : event;
  return last.kind === 'reply' && last.message.rcode === RCODE.NOERROR ? last.message : undefined;
}
