/**
 * DNS messages as values: RFC 1035 §4, with EDNS (RFC 6891) folded in.
 *
 * Reading is in wire/decode.ts, writing in wire/encode.ts. Neither knows what an answer means.
 */

import type { Edns } from './edns.ts';
import type { Name } from './name.ts';
import type { ResourceRecord } from './record.ts';

export { type DecodedMessage, decodeMessage } from './wire/decode.ts';
export { encodeMessage } from './wire/encode.ts';

/** What is asked. */
export type Question = { readonly name: Name; readonly type: number; readonly class: number };

/**
 * A message. The OPT record is `edns`, not one of `additionals`; `rcode` has all 12 bits.
 *
 * In an UPDATE (RFC 2136 §2) the sections are zone, prerequisites, updates, additionals.
 */
export type Message = {
  readonly id: number;
  readonly response: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
};
