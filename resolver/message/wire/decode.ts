/**
 * Octets → message: RFC 1035 §4. Every octet is untrusted.
 *
 * Never throws, never loops; the work is bounded by the message's length (I6). What is wrong is a
 * value that says enough to answer FORMERR.
 */

import { type Edns, readEdns } from '../edns.ts';
import type { Message, Question } from '../message.ts';
import type { ResourceRecord } from '../record.ts';
import { CLASS, OPCODE, TYPE } from '../type.ts';
import type { Field } from './field.ts';
import { type Layout, layoutOf } from './layout.ts';
import { type NameProblem, type NameReader, nameReader, readName } from './read.ts';

/** Why octets are no message. */
export type FormatProblem =
  | NameProblem
  | 'too-short'
  | 'too-long'
  | 'counts-beyond-end'
  | 'question-count'
  | 'record-past-end'
  | 'bad-rdata'
  | 'bad-edns'
  | 'trailing-octets';

/**
 * A message, or what is wrong with the octets.
 *
 * `recordStarts` and `rdataStarts` have one offset for each record in wire order, OPT included:
 * TSIG and SIG(0) sign the original octets before the last record (RFC 8945 §4.3.2).
 *
 * Of a broken message only what could be read is set. Without `id`, or when `response` is true,
 * there is nobody to answer.
 */
export type DecodedMessage =
  | {
      readonly ok: true;
      readonly message: Message;
      readonly offsets: {
        readonly recordStarts: readonly number[];
        readonly rdataStarts: readonly number[];
      };
    }
  | {
      readonly ok: false;
      readonly reason: FormatProblem;
      readonly id?: number;
      readonly response?: boolean;
      readonly opcode?: number;
      readonly recursionDesired?: boolean;
      readonly question?: Question;
    };

const HEADER = 12;
/** A root name, type and class. */
const SMALLEST_QUESTION = 5;
/** A root name, type, class, TTL and RDLENGTH. */
const SMALLEST_RECORD = 11;
/** Type, class, TTL and RDLENGTH. */
const FIXED = 10;
/** The length prefix of TCP has 16 bits (RFC 1035 §4.2.2). */
const MAX_MESSAGE = 0xffff;

type Section = 'answer' | 'authority' | 'additional';

type Decoding = {
  readonly reader: NameReader;
  readonly bytes: Uint8Array;
  readonly opcode: number;
  readonly questions: Question[];
  readonly recordStarts: number[];
  readonly rdataStarts: number[];
  edns: Edns | undefined;
  extendedRcode: number;
};

