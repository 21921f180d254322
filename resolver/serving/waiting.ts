/**
 * Who waits for answers: how many questions of one client and of one network may be under way, who
 * has to go when all of it is full, and how many answers that come late may leave at once.
 *
 * A name server of the attacker's can hold back its replies until hundreds of answers to a forged
 * sender are due, and then let go of all of them as one pulse (DNSBomb). So what is waiting for one
 * sender is limited, and of what comes late only a trickle is still sent; who asked has given up or
 * asks again, and then it is in the cache. A sender that has proven its address is no victim.
 *
 * @see CVE-2024-33655; Unbound: `wait-limit`, `wait-limit-cookie`, `discard-timeout`
 */

import type { Clock } from '#runtime';
import { addressOctets } from '../message/address.ts';

/** Questions under way for one address that may be forged, and for its network … */
export const WAITING_PER_CLIENT = 128;
export const WAITING_PER_NETWORK = 512;
/** … for an address that is proven (Unbound `wait-limit`: 1000) … */
export const WAITING_PER_PROVEN = 1000;
/** … and for all; memory for each is a packet and a few promises. */
export const MAX_WAITING = 2000;

/** Questions under way that had to go: they are not answered any more, but still cost. */
const MAX_GONE = 500;

/** Milliseconds after which an answer is late (Unbound `discard-timeout`: 1900). */
export const LATE_MILLISECONDS = 1_900;
/** Late answers to one network at once, and each second after that. */
export const LATE_BURST = 16;
export const LATE_PER_SECOND = 16;

/** A question under way. */
export type Ticket = {
  /** Ends it; whether its answer is to be sent. */
  leave(): boolean;
};

export type Waiting = {
  /** Lets a question in; undefined: there is no room for it. */
  enter(address: string, isProven: () => boolean): Ticket | undefined;
  readonly size: number;
};

type Network = {
  /** Questions under way for each address, also those that had to go: they still cost. */
  readonly clients: Map<string, number>;
  held: number;
  /** Those that may still be answered, the oldest first. */
  readonly open: Set<{ isGone: boolean }>;
  lateLeft: number;
  lateAt: number;
};

/** Nobody waits yet. */
export function createWaiting(clock: Pick<Clock, 'monotonic'>): Waiting {
  const networks = new Map<string, Network>();
  let total = 0;
  let gone = 0;

  /** Makes room at the expense of whoever holds most; false when that is hardly more than who asks. */
  function makeRoom(mine: Network): boolean {
    let most = mine;
    for (const network of networks.values()) {
      if (network.open.size > most.open.size) most = network;
    }
    const [oldest] = most.open;
    const isUnfair = most.open.size > mine.open.size + 1;
    if (!isUnfair || oldest === undefined || gone >= MAX_GONE) return false;
    gone++;
    oldest.isGone = true;
    most.open.delete(oldest);
    total--;
    return true;
  }

  return {
    enter(address, isProven) {
      const key = networkOf(address);
      const network = networks.get(key) ?? newNetwork(clock.monotonic());
      const mine = network.clients.get(address) ?? 0;
      const isFull = mine >= WAITING_PER_CLIENT || network.held >= WAITING_PER_NETWORK;
      if (isFull && !(mine < WAITING_PER_PROVEN && isProven())) return undefined;
      if (total >= MAX_WAITING && !makeRoom(network)) return undefined;
      networks.set(key, network);
      network.clients.set(address, mine + 1);
      network.held++;
      total++;
      const place = { isGone: false };
      network.open.add(place);
      const began = clock.monotonic();
      return {
        leave() {
          release(network, address);
          if (network.held === 0) networks.delete(key);
          if (place.isGone) {
            gone--;
            return false;
          }
          network.open.delete(place);
          total--;
          const now = clock.monotonic();
          return now - began < LATE_MILLISECONDS || isProven() || mayBeLate(network, now);
        },
      };
    },
    get size() {
      return total;
    },
  };
}

function newNetwork(now: number): Network {
  return { clients: new Map(), held: 0, open: new Set(), lateLeft: LATE_BURST, lateAt: now };
}

function release(network: Network, address: string): void {
  network.held--;
  const left = (network.clients.get(address) ?? 1) - 1;
  if (left === 0) network.clients.delete(address);
  else network.clients.set(address, left);
}

function mayBeLate(network: Network, now: number): boolean {
  const refilled = network.lateLeft + ((now - network.lateAt) / 1_000) * LATE_PER_SECOND;
  network.lateLeft = Math.min(LATE_BURST, refilled);
  network.lateAt = now;
  if (network.lateLeft < 1) return false;
  network.lateLeft--;
  return true;
}

/** A /24 of IPv4, a /64 of IPv6; this is done for every datagram. */
function networkOf(address: string): string {
  if (!address.includes(':')) return address.slice(0, address.lastIndexOf('.'));
  return addressOctets(address)?.subarray(0, 8).join('.') ?? '';
}
