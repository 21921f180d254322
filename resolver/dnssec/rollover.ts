/**
 * Automated updates of trust anchors: which keys of a zone are trusted after what was seen of them.
 *
 *   (unknown) ─new─► add-pend ─30 days, seen again─► valid ◄─gone, back─► missing
 *                       │ gone                         │ revoked            │ revoked
 *                       ▼                              ▼                    │
 *                   (unknown)                       revoked ◄───────────────┘
 *                                                      │ 30 days
 *                                                      ▼
 *                                                   removed
 *
 * Pure. Configured anchors are valid from the beginning; they are tracked once they were seen.
 *
 * @see RFC 5011 §2: revocation, hold-down and intervals; §4: the states and what leads from one to
 * another; §5: a zone all of whose anchors are revoked is as if it never had one
 */

import type { Crypto } from '#runtime';
import type { Name } from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import type { RRset } from '../message/rrset.ts';
import { BASE64, fromDigits, toDigits } from '../message/wire/digits.ts';
import { dsDigest, keyTag } from './algorithms.ts';
import type { TrustAnchor } from './anchors.ts';
import type { Unverified } from './attempt.ts';
import { type Check, usableKeys, type ValidationKey, verifySet } from './verify.ts';

/** Seconds a new key must have been there (RFC 5011 §2.4.1). */
export const ADD_HOLD_DOWN = 30 * 86_400;
/** Seconds that a revoked key is still told apart from a removed one (RFC 5011 §2.4.2). */
export const REMOVE_HOLD_DOWN = 30 * 86_400;

/** Keys remembered for one zone: who can sign its keys cannot fill our store. */
export const MAX_TRACKED = 32;

export const KEY_STATES = ['add-pend', 'valid', 'missing', 'revoked', 'removed'] as const;

export type TrackedKey = {
  /** RDATA of the DNSKEY, without REVOKE. */
  readonly rdata: Uint8Array;
  readonly state: (typeof KEY_STATES)[number];
  /** Seconds since 1970 that it is in this state … */
  readonly since: number;
  /** … and until which it must stay in `add-pend` or `revoked`. */
  readonly until: number;
};

/** What a DNSKEY set said. */
export type Sighting = {
  /** Its secure entry points, when a trusted key signed the set; undefined when none did. */
  readonly present: readonly Uint8Array[] | undefined;
  /** Keys that are revoked: they have REVOKE in the set and signed it. Here without REVOKE. */
  readonly revoked: readonly Uint8Array[];
  readonly originalTtl: number;
  /** Seconds until the first signature ends. */
  readonly expiresIn: number;
};

/** The anchors of the zone as they are configured. */
export type Configured = {
  readonly anchor: TrustAnchor;
  readonly crypto: Pick<Crypto, 'hash'>;
};

const same = (one: Uint8Array) => {
  const text = one.join();
  return (other: Uint8Array): boolean => other.join() === text;
};

/** The keys' states after a sighting; the same array when nothing changed. */
export function observe(
  tracked: readonly TrackedKey[],
  sighting: Sighting,
  configured: Configured,
  now: number,
): readonly TrackedKey[] {
  const { present, revoked, originalTtl } = sighting;
  const next = tracked.flatMap((key) => move(key, sighting, now));
  const isNew = (rdata: Uint8Array) => !tracked.some((key) => same(rdata)(key.rdata));
  const begun = (present ?? []).filter(isNew).map((rdata): TrackedKey => {
    if (isConfigured(rdata, configured)) return { rdata, state: 'valid', since: now, until: 0 };
    const until = now + Math.max(ADD_HOLD_DOWN, originalTtl);
    return { rdata, state: 'add-pend', since: now, until };
  });
  const ended = revoked
    .filter((rdata) => isNew(rdata) && isConfigured(rdata, configured))
    .map((rdata) => inState(rdata, 'revoked', now));
  const all = bounded([...ended, ...next, ...begun]);
  const isSame = all.length === tracked.length && all.every((key, at) => key === tracked[at]);
  return isSame ? tracked : all;
}

function inState(rdata: Uint8Array, state: 'valid' | 'missing' | 'revoked', now: number) {
  const until = state === 'revoked' ? now + REMOVE_HOLD_DOWN : 0;
  return { rdata, state, since: now, until } satisfies TrackedKey;
}