/** Reads a whole message; octets after its last record are a problem too. */
export function decodeMessage(bytes: Uint8Array): DecodedMessage {
  if (bytes.length < HEADER) return { ok: false, reason: 'too-short' };
  const reader = nameReader(bytes);
  reader.at = HEADER;
  const decoding: Decoding = {
    reader,
    bytes,
    opcode: ((bytes[2] as number) >> 3) & 15,
    questions: [],
    recordStarts: [],
    rdataStarts: [],
    edns: undefined,
    extendedRcode: 0,
  };
  const problem = checkCounts(bytes, decoding.opcode) ?? readQuestions(decoding, word(bytes, 4));
  if (problem !== undefined) return refuse(decoding, problem);
  const answers: ResourceRecord[] = [];
  const authorities: ResourceRecord[] = [];
  const additionals: ResourceRecord[] = [];
  const broken =
    readSection(decoding, word(bytes, 6), 'answer', answers) ??
    readSection(decoding, word(bytes, 8), 'authority', authorities) ??
    readSection(decoding, word(bytes, 10), 'additional', additionals) ??
    checkEnd(decoding);
  if (broken !== undefined) return refuse(decoding, broken);
  const upper = bytes[2] as number;
  const lower = bytes[3] as number;
  return {
    ok: true,
    message: {
      id: word(bytes, 0),
      response: (upper & 0x80) !== 0,
      opcode: decoding.opcode,
      authoritative: (upper & 0x04) !== 0,
      truncated: (upper & 0x02) !== 0,
      recursionDesired: (upper & 0x01) !== 0,
      recursionAvailable: (lower & 0x80) !== 0,
      authenticData: (lower & 0x20) !== 0,
      checkingDisabled: (lower & 0x10) !== 0,
      rcode: (lower & 0x0f) | (decoding.extendedRcode << 4),
      questions: decoding.questions,
      answers,
      authorities,
      additionals,
      edns: decoding.edns,
    },
    offsets: { recordStarts: decoding.recordStarts, rdataStarts: decoding.rdataStarts },
  };
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function refuse({ bytes, questions, opcode }: Decoding, reason: FormatProblem): DecodedMessage {
  const upper = bytes[2] as number;
  const [question] = questions;
  return {
    ok: false,
    reason,
    id: word(bytes, 0),
    response: (upper & 0x80) !== 0,
    opcode,
    recursionDesired: (upper & 0x01) !== 0,
    ...(question === undefined ? {} : { question }),
  };
}

/** Nothing is read or reserved for counts that the octets cannot hold. */
function checkCounts(bytes: Uint8Array, opcode: number): FormatProblem | undefined {
  if (bytes.length > MAX_MESSAGE) return 'too-long';
  const questions = word(bytes, 4);
  const records = word(bytes, 6) + word(bytes, 8) + word(bytes, 10);
  const smallest = questions * SMALLEST_QUESTION + records * SMALLEST_RECORD;
  if (HEADER + smallest > bytes.length) return 'counts-beyond-end';
  // None is right in cookie requests and later messages of a transfer (RFC 7873 §5.4, RFC 5936
  // §2.2), more than one never (RFC 9619 §4, RFC 1996 §3.7, RFC 2136 §2.3).
  if (questions > 1 || (opcode === OPCODE.UPDATE && questions !== 1)) return 'question-count';
  return undefined;
}

/** DSO messages are TLVs after an empty header (RFC 8490 §5.4.1); they are left to the caller. */
function checkEnd({ reader, bytes, opcode, recordStarts }: Decoding): FormatProblem | undefined {
  if (reader.at === bytes.length) return undefined;
  const isDso = opcode === OPCODE.DSO && reader.at === HEADER && recordStarts.length === 0;
  return isDso ? undefined : 'trailing-octets';
}

function readQuestions(decoding: Decoding, count: number): FormatProblem | undefined {
  const { reader, bytes } = decoding;
  for (let i = 0; i < count; i++) {
    const name = readName(reader, bytes.length);
    if (name === undefined) return reader.problem;
    const { at } = reader;
    if (at + 4 > bytes.length) return 'record-past-end';
    decoding.questions.push({ name, type: word(bytes, at), class: word(bytes, at + 2) });
    reader.at = at + 4;
  }
  return undefined;
}

function readSection(
  decoding: Decoding,
  count: number,
  section: Section,
  into: ResourceRecord[],
): FormatProblem | undefined {
  for (let i = 0; i < count; i++) {
    const problem = readRecord(decoding, section, into);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function readRecord(
  decoding: Decoding,
  section: Section,
  into: ResourceRecord[],
): FormatProblem | undefined {
  const { reader, bytes } = decoding;
  decoding.recordStarts.push(reader.at);
  const owner = readName(reader, bytes.length);
  if (owner === undefined) return reader.problem;
  const { at } = reader;
  const start = at + FIXED;
  if (start > bytes.length) return 'record-past-end';
  const end = start + word(bytes, at + 8);
  if (end > bytes.length) return 'record-past-end';
  decoding.rdataStarts.push(start);
  const type = word(bytes, at);
  const klass = word(bytes, at + 2);
  const ttl = word(bytes, at + 4) * 0x10000 + word(bytes, at + 6);
  if (type === TYPE.OPT) {
    // One at most, at the root, in the additional section (RFC 6891 §6.1.1).
    const isMisplaced = section !== 'additional' || owner.wire.length !== 1;
    if (isMisplaced || decoding.edns !== undefined) return 'bad-edns';
    decoding.edns = readEdns(klass, ttl, bytes, start, end);
    if (decoding.edns === undefined) return 'bad-edns';
    decoding.extendedRcode = ttl >>> 24;
  } else {
    const rdata = readRdata(decoding, type, klass, start, end);
    if (rdata === undefined) return reader.problem ?? 'bad-rdata';
    into.push({ owner, type, class: klass, ttl, rdata });
  }
  reader.at = end;
  return undefined;
}

/** Uncompressed RDATA, checked against its type, in an array of its own. */
function readRdata(
  { reader, bytes, opcode }: Decoding,
  type: number,
  klass: number,
  start: number,
  end: number,
): Uint8Array | undefined {
  const layout = layoutOf(type);
  if (layout === undefined) return copy(bytes, start, end);
  // Conditions and deletions carry no RDATA (RFC 2136 §2.4 and §2.5).
  const isBare = start === end && opcode === OPCODE.UPDATE;
  if (isBare && (klass === CLASS.ANY || klass === CLASS.NONE)) return new Uint8Array(0);
  if (layout.expands) return expand(reader, layout, start, end);
  let at = start;
  const { fields } = layout;
  for (let i = 0; i < fields.length; i++) {
    at = (fields[i] as Layout['fields'][number])[1].skip(bytes, at, end);
    if (at < 0) return undefined;
  }
  return at === end ? copy(bytes, start, end) : undefined;
}

// RDATA with names that may be compressed is put together here; in such a type all names may be.
const scratch = new Uint8Array(MAX_MESSAGE + 1024);

function expand(
  reader: NameReader,
  { fields }: Layout,
  start: number,
  end: number,
): Uint8Array | undefined {
  reader.at = start;
  if (fields.length === 1) {
    // The whole RDATA is often one name, and names never change.
    const name = readName(reader, end);
    return reader.at === end ? name?.wire : undefined;
  }
  let size = 0;
  for (let i = 0; i < fields.length && size >= 0; i++) {
    size = expandField(reader, (fields[i] as Layout['fields'][number])[1], end, size);
  }
  const fits = size >= 0 && size <= MAX_MESSAGE && reader.at === end;
  return fits ? copy(scratch, 0, size) : undefined;
}

function expandField(reader: NameReader, field: Field<unknown>, end: number, size: number): number {
  if (field.rule !== undefined) {
    const name = readName(reader, end);
    return name === undefined ? -1 : append(name.wire, 0, name.wire.length, size);
  }
  const { bytes, at } = reader;
  const next = field.skip(bytes, at, end);
  if (next < 0) return -1;
  reader.at = next;
  return append(bytes, at, next, size);
}

function append(from: Uint8Array, start: number, end: number, size: number): number {
  let at = size;
  for (let i = start; i < end; i++) scratch[at++] = from[i] as number;
  return at;
}

/** An array of its own: the message's buffer may be reused, and should not be kept alive. */
function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const own = new Uint8Array(length);
  if (length > 64) own.set(bytes.subarray(start, end));
  else for (let i = 0; i < length; i++) own[i] = bytes[start + i] as number;
  return own;
}
