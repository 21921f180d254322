/**
 * DNS64: IPv6 addresses made of IPv4 ones, for networks that have only IPv6 and a NAT64.
 *
 * Also the way back, from such an address to its name, and the name by which others find out that
 * there is a NAT64: that one is answered here, without asking anybody.
 *
 * @see RFC 6147: §5.1 when, §5.3.1 the way back, §5.5 what validation allows
 * @see RFC 8880 §7.1: ipv4only.arpa
 */

import { isSpecial } from '../message/address.ts';
import type { Message, Question } from '../message/message.ts';
import { type Name, nameFromWire, parseName, ROOT } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { coveredType } from '../message/rrset.ts';
import { CLASS, RCODE, TYPE } from '../message/type.ts';
import type { Answered, Answering } from '../serving/answering.ts';
import { bare, respond } from '../serving/response.ts';
import {
  embedded,
  type Ipv6Range,
  isInRange,
  isWellKnown,
  type Nat64Prefix,
  translated,
  WELL_KNOWN_ADDRESSES,
} from './nat64.ts';

/** Seconds, when the denial of AAAA came without an SOA (RFC 6147 §5.1.7), and of what is made here. */
const TTL = 600;

export type Dns64 = {
  /** As it is now; undefined: there is no NAT64. */
  readonly prefix: () => Nat64Prefix | undefined;
  /** Addresses that count as none, beside ::ffff:0:0/96 (RFC 6147 §5.1.4). */
  readonly excluded: readonly Ipv6Range[];
};

/** The same answers, and AAAA records made of A records for names that have none of their own. */
export function withDns64({ answer }: Answering, { prefix: current, excluded }: Dns64): Answering {
  return {
    async answer(query, asker, transport, before) {
      const prefix = current();
      const [question] = query.questions;
      if (prefix === undefined || question === undefined || !isAllowed(query)) {
        return answer(query, asker, transport, before);
      }
      const special = answerSpecial(query, question, prefix);
      // Who may not ask for names here may not for this one.
      if (special !== undefined && (await before(question, asker, transport)).kind === 'recurse') {
        return special;
      }
      const ask: Ask = (other, flags = {}) =>
        answer({ ...query, ...flags, questions: [other] }, asker, transport, before);
      const back = question.type === TYPE.PTR ? wayBack(question.name, prefix) : undefined;
      if (back !== undefined) return leadBack(query, question, back, ask);
      return question.type === TYPE.AAAA
        ? answerAddresses(question, prefix, excluded, ask)
        : ask(question);
    },
  };
}

type Ask = (
  question: Question,
  flags?: Partial<Pick<Message, 'authenticData'>>,
) => Promise<Answered>;

/** Who wants signatures and checks them alone gets the data as they are (RFC 6147 §5.5, 3). */
function isAllowed({ checkingDisabled, edns }: Message): boolean {
  return !(checkingDisabled && edns?.dnssecOk === true);
}

/* AAAA */

/** ::ffff:0:0/96 */
const MAPPED: Ipv6Range = {
  octets: Uint8Array.from({ length: 16 }, (_, at) => (at === 10 || at === 11 ? 0xff : 0)),
  length: 96,
};

const isExcluded = ({ type, rdata }: ResourceRecord, excluded: readonly Ipv6Range[]): boolean =>
  type === TYPE.AAAA && [MAPPED, ...excluded].some((range) => isInRange(rdata, range));

async function answerAddresses(
  question: Question,
  prefix: Nat64Prefix,
  excluded: readonly Ipv6Range[],
  ask: Ask,
): Promise<Answered> {
  const first = await ask(question);
  if (isUnanswered(first)) return insteadOf(first, question, prefix, ask);
  if (!isEmpty(first.response, excluded)) return withoutExcluded(first, excluded);
  const second = await ask({ ...question, type: TYPE.A });
  return synthesised(first, second, question, prefix) ?? first;
}

/** EDE codes of what nobody answered usably (RFC 8914 §4.14, §4.23, §4.24); others are of what is bogus. */
const UNANSWERED: readonly (number | undefined)[] = [13, 22, 23];

const isUnanswered = ({ response, error }: Answered): boolean =>
  response.rcode === RCODE.SERVFAIL && UNANSWERED.includes(error?.code);

/**
 * Servers that know only A fail at AAAA (RFC 4074 §4.2): that counts as no address (RFC 6147 §5.1.2).
 * But where the zone is signed nobody proved that there is none (RFC 6147 §5.5, 2).
 */
async function insteadOf(
  first: Answered,
  question: Question,
  prefix: Nat64Prefix,
  ask: Ask,
): Promise<Answered> {
  const second = await ask({ ...question, type: TYPE.A }, { authenticData: true });
  const made = second.response.authenticData
    ? undefined
    : synthesised(first, second, question, prefix);
  return made ?? first;
}

/** No address that counts (RFC 6147 §5.1.4). */
function isEmpty({ rcode, answers }: Message, excluded: readonly Ipv6Range[]): boolean {
  const isReal = (record: ResourceRecord) =>
    record.type === TYPE.AAAA && !isExcluded(record, excluded);
  return rcode === RCODE.NOERROR && !answers.some(isReal);
}

/** Of several addresses those that count (RFC 6147 §5.1.4); then the signature fits no more. */
function withoutExcluded(answered: Answered, excluded: readonly Ipv6Range[]): Answered {
  const { response } = answered;
  if (!response.answers.some((record) => isExcluded(record, excluded))) return answered;
  const answers = response.answers.filter(
    (record) =>
      !isExcluded(record, excluded) &&
      !(record.type === TYPE.RRSIG && coveredType(record.rdata) === TYPE.AAAA),
  );
  return { ...answered, response: { ...response, answers, authenticData: false } };
}