/** RFC 5011 §4.1's table, for one key. */
function move(key: TrackedKey, sighting: Sighting, now: number): TrackedKey[] {
  const { rdata, state, until } = key;
  const what = sightOf(rdata, sighting);
  switch (state) {
    case 'add-pend':
      // With REVOKE it is not the key that was waited for any more.
      if (what === 'revoked' || what === 'gone') return [];
      return what === 'seen' && now >= until ? [inState(rdata, 'valid', now)] : [key];
    case 'valid':
    case 'missing': {
      const to = what === 'untold' ? state : TRUSTED_GOES_TO[what];
      return to === state ? [key] : [inState(rdata, to, now)];
    }
    case 'revoked':
      return now >= until ? [{ rdata, state: 'removed', since: now, until: 0 }] : [key];
    case 'removed':
      return [key];
  }
}

const TRUSTED_GOES_TO = { revoked: 'revoked', seen: 'valid', gone: 'missing' } as const;

function sightOf(
  rdata: Uint8Array,
  { present, revoked }: Sighting,
): keyof typeof TRUSTED_GOES_TO | 'untold' {
  if (revoked.some(same(rdata))) return 'revoked';
  if (present === undefined) return 'untold';
  return present.some(same(rdata)) ? 'seen' : 'gone';
}

/** The last are not taken in when there are too many; of the removed the oldest go first. */
function bounded(keys: readonly TrackedKey[]): readonly TrackedKey[] {
  const surplus = keys.length - MAX_TRACKED;
  if (surplus <= 0) return keys;
  const oldest = new Set(keys.filter(({ state }) => state === 'removed').slice(0, surplus));
  return keys.filter((key) => !oldest.has(key)).slice(0, MAX_TRACKED);
}

/** Tells whether a key is one of the anchors that were configured. */
export function isConfigured(rdata: Uint8Array, { anchor, crypto }: Configured): boolean {
  return anchor.keys.some(same(rdata)) || anchor.digests.some((ds) => names(ds, rdata));

  function names(ds: Uint8Array, key: Uint8Array): boolean {
    return isDigestOf(ds, anchor.name, key, crypto);
  }
}

function isDigestOf(
  rdata: Uint8Array,
  zone: Name,
  key: Uint8Array,
  crypto: Pick<Crypto, 'hash'>,
): boolean {
  const ds = decodeRdataAs('DS', rdata);
  if (ds === undefined || ds.keyTag !== keyTag(key) || ds.algorithm !== key[3]) return false;
  return dsDigest(crypto, zone, key, ds.digestType)?.join() === ds.digest.join();
}

/** What is trusted now: what is configured and not revoked, and what became valid since. */
export function trustedNow(
  tracked: readonly TrackedKey[],
  { anchor, crypto }: Configured,
): TrustAnchor | undefined {
  const isDead = ({ state }: TrackedKey) => state === 'revoked' || state === 'removed';
  const dead = tracked.filter(isDead).map(({ rdata }) => rdata);
  const digests = anchor.digests.filter(
    (ds) => !dead.some((key) => isDigestOf(ds, anchor.name, key, crypto)),
  );
  const own = anchor.keys.filter((key) => !dead.some(same(key)));
  const valid = tracked
    .filter(({ state }) => state === 'valid' || state === 'missing')
    .map(({ rdata }) => rdata);
  const keys = [...own, ...valid.filter((key) => !own.some(same(key)))];
  return keys.length + digests.length === 0 ? undefined : { name: anchor.name, digests, keys };
}

/* What was seen */

/** SEP and REVOKE of a DNSKEY's flags, in its second octet (RFC 4034 §2.1.1, RFC 5011 §7). */
const SEP = 0x01;
const REVOKE = 0x80;

/**
 * Reads a zone's DNSKEY set; `trusted` is what is trusted before it. A verification that is not made
 * here is named, and the set read again when its result is known.
 */
