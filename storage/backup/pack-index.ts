/**
 * The index of a pack (version 2, SHA-256): which object lies where.
 *
 * Git does without one when it unpacks a bundle; whoever fetches packs over plain HTTP asks for it
 * first. Offsets beyond two gigabytes are not written.
 *
 * @see Documentation/gitformat-pack of Git, "Version 2 pack-*.idx files"
 */

import type { Crypto } from '#runtime';
import { concat, encodeHex, u32 } from '../format/bytes.ts';
import { crc32 } from '../format/frame.ts';
import type { Pack } from './pack.ts';

const MAGIC = Uint8Array.of(0xff, 0x74, 0x4f, 0x63);
const HASH_BYTES = 32;

/** The bytes of the index. */
export function indexPack(crypto: Pick<Crypto, 'hash'>, { bytes, entries }: Pack): Uint8Array {
  const keyed = entries.map((entry) => ({ ...entry, id: encodeHex(entry.hash) }));
  const sorted = keyed.sort((a, b) => (a.id < b.id ? -1 : 1));
  const counts = Array.from({ length: 256 }, () => 0);
  for (const { hash } of sorted) counts[hash[0] as number] = (counts[hash[0] as number] ?? 0) + 1;
  let below = 0;
  const fanOut = counts.map((count) => {
    below += count;
    return u32(below);
  });
  const body = concat([
    MAGIC,
    u32(2),
    ...fanOut,
    ...sorted.map(({ hash }) => hash),
    ...sorted.map(({ offset, end }) => u32(crc32(bytes.subarray(offset, end)))),
    ...sorted.map(({ offset }) => u32(offset)),
    bytes.subarray(-HASH_BYTES),
  ]);
  return concat([body, crypto.hash('sha256', body)]);
}
