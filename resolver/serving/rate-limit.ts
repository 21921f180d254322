/**
 * How many questions one network may ask over UDP, where senders can be forged.
 *
 * Who floods through us floods a victim: beyond the limit most questions get silence, some a
 * truncated answer no larger than the question, so that an honest asker comes back over TCP (the
 * "slip" of Response Rate Limiting). An asker that has proven its address by a cookie has no limit.
 *
 * @see Vixie and Schryver, "DNS Response Rate Limiting" (2012); RFC 5358
 */

import type { Clock } from '#runtime';
import { addressOctets } from '../message/address.ts';

/** Questions a second that one network may ask for long, and at once. */
export const PER_SECOND = 100;
export const BURST = 300;
/** Networks remembered, some 100 octets each; beyond that the one seen first is forgotten. */
export const MAX_NETWORKS = 20_000;
/** Of the questions beyond the limit, each so-manieth is answered (BIND, NSD: `slip 2`). */
const SLIP = 2;

export type RateLimit = {
  /** What is to be done with a question from this address. */
  admit(address: string): 'serve' | 'slip' | 'drop';
};

type Bucket = { left: number; at: number; refused: number };

/** Makes a limit with nobody counted yet. */
export function createRateLimit(clock: Pick<Clock, 'monotonic'>): RateLimit {
  const buckets = new Map<string, Bucket>();

  function bucketOf(network: string, now: number): Bucket {
    const known = buckets.get(network);
    if (known !== undefined) return known;
    if (buckets.size >= MAX_NETWORKS) {
      for (const oldest of buckets.keys()) {
        buckets.delete(oldest);
        break;
      }
    }
    const bucket = { left: BURST, at: now, refused: 0 };
    buckets.set(network, bucket);
    return bucket;
  }

  return {
    admit(address) {
      const now = clock.monotonic();
      const bucket = bucketOf(networkOf(address), now);
      bucket.left = Math.min(BURST, bucket.left + ((now - bucket.at) / 1_000) * PER_SECOND);
      bucket.at = now;
      if (bucket.left >= 1) {
        bucket.left--;
        return 'serve';
      }
      bucket.refused++;
      return bucket.refused % SLIP === 0 ? 'slip' : 'drop';
    },
  };
}

/** What one household or attacker has: a /24 of IPv4, a /56 of IPv6. */
function networkOf(address: string): string {
  const octets = addressOctets(address);
  return octets === undefined ? '' : octets.subarray(0, octets.length === 4 ? 3 : 7).join('.');
}
