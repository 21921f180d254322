/**
 * EDNS: the OPT pseudo-record of RFC 6891, and the options we understand.
 *
 * Options stay octets in `Edns`; typed reading and writing is in edns-option.ts.
 */

/** One option as it is on the wire. */
export type EdnsOption = { readonly code: number; readonly data: Uint8Array };

/** What an OPT record says; the upper bits of the return code are in the message's. */
export type Edns = {
  readonly udpSize: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** The CO flag: compact denial is welcome with its real return code (RFC 9824 §5.1). */
  readonly compactOk?: boolean;
  readonly options: readonly EdnsOption[];
};

/** Nobody needs more options in a message; long lists were a way to burn CPU (CVE-2026-41292). */
export const MAX_OPTIONS = 64;
/** The flag bits in the lower half of OPT's TTL field (RFC 3225 §3, RFC 9824 §5.1). */
const DNSSEC_OK = 0x8000;
const COMPACT_OK = 0x4000;

/** Reads an OPT record from its class, its TTL and the RDATA between `at` and `end`. */
export function readEdns(
  udpSize: number,
  ttl: number,
  bytes: Uint8Array,
  at: number,
  end: number,
): Edns | undefined {
  const options: EdnsOption[] = [];
  let next = at;
  while (next < end) {
    if (next + 4 > end || options.length === MAX_OPTIONS) return undefined;
    const code = ((bytes[next] as number) << 8) | (bytes[next + 1] as number);
    const start = next + 4;
    next = start + (((bytes[next + 2] as number) << 8) | (bytes[next + 3] as number));
    if (next > end) return undefined;
    options.push({ code, data: Uint8Array.from(bytes.subarray(start, next)) });
  }
  const edns = {
    udpSize,
    version: (ttl >>> 16) & 0xff,
    dnssecOk: (ttl & DNSSEC_OK) !== 0,
    options,
  };
  return (ttl & COMPACT_OK) === 0 ? edns : { ...edns, compactOk: true };
}

/** The size of the whole OPT record, owner and header included. */
export function ednsSize(edns: Edns): number {
  let size = 11;
  for (const option of edns.options) size += 4 + option.data.length;
  return size;
}

/** Writes an OPT record at `at` and returns the offset after it. */
export function writeEdns(edns: Edns, rcode: number, bytes: Uint8Array, at: number): number {
  const flags = (edns.dnssecOk ? DNSSEC_OK : 0) | (edns.compactOk === true ? COMPACT_OK : 0);
  const length = ednsSize(edns) - 11;
  bytes[at] = 0;
  bytes[at + 1] = 0;
  bytes[at + 2] = 41;
  bytes[at + 3] = edns.udpSize >> 8;
  bytes[at + 4] = edns.udpSize;
  bytes[at + 5] = rcode >> 4;
  bytes[at + 6] = edns.version;
  bytes[at + 7] = flags >> 8;
  bytes[at + 8] = flags;
  bytes[at + 9] = length >> 8;
  bytes[at + 10] = length;
  let next = at + 11;
  for (const { code, data } of edns.options) {
    bytes[next] = code >> 8;
    bytes[next + 1] = code;
    bytes[next + 2] = data.length >> 8;
    bytes[next + 3] = data.length;
    bytes.set(data, next + 4);
    next += 4 + data.length;
  }
  return next;
}
