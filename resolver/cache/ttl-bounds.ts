/**
 * TTLs held between two bounds from the moment a reply arrives, so that cache and askers see the
 * same ones. Signatures still end when they end: the validator caps TTLs by them (RFC 4035 §5.3.3).
 */

import type { Message } from '../message/message.ts';
import type { ResourceRecord } from '../message/record.ts';
import { safeTtl } from '../message/rrset.ts';
import type { Upstream } from '../recursion/upstream.ts';

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
  const bound = (record: ResourceRecord) => ({
    ...record,
    ttl: Math.min(Math.max(safeTtl(record.ttl), least), most),
  });
  return {
    ...message,
    answers: message.answers.map(bound),
    authorities: message.authorities.map(bound),
    additionals: message.additionals.map(bound),
  };
}
