/**
 * Zones written down shortly, for tests: `zoneOf('desktop A 100.64.0.2', '*.lab TXT any')`.
 *
 * Owners are relative to alice.nymote, targets too unless they end in a dot. Only the types that
 * tests of zones need; real text is read by presentation code.
 */

import type { Message } from '../message/message.ts';
import { type Name, parseName, printName } from '../message/name.ts';
import { decodeRdataAs, encodeRdata, type Rdata } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { CLASS, OPCODE, TYPE, typeName, typeNumber } from '../message/type.ts';
import { buildZone, type Zone } from './zone.ts';

/** The apex of every sample. */
export const APEX = sampleName('');

/** A name relative to the apex; with a dot at its end as it is. */
export function sampleName(text: string): Name {
  const full = text === '' ? 'alice.nymote.' : `${text}.alice.nymote.`;
  const name = parseName(text.endsWith('.') ? text : full);
  if (name === undefined) throw new Error(`not a name: ${text}`);
  return name;
}

/** A record from `owner TYPE data`; `@` is the apex. An address is its last octet or dotted. */
export function sampleRecord(line: string, ttl = 30): ResourceRecord {
  const [owner = '', mnemonic = '', ...data] = line.split(' ');
  const type = typeNumber(mnemonic) ?? 0;
  const rdata = sampleRdata(type, data.join(' '));
  return { owner: sampleName(owner === '@' ? '' : owner), type, class: CLASS.IN, ttl, rdata };
}

/** The zone alice.nymote with `lines` and the name server router.alice.nymote. */
export function zoneOf(...lines: string[]): Zone {
  const records = lines.map((line) => sampleRecord(line));
  const nameServers = [sampleName('router')];
  const built = buildZone({ apex: APEX, serial: 7, ttl: 300, nameServers, records });
  if (!built.ok) throw new Error(JSON.stringify(built.problems));
  return built.zone;
}

/** A query for a name relative to the apex, with RD, AD and CD set. */
export function sampleQuery(name: string, type: string, more: Partial<Message> = {}): Message {
  return {
    id: 4711,
    response: false,
    opcode: OPCODE.QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: true,
    checkingDisabled: true,
    rcode: 0,
    questions: [{ name: sampleName(name), type: typeNumber(type) ?? 0, class: CLASS.IN }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: undefined,
    ...more,
  };
}

/** `owner TYPE` of each record, relative to the apex; signatures as `owner RRSIG(TYPE)`. */
export function listed(records: readonly ResourceRecord[]): string[] {
  return records.map(({ owner, type, rdata }) => {
    const covered = decodeRdataAs('RRSIG', rdata)?.typeCovered;
    const shown = type === TYPE.RRSIG ? `RRSIG(${typeName(covered ?? 0)})` : typeName(type);
    return `${printName(owner).replace(/\.?alice\.nymote\.$/, '') || '@'} ${shown}`;
  });
}

function sampleRdata(type: number, text: string): Uint8Array {
  const data = sampleData(type, text);
  return data === undefined ? new TextEncoder().encode(text) : encodeRdata(data);
}

function sampleData(type: number, text: string): Rdata | undefined {
  switch (type) {
    case TYPE.A:
      return { type: 'A', address: Uint8Array.from(text.split('.').map(Number)) };
    case TYPE.AAAA:
      return { type: 'AAAA', address: Uint8Array.of(0xfd, ...new Array(14).fill(0), Number(text)) };
    case TYPE.NS:
      return { type: 'NS', host: sampleName(text) };
    case TYPE.CNAME:
      return { type: 'CNAME', target: sampleName(text) };
    case TYPE.DNAME:
      return { type: 'DNAME', target: sampleName(text) };
    case TYPE.TXT:
      return { type: 'TXT', strings: [new TextEncoder().encode(text)] };
    case TYPE.DS:
      return { type: 'DS', keyTag: 1, algorithm: 13, digestType: 2, digest: new Uint8Array(32) };
    default:
      return undefined;
  }
}
