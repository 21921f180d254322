/** Messages and RDATA to begin with, for the tests of the codec. */

import { parseRecord } from '../authority/zone-file.ts';
import { decodeMessage, type Message } from './message.ts';
import { type Name, parseName, ROOT } from './name.ts';
import { rdataFromWords } from './rdata.ts';
import type { ResourceRecord } from './record.ts';
import { CLASS, OPCODE, RCODE, TYPE } from './type.ts';
import { lineReader, readLine } from './wire/line.ts';

/** A name that is one. */
export const name = (text: string) => parseName(text) as Name;

/** One record in presentation form. */
export const record = (text: string): ResourceRecord => {
  const parsed = parseRecord(text, { ttl: 60 });
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${text}`);
  return parsed.record;
};

/** RDATA from zone-file text of one line; names without a dot at the end lie below `origin`. */
export function parseRdata(type: number, text: string, origin = ROOT): Uint8Array | undefined {
  const reader = lineReader(text);
  const line = readLine(reader);
  if (line?.ok === false || reader.at < text.length) return undefined;
  return rdataFromWords(type, { list: line?.words ?? [], at: 0, origin });
}

/** A response without anything in it. */
export const EMPTY: Message = {
  id: 0x1234,
  response: true,
  opcode: OPCODE.QUERY,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
  rcode: RCODE.NOERROR,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
  edns: undefined,
};

export const QUESTION = { name: name('www.example.com'), type: TYPE.A, class: CLASS.IN };

/** The message that octets are. */
export const decoded = (bytes: Uint8Array): Message => {
  const result = decodeMessage(bytes);
  if (!result.ok) throw new Error(result.reason);
  return result.message;
};
