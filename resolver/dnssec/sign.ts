/**
 * Signatures over sets of records, made when asked for and remembered.
 *
 * @see RFC 4034 §3.1.8.1 and §6: what is signed, in which form and order
 * @see RFC 4035 §2.2: one signature by every key
 *
 * The same set asked for again within a window of time costs no signature: windows begin at fixed
 * hours, not at the moment of the question. Validity is short for what devices change, so that an
 * old address cannot be replayed for long, and long for keys and delegations.
 */

import type { Crypto } from '#runtime';
import type { RecordSet } from '../authority/zone.ts';
import { createSieve } from '../cache/sieve.ts';
import { canonicalName, countLabels, LOWER, type Name, trustedName } from '../message/name.ts';
import { canonicalRdata, encodeRdata } from '../message/rdata.ts';
import { CLASS, TYPE } from '../message/type.ts';
import { join } from '../message/wire/field.ts';
import { keyTag } from './algorithms.ts';
import { dnskeyRdata, signingAlgorithm, type ZoneKey } from './keys.ts';

/** The wall clock, and whether it can be believed (I8). */
export type SigningTime = { readonly now: number; readonly clockIsSet: boolean };

/** Signs sets of one zone with all its keys. */
export type ZoneSigner = {
  /** The RDATA of the RRSIGs over `set`, one for each key. */
  signatures(set: RecordSet, time: SigningTime): readonly Uint8Array[];
};

export type SignatureWindow = { readonly inception: number; readonly expiration: number };

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** Validators' clocks may be behind ours by this much (RFC 6781 §4.4.2 advises a margin). */
const SKEW = HOUR;

/** What only a change of keys, servers or delegations touches. */
const STABLE_TYPES: ReadonlySet<number> = new Set([
  TYPE.NS,
  TYPE.DS,
  TYPE.DNSKEY,
  TYPE.CDS,
  TYPE.CDNSKEY,
]);
/** How often a signature is made anew, and how long it is good for after that. */
const STABLE = { renewal: DAY, validity: 7 * DAY };
const VOLATILE = { renewal: HOUR, validity: DAY };

/** 2026-01-01: no clock that is right shows less. */
const BUILT_AFTER = 1_767_225_600;
/** How old this build may be and still be believed at boot, before the clock is set. */
const UNSET_VALIDITY = 2 * 365 * DAY;

/** RFC 4034 §3.1.5: the times are serial numbers, meaningful within half their range. */
const HALF_RANGE = 0x7fff_ffff;

/** Memory for remembered signatures: some 15 000 of them. */
const MEMORY_BYTES = 4 * 1024 * 1024;

/**
 * The validity period of a signature made at `time`.
 *
 * Before the clock is set nobody knows which moment the asker's clock shows: the time we believe
 * in (1970, or the last shutdown), or the real one, which is some time after this program was
 * written. The period spans both, and two years more; once the clock is set, such signatures are
 * not used again (I9).
 */
export function signatureWindow(type: number, { now, clockIsSet }: SigningTime): SignatureWindow {
  if (clockIsSet) {
    const { renewal, validity } = STABLE_TYPES.has(type) ? STABLE : VOLATILE;
    const start = Math.floor(now / renewal) * renewal;
    return { inception: start - SKEW, expiration: start + renewal + validity };
  }
  const today = Math.floor(Math.max(now, 0) / DAY) * DAY;
  const inception = Math.max(Math.min(today, BUILT_AFTER) - SKEW, 1);
  const expiration = Math.max(today, BUILT_AFTER) + UNSET_VALIDITY;
  return { inception, expiration: Math.min(expiration, inception + HALF_RANGE) };
}

