/**
 * How far data is believed and for how long: the cache's numbers, each with its RFC.
 */

import type { ResourceRecord } from '../message/record.ts';
import { safeTtl } from '../message/rrset.ts';

/** Bytes the cache may hold unless told otherwise, where there is memory enough. */
export const DEFAULT_CACHE_BYTES = 16 * 1024 * 1024;

/** Of a small machine's memory: 4 MB, some 30,000 names, on a router with 128. */
const MEMORY_SHARE = 1 / 32;
const LEAST_BYTES = 1024 * 1024;

/** Bytes that answers may take on a machine with `memory`, and no more than `most`. */
export function affordable(memory: number, most: number = DEFAULT_CACHE_BYTES): number {
  return Math.min(most, Math.max(LEAST_BYTES, Math.floor(memory * MEMORY_SHARE)));
}

/** No TTL counts for more than a day (RFC 8767 §4 advises a cap of days; RFC 9199 §3.5). */
export const MAX_TTL = 86_400;

/** Nor a negative one for more than three hours (RFC 2308 §5). */
export const MAX_NEGATIVE_TTL = 10_800;

/** The first failure is remembered this long (RFC 9520 §3.2: 1 s to 5 min), each further one twice as long … */
export const FAILURE_TTL = 5;
/** … up to this: a home line that comes back should not stay dead in the cache. */
export const MAX_FAILURE_TTL = 30;

/** Seconds that data is kept past its end unless told otherwise; RFC 8767 §5 advises one to three days. */
export const DEFAULT_STALE = 86_400;
/** No data is served longer past its end, whatever we are told (RFC 8767 §5). */
export const MAX_STALE = 3 * 86_400;

/** The TTL of data past its end (RFC 8767 §4). */
export const STALE_TTL = 30;

/** What is asked for in this last part of its TTL is worth refreshing (Unbound `prefetch`: 10 %). */
export const LAST_PART = 0.1;

/** How far data is believed, after RFC 2181 §5.4.1. Higher replaces lower. */
export const TRUST = {
  /** Additional section. */
  additional: 1,
  /** Authority section of a referral. */
  referral: 2,
  /** Answer section without AA, as forwarders give it. */
  answer: 3,
  /** Answer or authority section with AA. */
  authoritative: 4,
  /** Validated; for the validator to give. */
  secure: 5,
} as const;

export type Trust = (typeof TRUST)[keyof typeof TRUST];

/** Seconds a negative answer may be kept: the lesser of the SOA's TTL and its minimum (RFC 2308 §5). */
export function negativeTtl(soa: ResourceRecord): number {
  const { rdata } = soa;
  if (rdata.length < 4) return 0;
  const minimum = new DataView(rdata.buffer, rdata.byteOffset + rdata.length - 4, 4).getUint32(0);
  return Math.min(safeTtl(soa.ttl), safeTtl(minimum), MAX_NEGATIVE_TTL);
}

/** What ended and is given all the same has the TTL of stale data. */
export function secondsLeft(until: number, now: number): number {
  return until > now ? Math.floor(until - now) : STALE_TTL;
}
