/**
 * What the cache learns from a reply, whatever we wanted it for.
 *
 * Only scrubbed replies come here (scrub.ts). @see RFC 2181 §5.4.1, RFC 2308, RFC 8020
 */

import { type Cache, TRUST } from './cache.ts';
import type { Send } from './frame.ts';
import type { RRset } from './rrset.ts';
import type { Reply } from './scrub.ts';
import { TYPE } from './type.ts';

/** Remembers what `reply` to `sent` says. */
export function learn(
  reply: Reply,
  sent: Send,
  isAuthoritative: boolean,
  now: number,
  cache: Cache,
): void {
  const trust = isAuthoritative ? TRUST.authoritative : TRUST.answer;
  switch (reply.kind) {
    case 'answer':
      for (const rrset of withoutMade([...reply.aliases, reply.rrset])) {
        cache.putRecords(rrset, trust, now, reply.proof);
      }
      return;
    case 'alias':
      for (const rrset of withoutMade(reply.aliases)) {
        cache.putRecords(rrset, trust, now, reply.proof);
      }
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
      cache.putCut(reply.cut, reply.ttl, now);
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
