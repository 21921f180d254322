/**
 * A hosts file, answered: addresses of names, and names of addresses.
 *
 * @see hosts(5)
 * A name that is in the file has the addresses there and no others; questions of other types about
 * it are nobody's here.
 */

import { addressOctets } from '../message/address.ts';
import type { Question } from '../message/message.ts';
import { type Name, nameFromWire, parseName } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { CLASS, RCODE, TYPE } from '../message/type.ts';
import type { ZoneServer } from '../serving/answering.ts';

/** Seconds; the file may change with the next start. */
const TTL = 60;

/** More than the longest block lists have. */
const MAX_LINES = 1_000_000;

export type Hosts = ZoneServer & {
  /** Whether the file says anything about this question. */
  knows(question: Question): boolean;
  /** The name that an address has, which is asked for in its reverse form. */
  nameAt(reverse: Name): Name | undefined;
};

/** Reads the file; the first line that is wrong is told. */
export function readHosts(
  text: string,
): { readonly ok: true; readonly hosts: Hosts } | { readonly ok: false; readonly problem: string } {
  const records = new Map<string, ResourceRecord[]>();
  const lines = text.split('\n');
  if (lines.length > MAX_LINES) return { ok: false, problem: 'too many lines' };
  for (const [index, line] of lines.entries()) {
    const problem = readLine(line.replace(/#.*/s, ''), records);
    if (problem !== undefined) return { ok: false, problem: `line ${index + 1}: ${problem}` };
  }
  return { ok: true, hosts: hostsOf(records) };
}

function readLine(line: string, records: Map<string, ResourceRecord[]>): string | undefined {
  const [address, ...names] = line.split(/\s+/).filter((word) => word !== '');
  if (address === undefined) return undefined;
  const octets = addressOctets(address);
  if (octets === undefined) return `'${address}' is not an address`;
  if (names.length === 0) return 'an address without a name';
  const parsed = names.map(parseName);
  const wrong = parsed.indexOf(undefined);
  if (wrong >= 0) return `'${names[wrong]}' is not a name`;
  const owners = parsed as Name[];
  const type = octets.length === 4 ? TYPE.A : TYPE.AAAA;
  for (const owner of owners) add(records, owner, type, octets);
  const [first] = owners;
  const reverse = parseName(reverseOf(octets));
  // The first name of the line is the canonical one (hosts(5)).
  if (first !== undefined && reverse !== undefined) add(records, reverse, TYPE.PTR, first.wire);
  return undefined;
}

function add(
  records: Map<string, ResourceRecord[]>,
  owner: Name,
  type: number,
  rdata: Uint8Array,
): void {
  const record = { owner, type, class: CLASS.IN, ttl: TTL, rdata };
  const known = records.get(owner.key);
  if (known === undefined) records.set(owner.key, [record]);
  // An address has the first name it is given: a block list gives thousands the same one.
  else if (
    !known.some((other) => other.type === type && (type === TYPE.PTR || same(other.rdata, rdata)))
  )
    known.push(record);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, at) => octet === b[at]);
}

/** RFC 1035 §3.5, RFC 3596 §2.5. */
function reverseOf(octets: Uint8Array): string {
  if (octets.length === 4) return `${[...octets].reverse().join('.')}.in-addr.arpa.`;
  const nibbles = [...octets].flatMap((octet) => [octet >> 4, octet & 15]);
  return `${nibbles
    .reverse()
    .map((nibble) => nibble.toString(16))
    .join('.')}.ip6.arpa.`;
}

function hostsOf(records: ReadonlyMap<string, readonly ResourceRecord[]>): Hosts {
  return {
    knows({ name, type }) {
      const known = records.get(name.key) ?? [];
      const isAddress = type === TYPE.A || type === TYPE.AAAA;
      return known.some((record) => (isAddress ? record.type !== TYPE.PTR : record.type === type));
    },
    nameAt({ key }) {
      const pointer = records.get(key)?.find(({ type }) => type === TYPE.PTR);
      return pointer && nameFromWire(pointer.rdata);
    },
    answer(query) {
      const [question] = query.questions;
      const known = question === undefined ? [] : (records.get(question.name.key) ?? []);
      const found = known.filter(({ type }) => type === question?.type);
      // The name is given back in the letters it was asked in.
      const answers = found.map((record) => ({ ...record, owner: question?.name ?? record.owner }));
      return {
        ...query,
        ...{ response: true, authoritative: true, rcode: RCODE.NOERROR },
        ...{ answers, authorities: [], additionals: [], edns: undefined },
      };
    },
  };
}
