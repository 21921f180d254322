/**
 * What came of the signatures that were tried for one question, and those whose result is needed.
 *
 * A question is judged again each time that something was missing. What was verified until then is
 * neither computed nor paid for again, wherever it was.
 */

import type { SignatureAlgorithm } from '#runtime';
import type { Name } from '../message/name.ts';
import { type RRset, sameOctets } from '../message/rrset.ts';
import { type Purse, pay } from '../recursion/budget.ts';

/** One set, one signature over it and one key that may have made it. */
export type Attempt = {
  readonly rrset: Pick<RRset, 'owner' | 'type' | 'rdatas'>;
  /** RDATA of the RRSIG. */
  readonly signature: Uint8Array;
  /** With the RDATA of the DNSKEY. */
  readonly key: { readonly rdata: Uint8Array };
};

/** An attempt and what came of it. */
export type Tried = Attempt & { readonly isGood: boolean };

/** A verification whose result is needed first; it is paid for. */
export type Unverified = {
  readonly kind: 'unverified';
  readonly attempt: Attempt;
  /** Whose signature it says it is. */
  readonly signer: Name;
  readonly verification: Verification;
};

/** What Crypto's `verify` takes. */
export type Verification = {
  readonly algorithm: SignatureAlgorithm;
  readonly publicKey: Uint8Array;
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
};

/** What came of an attempt, if it was made. */
export function resultOf(
  attempt: Attempt,
  { tried }: { readonly tried: readonly Tried[] },
): boolean | undefined {
  return tried.find((each) => isSame(each, attempt))?.isGood;
}

/** Notes what came of an attempt; one that failed is paid for as such. */
export function learn(
  attempt: Attempt,
  isGood: boolean,
  { tried, purse }: { readonly tried: Tried[]; readonly purse: Purse },
): void {
  tried.push({ ...attempt, isGood });
  if (!isGood) pay(purse, 'failedSignatures', 1);
}

/** Mostly the very same octets: what a question rests on is kept until it is judged. */
function isSame(one: Attempt, other: Attempt): boolean {
  const [a, b] = [one.rrset, other.rrset];
  return (
    areSame(one.signature, other.signature) &&
    areSame(one.key.rdata, other.key.rdata) &&
    a.type === b.type &&
    a.owner.key === b.owner.key &&
    a.rdatas.length === b.rdatas.length &&
    a.rdatas.every((rdata, index) => areSame(rdata, b.rdatas[index]))
  );
}

function areSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return a === b || (b !== undefined && sameOctets(a, b));
}
