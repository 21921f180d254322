/**
 * An answer as it lies in shared memory: seven words, the offsets of its TTLs, the message.
 *
 * The message begins at a word, so that it can be copied by words; its question is in small letters.
 */

import { UNIT } from './layout.ts';
import type { Asked } from './question.ts';
import type { Kept } from './wire.ts';

/** Words of an answer before its TTL offsets. */
export const RECORD = {
  /** Units it takes; less than nothing for an unused rest at the end of the log. */
  units: 0,
  epoch: 1,
  /** Variant, number of TTLs, view, origin: 8, 8, 12 and 4 bits. */
  kind: 2,
  storedAt: 3,
  expires: 4,
  /** Length of the message, and where its question ends. */
  shape: 5,
  place: 6,
} as const;
export const RECORD_WORDS = 7;

/** Views have twelve bits. */
export const MAX_VIEW = 0xfff;
export const FROM_ZONE = 0x10000000;

export const HEADER = 12;

/** Something to be filed. */
export type Filing = {
  readonly wire: Uint8Array;
  readonly asked: Asked;
  readonly view: number;
  readonly epoch: number;
  readonly kept: Kept;
  readonly now: number;
  readonly seconds: number;
  readonly isFromZone: boolean;
  /** TTLs are what they are for as long as it is kept, as an authority's are. */
  readonly isSteady: boolean;
};

/** Makes the record of an answer, all but its place in the index. */
export function writeRecord(filing: Filing): Int32Array {
  const { wire, asked, view, epoch, kept, now, seconds, isSteady } = filing;
  const ttls = isSteady ? [] : kept.ttls;
  const wireAt = RECORD_WORDS * 4 + ((ttls.length * 2 + 3) & ~3);
  const bytes = new Uint8Array((wireAt + wire.length + 7) & ~7);
  const words = new Int32Array(bytes.buffer);
  words[RECORD.units] = bytes.length / UNIT;
  words[RECORD.epoch] = epoch;
  const origin = filing.isFromZone ? FROM_ZONE : 0;
  words[RECORD.kind] = asked.variant | (ttls.length << 8) | (view << 16) | origin;
  words[RECORD.storedAt] = now;
  words[RECORD.expires] = now + seconds;
  words[RECORD.shape] = wire.length | (kept.questionEnd << 16);
  const offsets = new Uint16Array(bytes.buffer, RECORD_WORDS * 4, ttls.length);
  offsets.set(ttls);
  bytes.set(wire, wireAt);
  for (let at = wireAt + HEADER; at < wireAt + kept.questionEnd - 4; at++) {
    bytes[at] = small(bytes[at] as number);
  }
  return words;
}

/** A letter in its small form, anything else as it is. */
export function small(octet: number): number {
  return octet >= 65 && octet <= 90 ? octet | 32 : octet;
}
