/**
 * dns-packet with types: the independent codec that ours is compared with.
 *
 * What it gets wrong (RDLENGTH, names that are not plain ASCII, types it does not know) stays out
 * of the comparison.
 */

import { createRequire } from 'node:module';

/** A record as dns-packet has it; `data` depends on the type. */
export type PeerRecord = {
  readonly name: string;
  readonly type: string;
  readonly class: string;
  readonly ttl: number;
  readonly data: unknown;
};

/** A message as dns-packet has it. */
export type PeerPacket = {
  readonly type: 'query' | 'response';
  readonly id: number;
  readonly flags: number;
  readonly questions: readonly { readonly name: string; readonly type: string }[];
  readonly answers: readonly PeerRecord[];
  readonly authorities: readonly PeerRecord[];
  readonly additionals: readonly PeerRecord[];
};

const require = createRequire(import.meta.url);

export const peer = require('dns-packet') as {
  encode(packet: Partial<PeerPacket>): Uint8Array;
  decode(bytes: Uint8Array): PeerPacket;
};