export function sight(
  rrset: RRset,
  trusted: TrustAnchor | undefined,
  check: Check,
): Sighting | Unverified | undefined {
  const { rdatas } = rrset;
  const times = signatureTimes(rrset, check.time.now);
  if (times === undefined) return undefined;
  const entries = rdatas.filter((rdata) => ((rdata[1] ?? 0) & SEP) !== 0);
  const revoked: Uint8Array[] = [];
  for (const rdata of entries.filter((rdata) => ((rdata[1] ?? 0) & REVOKE) !== 0)) {
    const isOwnWord = signedBy(rrset, revokedKeys(rdata), check);
    if (typeof isOwnWord !== 'boolean') return isOwnWord;
    if (isOwnWord) revoked.push(withoutRevoke(rdata));
  }
  // Only keys of algorithms we know can be trusted some day; revoked ones never again.
  const alive = usableKeys(entries).filter(({ rdata }) => !revoked.some(same(rdata)));
  const keys = alive.filter(
    ({ rdata }) =>
      trusted !== undefined && isConfigured(rdata, { anchor: trusted, crypto: check.crypto }),
  );
  const isVouched = signedBy(rrset, keys, check);
  if (typeof isVouched !== 'boolean') return isVouched;
  const present = isVouched ? alive.map(({ rdata }) => rdata) : undefined;
  return { present, revoked, ...times };
}

function signedBy(
  rrset: RRset,
  keys: readonly ValidationKey[],
  check: Check,
): boolean | Unverified {
  if (keys.length === 0) return false;
  const checked = verifySet(rrset, { zone: rrset.owner, keys }, check);
  return 'kind' in checked ? checked : checked.ok;
}

/** Revoking is the key's own word, nobody else's (RFC 5011 §2.1): the key as it signs then. */
function revokedKeys(revoked: Uint8Array): ValidationKey[] {
  // REVOKE changes the tag too (RFC 5011 §2.1).
  const changed = { rdata: revoked, tag: keyTag(revoked) };
  return usableKeys([withoutRevoke(revoked)]).map((key) => ({ ...key, ...changed }));
}

function withoutRevoke(rdata: Uint8Array): Uint8Array {
  return rdata.with(1, (rdata[1] ?? 0) & ~REVOKE);
}

function signatureTimes({ signatures }: RRset, now: number) {
  const fields = signatures.flatMap((rdata) => decodeRdataAs('RRSIG', rdata) ?? []);
  if (fields.length === 0) return undefined;
  const left = fields.map(({ expiration }) => Math.max(0, (expiration - Math.floor(now)) | 0));
  return {
    originalTtl: Math.min(...fields.map(({ originalTtl }) => originalTtl)),
    expiresIn: Math.min(...left),
  };
}

/* When to look again */

const HOUR = 3600;
const DAY = 86_400;

/** Seconds until the set is asked for again, after one that was good (RFC 5011 §2.3). */
export function queryInterval({ originalTtl, expiresIn }: Sighting): number {
  return Math.max(HOUR, Math.min(15 * DAY, originalTtl / 2, expiresIn / 2));
}

/** And after one that was not, or none at all. */
export function retryInterval(last: Sighting | undefined): number {
  if (last === undefined) return HOUR;
  return Math.max(HOUR, Math.min(DAY, last.originalTtl / 10, last.expiresIn / 10));
}

/* How it is kept */

/** A tracked key as JSON: `key` is the RDATA in base64. */
export type KeyRecord = {
  readonly key: string;
  readonly state: TrackedKey['state'];
  readonly since: number;
  readonly until: number;
};

/** For a file or the store. */
export function writeTracked(keys: readonly TrackedKey[]): KeyRecord[] {
  return keys.map(({ rdata, ...rest }) => ({ key: toDigits(BASE64, rdata), ...rest }));
}

/** Reads what `writeTracked` wrote; undefined when it is something else. */
export function readTracked(value: unknown): readonly TrackedKey[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_TRACKED) return undefined;
  const keys = value.flatMap((each: unknown) => readKey(each) ?? []);
  return keys.length === value.length ? keys : undefined;
}

function readKey(value: unknown): TrackedKey | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { key, state, since, until } = value as Partial<Record<keyof KeyRecord, unknown>>;
  const known = KEY_STATES.find((each) => each === state);
  const rdata = typeof key === 'string' ? fromDigits(BASE64, key) : undefined;
  if (known === undefined || rdata === undefined) return undefined;
  if (decodeRdataAs('DNSKEY', rdata) === undefined || ((rdata[1] ?? 0) & REVOKE) !== 0) {
    return undefined;
  }
  const areTimes = Number.isSafeInteger(since) && Number.isSafeInteger(until);
  return areTimes ? { rdata, state: known, since: Number(since), until: Number(until) } : undefined;
}
