/**
 * What is known of a name before anybody is asked.
 *
 * @see RFC 6672 §3: what a DNAME makes  @see RFC 1034 §3.6.2: aliases
 */

import type { Known, KnownRecords, Lookup } from '../cache/cache.ts';
import type { Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Outcome } from './frame.ts';
import type { Judgement } from './judgement.ts';
import { aliasTarget, synthesise } from './scrub.ts';

/** What is known already of a name: data, a denial, or an alias. */
export function fromCache(
  name: Name,
  type: number,
  now: number,
  cache: Lookup,
): Outcome | undefined {
  const known = cache.find(name, type, now);
  if (known?.kind === 'records') return { ...known, kind: 'answer' };
  if (known !== undefined) return known;
  // An alias is the child's, a DS its parent's: the one says nothing about the other.
  const isOwn = type === TYPE.CNAME || type === TYPE.DS;
  const alias = isOwn ? undefined : cache.find(name, TYPE.CNAME, now);
  if (isAlias(alias)) return aliasOutcome([alias.rrset], alias.proof, alias.judgement);
  const dname = cache.findDname(name, now);
  if (isAlias(dname)) return throughDname(name, dname);
  const bogus = cache.findBogusAlias(name, type, now);
  return bogus && aliasOutcome([bogus.rrset], bogus.proof, bogus.judgement);
}

/** What is bogus fails what it was an answer to, and leads nobody else anywhere (RFC 4035 §4.7). */
function isAlias(known: Known | undefined): known is KnownRecords {
  return known?.kind === 'records' && known.judgement?.state !== 'bogus';
}

function throughDname(name: Name, { rrset, judgement }: KnownRecords): Outcome {
  const made = synthesise(rrset, name);
  if (made !== undefined) return aliasOutcome([rrset, made], [], judgement);
  const failure = { kind: 'failure', reason: 'alias-too-long', dname: rrset } as const;
  return judgement === undefined ? failure : { ...failure, judgement };
}

/** The outcome of a CNAME, or of a DNAME and the CNAME that it makes. */
export function aliasOutcome(
  rrsets: readonly RRset[],
  proof: readonly ResourceRecord[],
  judgement?: Judgement,
): Outcome {
  const last = rrsets.at(-1);
  const target = last && aliasTarget(last);
  if (target === undefined) return { kind: 'failure', reason: 'lame-delegation' };
  const judged = judgement === undefined ? {} : { judgement };
  return { kind: 'alias', rrsets, target, proof, ...judged };
}
