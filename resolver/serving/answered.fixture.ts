/**
 * An answering that knows its answers by heart, for what is put around it.
 */

import type { Message } from '../message/message.ts';
import { typeName, typeNumber } from '../message/type.ts';
import { replyTo } from '../recursion/reply.fixture.ts';
import type { Answered, Answering } from './answering.ts';
import type { Origin } from './part.ts';

export type Said = {
  readonly answers?: readonly string[];
  readonly authorities?: readonly string[];
  readonly rcode?: number;
  readonly ad?: boolean;
  readonly ede?: number;
  readonly from?: Origin;
  readonly authoritative?: boolean;
};

/** Answers by type; what is not in the table has no data. */
export function knowing(name: string, table: Readonly<Record<string, Said>>): Answering {
  return {
    async answer({ questions }): Promise<Answered> {
      const [question] = questions;
      if (question === undefined) throw new Error('no question');
      const said = table[typeName(question.type)] ?? {};
      const { answers = [], authorities = [], rcode = 0, ad = false, from = 'recursion' } = said;
      const more = { rcode, authenticData: ad, authoritative: said.authoritative ?? false };
      const edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [] };
      const response = replyTo(name, question.type, { answers, authorities }, { ...more, edns });
      const error = said.ede === undefined ? undefined : { code: said.ede, text: '' };
      return { response, from, error };
    },
  };
}

/** Asks for `name`, with these bits. */
export function ask(
  { answer }: Answering,
  name: string,
  type: string,
  more: Partial<Message> = {},
): Promise<Answered> {
  const query = replyTo(name, typeNumber(type) ?? 0, {}, { response: false, ...more });
  const asker = { address: '192.0.2.9', port: 999 };
  return answer(query, asker, 'udp', () => ({ kind: 'recurse' }));
}
