/**
 * What the datapath must know of an answer it did not make: where its TTLs are and how long it is
 * good for.
 *
 * Reads only what our own encoder wrote; anything unexpected makes the answer one not to be kept.
 *
 * @see RFC 1035 §4.1.3, RFC 4034 §3.1.5: signatures expire
 */

const HEADER = 12;
const FIXED = 10;
const TYPE_OPT = 41;
const TYPE_RRSIG = 46;
/** Of rdata: type, algorithm, labels, TTL, then when it expires. */
const EXPIRATION = 8;
/** One octet counts them in a slot. */
const MAX_TTLS = 255;

/** An answer that may be kept. */
export type Kept = {
  /** Offsets of the TTL fields, OPT's aside. */
  readonly ttls: readonly number[];
  /** The least TTL, or what is left of the signature that expires first. */
  readonly seconds: number;
  /** The end of the question. */
  readonly questionEnd: number;
};

/** Reads an encoded answer; undefined when it is none to keep. `now` is in seconds since 1970. */
export function readAnswer(wire: Uint8Array, now: number): Kept | undefined {
  const isCut = ((wire[2] as number) & 0x02) !== 0;
  if (wire.length < HEADER || isCut || word(wire, 4) !== 1) return undefined;
  const questionEnd = skipName(wire, HEADER) + 4;
  const records = word(wire, 6) + word(wire, 8) + word(wire, 10);
  const ttls: number[] = [];
  let seconds = Number.POSITIVE_INFINITY;
  let at = questionEnd;
  for (let record = 0; record < records; record++) {
    const fixed = skipName(wire, at);
    const rdata = fixed + FIXED;
    if (rdata > wire.length) return undefined;
    at = rdata + word(wire, fixed + 8);
    const type = word(wire, fixed);
    if (type === TYPE_OPT) continue;
    ttls.push(fixed + 4);
    seconds = Math.min(seconds, double(wire, fixed + 4));
    if (type === TYPE_RRSIG)
      seconds = Math.min(seconds, left(double(wire, rdata + EXPIRATION), now));
  }
  if (at !== wire.length || ttls.length === 0 || ttls.length > MAX_TTLS) return undefined;
  return { ttls, seconds, questionEnd };
}

/** Serial numbers of 32 bits, which wrap (RFC 4034 §3.1.5). */
function left(expiration: number, now: number): number {
  return (expiration - Math.ceil(now)) | 0;
}

function skipName(wire: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const label = wire[at];
    if (label === undefined) return wire.length;
    if (label === 0) return at + 1;
    if (label >= 0xc0) return at + 2;
    at += label + 1;
  }
}

function word(wire: Uint8Array, at: number): number {
  return (((wire[at] ?? 0) << 8) | (wire[at + 1] ?? 0)) >>> 0;
}

function double(wire: Uint8Array, at: number): number {
  return word(wire, at) * 0x10000 + word(wire, at + 2);
}
