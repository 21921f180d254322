/**
 * Replies written down shortly, for tests of what the recursor believes.
 */

import { parseRecord } from '../authority/zone-file.ts';
import type { Message } from '../message/message.ts';
import { type Name, parseName } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { CLASS } from '../message/type.ts';

/** The name, or an error in the test. */
export function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`not a name: ${text}`);
  return name;
}

/** The record on a line; its TTL is 60 unless given. */
export function recordOf(line: string): ResourceRecord {
  const parsed = parseRecord(line, { ttl: 60 });
  if (!parsed.ok) throw new Error(`${line}: ${parsed.reason}`);
  return parsed.record;
}

type Sections = {
  readonly answers?: readonly string[];
  readonly authorities?: readonly string[];
  readonly additionals?: readonly string[];
};

/** An authoritative reply to `name` and `type`, changed by `more`. */
export function replyTo(
  name: string,
  type: number,
  { answers = [], authorities = [], additionals = [] }: Sections = {},
  more: Partial<Message> = {},
): Message {
  return {
    id: 0,
    response: true,
    opcode: 0,
    authoritative: true,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [{ name: nameOf(name), type, class: CLASS.IN }],
    answers: answers.map(recordOf),
    authorities: authorities.map(recordOf),
    additionals: additionals.map(recordOf),
    edns: undefined,
    ...more,
  };
}