function synthesised(
  first: Answered,
  second: Answered,
  question: Question,
  prefix: Nat64Prefix,
): Answered | undefined {
  const { response } = second;
  // Bogus is SERVFAIL, and stays that (RFC 6147 §5.5, 2); what fails may be there the next time.
  if (response.rcode === RCODE.SERVFAIL) {
    return { ...second, response: { ...response, questions: [question] } };
  }
  if (response.rcode !== RCODE.NOERROR) return undefined;
  const most = denialTtl(first.response);
  const answers = response.answers.flatMap((record) => translatedRecord(record, prefix, most));
  if (!answers.some(({ type }) => type === TYPE.AAAA)) return undefined;
  // Authentic when both the denial and the A records are (RFC 6147 §5.5, 2; I1).
  const authenticData = first.response.authenticData && response.authenticData;
  const message = { ...response, questions: [question], answers, authenticData };
  return { ...second, response: { ...message, authorities: [], additionals: [] } };
}

function denialTtl({ authorities }: Message): number {
  return authorities.find(({ type }) => type === TYPE.SOA)?.ttl ?? TTL;
}

function translatedRecord(
  record: ResourceRecord,
  prefix: Nat64Prefix,
  most: number,
): ResourceRecord[] {
  const { type, rdata } = record;
  // The signature is over what nobody sees.
  if (type === TYPE.RRSIG && coveredType(rdata) === TYPE.A) return [];
  if (type !== TYPE.A) return [record];
  if (rdata.length !== 4 || (isWellKnown(prefix) && isSpecial(rdata))) return [];
  const ttl = Math.min(record.ttl, most);
  return [{ ...record, type: TYPE.AAAA, ttl, rdata: translated(prefix, rdata) }];
}

/* The way back */

const IP6_ARPA = nameOf('ip6.arpa.');
const NIBBLES = 32;

/** The name in in-addr.arpa for one in ip6.arpa that is an address of the NAT64 (RFC 6147 §5.3.1). */
function wayBack({ key, wire }: Name, prefix: Nat64Prefix): Name | undefined {
  const isReverse =
    wire.length === NIBBLES * 2 + IP6_ARPA.wire.length && key.endsWith(IP6_ARPA.key);
  if (!isReverse) return undefined;
  const octets = new Uint8Array(NIBBLES / 2);
  for (let at = 0; at < NIBBLES; at++) {
    const digit = Number.parseInt(String.fromCharCode(wire[at * 2 + 1] ?? 0), 16);
    if (wire[at * 2] !== 1 || Number.isNaN(digit)) return undefined;
    const octet = octets.length - 1 - (at >> 1);
    octets[octet] = (octets[octet] ?? 0) | (at % 2 === 0 ? digit : digit << 4);
  }
  const ipv4 = embedded(prefix, octets);
  return ipv4 && reverseName(ipv4);
}

const reverseName = (ipv4: Uint8Array): Name =>
  nameOf(`${[...ipv4].reverse().join('.')}.in-addr.arpa.`);

/** An alias in front of what is found there; nobody signs that one. */
async function leadBack(
  query: Message,
  question: Question,
  back: Name,
  ask: Ask,
): Promise<Answered> {
  const there = { ...question, name: back };
  const found = answerWellKnownBack(query, there) ?? (await ask(there));
  const { response } = found;
  const isFound = response.rcode === RCODE.NOERROR || response.rcode === RCODE.NXDOMAIN;
  const alias: ResourceRecord = {
    ...{ owner: question.name, type: TYPE.CNAME, class: CLASS.IN, ttl: TTL },
    rdata: back.wire,
  };
  const answers = isFound ? [alias, ...response.answers] : [];
  const message = { ...response, questions: [question], answers, authenticData: false };
  return { ...found, response: message };
}

/* ipv4only.arpa */

const IPV4_ONLY = nameOf('ipv4only.arpa.');
const WELL_KNOWN_BACK = new Set(WELL_KNOWN_ADDRESSES.map((ipv4) => reverseName(ipv4).key));

/** What discovery asks for; who makes the addresses says so himself (RFC 8880 §7.1, 5). */
function answerSpecial(
  query: Message,
  question: Question,
  prefix: Nat64Prefix,
): Answered | undefined {
  const { name, type } = question;
  if (name.key !== IPV4_ONLY.key) {
    return type === TYPE.PTR ? answerWellKnownBack(query, question) : undefined;
  }
  const rdatas = { [TYPE.A]: WELL_KNOWN_ADDRESSES, [TYPE.AAAA]: translatedAll(prefix) }[type] ?? [];
  return madeHere(query, name, type, rdatas);
}

const translatedAll = (prefix: Nat64Prefix) =>
  WELL_KNOWN_ADDRESSES.map((ipv4) => translated(prefix, ipv4));

/** 170.0.0.192.in-addr.arpa and the one after it (RFC 8880 §7.2). */
function answerWellKnownBack(query: Message, { name }: Question): Answered | undefined {
  if (!WELL_KNOWN_BACK.has(name.key)) return undefined;
  return madeHere(query, name, TYPE.PTR, [IPV4_ONLY.wire]);
}

function madeHere(
  query: Message,
  owner: Name,
  type: number,
  rdatas: readonly Uint8Array[],
): Answered {
  const answers = rdatas.map((rdata) => ({ owner, type, class: CLASS.IN, ttl: TTL, rdata }));
  const response = respond(query, { ...bare(RCODE.NOERROR), answers });
  return { response, from: 'local', error: undefined };
}

function nameOf(text: string): Name {
  const name = nameFromWire((parseName(text) ?? ROOT).wire);
  if (name === undefined) throw new Error(`unreachable: ${text} is no name`);
  return name;
}
