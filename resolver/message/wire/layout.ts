/**
 * What the RDATA of each type consists of: the one table that all else derives from.
 *
 * A type that is not here is opaque octets (RFC 3597 §3).
 */

import { TYPE } from '../type.ts';
import { prefixesField } from './address-prefix.ts';
import {
  algorithmField,
  codeField,
  durationField,
  euiField,
  type Field,
  ipv4Field,
  ipv6Field,
  locatorField,
  type NameRule,
  nameField,
  numberField,
  timeField,
  typeField,
} from './field.ts';
import { gatewayField, relayTypeField } from './gateway.ts';
import { hostIdentityField } from './host-identity.ts';
import { namesField, stringsField, typesField } from './list-field.ts';
import { locationField } from './location.ts';
import {
  hashField,
  nsapField,
  rawField,
  restField,
  restStringField,
  saltField,
  sizedField,
  stringField,
  tagField,
} from './octets-field.ts';
import { parametersField } from './service-parameter.ts';

const compressed = nameField('compressed');
const expanded = nameField('expanded');
const lowered = nameField('lowered');
const exact = nameField('exact');
const u8 = numberField(1);
const u16 = numberField(2);
const u32 = numberField(4);
const u48 = numberField(6);
const seconds = durationField();
const time = timeField();
const type = typeField();
const types = typesField();
const string = stringField();
const strings = stringsField();
const hex = restField('hex');
const base64 = restField('base64');
const maybeBase64 = restField('base64', 0);
const salt = saltField();
const sized = sizedField();

const algorithm = algorithmField();

const dnskey = { flags: u16, protocol: u8, algorithm, publicKey: base64 };
const digest = { keyTag: u16, algorithm, digestType: u8, digest: hex };
const certificate = { usage: u8, selector: u8, matchingType: u8, data: hex };
const service = { priority: u16, target: exact, parameters: parametersField() };

const signature = {
  typeCovered: type,
  algorithm,
  labels: u8,
  originalTtl: u32,
  expiration: time,
  inception: time,
  keyTag: u16,
};

/** RFC 4398 §2.1. */
const CERTIFICATE_TYPE = {
  PKIX: 1,
  SPKI: 2,
  PGP: 3,
  IPKIX: 4,
  ISPKI: 5,
  IPGP: 6,
  ACPKIX: 7,
  IACPKIX: 8,
  URI: 253,
  OID: 254,
};

