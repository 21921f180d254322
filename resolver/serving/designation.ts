/**
 * Telling askers that the same resolver can be had encrypted: as SVCB records of the special name
 * `_dns.resolver.arpa`, and as the options by which a router tells its network.
 *
 * Askers believe it only if the certificate holds for the address they asked (RFC 9462 §4.2).
 *
 * @see RFC 9462 (DDR), RFC 9461 (keys for DNS), RFC 9463 (DNR)
 */

import { parseRecord, printRecord } from '../authority/zone-file.ts';
import { addressOctets } from '../message/address.ts';
import { type Name, parseName, printName } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { RCODE, TYPE } from '../message/type.ts';
import { HEX, toDigits } from '../message/wire/digits.ts';
import type { ZoneServer } from './answering.ts';
import { DOH_TEMPLATE } from './doh.ts';
import { bare, respond } from './response.ts';

/** Everything at and below it is answered here and never asked of others (RFC 9462 §6.4). */
export const DESIGNATION_APEX = 'resolver.arpa';
const OWNER = nameOf(`_dns.${DESIGNATION_APEX}`);

/** Seconds; addresses of a household change. */
const TTL = 300;
/** Seconds a router's announcement holds: three times the longest interval (RFC 9463 §6.1, RFC 4861 §6.2.1). */
const ANNOUNCEMENT_LIFETIME = 1_800;

/** RFC 9463 §9.2. */
const RA_OPTION = 144;

export type DesignatedService = { readonly protocol: 'dot' | 'doh'; readonly port: number };

/** An encrypted resolver as others are to find it. */
export type Designated = {
  /** What its certificate says. */
  readonly name: Name;
  readonly addresses: readonly string[];
  /** The first is the best. */
  readonly services: readonly DesignatedService[];
};

export type Designation = ZoneServer & {
  /** The records as text. */
  readonly records: readonly string[];
  /** DNR options in hexadecimal: contents for DHCP, whole options for router advertisements. */
  readonly dnr: {
    /** Option 162; all services in one. */
    readonly dhcpv4: string;
    /** Option 144, one for each service. */
    readonly dhcpv6: readonly string[];
    readonly routerAdvertisement: readonly string[];
  };
};

/** Answers for the special name; without services, that there are none. */
export function createDesignation(designated?: Designated): Designation {
  const { services = [] } = designated ?? {};
  const records = services.map((service, index) => recordOf(service, index + 1, designated));
  const options = services.map((service, index) => dnrParts(service, index + 1, designated));
  // Without an address of its family an option would send its readers to look the name up.
  const ofIpv4 = options.filter(({ ipv4 }) => ipv4.length > 0);
  const ofIpv6 = options.filter(({ ipv6 }) => ipv6.length > 0);
  return {
    records: records.map((record) => printRecord(record)),
    dnr: {
      dhcpv4: hex(join(...ofIpv4.map(dhcpv4Instance))),
      dhcpv6: ofIpv6.map((parts) => hex(dhcpv6Option(parts))),
      routerAdvertisement: ofIpv6.map((parts) => hex(announcement(parts))),
    },
    answer(query) {
      const [question] = query.questions;
      const isAsked = question?.type === TYPE.SVCB && question.name.key === OWNER.key;
      const answers = isAsked ? records : [];
      const authorities = answers.length === 0 ? [SOA] : [];
      return respond(query, { ...bare(RCODE.NOERROR), authoritative: true, answers, authorities });
    },
  };
}

function recordOf(
  service: DesignatedService,
  priority: number,
  designated: Designated | undefined,
): ResourceRecord {
  if (designated === undefined) throw new Error('unreachable: services belong to somebody');
  const { name, addresses } = designated;
  const hint = (key: string, list: readonly string[]) =>
    list.length === 0 ? [] : [`${key}=${list.join(',')}`];
  const ipv6 = addresses.filter((address) => address.includes(':'));
  const ipv4 = addresses.filter((address) => !address.includes(':'));
  return parse([
    ...[`${printName(OWNER)} ${TTL} IN SVCB ${priority} ${printName(name)}`],
    ...parametersOf(service),
    ...hint('ipv4hint', ipv4),
    ...hint('ipv6hint', ipv6),
  ]);
}

function parametersOf({ protocol, port }: DesignatedService): string[] {
  return protocol === 'dot'
    ? ['alpn=dot', `port=${port}`]
    : ['alpn=h2', `port=${port}`, `dohpath="${DOH_TEMPLATE}"`];
}

type DnrParts = {
  readonly priority: Uint8Array;
  readonly name: Uint8Array;
  readonly ipv4: Uint8Array;
  readonly ipv6: Uint8Array;
  readonly parameters: Uint8Array;
};

/** RFC 9463 §3.1.5: the parameters are those of SVCB, without address hints. */
function dnrParts(
  service: DesignatedService,
  priority: number,
  designated: Designated | undefined,
): DnrParts {
  const octets = (designated?.addresses ?? []).map((address) => addressOctets(address));
  const ofSize = (size: number) =>
    join(...octets.filter((each) => each !== undefined).filter(({ length }) => length === size));
  const { rdata } = parse([`. 0 IN SVCB ${priority} .`, ...parametersOf(service)]);
  return {
    priority: number(priority, 2),
    name: designated?.name.wire ?? new Uint8Array(0),
    ipv4: ofSize(4),
    ipv6: ofSize(16),
    // After the priority and the root.
    parameters: rdata.subarray(3),
  };
}

/** RFC 9463 §5.1. */
function dhcpv4Instance({ priority, name, ipv4, parameters }: DnrParts): Uint8Array {
  const instance = join(
    ...[priority, number(name.length, 1), name, number(ipv4.length, 1), ipv4, parameters],
  );
  return join(number(instance.length, 2), instance);
}

/** RFC 9463 §4.1. */
function dhcpv6Option({ priority, name, ipv6, parameters }: DnrParts): Uint8Array {
  return join(
    ...[priority, number(name.length, 2), name, number(ipv6.length, 2), ipv6, parameters],
  );
}

/** RFC 9463 §6.1; the length counts groups of eight octets. */
function announcement({ priority, name, ipv6, parameters }: DnrParts): Uint8Array {
  const lifetime = number(ANNOUNCEMENT_LIFETIME, 4);
  const body = join(
    ...[priority, lifetime, number(name.length, 2), name, number(ipv6.length, 2), ipv6],
    ...[number(parameters.length, 2), parameters],
  );
  const groups = Math.ceil((body.length + 2) / 8);
  const option = new Uint8Array(groups * 8);
  option.set([RA_OPTION, groups]);
  option.set(body, 2);
  return option;
}

function number(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => value >>> (8 * (size - 1 - index)));
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const hex = (octets: Uint8Array): string => toDigits(HEX, octets).toLowerCase();

function parse(words: readonly string[]): ResourceRecord {
  const parsed = parseRecord(words.join(' '));
  if (!parsed.ok) throw new Error(`unreachable: ${parsed.reason}`);
  return parsed.record;
}

function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`unreachable: ${text} is no name`);
  return name;
}

/** RFC 6303 §3: the zone is its own primary, nobody is responsible. */
const SOA: ResourceRecord = parse([
  `${DESIGNATION_APEX}. ${TTL} IN SOA ${DESIGNATION_APEX}. nobody.invalid. 1 3600 1200 604800 ${TTL}`,
]);
