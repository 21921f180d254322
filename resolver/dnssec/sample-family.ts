/**
 * A signed parent, a signed child and an unsigned one, for tests of the validator:
 * example. (the anchor, P-256), sub.example. (Ed25519), plain.example.
 */

import type { Crypto } from '#runtime';
import type { Outcome } from '../frame.ts';
import type { RRset } from '../rrset.ts';
import { CLASS, TYPE, typeNumber } from '../type.ts';
import { answer, denial, name, nsec, type SampleZone, samples, set } from './sample-signed.ts';
import { type Found, type Validated, validate } from './validate.ts';

export type Family = {
  readonly parent: SampleZone;
  readonly child: SampleZone;
  /** The parent's, signed. */
  readonly soa: RRset;
  /** Judges what was found; the outcome `without` is missing. */
  judge(of: string, type: string, found: Found, without?: string): Validated;
};

/** Makes the family with new keys. */
export async function family(crypto: Crypto): Promise<Family> {
  const { trust, zone } = samples(crypto);
  const parent = await zone('example.');
  const child = await zone('sub.example.', 'ed25519');
  const soa = parent.sign(set('example. 300 SOA ns.example. host.example. 1 2 3 4 300'));
  const known = new Map<string, Outcome>();
  const learn = (of: string, type: number, outcome: Outcome) =>
    known.set(`${type} ${name(of).key}`, outcome);
  learn('example.', TYPE.DNSKEY, answer(parent.keys));
  learn('sub.example.', TYPE.DNSKEY, answer(child.keys));
  learn('sub.example.', TYPE.DS, answer(parent.sign(child.ds)));
  // Where no signed zone begins, the DS is denied like any other type.
  const gaps = {
    'plain.example.': parent.sign(nsec('plain.example. → sub.example. NS RRSIG NSEC')),
    'www.example.': parent.sign(nsec('www.example. → example. A RRSIG NSEC')),
    'no.example.': parent.sign(nsec('example. → plain.example. NS SOA RRSIG NSEC')),
    'www.sub.example.': child.sign(nsec('www.sub.example. → sub.example. A RRSIG NSEC')),
  };
  for (const [of, gap] of Object.entries(gaps)) learn(of, TYPE.DS, denial('no-data', soa, gap));
  return {
    parent,
    child,
    soa,
    judge(of, type, found, without = '') {
      const rest = new Map([...known].filter(([key]) => key !== without));
      const question = { name: name(of), type: typeNumber(type) ?? 0, class: CLASS.IN };
      return validate(question, found, trust([parent.anchor], rest));
    },
  };
}

/** One row of a table: what is found for a name, and the verdict in words. */
export type Case = {
  readonly of: string;
  readonly type?: string;
  readonly found: () => Found;
  readonly says: string;
  readonly why: string;
};

/** The verdict in words. */
export function said(step: Validated): string {
  if (step.kind === 'missing') return 'missing';
  const { verdict } = step;
  return verdict.state === 'secure' ? 'secure' : `${verdict.state} ${verdict.reason}`;
}
