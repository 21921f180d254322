/**
 * Trust anchors: the names whose keys are believed without a parent's word, and those below which
 * nothing is validated on purpose.
 *
 * @see RFC 4035 §4.4, RFC 5914's DS and DNSKEY text as zone files have it
 * @see RFC 7646: negative trust anchors
 * @see https://data.iana.org/root-anchors/root-anchors.xml
 *
 * How the root's follow its keys is rollover.ts's (RFC 5011).
 */

import { parseRecord } from '../authority/zone-file.ts';
import { keysUpwards, type Name, parseName } from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { TYPE } from '../message/type.ts';
import { algorithmOf, DIGESTS } from './algorithms.ts';
import { isZoneKey, usableKeys } from './verify.ts';

/** The root's two keys, of 2017 and 2024, as IANA publishes them. */
export const IANA_ANCHORS: readonly string[] = [
  '. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D',
  '. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16',
];

/** One name's anchors: digests of its keys, or the keys themselves. */
export type TrustAnchor = {
  readonly name: Name;
  /** RDATA of DS records. */
  readonly digests: readonly Uint8Array[];
  /** RDATA of DNSKEY records. */
  readonly keys: readonly Uint8Array[];
};

/** What is trusted, and what is deliberately not checked. */
export type Anchors = {
  readonly positive: ReadonlyMap<string, TrustAnchor>;
  readonly negative: ReadonlySet<string>;
};

/** Reads anchors from lines of zone-file text and names; the first line that is none is told. */
export function readAnchors(
  lines: readonly string[],
  negative: readonly string[] = [],
): { ok: true; anchors: Anchors } | { ok: false; line: string } {
  const positive = new Map<string, TrustAnchor>();
  for (const line of lines) {
    const record = readAnchor(line);
    if (record === undefined) return { ok: false, line };
    const { owner, type, rdata } = record;
    const { digests, keys } = positive.get(owner.key) ?? { digests: [], keys: [] };
    positive.set(owner.key, {
      name: owner,
      digests: type === TYPE.DS ? [...digests, rdata] : digests,
      keys: type === TYPE.DNSKEY ? [...keys, rdata] : keys,
    });
  }
  const names = new Set<string>();
  for (const line of negative) {
    const name = parseName(line);
    if (name === undefined) return { ok: false, line };
    names.add(name.key);
  }
  return { ok: true, anchors: { positive, negative: names } };
}

function readAnchor(line: string): ResourceRecord | undefined {
  const parsed = parseRecord(line, { ttl: 0 });
  if (!parsed.ok) return undefined;
  const { record } = parsed;
  // A slip of the pen must not switch validation off, as an unknown algorithm or digest does.
  if (record.type === TYPE.DNSKEY) return isSound(record.rdata) ? record : undefined;
  return record.type === TYPE.DS && hasDigestSize(record.rdata) ? record : undefined;
}

/** A zone's key, and one of its algorithm where that is known. */
function isSound(rdata: Uint8Array): boolean {
  const key = decodeRdataAs('DNSKEY', rdata);
  if (key === undefined || !isZoneKey(key)) return false;
  return algorithmOf(key.algorithm) === undefined || usableKeys([rdata]).length === 1;
}

function hasDigestSize(rdata: Uint8Array): boolean {
  const ds = decodeRdataAs('DS', rdata);
  if (ds === undefined) return false;
  return (DIGESTS.get(ds.digestType)?.size ?? ds.digest.length) === ds.digest.length;
}

/** The anchor that decides about data at `name`, or why none does. The closest one wins (RFC 7646 §1.1). */
export function closestAnchor(
  { positive, negative }: Anchors,
  name: Name,
): TrustAnchor | 'negative-anchor' | 'no-anchor' {
  for (const key of keysUpwards(name)) {
    if (negative.has(key)) return 'negative-anchor';
    const anchor = positive.get(key);
    if (anchor !== undefined) return anchor;
  }
  return 'no-anchor';
}
