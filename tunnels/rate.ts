/**
 * How many datagrams a source may cost us before we look at them.
 *
 * A token bucket per source (an IPv4 address or an IPv6 /64, which is what one customer has) and one
 * for all together, because sources are easily forged. The table is bounded: a full one forgets the
 * source that was quiet longest, whose bucket is full again anyway.
 */

import { parseAddress } from './ip.ts';

const BURST = 40;
const PER_SECOND = 20;
const ALL_BURST = 400;
const ALL_PER_SECOND = 200;
const MAX_SOURCES = 1_024;

type Bucket = { tokens: number; at: number };

/** A limiter; `admit` tells whether a datagram from `address` may be looked at. */
export type Limiter = { admit(address: string, monotonic: number): boolean };

/** Makes a limiter with full buckets. */
export function createLimiter(): Limiter {
  const sources = new Map<string, Bucket>();
  const all: Bucket = { tokens: ALL_BURST, at: 0 };
  return {
    admit(address, monotonic) {
      const source = sourceOf(address);
      const bucket = sources.get(source) ?? { tokens: BURST, at: monotonic };
      // Set anew, the source moves to the young end of the map.
      sources.delete(source);
      sources.set(source, bucket);
      if (sources.size > MAX_SOURCES) {
        sources.delete(sources.keys().next().value ?? source);
      }
      return (
        take(bucket, monotonic, BURST, PER_SECOND) &&
        take(all, monotonic, ALL_BURST, ALL_PER_SECOND)
      );
    },
  };
}

function take(bucket: Bucket, monotonic: number, burst: number, perSecond: number): boolean {
  const gained = (Math.max(0, monotonic - bucket.at) / 1_000) * perSecond;
  bucket.tokens = Math.min(burst, bucket.tokens + gained);
  bucket.at = monotonic;
  if (bucket.tokens < 1) {
    return false;
  }
  bucket.tokens--;
  return true;
}

function sourceOf(address: string): string {
  const bytes = parseAddress(address);
  return bytes?.length === 16 ? bytes.subarray(0, 8).join('.') : address;
}
