/**
 * How often somebody may ask a hub: members by their device, everybody else by key and by address.
 * Pure but for the clock it is given.
 *
 * One address may stand for a whole network, so members are never held to what strangers do there.
 */

import type { Clock } from '#runtime';

/** Requests a minute, and as many at once. */
export type Rate = { readonly perMinute: number };

export type Limits = {
  /** Seconds to wait before a request is looked at at all; `device` is what it says of itself. */
  knock(address: string, device: string | undefined): number | undefined;
  /** Whether a device was a member's lately, by what it says of itself. */
  isKnown(device: string | undefined): boolean;
  /** Seconds to wait before a request of this device, which it has proven to be, is answered. */
  proven(device: string): number | undefined;
  /** It was a member's. */
  member(device: string): void;
  /** It was of somebody who is none; the device, if it has proven to be one. */
  stranger(address: string, device: string | undefined): void;
};

/** A device polls every half an hour and pushes what people change; a first sync takes hundreds. */
const MEMBER: Rate = { perMinute: 600 };
const STRANGER: Rate = { perMinute: 30 };
/** A street of homes behind one address that read a public realm. */
const ADDRESS: Rate = { perMinute: 600 };
/** Some megabytes of memory; who was here longest ago makes room. */
const MAX_BUCKETS = 50_000;

/** Starts with nobody known. */
export function createLimits(clock: Pick<Clock, 'monotonic'>): Limits {
  const members = createBuckets(clock, MEMBER);
  const strangers = createBuckets(clock, STRANGER);
  const addresses = createBuckets(clock, ADDRESS);
  const isKnown = (device: string | undefined): boolean =>
    device !== undefined && members.knows(device);
  return {
    isKnown,
    knock: (address, device) => (isKnown(device) ? undefined : addresses.wait(sourceOf(address))),
    proven: (device) => (isKnown(device) ? members : strangers).wait(device),
    member: members.take,
    stranger(address, device) {
      addresses.take(sourceOf(address));
      if (device === undefined) return;
      members.forget(device);
      strangers.take(device);
    },
  };
}

/** Whoever has one IPv6 address has the /64 that it is in. */
function sourceOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail = ''] = plain.toLowerCase().split('::');
  const [left, right] = [head, tail].map((half) => half.split(':').filter((part) => part !== ''));
  const zeros = new Array(Math.max(0, 8 - (left?.length ?? 0) - (right?.length ?? 0))).fill('0');
  return [...(left ?? []), ...zeros, ...(right ?? [])].slice(0, 4).join(':');
}

type Bucket = { tokens: number; at: number };

function createBuckets(clock: Pick<Clock, 'monotonic'>, { perMinute }: Rate) {
  const buckets = new Map<string, Bucket>();
  const refilled = (key: string): Bucket => {
    const now = clock.monotonic();
    const { tokens, at } = buckets.get(key) ?? { tokens: perMinute, at: now };
    const bucket = {
      tokens: Math.min(perMinute, tokens + ((now - at) / 60_000) * perMinute),
      at: now,
    };
    // Deleted first, so that the map's order is the order of use.
    buckets.delete(key);
    buckets.set(key, bucket);
    const [oldest] = buckets.size > MAX_BUCKETS ? buckets.keys() : [];
    if (oldest !== undefined) buckets.delete(oldest);
    return bucket;
  };
  return {
    knows: (key: string) => buckets.has(key),
    forget: (key: string) => void buckets.delete(key),
    /** Whoever is not known has not to wait, and is not known by having asked. */
    wait(key: string): number | undefined {
      const { tokens } = buckets.has(key) ? refilled(key) : { tokens: 1 };
      return tokens >= 1 ? undefined : Math.ceil(((1 - tokens) * 60) / perMinute);
    },
    take(key: string): void {
      const bucket = refilled(key);
      bucket.tokens = Math.max(0, bucket.tokens - 1);
    },
  };
}
