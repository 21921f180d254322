/**
 * What is remembered about other servers: how fast, whether they know EDNS, which zones they only
 * pretend to serve.
 *
 * Round-trip times are smoothed as TCP does it (RFC 6298 §2). One reply never teaches that a server
 * has no EDNS: an attacker could send that one (CVE-2026-52690). All times are monotonic seconds.
 */

import type { Endpoint } from '#runtime';
import { addressOctets, isSpecial } from '../message/address.ts';
import { RCODE } from '../message/type.ts';

/** How many servers are remembered; the longest unused is forgotten first. */
export const MAX_SERVERS = 4096;
/** Zones one server is remembered to be lame for; beyond that the oldest is forgotten. */
export const MAX_LAME_ZONES = 32;
/** Seconds a server stays lame for a zone (BIND `lame-ttl`: 600). */
export const LAME_SECONDS = 600;
/** Plain answers in a row after a refused EDNS question until the server counts as one without EDNS … */
export const PLAIN_EVIDENCE = 3;
/** … and for how many seconds. */
export const PLAIN_SECONDS = 3600;
/** Seconds in which TCP is not tried again to tell whether a changed case was a forgery. */
export const NO_TCP_SECONDS = 600;

/** How servers say that they do not understand EDNS, or an option of it. */
export const EDNS_REFUSALS: readonly number[] = [RCODE.FORMERR, RCODE.NOTIMP, RCODE.BADVERS];

/** Milliseconds to wait for a server nothing is known of (Unbound: 376). */
export const FIRST_TIMEOUT = 400;
export const MIN_TIMEOUT = 100;
export const MAX_TIMEOUT = 3000;

/** Round-trip guess for servers nothing is known of, so that they are tried now and then. */
const UNKNOWN_ROUND_TRIP = 150;
/** Each question lost in a row counts like this many milliseconds more. */
const LOSS_PENALTY = 400;
/** Losses in a row, over all servers of an address family, until the family counts as cut off … */
export const FAMILY_LOSSES = 4;
/** … and its servers as this many milliseconds slower, for … */
const FAMILY_PENALTY = 5000;
/** … this many seconds: many homes have IPv6 addresses and no way out. */
export const FAMILY_SECONDS = 300;
/** Losses in a row that make a forwarder count as gone. */
const SILENT_LOSSES = 2;
/** Seconds after which earlier losses are forgiven and the server is tried again. */
const FORGIVEN_AFTER = 60;

export type Servers = {
  /** A figure to compare servers by; lower is better. */
  score(server: Endpoint, now: number): number;
  /** Milliseconds to wait for an answer. */
  timeout(server: Endpoint, now: number): number;
  answered(server: Endpoint, milliseconds: number): void;
  lost(server: Endpoint, now: number): void;
  /** Whether its last questions were all lost, a moment ago. */
  isSilent(server: Endpoint, now: number): boolean;
  markLame(server: Endpoint, zone: string, now: number): void;
  isLame(server: Endpoint, zone: string, now: number): boolean;
  /** Notes that a question without EDNS worked after one with EDNS was refused. */
  plainWorked(server: Endpoint, now: number): void;
  /** Notes that EDNS was answered with EDNS: what refused it was a forgery, or somebody in between. */
  ednsWorked(server: Endpoint): void;
  speaksEdns(server: Endpoint, now: number): boolean;
  /** Notes that it could not be asked over TCP. */
  noteNoTcp(server: Endpoint, now: number): void;
  lacksTcp(server: Endpoint, now: number): boolean;
  readonly size: number;
};

type Memory = {
  smoothed: number | undefined;
  variation: number;
  losses: number;
  lastLoss: number;
  plainAnswers: number;
  plainUntil: number;
  noTcpUntil: number;
  readonly lame: Map<string, number>;
};

const BLANK = {
  smoothed: undefined,
  variation: 0,
  losses: 0,
  lastLoss: 0,
  plainAnswers: 0,
  plainUntil: 0,
  noTcpUntil: 0,
} as const;

/** The address families in which others can answer us. */
export type WaysOut = { readonly ipv4: boolean; readonly ipv6: boolean };

/** Told from the machine's addresses; where none leads anywhere, as in a laboratory, nothing is. */
export function waysOut(addresses: readonly string[]): WaysOut {
  const octets = addresses.flatMap((address) => {
    const found = addressOctets(address);
    return found === undefined || isOfLink(found) ? [] : [found];
  });
  const ipv4 = octets.some(({ length }) => length === 4);
  // Of IPv6 only public ones: those of a site (RFC 4193) it has without a way out, too.
  const ipv6 = octets.some((found) => found.length === 16 && !isSpecial(found));
  return ipv4 || ipv6 ? { ipv4, ipv6 } : { ipv4: true, ipv6: true };
}

/** Loopback and link-local IPv4; `isSpecial` knows those of IPv6. */
const isOfLink = ([first, second]: Uint8Array): boolean =>
  first === 127 || (first === 169 && second === 254);

