/** Queries and answers for tests of the datapath. */

import { encodeMessage, type Message } from '../message/message.ts';
import type { ResourceRecord } from '../message/record.ts';
import { nameOf } from '../recursion/reply.fixture.ts';

/** A query for A, as a stub resolver asks. */
export function queryOf(name: string, more: Partial<Message> = {}): Message {
  return {
    ...{ id: 0x1234, response: false, opcode: 0, authoritative: false, truncated: false },
    ...{ recursionDesired: true, recursionAvailable: false, authenticData: false },
    ...{ checkingDisabled: false, rcode: 0, answers: [], authorities: [], additionals: [] },
    questions: [{ name: nameOf(name), type: 1, class: 1 }],
    edns: undefined,
    ...more,
  };
}

/** Its answer: one address with this TTL. */
export function answerOf(query: Message, ttl: number, address: readonly number[]): Message {
  const [question] = query.questions;
  if (question === undefined) throw new Error('no question');
  const rdata = Uint8Array.from(address);
  const record: ResourceRecord = { owner: question.name, type: 1, class: 1, ttl, rdata };
  return { ...query, response: true, recursionAvailable: true, answers: [record] };
}

export const encoded = (message: Message): Uint8Array => encodeMessage(message);