/** Type → its fields in wire order. */
export const LAYOUT = {
  A: { address: ipv4Field() },
  NS: { host: compressed },
  MD: { host: compressed },
  MF: { host: compressed },
  CNAME: { target: compressed },
  SOA: {
    mname: compressed,
    rname: compressed,
    serial: u32,
    refresh: seconds,
    retry: seconds,
    expire: seconds,
    minimum: seconds,
  },
  MB: { host: compressed },
  MG: { mailbox: compressed },
  MR: { mailbox: compressed },
  NULL: { data: rawField() },
  PTR: { target: compressed },
  HINFO: { cpu: string, os: string },
  MINFO: { responsible: compressed, errors: compressed },
  MX: { preference: u16, exchange: compressed },
  TXT: { strings },
  RP: { mailbox: expanded, text: expanded },
  AFSDB: { subtype: u16, host: expanded },
  X25: { address: string },
  ISDN: { strings: stringsField(1, 2) },
  RT: { preference: u16, host: expanded },
  NSAP: { address: nsapField() },
  'NSAP-PTR': { target: exact },
  SIG: { ...signature, signer: expanded, signature: base64 },
  KEY: { flags: u16, protocol: u8, algorithm, publicKey: maybeBase64 },
  PX: { preference: u16, map822: expanded, mapx400: expanded },
  GPOS: { longitude: string, latitude: string, altitude: string },
  AAAA: { address: ipv6Field() },
  LOC: { location: locationField() },
  SRV: { priority: u16, weight: u16, port: u16, target: expanded },
  NAPTR: {
    order: u16,
    preference: u16,
    flags: string,
    services: string,
    regexp: string,
    replacement: expanded,
  },
  KX: { preference: u16, exchange: lowered },
  CERT: { kind: codeField(2, CERTIFICATE_TYPE), keyTag: u16, algorithm, certificate: base64 },
  DNAME: { target: lowered },
  APL: { prefixes: prefixesField() },
  DS: digest,
  SSHFP: { algorithm: u8, digestType: u8, fingerprint: hex },
  IPSECKEY: {
    precedence: u8,
    gatewayType: u8,
    algorithm: u8,
    gateway: gatewayField('ipseckey', { octets: 2, words: 2 }),
    publicKey: maybeBase64,
  },
  RRSIG: { ...signature, signer: lowered, signature: base64 },
  NSEC: { next: exact, types },
  DNSKEY: dnskey,
  DHCID: { data: base64 },
  NSEC3: { algorithm: u8, flags: u8, iterations: u16, salt, next: hashField(), types },
  NSEC3PARAM: { algorithm: u8, flags: u8, iterations: u16, salt },
  TLSA: certificate,
  SMIMEA: certificate,
  HIP: { identity: hostIdentityField(), servers: namesField() },
  CDS: digest,
  CDNSKEY: dnskey,
  OPENPGPKEY: { data: base64 },
  CSYNC: { serial: u32, flags: u16, types },
  ZONEMD: { serial: u32, scheme: u8, algorithm: u8, digest: hex },
  SVCB: service,
  HTTPS: service,
  DSYNC: { typeCovered: type, scheme: codeField(1, { NOTIFY: 1 }), port: u16, target: exact },
  SPF: { strings },
  NID: { preference: u16, node: locatorField() },
  L32: { preference: u16, locator: ipv4Field() },
  L64: { preference: u16, locator: locatorField() },
  LP: { preference: u16, target: exact },
  EUI48: { address: euiField(6) },
  EUI64: { address: euiField(8) },
  TKEY: {
    algorithm: exact,
    inception: time,
    expiration: time,
    mode: u16,
    error: u16,
    key: sized,
    other: sized,
  },
  TSIG: {
    algorithm: exact,
    time: u48,
    fudge: u16,
    mac: sized,
    originalId: u16,
    error: u16,
    other: sized,
  },
  URI: { priority: u16, weight: u16, target: restStringField() },
  CAA: { flags: u8, tag: tagField(), value: restStringField() },
  AMTRELAY: {
    precedence: u8,
    relayType: relayTypeField(),
    relay: gatewayField('amtrelay', { octets: 1, words: 1 }),
  },
  RESINFO: { strings },
} as const satisfies Partial<Record<keyof typeof TYPE, Readonly<Record<string, Field<unknown>>>>>;

/** What the table says about one type. */
export type Layout = {
  readonly fields: readonly (readonly [name: string, field: Field<unknown>])[];
  /** Has names that may arrive compressed. */
  readonly expands: boolean;
  /** Has names that we may send compressed. */
  readonly compresses: boolean;
  /** Has names that the canonical form writes in lower case. */
  readonly lowers: boolean;
};

const layouts: (Layout | undefined)[] = Array.from({ length: 512 }, () => undefined);
for (const [mnemonic, row] of Object.entries(LAYOUT)) {
  const fields = Object.entries(row) as [string, Field<unknown>][];
  const has = (...rules: NameRule[]) =>
    fields.some(([, field]) => field.rule !== undefined && rules.includes(field.rule));
  layouts[TYPE[mnemonic as keyof typeof LAYOUT]] = {
    fields,
    expands: has('compressed', 'expanded'),
    compresses: has('compressed'),
    lowers: has('compressed', 'expanded', 'lowered'),
  };
}

/** What is known of a type, or undefined when its RDATA is opaque. */
export function layoutOf(number: number): Layout | undefined {
  return layouts[number];
}
