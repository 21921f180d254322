/**
 * A query as far as the datapath understands it: one plain question, perhaps an OPT without options.
 *
 * Everything else, broken or merely unusual, is for the main thread. What is read here and what main
 * files an answer under is the same function, so they cannot disagree.
 *
 * @see RFC 1035 §4.1, RFC 6891 §6.1, RFC 4343: letters' case does not count
 */

const HEADER = 12;
const MAX_NAME = 255;
/** The shortest OPT: root, type, size, TTL field, no RDATA. */
const BARE_OPT = 11;
/** What a UDP message may hold without EDNS (RFC 1035 §4.2.1), and what no link fragments (RFC 9715). */
const PLAIN_SIZE = 512;
const MAX_SIZE = 1232;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Bits of `variant`: all of a query that can change its answer, besides the question. */
const HAS_EDNS = 0x02;

/** What was read; one for each thread, overwritten by each question. */
export type Asked = {
  /** RD, EDNS, AD, CD, DO and CO, as they are in the query. */
  variant: number;
  /** Octets up to the end of the question. */
  end: number;
  /** Octets the asker takes. */
  limit: number;
  hash: number;
  /** Whether any letter was a capital, to be echoed (draft-vixie-dnsext-dns0x20). */
  hasCapitals: boolean;
};

/** Room for a question. */
export function createAsked(): Asked {
  return { variant: 0, end: 0, limit: 0, hash: 0, hasCapitals: false };
}

/** Reads the query of `length` octets at `start`; false when it is one for the main thread. */
export function readAsked(
  bytes: Uint8Array,
  start: number,
  length: number,
  seed: number,
  into: Asked,
): boolean {
  if (length < HEADER || !isPlain(bytes, start)) return false;
  const end = readName(bytes, start + HEADER, start + length, seed, into);
  if (end < 0) return false;
  into.end = end - start;
  const extra = bytes[start + 11] as number;
  const flags = (bytes[start + 2] as number) | (bytes[start + 3] as number);
  into.variant = flags;
  into.limit = PLAIN_SIZE;
  if (extra === 1 && !readOpt(bytes, end, start + length - end, into)) return false;
  if (extra === 0 && into.end !== length) return false;
  into.hash = finish(into.hash ^ into.variant);
  return true;
}

/** The hash under which the answer for one view lies. */
export function hashFor(view: number, { hash }: Pick<Asked, 'hash'>): number {
  return finish(Math.imul(hash ^ view, FNV_PRIME));
}

/** A query, not a response, of one question and at most one additional record; no odd bits. */
function isPlain(bytes: Uint8Array, start: number): boolean {
  return (
    ((bytes[start + 2] as number) & 0xfe) === 0 &&
    ((bytes[start + 3] as number) & 0xcf) === 0 &&
    bytes[start + 4] === 0 &&
    bytes[start + 5] === 1 &&
    bytes[start + 6] === 0 &&
    bytes[start + 7] === 0 &&
    bytes[start + 8] === 0 &&
    bytes[start + 9] === 0 &&
    bytes[start + 10] === 0 &&
    (bytes[start + 11] as number) <= 1
  );
}

/** The offset after name, type and class, hashed in small letters; -1 when there is none. */
function readName(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  into: Asked,
): number {
  let hash = FNV_OFFSET ^ seed;
  let capitals = false;
  let at = start;
  const last = Math.min(end - 4, start + MAX_NAME);
  for (;;) {
    if (at >= last) return -1;
    const label = bytes[at++] as number;
    hash = Math.imul(hash ^ label, FNV_PRIME);
    if (label === 0) break;
    const next = at + label;
    // The upper bits would be a pointer, which a question has no use for.
    if (label > 63 || next >= last) return -1;
    for (; at < next; at++) {
      let octet = bytes[at] as number;
      if (octet >= 65 && octet <= 90) {
        octet |= 32;
        capitals = true;
      }
      hash = Math.imul(hash ^ octet, FNV_PRIME);
    }
  }
  for (const stop = at + 4; at < stop; at++) {
    hash = Math.imul(hash ^ (bytes[at] as number), FNV_PRIME);
  }
  into.hash = hash;
  into.hasCapitals = capitals;
  return at;
}

/** An OPT of version 0 without options, reserved bits or an extended code. */
function readOpt(bytes: Uint8Array, at: number, length: number, into: Asked): boolean {
  if (length !== BARE_OPT) return false;
  const flags = bytes[at + 7] as number;
  const isBare =
    bytes[at] === 0 &&
    bytes[at + 1] === 0 &&
    bytes[at + 2] === 41 &&
    bytes[at + 5] === 0 &&
    bytes[at + 6] === 0 &&
    (flags & 0x3f) === 0 &&
    bytes[at + 8] === 0 &&
    bytes[at + 9] === 0 &&
    bytes[at + 10] === 0;
  if (!isBare) return false;
  const size = ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number);
  into.limit = Math.min(Math.max(size, PLAIN_SIZE), MAX_SIZE);
  into.variant |= HAS_EDNS | flags;
  return true;
}

/** Spreads what FNV leaves in the upper bits (murmur3's finish). */
function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) | 0;
}