/** One text for one server. */
export function serverKey({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}

/** An empty memory; `ways` says in which families this machine can be answered, and may change. */
export function createServers(
  limit: number = MAX_SERVERS,
  ways: () => WaysOut = () => ({ ipv4: true, ipv6: true }),
): Servers {
  const { recall, remember, size } = createMemories(limit);
  const families = createFamilies(ways);

  return {
    score(server, now) {
      const memory = recall(server);
      const penalty = families.penalty(server, now);
      if (memory === undefined) return UNKNOWN_ROUND_TRIP + penalty;
      const roundTrip = memory.smoothed ?? UNKNOWN_ROUND_TRIP;
      return roundTrip + lossesOf(memory, now) * LOSS_PENALTY + penalty;
    },
    timeout(server, now) {
      const memory = recall(server);
      if (memory === undefined) return FIRST_TIMEOUT;
      const { smoothed, variation } = memory;
      const base = smoothed === undefined ? FIRST_TIMEOUT : smoothed + 4 * variation;
      const clamped = Math.max(base, MIN_TIMEOUT) * 2 ** Math.min(lossesOf(memory, now), 5);
      return Math.min(Math.ceil(clamped), MAX_TIMEOUT);
    },
    answered(server, milliseconds) {
      families.answered(server);
      measure(remember(server), milliseconds);
    },
    lost(server, now) {
      families.lost(server, now);
      const memory = remember(server);
      memory.losses = lossesOf(memory, now) + 1;
      memory.lastLoss = now;
    },
    isSilent: (server, now) => lossesOf(recall(server) ?? BLANK, now) >= SILENT_LOSSES,
    markLame(server, zone, now) {
      const { lame } = remember(server);
      lame.delete(zone);
      lame.set(zone, now + LAME_SECONDS);
      dropOldest(lame, MAX_LAME_ZONES);
    },
    isLame: (server, zone, now) => (recall(server)?.lame.get(zone) ?? 0) > now,
    plainWorked(server, now) {
      const memory = remember(server);
      memory.plainAnswers++;
      if (memory.plainAnswers < PLAIN_EVIDENCE) return;
      memory.plainAnswers = 0;
      memory.plainUntil = now + PLAIN_SECONDS;
    },
    ednsWorked(server) {
      const memory = recall(server);
      if (memory !== undefined) memory.plainAnswers = 0;
    },
    speaksEdns: (server, now) => (recall(server)?.plainUntil ?? 0) <= now,
    noteNoTcp(server, now) {
      remember(server).noTcpUntil = now + NO_TCP_SECONDS;
    },
    lacksTcp: (server, now) => (recall(server)?.noTcpUntil ?? 0) > now,
    get size() {
      return size();
    },
  };
}

/** What is known of each address family as a whole. */
function createFamilies(ways: () => WaysOut) {
  const families = { ipv4: { losses: 0, lastLoss: 0 }, ipv6: { losses: 0, lastLoss: 0 } };
  const familyOf = ({ address }: Endpoint) =>
    address.includes(':') ? families.ipv6 : families.ipv4;
  let looked = Number.NEGATIVE_INFINITY;

  /** What cannot leave need not be lost first, each time anew. */
  function look(now: number): void {
    if (now - looked < FAMILY_SECONDS) return;
    looked = now;
    const { ipv4, ipv6 } = ways();
    if (!ipv4) families.ipv4 = { losses: FAMILY_LOSSES, lastLoss: now };
    if (!ipv6) families.ipv6 = { losses: FAMILY_LOSSES, lastLoss: now };
  }

  return {
    penalty(server: Endpoint, now: number): number {
      look(now);
      const { losses, lastLoss } = familyOf(server);
      return losses >= FAMILY_LOSSES && now - lastLoss < FAMILY_SECONDS ? FAMILY_PENALTY : 0;
    },
    answered(server: Endpoint): void {
      familyOf(server).losses = 0;
    },
    lost(server: Endpoint, now: number): void {
      const family = familyOf(server);
      family.losses++;
      family.lastLoss = now;
    },
  };
}

/** Memories by server, the one not used for longest forgotten first. */
function createMemories(limit: number) {
  const memories = new Map<string, Memory>();
  let newest: string | undefined;
  return {
    /** Looks a server up without making it; most questions about it need no memory. */
    recall: (server: Endpoint) => memories.get(serverKey(server)),
    remember(server: Endpoint): Memory {
      const key = serverKey(server);
      const known = memories.get(key);
      if (known !== undefined && key === newest) return known;
      const memory = known ?? { ...BLANK, lame: new Map<string, number>() };
      memories.delete(key);
      memories.set(key, memory);
      newest = key;
      dropOldest(memories, limit);
      return memory;
    },
    size: () => memories.size,
  };
}

/** RFC 6298 §2.2 and §2.3. */
function measure(memory: Memory, milliseconds: number): void {
  const { smoothed, variation } = memory;
  memory.losses = 0;
  if (smoothed === undefined) {
    memory.smoothed = milliseconds;
    memory.variation = milliseconds / 2;
    return;
  }
  memory.variation = 0.75 * variation + 0.25 * Math.abs(smoothed - milliseconds);
  memory.smoothed = 0.875 * smoothed + 0.125 * milliseconds;
}

function lossesOf(memory: Pick<Memory, 'losses' | 'lastLoss'>, now: number): number {
  return now - memory.lastLoss > FORGIVEN_AFTER ? 0 : memory.losses;
}

function dropOldest(map: Map<string, unknown>, limit: number): void {
  while (map.size > limit) {
    const oldest = map.keys().next();
    if (oldest.done === true) return;
    map.delete(oldest.value);
  }
}
