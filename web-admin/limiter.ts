/**
 * Token buckets by source: how often somebody who is not signed in may guess.
 *
 * One bucket per IPv4 address or IPv6 /64 (whoever has one address there has them all), and the
 * number of buckets is bounded: when it is full the one used longest ago makes room. There is no
 * limit over all sources on purpose: it would let a stranger lock the owner out.
 */

import type { Clock } from '#runtime';

/** Enough for a household and its guests. */
const MAX_BUCKETS = 1024;

type Bucket = { tokens: number; at: number };

export type Limiter = {
  /** Takes one token of `source`; undefined when it may go on, else seconds to wait. */
  take(source: string): number | undefined;
};

/** Allows each source `burst` at once and `perMinute` in the long run. */
export function createLimiter(
  clock: Pick<Clock, 'monotonic'>,
  { burst, perMinute }: { readonly burst: number; readonly perMinute: number },
): Limiter {
  const buckets = new Map<string, Bucket>();

  function refilled(source: string): Bucket {
    const now = clock.monotonic();
    const old = buckets.get(source) ?? { tokens: burst, at: now };
    const earned = ((now - old.at) / 60_000) * perMinute;
    const bucket = { tokens: Math.min(burst, old.tokens + earned), at: now };
    // Deleted first, so that the map's order is the order of use.
    buckets.delete(source);
    buckets.set(source, bucket);
    if (buckets.size > MAX_BUCKETS) {
      const [oldest] = buckets.keys();
      if (oldest !== undefined) buckets.delete(oldest);
    }
    return bucket;
  }

  return {
    take(source) {
      const bucket = refilled(source);
      if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) * 60) / perMinute);
      bucket.tokens -= 1;
      return undefined;
    },
  };
}

/** The key of `address` for a limiter: an IPv4 address itself, the /64 of an IPv6 address. */
export function sourceOf(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!plain.includes(':')) return plain;
  const [before = '', after] = plain.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  const groups = after === undefined ? head : [...head, ...zeros, ...tail];
  return groups.slice(0, 4).join(':');
}
