/**
 * Message → octets: RFC 1035 §4, with compression that keeps case and a bounded memory of names.
 *
 * Only the RDATA of RFC 1035's own types is compressed (RFC 3597 §4).
 */

import { type Edns, type EdnsOption, ednsSize, writeEdns } from '../edns.ts';
import { OPTION } from '../edns-option.ts';
import type { Message } from '../message.ts';
import type { Name } from '../name.ts';
import type { ResourceRecord } from '../record.ts';
import { RCODE, TYPE } from '../type.ts';
import { beginMessage, MAX_MESSAGE, rewind, type Writer, writeName } from './compress.ts';
import { type Layout, layoutOf } from './layout.ts';

const HEADER = 12;

/**
 * Writes a message in at most `limit` octets (and never more than 65 535).
 *
 * What does not fit is dropped from the end, whole RRsets at a time, a signature with what it
 * signs; OPT stays. TC is set unless only optional additional records were lost: glue of a
 * referral is not optional (RFC 2181 §9, RFC 9471 §3).
 */
export function encodeMessage(
  message: Message,
  options: { readonly limit?: number } = {},
): Uint8Array {
  const writer = beginMessage();
  writer.at = HEADER;
  for (const question of message.questions) {
    writeName(writer, question.name, true);
    writeWord(writer, question.type);
    writeWord(writer, question.class);
  }
  const whole = Math.min(options.limit ?? MAX_MESSAGE, MAX_MESSAGE);
  const edns = fitEdns(message.edns, whole - writer.at);
  writer.end = whole - (edns === undefined ? 0 : ednsSize(edns));
  const answers = writeSection(writer, message.answers);
  const isCut = answers < message.answers.length;
  const authorities = isCut ? 0 : writeSection(writer, message.authorities);
  const isAuthorityCut = isCut || authorities < message.authorities.length;
  let additionals = isAuthorityCut ? 0 : writeSection(writer, message.additionals);
  const isGlueCut = additionals < message.additionals.length && isReferral(message);
  if (edns !== undefined) {
    writer.at = writeEdns(edns, message.rcode, writer.bytes, writer.at);
    additionals++;
  }
  const truncated = message.truncated || isAuthorityCut || isGlueCut;
  writeHeader(writer.bytes, message, truncated, [answers, authorities, additionals]);
  return writer.bytes.slice(0, writer.at);
}

/**
 * OPT with the options that fit, first come first served; the header and the question always go.
 *
 * The text of an extended error may be cut (RFC 8914 §3), the others are whole or missing.
 */
function fitEdns(edns: Edns | undefined, room: number): Edns | undefined {
  if (edns === undefined || ednsSize(edns) <= room) return edns;
  let left = room - ednsSize({ ...edns, options: [] });
  const options: EdnsOption[] = [];
  for (const { code, data } of edns.options) {
    const size = code === OPTION.EDE ? cutText(data, left - 4) : data.length;
    if (size + 4 > left || (code === OPTION.EDE && size < 2)) continue;
    options.push({ code, data: data.subarray(0, size) });
    left -= size + 4;
  }
  return { ...edns, options };
}

/** How much of UTF-8 text behind two octets to keep, so that no character is split. */
function cutText(data: Uint8Array, room: number): number {
  let size = Math.min(data.length, room);
  while (size > 2 && ((data[size] ?? 0) & 0xc0) === 0x80) size--;
  return size;
}

function isReferral({ answers, authorities, authoritative }: Message): boolean {
  return (
    answers.length === 0 && !authoritative && authorities.some((record) => record.type === TYPE.NS)
  );
}

