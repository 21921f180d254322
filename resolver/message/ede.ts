/**
 * Every reason this resolver has for an answer that is not the plain truth, and the Extended DNS
 * Error it is reported as.
 *
 * @see RFC 8914 §4: the codes
 * @see RFC 8914 §2: option 15, INFO-CODE and EXTRA-TEXT in UTF-8
 */

import type { Exhausted } from '../recursion/budget.ts';

/** Why an answer that should be signed is not believed. */
export type BogusReason =
  | 'signatures-missing'
  | 'signature-expired'
  | 'signature-not-yet-valid'
  | 'signature-invalid'
  | 'signer-not-zone'
  | 'dnskey-missing'
  | 'no-zone-key'
  | 'nsec-missing'
  | 'alias-not-of-dname'
  | 'chain-unreachable'
  | 'forwarder-unsigned'
  | Extract<Exhausted, 'too-many-signatures' | 'too-many-failed-signatures' | 'too-many-hashes'>;

/** Why an answer could not be checked although its zone has signatures. */
export type UnsupportedReason =
  | 'unsupported-algorithm'
  | 'unsupported-digest'
  | 'too-many-iterations';

/** Why a question was not answered from the DNS as it is. */
export type Reason =
  | Exhausted
  | BogusReason
  | UnsupportedReason
  | 'times-not-checked'
  | 'no-reachable-authority'
  | 'lame-delegation'
  | 'failure-cached'
  | 'stale-answer'
  | 'stale-no-name'
  | 'alias-loop'
  | 'alias-too-long'
  | 'server-loop'
  | 'server-family-off'
  | 'forwarders-failed'
  | 'forwarder-untrusted'
  | 'unsupported-type'
  | 'unsupported-class'
  | 'bitmap-type'
  | 'recursion-not-desired'
  | 'local-zone'
  | 'realm-not-held'
  | 'private-address'
  | 'overloaded'
  | 'key-sentinel'
  | 'internal-error';

/** An Extended DNS Error: INFO-CODE and EXTRA-TEXT. */
export type ExtendedError = { readonly code: number; readonly text: string };

const EXTENDED_ERRORS = {
  'too-many-sends': { code: 0, text: 'gave up: the answer would need too many queries' },
  'too-many-aliases': { code: 0, text: 'gave up: the chain of CNAMEs is too long' },
  'too-many-server-names': { code: 0, text: 'gave up: too many name servers without address' },
  'too-many-bytes': { code: 0, text: 'gave up: the replies are too large' },
  'too-many-signatures': { code: 6, text: 'gave up: too many signatures to check' },
  'too-many-failed-signatures': { code: 6, text: 'gave up: too many wrong signatures' },
  'too-many-hashes': { code: 6, text: 'gave up: the NSEC3 proof costs too many hashes' },
  'too-deep': { code: 0, text: 'gave up: name servers depend on each other too deeply' },
  'too-many-referrals': { code: 0, text: 'gave up: too many referrals' },
  'out-of-time': { code: 22, text: 'the name servers did not answer in time' },
  'no-reachable-authority': { code: 22, text: 'no name server of the zone gave a usable answer' },
  'lame-delegation': { code: 22, text: 'the name servers do not serve the zone' },
  'failure-cached': { code: 13, text: 'failed a moment ago' },
  'stale-answer': { code: 3, text: 'old: the name servers give no answer at present' },
  'stale-no-name': { code: 19, text: 'old: the name servers give no answer at present' },
  'alias-loop': { code: 0, text: 'the CNAMEs point at each other' },
  'alias-too-long': { code: 0, text: 'a DNAME makes the name too long' },
  'server-loop': {
    code: 22,
    text: 'the name servers can only be found by asking themselves, or have private addresses only',
  },
  'server-family-off': {
    code: 22,
    text: 'the name servers have only addresses of the kind (IPv4 or IPv6) that is switched off',
  },
  'forwarders-failed': { code: 22, text: 'no configured forwarder gave a usable answer' },
  'forwarder-untrusted': {
    code: 23,
    text: 'the configured forwarder is not who it should be: its certificate or key is another',
  },
  'signatures-missing': { code: 10, text: 'the zone is signed, but this came without signatures' },
  'signature-expired': { code: 7, text: 'the signature has expired' },
  'signature-not-yet-valid': { code: 8, text: 'the signature is not valid yet' },
  'signature-invalid': { code: 6, text: 'the signature is wrong' },
  'signer-not-zone': { code: 6, text: 'the signer is not the zone' },
  'dnskey-missing': { code: 9, text: 'no key of the zone fits the DS or the signature' },
  'no-zone-key': { code: 11, text: 'the key that the DS names is no zone key' },
  'nsec-missing': { code: 12, text: 'nothing proves that the name or type does not exist' },
  'alias-not-of-dname': { code: 6, text: 'the CNAME is not what the DNAME makes' },
  'chain-unreachable': { code: 5, text: 'the chain of trust could not be fetched' },
  'unsupported-algorithm': { code: 1, text: 'the zone is signed with unknown algorithms only' },
  'unsupported-digest': { code: 2, text: 'the DS set has unknown digests only' },
  'too-many-iterations': { code: 27, text: 'NSEC3 with too many iterations counts as unsigned' },
  'forwarder-unsigned': {
    code: 10,
    text: 'the forwarder passes no signatures on: it must, or validation must be switched off',
  },
  'times-not-checked': { code: 0, text: 'the clock is not set: signature times were not checked' },
  'unsupported-type': { code: 21, text: 'questions of this type are not answered' },
  'unsupported-class': { code: 21, text: 'only class IN is served' },
  'bitmap-type': { code: 30, text: 'this type stands in NSEC records only' },
  'recursion-not-desired': { code: 20, text: 'not authoritative, and recursion was not asked for' },
  'local-zone': { code: 29, text: 'this name is only meaningful locally (RFC 6303, RFC 6761)' },
  'realm-not-held': { code: 29, text: 'this .nymote name belongs to no realm known here' },
  'private-address': {
    code: 15,
    text: 'a private address in an answer about a public name was taken out',
  },
  overloaded: { code: 14, text: 'too many questions at once' },
  'key-sentinel': { code: 0, text: 'what the root key sentinel asks is not so (RFC 8509)' },
  'internal-error': { code: 0, text: 'internal error' },
} as const satisfies Record<Reason, ExtendedError>;

/** Tells whether a word is one of the reasons that are reported. */
export function isReason(word: string): word is Reason {
  return Object.hasOwn(EXTENDED_ERRORS, word);
}

/** The Extended DNS Error for a reason. */
export function extendedError(reason: Reason): ExtendedError {
  return EXTENDED_ERRORS[reason];
}

/** EDNS option code of an Extended DNS Error (RFC 8914 §2). */
export const EDE_OPTION = 15;

/** EXTRA-TEXT that leaves room for the answer in a UDP message. */
const MAX_TEXT_BYTES = 240;

/** The option's data: INFO-CODE, then EXTRA-TEXT cut at a character border. */
export function encodeExtendedError({ code, text }: ExtendedError): Uint8Array {
  const data = new Uint8Array(2 + MAX_TEXT_BYTES);
  data[0] = (code >> 8) & 0xff;
  data[1] = code & 0xff;
  const { written } = new TextEncoder().encodeInto(text, data.subarray(2));
  return data.subarray(0, 2 + written);
}
