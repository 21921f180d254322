/**
 * The resource record: RFC 1035 §3.2, as one value.
 *
 * RDATA stays the octets that came (RFC 3597 §3); rdata.ts understands them on demand.
 */

import type { Name } from './name.ts';

/**
 * One record. `rdata` is uncompressed wire form, otherwise as received: signatures are over it.
 *
 * `ttl` is the unsigned number from the wire; who caches it caps it (RFC 8767 §4).
 */
export type ResourceRecord = {
  readonly owner: Name;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
};