function writeHeader(
  bytes: Uint8Array,
  message: Message,
  truncated: boolean,
  counts: readonly [number, number, number],
): void {
  // Without EDNS there is no room for the upper bits, and the lower ones alone would lie.
  const rcode = message.rcode > 15 && message.edns === undefined ? RCODE.SERVFAIL : message.rcode;
  bytes[0] = message.id >> 8;
  bytes[1] = message.id;
  bytes[2] =
    (message.response ? 0x80 : 0) |
    ((message.opcode & 15) << 3) |
    (message.authoritative ? 0x04 : 0) |
    (truncated ? 0x02 : 0) |
    (message.recursionDesired ? 0x01 : 0);
  bytes[3] =
    (message.recursionAvailable ? 0x80 : 0) |
    (message.authenticData ? 0x20 : 0) |
    (message.checkingDisabled ? 0x10 : 0) |
    (rcode & 15);
  bytes[4] = message.questions.length >> 8;
  bytes[5] = message.questions.length;
  for (let i = 0; i < 3; i++) {
    const count = counts[i] as number;
    bytes[6 + 2 * i] = count >> 8;
    bytes[7 + 2 * i] = count;
  }
}

/** Writes whole RRsets while they fit and returns how many records that were. */
function writeSection(writer: Writer, records: readonly ResourceRecord[]): number {
  let complete = 0;
  let border = writer.at;
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as ResourceRecord;
    if (i > 0 && !isSameSet(records[i - 1] as ResourceRecord, record)) {
      complete = i;
      border = writer.at;
    }
    if (!writeRecord(writer, record)) {
      rewind(writer, border);
      return complete;
    }
  }
  return records.length;
}

/** Tells whether a record belongs with the one before it: same RRset, or its signature. */
function isSameSet(before: ResourceRecord, record: ResourceRecord): boolean {
  if (before.owner !== record.owner && before.owner.key !== record.owner.key) return false;
  return coveredType(before) === coveredType(record) && before.class === record.class;
}

function coveredType({ type, rdata }: ResourceRecord): number {
  if (type !== TYPE.RRSIG || rdata.length < 2) return type;
  return ((rdata[0] as number) << 8) | (rdata[1] as number);
}

/** False, with anything written so far, when the record does not fit. */
function writeRecord(writer: Writer, record: ResourceRecord): boolean {
  const { owner, type, rdata } = record;
  // The longest it can get; the buffer has that much to spare beyond any limit.
  writeName(writer, owner, true);
  const { bytes, at } = writer;
  writeWord(writer, type);
  writeWord(writer, record.class);
  writeWord(writer, record.ttl >>> 16);
  writeWord(writer, record.ttl);
  writer.at = at + 10;
  if (writer.at > writer.end) return false;
  const layout = layoutOf(type);
  if (layout?.compresses && rdata.length > 0) writeCompressed(writer, layout, rdata);
  else {
    if (writer.at + rdata.length > writer.end) return false;
    if (rdata.length > 32) bytes.set(rdata, writer.at);
    else for (let i = 0; i < rdata.length; i++) bytes[writer.at + i] = rdata[i] as number;
    writer.at += rdata.length;
  }
  const length = writer.at - at - 10;
  bytes[at + 8] = length >> 8;
  bytes[at + 9] = length;
  return writer.at <= writer.end;
}

/** RDATA of RFC 1035's types; such a type is at most two names and 20 octets, so it always fits. */
function writeCompressed(writer: Writer, { fields }: Layout, rdata: Uint8Array): void {
  const { bytes } = writer;
  let at = 0;
  for (let i = 0; i < fields.length; i++) {
    const field = (fields[i] as Layout['fields'][number])[1];
    const next = field.skip(rdata, at, rdata.length);
    if (next < 0) throw new Error('unreachable: a record was made with malformed RDATA');
    if (field.rule === 'compressed') {
      const name: Pick<Name, 'wire'> = {
        wire: at === 0 && next === rdata.length ? rdata : rdata.subarray(at, next),
      };
      writeName(writer, name, true);
      at = next;
    } else for (; at < next; at++) bytes[writer.at++] = rdata[at] as number;
  }
}

function writeWord(writer: Writer, value: number): void {
  writer.bytes[writer.at] = value >> 8;
  writer.bytes[writer.at + 1] = value;
  writer.at += 2;
}
