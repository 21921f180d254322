/**
 * The cache as bytes, for the next run: each fact is a DNS message, so that what is read back went
 * through the same door as what comes from the network.
 *
 * `nymote cache` ‖ version ‖ scope (32) ‖ written (8) ‖ (ends (8) ‖ length (2) ‖ message)… ‖ SHA-256.
 * Times are seconds since 1970. Verdicts are not in it: what is signed is validated again when it is
 * asked for. Nothing lives longer than its TTL by the wall clock, and without one nothing is read.
 */

import type { Clock, Crypto } from '#runtime';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import type { ResourceRecord } from '../message/record.ts';
import { groupRecords, recordsOf } from '../message/rrset.ts';
import { CLASS, OPCODE, RCODE, TYPE } from '../message/type.ts';
import { join } from '../message/wire/field.ts';
import type { Cache, Kept } from './cache.ts';
import { MAX_TTL, TRUST } from './worth.ts';

/** Bytes of a snapshot at most: flash is slow and wears out. Some 5000 names. */
export const MAX_SNAPSHOT_BYTES = 1024 * 1024;

const MAGIC = new TextEncoder().encode('nymote cache\x01');
const HASH_BYTES = 32;
const TIME_BYTES = 8;
const HEAD_BYTES = MAGIC.length + HASH_BYTES + TIME_BYTES;
const ENTRY_HEAD_BYTES = TIME_BYTES + 2;

/** What a snapshot depends on beside the cache. */
type Parts = {
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'isSet'>;
  readonly crypto: Pick<Crypto, 'hash'>;
  /** Whom we ask and what we trust, in words: who asks others must not get these answers. */
  readonly scope: string;
};

/** The cache as bytes; undefined while there is no date to count by. */
export function takeSnapshot(cache: Pick<Cache, 'facts'>, parts: Parts): Uint8Array | undefined {
  const { clock, crypto } = parts;
  if (!clock.isSet()) return undefined;
  const chunks = [MAGIC, hashOf(crypto, parts.scope), timeOf(clock.now())];
  let size = HEAD_BYTES + HASH_BYTES;
  for (const kept of cache.facts(clock.monotonic() / 1000)) {
    const message = encodeMessage(messageOf(kept));
    const entry = join([
      timeOf(clock.now() + ttlOf(kept)),
      Uint8Array.of(message.length >> 8, message.length & 0xff),
      message,
    ]);
    if (size + entry.length > MAX_SNAPSHOT_BYTES) break;
    size += entry.length;
    chunks.push(entry);
  }
  const body = join(chunks);
  return join([body, crypto.hash('sha256', body)]);
}

/** What became of a snapshot: how many facts it held that still hold, or why nothing was read. */
export type Restored =
  | { readonly ok: true; readonly facts: number; readonly written: number }
  | {
      readonly ok: false;
      readonly reason: 'no-date' | 'damaged' | 'other-scope' | 'from-the-future';
    };

/** Puts into the cache what still holds. */
export function restoreSnapshot(cache: Cache, bytes: Uint8Array, parts: Parts): Restored {
  const { clock, crypto } = parts;
  if (!clock.isSet()) return { ok: false, reason: 'no-date' };
  const end = bytes.length - HASH_BYTES;
  if (end < HEAD_BYTES || bytes.length > MAX_SNAPSHOT_BYTES || !isEqual(bytes, MAGIC)) {
    return { ok: false, reason: 'damaged' };
  }
  const body = bytes.subarray(0, end);
  if (!isEqual(bytes.subarray(end), crypto.hash('sha256', body))) {
    return { ok: false, reason: 'damaged' };
  }
  if (!isEqual(bytes.subarray(MAGIC.length), hashOf(crypto, parts.scope))) {
    return { ok: false, reason: 'other-scope' };
  }
  const written = readTime(body, HEAD_BYTES - TIME_BYTES);
  const date = clock.now();
  // A date that went back would make everything live longer.
  if (!(written <= date)) return { ok: false, reason: 'from-the-future' };
  const now = clock.monotonic() / 1000;
  let facts = 0;
  // From the oldest, so that the newest are the newest again.
  for (const { ends, message } of [...entriesIn(body)].reverse()) {
    const left = Math.floor(ends - date);
    if (left > 0 && left <= MAX_TTL && put(cache, message, left, now)) facts++;
  }
  return { ok: true, facts, written };
}

function* entriesIn(body: Uint8Array): Generator<{ ends: number; message: Uint8Array }> {
  for (let at = HEAD_BYTES; at + ENTRY_HEAD_BYTES <= body.length; ) {
    const start = at + ENTRY_HEAD_BYTES;
    const length = ((body[start - 2] ?? 0) << 8) | (body[start - 1] ?? 0);
    yield { ends: readTime(body, at), message: body.subarray(start, start + length) };
    at = start + length;
  }
}

function messageOf({ name, type, fact, isAuthoritative }: Kept): Message {
  const isSet = fact.kind === 'records';
  return {
    id: 0,
    response: true,
    opcode: OPCODE.QUERY,
    authoritative: isAuthoritative,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: fact.kind === 'no-name' ? RCODE.NXDOMAIN : RCODE.NOERROR,
    questions: [{ name, type, class: CLASS.IN }],
    answers: isSet ? recordsOf(fact.rrset, true) : [],
    authorities: isSet ? fact.proof : [fact.denial.soa, ...fact.denial.proof],
    additionals: [],
    edns: undefined,
  };
}

function ttlOf({ fact }: Kept): number {
  return fact.kind === 'records' ? fact.rrset.ttl : fact.denial.soa.ttl;
}

function put(cache: Cache, octets: Uint8Array, left: number, now: number): boolean {
  const decoded = decodeMessage(octets);
  if (!decoded.ok || decoded.message.truncated) return false;
  const { questions, answers, authorities, authoritative, rcode } = decoded.message;
  const [question] = questions;
  if (question === undefined) return false;
  const { name, type } = question;
  const trust = authoritative ? TRUST.authoritative : TRUST.answer;
  const capped = authorities.map((record) => ({ ...record, ttl: Math.min(record.ttl, left) }));
  const [rrset, ...others] = groupRecords(answers);
  if (rrset !== undefined) {
    const isAsked = rrset.owner.key === name.key && rrset.type === type && others.length === 0;
    if (isAsked) cache.putRecords({ ...rrset, ttl: left }, trust, now, capped);
    return isAsked;
  }
  const [soa, ...proof] = capped as [ResourceRecord?, ...ResourceRecord[]];
  if (soa?.type !== TYPE.SOA) return false;
  if (rcode === RCODE.NXDOMAIN) cache.putNoName(name, { soa, proof }, trust, now);
  else cache.putNoData(name, type, { soa, proof }, trust, now);
  return true;
}

function hashOf({ hash }: Pick<Crypto, 'hash'>, text: string): Uint8Array {
  return hash('sha256', new TextEncoder().encode(text));
}

/** Tells whether `bytes` begin with `wanted`. */
function isEqual(bytes: Uint8Array, wanted: Uint8Array): boolean {
  return wanted.every((octet, index) => bytes[index] === octet);
}

function timeOf(seconds: number): Uint8Array {
  const bytes = new Uint8Array(TIME_BYTES);
  new DataView(bytes.buffer).setFloat64(0, seconds);
  return bytes;
}

function readTime(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, TIME_BYTES).getFloat64(0);
}
