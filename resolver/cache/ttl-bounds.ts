/**
 * TTLs held between two bounds from the moment a reply arrives, so that cache and askers see the
 * same ones. Signatures still end when they end: the validator caps TTLs by them (RFC 4035 §5.3.3).
 */

import type { Message } from '../message/message.ts';
import type { ResourceRecord } from '../message/record.ts';
import { safeTtl } from '../message/rrset.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** In seconds. */
export type TtlBounds = { readonly least: number; readonly most: number };

/** An upstream whose replies have no TTL outside `bounds`. */
export function withTtlBounds(
  { ask }: Pick<Upstream, 'ask'>,
  bounds: TtlBounds,
): Pick<Upstream, 'ask'> {
  return {
    async ask(send) {
      const event = await ask(send);
      return event.kind === 'reply' ? { ...event, message: bounded(event.message, bounds) } : event;
    },
  };
}

function bounded(message: Message, { least, most }: TtlBounds): Message {
  const bound = (records: readonly ResourceRecord[]): readonly ResourceRecord[] => {
    // Nearly all are within: those messages go on as they came.
    if (records.every(({ ttl }) => ttl >= least && ttl <= most)) return records;
    return records.map((record) => ({
      ...record,
      ttl: Math.min(Math.max(safeTtl(record.ttl), least), most),
    }));
  };
  const answers = bound(message.answers);
  const authorities = bound(message.authorities);
  const additionals = bound(message.additionals);
  const isSame =
    answers === message.answers &&
    authorities === message.authorities &&
    additionals === message.additionals;
  return isSame ? message : { ...message, answers, authorities, additionals };
}
