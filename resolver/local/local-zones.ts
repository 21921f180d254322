/**
 * Names that mean something only here, or nowhere, and are never asked of the root.
 *
 * @see RFC 6761: localhost, invalid, test  @see RFC 6303: reverse zones of private addresses
 * @see RFC 7686 onion, RFC 6762 §22 local, RFC 8375 home.arpa, RFC 9462 §6.4 resolver.arpa,
 *   RFC 9476 alt, RFC 7793 100.64.0.0/10
 *
 * Whoever holds a zone below one of these (home.arpa, a realm's .nymote) answers before this does.
 */

import type { Reason } from '../message/ede.ts';
import { type Name, nameFromWire, parseName } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import type { RRset } from '../message/rrset.ts';
import { CLASS, RCODE, TYPE } from '../message/type.ts';

/** An answer made here. */
export type LocalAnswer = {
  readonly rcode: number;
  readonly rrset: RRset | undefined;
  readonly soa: ResourceRecord | undefined;
  readonly reason: Reason;
};

/** Seconds answers and denials may be kept (RFC 6303 §3 uses 10800 for its SOA). */
const TTL = 10_800;

/** Answers a question below a local zone; undefined for all other names. */
export function answerLocally(name: Name, type: number): LocalAnswer | undefined {
  const { key } = name;
  for (let at = 0; at < key.length; at += key.charCodeAt(at) + 1) {
    const zone = ZONES.get(key.slice(at));
    // Without its parent's proof that it is not signed, whoever validates believes nothing below it.
    if (zone !== undefined && at === 0 && type === TYPE.DS && zone.isDelegated) return undefined;
    if (zone !== undefined) return answerFrom(zone, name, type);
  }
  return undefined;
}

type LocalZone = {
  readonly apex: Name;
  readonly reason: Reason;
  /** Whether the apex itself exists; names that are reserved whole do not (RFC 6761 §6.4). */
  readonly hasApex: boolean;
  /** Whether the tree has it too, without signatures; its DS is there (RFC 4035 §3.1.4.1). */
  readonly isDelegated?: boolean;
  /** Records at the apex and, where `isWild`, at every name below (localhost: RFC 6761 §6.3). */
  readonly data: readonly { readonly type: number; readonly rdata: Uint8Array }[];
  readonly isWild: boolean;
};

function answerFrom(zone: LocalZone, name: Name, type: number): LocalAnswer {
  const { apex, reason } = zone;
  const isApex = name.key === apex.key;
  const soa = soaOf(apex);
  if (!(isApex ? zone.hasApex : zone.isWild)) {
    return { rcode: RCODE.NXDOMAIN, rrset: undefined, soa, reason };
  }
  const data = isApex ? [...zone.data, ...apexOf(apex, soa)] : zone.data;
  const rdatas = data.filter((record) => record.type === type).map(({ rdata }) => rdata);
  if (rdatas.length === 0) return { rcode: RCODE.NOERROR, rrset: undefined, soa, reason };
  const rrset = { owner: name, type, ttl: TTL, rdatas, signatures: [] };
  return { rcode: RCODE.NOERROR, rrset, soa: undefined, reason };
}

/** RFC 6303 §3: the zone is its own name server, too. */
const apexOf = ({ wire }: Name, soa: ResourceRecord): LocalZone['data'] => [
  { type: TYPE.SOA, rdata: soa.rdata },
  { type: TYPE.NS, rdata: wire },
];

/** RFC 6303 §3: the zone is its own primary, nobody is responsible. */
function soaOf(apex: Name): ResourceRecord {
  const responsible = wireOf('nobody.invalid.');
  const numbers = new DataView(new ArrayBuffer(20));
  [1, 3600, 1200, 604_800, TTL].forEach((value, index) => {
    numbers.setUint32(index * 4, value);
  });
  const rdata = new Uint8Array(apex.wire.length + responsible.length + 20);
  rdata.set(apex.wire);
  rdata.set(responsible, apex.wire.length);
  rdata.set(new Uint8Array(numbers.buffer), apex.wire.length + responsible.length);
  return { owner: apex, type: TYPE.SOA, class: CLASS.IN, ttl: TTL, rdata };
}

function wireOf(text: string): Uint8Array {
  const name = parseName(text);
  if (name === undefined) throw new Error(`unreachable: ${text} is no name`);
  return name.wire;
}

const LOOPBACK_IPV6 = Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0));
const NO_REVERSE = '0.'.repeat(31);

/** Reserved whole: nothing exists at or below them. */
const NOWHERE = ['invalid', 'test', 'onion', 'local', 'alt'];

/** Empty zones: SOA at the apex and nothing else. */
const EMPTY = [
  'home.arpa',
  '10.in-addr.arpa',
  ...Array.from({ length: 16 }, (_, index) => `${index + 16}.172.in-addr.arpa`),
  '168.192.in-addr.arpa',
  '0.in-addr.arpa',
  '127.in-addr.arpa',
  '254.169.in-addr.arpa',
  '2.0.192.in-addr.arpa',
  '100.51.198.in-addr.arpa',
  '113.0.203.in-addr.arpa',
  '255.255.255.255.in-addr.arpa',
  ...Array.from({ length: 64 }, (_, index) => `${index + 64}.100.in-addr.arpa`),
  `0.${NO_REVERSE}ip6.arpa`,
  'd.f.ip6.arpa',
  '8.e.f.ip6.arpa',
  '9.e.f.ip6.arpa',
  'a.e.f.ip6.arpa',
  'b.e.f.ip6.arpa',
  '8.b.d.0.1.0.0.2.ip6.arpa',
];

const LOCALHOST: LocalZone['data'] = [
  { type: TYPE.A, rdata: new Uint8Array([127, 0, 0, 1]) },
  { type: TYPE.AAAA, rdata: LOOPBACK_IPV6 },
];
const TO_LOCALHOST: LocalZone['data'] = [{ type: TYPE.PTR, rdata: wireOf('localhost.') }];

function zoneOf(text: string, rest: Omit<LocalZone, 'apex'>): [string, LocalZone] {
  const apex = nameFromWire(wireOf(text));
  if (apex === undefined) throw new Error(`unreachable: ${text} is no name`);
  return [apex.key, { apex, ...rest }];
}

const WHOLE = { reason: 'local-zone', data: [], isWild: false } as const;

const ZONES: ReadonlyMap<string, LocalZone> = new Map([
  ...NOWHERE.map((text) => zoneOf(text, { ...WHOLE, hasApex: false })),
  ...EMPTY.map((text) => zoneOf(text, { ...WHOLE, hasApex: true, isDelegated: true })),
  zoneOf('nymote', { ...WHOLE, reason: 'realm-not-held', hasApex: false }),
  // Who designates no encrypted resolver says NODATA below it (RFC 9462 §4 and §6.4).
  zoneOf('resolver.arpa', { ...WHOLE, hasApex: true, isWild: true }),
  zoneOf('localhost', { ...WHOLE, hasApex: true, data: LOCALHOST, isWild: true }),
  zoneOf('1.0.0.127.in-addr.arpa', { ...WHOLE, hasApex: true, data: TO_LOCALHOST }),
  zoneOf(`1.${NO_REVERSE}ip6.arpa`, {
    ...WHOLE,
    ...{ hasApex: true, isDelegated: true, data: TO_LOCALHOST },
  }),
]);
