/**
 * DNS64: IPv6 addresses made of IPv4 ones, for networks that have only IPv6 and a NAT64.
 *
 * @see RFC 6147: §5.1 when, §5.5 what validation allows  @see RFC 6052 §2.2: the form of the address
 * Does not make PTR records (§5.3), and does not look for the prefix itself (RFC 7050).
 */

import { isSpecial } from '../message/address.ts';
import type { Message, Question } from '../message/message.ts';
import type { ResourceRecord } from '../message/record.ts';
import { coveredType } from '../message/rrset.ts';
import { RCODE, TYPE } from '../message/type.ts';
import { parseIpv6 } from '../message/wire/address-text.ts';
import type { Answered, Answering } from '../serving/answering.ts';

/** A prefix of RFC 6052 §2.2. */
export type Nat64Prefix = { readonly octets: Uint8Array; readonly length: number };

const LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96];

/** Bits 64 to 71 of the address are zero (RFC 6052 §2.2). */
const RESERVED = 8;

/** Seconds, when the denial of AAAA came without an SOA (RFC 6147 §5.1.7). */
const TTL = 600;

/** Reads `64:ff9b::/96`; other lengths than RFC 6052's, and bits behind them, are refused. */
export function parseNat64Prefix(text: string): Nat64Prefix | undefined {
  const [address = '', bits = '', ...more] = text.split('/');
  const octets = parseIpv6(address);
  const length = /^\d{2}$/.test(bits) ? Number(bits) : 0;
  if (octets === undefined || more.length > 0 || !LENGTHS.includes(length)) return undefined;
  const isBare = octets.subarray(length / 8).every((octet) => octet === 0);
  return isBare && octets[RESERVED] === 0 ? { octets, length } : undefined;
}

/** The IPv6 address for an IPv4 one (RFC 6052 §2.2). */
export function translated({ octets, length }: Nat64Prefix, ipv4: Uint8Array): Uint8Array {
  const made = octets.slice();
  let at = length / 8;
  for (const octet of ipv4) {
    if (at === RESERVED) at++;
    made[at++] = octet;
  }
  return made;
}

/** The same answers, and AAAA records made of A records for names that have none of their own. */
export function withDns64({ answer }: Answering, prefix: Nat64Prefix): Answering {
  return {
    async answer(query, asker, transport, before) {
      const first = await answer(query, asker, transport, before);
      const [question] = query.questions;
      if (question?.type !== TYPE.AAAA || !isAllowed(query) || !isEmpty(first.response)) {
        return first;
      }
      const asked = { ...query, questions: [{ ...question, type: TYPE.A }] };
      const second = await answer(asked, asker, transport, before);
      return synthesised(first, second, question, prefix) ?? first;
    },
  };
}

/** Who wants signatures and checks them alone gets the data as they are (RFC 6147 §5.5, 3). */
function isAllowed({ checkingDisabled, edns }: Message): boolean {
  return !(checkingDisabled && edns?.dnssecOk === true);
}

/** No address that counts: mapped ones do not (RFC 6147 §5.1.4). */
function isEmpty({ rcode, answers }: Message): boolean {
  const isReal = ({ type, rdata }: ResourceRecord) => type === TYPE.AAAA && !isMapped(rdata);
  return rcode === RCODE.NOERROR && !answers.some(isReal);
}

/** ::ffff:0:0/96 */
function isMapped(rdata: Uint8Array): boolean {
  const isZero = rdata.subarray(0, 10).every((octet) => octet === 0);
  return isZero && rdata[10] === 0xff && rdata[11] === 0xff;
}

function synthesised(
  first: Answered,
  second: Answered,
  question: Question,
  prefix: Nat64Prefix,
): Answered | undefined {
  const { response } = second;
  // Bogus is SERVFAIL: from what does not validate nothing is made (RFC 6147 §5.5, 2).
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

/** With the well-known prefix only global addresses can be reached (RFC 6052 §3.1). */
function isWellKnown({ octets, length }: Nat64Prefix): boolean {
  return length === 96 && octets[1] === 0x64 && octets[2] === 0xff && octets[3] === 0x9b;
}
