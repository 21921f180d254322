/**
 * What the cache learns from a reply, whatever we wanted it for.
 *
 * Only scrubbed replies come here (scrub.ts). @see RFC 2181 §5.4.1, RFC 2308, RFC 8020
 */

import type { Cache } from '../cache/cache.ts';
import { TRUST } from '../cache/worth.ts';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Send } from './frame.ts';
import type { Reply } from './scrub.ts';

/** Remembers what `reply` to `sent` says. */
export function learn(
  reply: Reply,
  sent: Send,
  trust: typeof TRUST.authoritative | typeof TRUST.answer,
  now: number,
  cache: Cache,
): void {
  switch (reply.kind) {
    case 'answer':
    case 'alias': {
      const chain = reply.kind === 'answer' ? [...reply.aliases, reply.rrset] : reply.aliases;
      // What an alias leads to is asked for again: only a forwarder is asked for the whole chain.
      const said = sent.recursionDesired ? withoutMade(chain) : chain.slice(0, 1);
      for (const rrset of said) cache.putRecords(rrset, trust, now, reply.proof);
      return;
    }
    case 'alias-too-long':
      cache.putRecords(reply.dname, trust, now);
      return;
    case 'no-data':
      if (reply.denial === undefined) return;
      cache.putNoData(sent.name, sent.type, reply.denial, trust, now);
      return;
    case 'no-name':
      // At the name that was asked, which may be an ancestor of the one wanted (RFC 8020 §2).
      if (reply.denial !== undefined) cache.putNoName(sent.name, reply.denial, trust, now);
      return;
    case 'referral':
      // DS is the parent's own data, so it is authoritative here (RFC 4035 §3.1.4.1).
      if (reply.ds !== undefined) cache.putRecords(reply.ds, TRUST.authoritative, now);
      return;
    default:
      return;
  }
}

/** Leaves out each CNAME that was made from the DNAME before it: it is made again when needed. */
function withoutMade(rrsets: readonly RRset[]): RRset[] {
  return rrsets.filter((_, index) => rrsets[index - 1]?.type !== TYPE.DNAME);
}
