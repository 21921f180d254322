/**
 * Hashes of names and of all names above them, case ignored, with a secret of their own: who cannot
 * tell which names fall together cannot make lookups slow by choosing names.
 */

import type { Random } from '#runtime';
import { LOWER } from '../message/name.ts';

const MAX_LABELS = 128;
const FACTOR = 0x01000193;

/** What was computed of one name: where each of its suffixes begins, and that suffix's hash. */
export type Suffixes = {
  /** How many there are, the root included. */
  count: number;
  readonly starts: Uint8Array;
  readonly hashes: Uint32Array;
};

export type NameHash = {
  /** The suffixes of a name, the whole name first; good until the next call. */
  suffixes(wire: Uint8Array): Suffixes;
  /** The hash of octets that are no single name. */
  whole(octets: Uint8Array): number;
};

/** Makes a hash; without `random` it is always the same one. */
export function createNameHash(random?: Random): NameHash {
  const secret = new Uint32Array(256);
  if (random === undefined) for (let i = 0; i < 256; i++) secret[i] = Math.imul(i + 1, 0x9e3779b1);
  else new Uint8Array(secret.buffer).set(random(secret.byteLength));
  const found: Suffixes = {
    count: 0,
    starts: new Uint8Array(MAX_LABELS),
    hashes: new Uint32Array(MAX_LABELS),
  };
  let last: Uint8Array | undefined;

  function mix(hash: number, octet: number): number {
    const mixed = Math.imul(hash ^ (secret[LOWER[octet] as number] as number), FACTOR);
    return mixed ^ (mixed >>> 15);
  }

  return {
    suffixes(wire) {
      // The same name is often looked up under several types in a row; names never change.
      if (wire === last) return found;
      last = wire;
      const { starts, hashes } = found;
      let count = 0;
      let at = 0;
      for (; wire[at] !== 0; at += (wire[at] as number) + 1) starts[count++] = at;
      starts[count] = at;
      let hash = mix(secret[255] as number, 0);
      hashes[count] = hash;
      for (let label = count - 1; label >= 0; label--) {
        const end = starts[label + 1] as number;
        for (let each = starts[label] as number; each < end; each++) {
          hash = mix(hash, wire[each] as number);
        }
        hashes[label] = hash;
      }
      found.count = count + 1;
      return found;
    },
    whole(octets) {
      let hash = secret[255] as number;
      for (let at = 0; at < octets.length; at++) hash = mix(hash, octets[at] as number);
      return hash;
    },
  };
}