/** Makes the signer of a zone. The private keys stay inside (I2). */
export function createZoneSigner(
  crypto: Pick<Crypto, 'signer'>,
  apex: Name,
  keys: readonly ZoneKey[],
): ZoneSigner {
  const signers = keys.map((key) => ({
    algorithm: signingAlgorithm(key.algorithm).number,
    keyTag: keyTag(dnskeyRdata(key)),
    signer: crypto.signer(key.algorithm, key.privateKey),
  }));
  const memory = createSieve<{ inception: number; signatures: readonly Uint8Array[] }>(
    MEMORY_BYTES,
  );
  const contents = new WeakMap<RecordSet, { octets: Uint8Array; key: string }>();

  /** A set's canonical octets, made once for each set of the zone. */
  function contentOf(set: RecordSet): { octets: Uint8Array; key: string } {
    const known = contents.get(set);
    if (known !== undefined) return known;
    const octets = canonicalSet(set);
    const content = { octets, key: latin1(octets) };
    contents.set(set, content);
    return content;
  }

  return {
    signatures(set, time) {
      const { octets, key } = contentOf(set);
      const window = signatureWindow(set.type, time);
      const known = memory.get(key);
      if (known?.inception === window.inception) return known.signatures;
      const signatures = signers.map(({ signer, ...who }) => {
        const fields = rrsigFields(set, apex, window, who);
        return join([fields, signer.sign(join([fields, octets]))]);
      });
      const size = signatures.reduce((sum, { length }) => sum + length, 2 * key.length);
      memory.set(key, { inception: window.inception, signatures }, size);
      return signatures;
    },
  };
}

/** The RRSIG's RDATA up to the signature, which is also how the signed octets begin. */
function rrsigFields(
  set: RecordSet,
  apex: Name,
  { inception, expiration }: SignatureWindow,
  who: { readonly algorithm: number; readonly keyTag: number },
): Uint8Array {
  // RFC 4034 §3.1.3: neither the root nor a wildcard's asterisk counts.
  const asterisk = set.owner.key.startsWith('\x01*') ? 1 : 0;
  return encodeRdata({
    type: 'RRSIG',
    typeCovered: set.type,
    ...who,
    labels: countLabels(set.owner) - asterisk,
    originalTtl: set.ttl,
    expiration: expiration >>> 0,
    inception: inception >>> 0,
    signer: lowered(apex),
    signature: new Uint8Array(0),
  });
}

/** All records of a set in canonical form and order (RFC 4034 §6.2 and §6.3). */
export function canonicalSet({ owner, type, ttl, rdatas }: RecordSet): Uint8Array {
  const ordered = rdatas.map((rdata) => canonicalRdata(type, rdata)).sort(compareOctets);
  const { length } = owner.wire;
  const octets = new Uint8Array(
    ordered.reduce((sum, rdata) => sum + rdata.length, ordered.length * (length + FIXED)),
  );
  const fixed = new DataView(octets.buffer);
  let at = 0;
  for (const rdata of ordered) {
    for (let each = 0; each < length; each++) octets[at++] = LOWER[owner.wire[each] ?? 0] ?? 0;
    fixed.setUint16(at, type);
    fixed.setUint16(at + 2, CLASS.IN);
    fixed.setUint32(at + 4, ttl);
    fixed.setUint16(at + 8, rdata.length);
    octets.set(rdata, at + FIXED);
    at += FIXED + rdata.length;
  }
  return octets;
}

/** Octets of a record between its owner and its RDATA (RFC 1035 §3.2.1). */
const FIXED = 10;

/** Left-justified unsigned octets; the shorter of two with a common start comes first. */
function compareOctets(a: Uint8Array, b: Uint8Array): number {
  const differs = a.findIndex((octet, index) => octet !== b[index]);
  if (differs < 0) return a.length - b.length;
  return (a[differs] ?? 0) - (b[differs] ?? -1);
}

/** RFC 4034 §6.2: the signer's name is signed, and therefore sent, in lower case. */
function lowered(name: Name): Name {
  return trustedName(canonicalName(name));
}

function latin1(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) text += String.fromCharCode(octet);
  return text;
}
