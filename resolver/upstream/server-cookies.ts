/**
 * DNS cookies, the client's side: what other servers gave us to show again, so that who does not
 * see our packets cannot answer in their place.
 *
 * Our half is drawn anew for each server and each address of ours, and every day, so that it tells
 * nobody who we are elsewhere (RFC 9018 §3). A server that once gave a cookie gives one with each
 * datagram: without it, or with another half than ours, a reply is not believed (RFC 7873 §5.3).
 *
 * @see RFC 7873 §5.1, §5.3, §8.1; RFC 9018 §3
 */

import type { Clock, Random } from '#runtime';
import { findOption, OPTION } from '../message/edns-option.ts';
import type { Message } from '../message/message.ts';
import { join } from '../message/wire/field.ts';

/** Servers whose cookies are kept, some 150 octets each; the one unused for longest goes first. */
export const MAX_COOKIES = 4096;
/** Milliseconds our half is used for (RFC 7873 §7.1: a day or so, 36 days at most). */
export const COOKIE_MILLISECONDS = 24 * 3_600_000;
/** Milliseconds that a server which refuses questions with cookies is asked without. */
export const SHUNNED_MILLISECONDS = 3_600_000;

const CLIENT_COOKIE = 8;
const NONE = new Uint8Array(0);

/** `place` stands for a server and the address we ask it from. */
export type ServerCookies = {
  /** What to send along; undefined where a cookie would only be in the way. */
  offer(place: string): Uint8Array | undefined;
  /** Whether a reply to what was offered may be believed; remembers the cookie it brings. */
  hear(place: string, offered: Uint8Array, reply: Message, transport: 'udp' | 'tcp'): boolean;
  /** Notes that the server answers without a cookie what it refused with one. */
  shun(place: string): void;
  readonly size: number;
};

type Memory = {
  readonly client: Uint8Array;
  readonly drawn: number;
  server: Uint8Array;
  shunnedUntil: number;
};

/** An empty memory. */
export function createServerCookies(
  { clock, random }: { readonly clock: Pick<Clock, 'monotonic'>; readonly random: Random },
  limit: number = MAX_COOKIES,
): ServerCookies {
  const memories = new Map<string, Memory>();
  let newest: string | undefined;

  function recall(place: string, now: number): Memory {
    const known = memories.get(place);
    const isUsable = known !== undefined && now - known.drawn < COOKIE_MILLISECONDS;
    const client = isUsable ? known.client : random(CLIENT_COOKIE);
    const memory = isUsable ? known : { client, drawn: now, server: NONE, shunnedUntil: 0 };
    if (isUsable && place === newest) return memory;
    memories.delete(place);
    memories.set(place, memory);
    newest = place;
    const [oldest] = memories.size > limit ? memories.keys() : [];
    if (oldest !== undefined) memories.delete(oldest);
    return memory;
  }

  return {
    offer(place) {
      const now = clock.monotonic();
      const { client, server, shunnedUntil } = recall(place, now);
      return shunnedUntil > now ? undefined : join([client, server]);
    },
    hear(place, offered, { edns }, transport) {
      const memory = memories.get(place);
      const options = edns?.options ?? [];
      return options.some(({ code }) => code === OPTION.COOKIE)
        ? hearCookie(memory, offered, findOption(options, 'COOKIE'))
        : hearNone(memory, offered, transport);
    },
    shun(place) {
      const memory = memories.get(place);
      if (memory === undefined || memory.server.length > 0) return;
      memory.shunnedUntil = clock.monotonic() + SHUNNED_MILLISECONDS;
    },
    get size() {
      return memories.size;
    },
  };
}

function hearCookie(
  memory: Memory | undefined,
  offered: Uint8Array,
  option: { readonly client: Uint8Array; readonly server: Uint8Array } | undefined,
): boolean {
  if (option === undefined || !sameHalf(option.client, offered)) return false;
  const isCurrent = memory !== undefined && sameHalf(memory.client, offered);
  if (isCurrent && option.server.length > 0) memory.server = option.server.slice();
  return true;
}

function hearNone(
  memory: Memory | undefined,
  offered: Uint8Array,
  transport: 'udp' | 'tcp',
): boolean {
  if (offered.length === CLIENT_COOKIE) return true;
  if (transport === 'udp') return false;
  // Over TCP nobody forges: the server has given cookies up.
  if (memory !== undefined) memory.server = NONE;
  return true;
}

function sameHalf(client: Uint8Array, offered: Uint8Array): boolean {
  return client.every((octet, index) => octet === offered[index]);
}
