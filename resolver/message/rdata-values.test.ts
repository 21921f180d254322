import fc, { type Arbitrary } from 'fast-check';
import { expect, test } from 'vitest';
import { parseRdata } from './message.fixture.ts';
import { type Name, nameFromLabels, ROOT } from './name.ts';
import { decodeRdata, encodeRdata, printRdata, type Rdata, type RdataOf } from './rdata.ts';
import { TYPE } from './type.ts';

type Known = Rdata['type'];
type Fields<K extends Known> = {
  [F in Exclude<keyof RdataOf<K>, 'type'>]: Arbitrary<RdataOf<K>[F]>;
};

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const u48 = fc.nat(2 ** 48 - 1);
const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const some = fc.uint8Array({ minLength: 1, maxLength: 40 });
const any = fc.uint8Array({ maxLength: 40 });
const string = fc.uint8Array({ maxLength: 255 });
const strings = fc.array(string, { minLength: 1, maxLength: 3 });
const name: Arbitrary<Name> = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 12 }), { maxLength: 5 })
  .map((labels) => nameFromLabels(labels) ?? ROOT);
const types = fc.uniqueArray(u16, { maxLength: 12 }).map((list) => list.sort((a, b) => a - b));

const host = { host: name };
const mailbox = { mailbox: name };
const target = { target: name };
const key = { flags: u16, protocol: u8, algorithm: u8, publicKey: some };
const digest = { keyTag: u16, algorithm: u8, digestType: u8, digest: some };
const certificate = { usage: u8, selector: u8, matchingType: u8, data: some };
const signature = {
  typeCovered: u16,
  algorithm: u8,
  labels: u8,
  originalTtl: u32,
  expiration: u32,
  inception: u32,
  keyTag: u16,
  signer: name,
  signature: some,
};
const size = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.nat(9))
  .map(([digit, power]) => digit * 10 ** power);
const location = fc.record({
  size,
  horizontalPrecision: size,
  verticalPrecision: size,
  latitude: fc.integer({ min: -324_000_000, max: 324_000_000 }).map((angle) => 2 ** 31 + angle),
  longitude: fc.integer({ min: -648_000_000, max: 648_000_000 }).map((angle) => 2 ** 31 + angle),
  altitude: u32,
});
const prefix = fc.oneof(
  fc.record({ negated: fc.boolean(), address: exactly(4), length: fc.nat(32) }),
  fc.record({ negated: fc.boolean(), address: exactly(16), length: fc.nat(128) }),
);
const port = { key: fc.constant(3), value: exactly(2) };
const parameters = fc
  .record({
    port: fc.option(fc.record(port)),
    alpn: fc.option(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 3 }),
    ),
    isNoDefault: fc.boolean(),
    ipv4: fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 })),
    ech: fc.option(some),
    ipv6: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 })),
    path: fc.option(some),
    other: fc.option(fc.record({ key: fc.integer({ min: 9, max: 0xffff }), value: any })),
    isMandatory: fc.boolean(),
  })
  .map((given) => {
    const list: { key: number; value: Uint8Array }[] = [];
    const alpn = given.alpn?.flatMap((protocol) => [protocol.length, ...protocol]);
    if (alpn) list.push({ key: 1, value: Uint8Array.from(alpn) });
    if (alpn && given.isNoDefault) list.push({ key: 2, value: new Uint8Array(0) });
    if (given.port) list.push(given.port);
    if (given.ipv4) list.push({ key: 4, value: given.ipv4 });
    if (given.ech) list.push({ key: 5, value: given.ech });
    if (given.ipv6) list.push({ key: 6, value: given.ipv6 });
    if (given.path) list.push({ key: 7, value: given.path });
    if (given.other) list.push(given.other);
    const keys = list.flatMap((parameter) => [parameter.key >> 8, parameter.key & 255]);
    if (given.isMandatory && keys.length > 0)
      list.unshift({ key: 0, value: Uint8Array.from(keys) });
    return list;
  });
const service = { priority: u16, target: name, parameters };

/** Values of every field of every type. */
const VALUES: { [K in Known]: Fields<K> } = {
  A: { address: exactly(4) },
  NS: host,
  MD: host,
  MF: host,
  CNAME: target,
  SOA: {
    mname: name,
    rname: name,
    serial: u32,
    refresh: u32,
    retry: u32,
    expire: u32,
    minimum: u32,
  },
  MB: host,
  MG: mailbox,
  MR: mailbox,
  NULL: { data: any },
  PTR: target,
  HINFO: { cpu: string, os: string },
  MINFO: { responsible: name, errors: name },
  MX: { preference: u16, exchange: name },
  TXT: { strings },
  RP: { mailbox: name, text: name },
  AFSDB: { subtype: u16, host: name },
  X25: { address: string },
  ISDN: { strings: fc.array(string, { minLength: 1, maxLength: 2 }) },
  RT: { preference: u16, host: name },
  NSAP: { address: any },
  'NSAP-PTR': target,
  SIG: signature,
  KEY: { ...key, publicKey: any },
  PX: { preference: u16, map822: name, mapx400: name },
  GPOS: { longitude: string, latitude: string, altitude: string },
  AAAA: { address: exactly(16) },
  LOC: { location },
  SRV: { priority: u16, weight: u16, port: u16, target: name },
  NAPTR: {
    order: u16,
    preference: u16,
    flags: string,
    services: string,
    regexp: string,
    replacement: name,
  },
  KX: { preference: u16, exchange: name },
  CERT: { kind: u16, keyTag: u16, algorithm: u8, certificate: some },
  DNAME: target,
  APL: { prefixes: fc.array(prefix, { maxLength: 4 }) },
  DS: digest,
  SSHFP: { algorithm: u8, digestType: u8, fingerprint: some },
  IPSECKEY: {
    precedence: u8,
    gatewayType: fc.constant(3),
    algorithm: u8,
    gateway: name,
    publicKey: any,
  },
  RRSIG: signature,
  NSEC: { next: name, types },
  DNSKEY: key,
  DHCID: { data: some },
  NSEC3: { algorithm: u8, flags: u8, iterations: u16, salt: any, next: some, types },
  NSEC3PARAM: { algorithm: u8, flags: u8, iterations: u16, salt: any },
  TLSA: certificate,
  SMIMEA: certificate,
  HIP: {
    identity: fc.record({ algorithm: u8, tag: some, publicKey: some }),
    servers: fc.array(name, { maxLength: 3 }),
  },
  CDS: digest,
  CDNSKEY: key,
  OPENPGPKEY: { data: some },
  CSYNC: { serial: u32, flags: u16, types },
  ZONEMD: { serial: u32, scheme: u8, algorithm: u8, digest: some },
  SVCB: service,
  HTTPS: service,
  DSYNC: { typeCovered: u16, scheme: u8, port: u16, target: name },
  SPF: { strings },
  NID: { preference: u16, node: exactly(8) },
  L32: { preference: u16, locator: exactly(4) },
  L64: { preference: u16, locator: exactly(8) },
  LP: { preference: u16, target: name },
  EUI48: { address: exactly(6) },
  EUI64: { address: exactly(8) },
  TKEY: {
    algorithm: name,
    inception: u32,
    expiration: u32,
    mode: u16,
    error: u16,
    key: any,
    other: any,
  },
  TSIG: {
    algorithm: name,
    time: u48,
    fudge: u16,
    mac: any,
    originalId: u16,
    error: u16,
    other: any,
  },
  URI: { priority: u16, weight: u16, target: any },
  CAA: { flags: u8, tag: some, value: any },
  AMTRELAY: {
    precedence: u8,
    relayType: fc.record({ discovery: fc.boolean(), form: fc.constant(2) }),
    relay: exactly(16),
  },
  RESINFO: { strings },
};

test.each(Object.keys(VALUES).map((type) => ({ type: type as Known })))(
  '$type: value → octets → value, and octets → text → octets',
  ({ type }) => {
    const fields = VALUES[type] as Readonly<Record<string, Arbitrary<unknown>>>;
    const values = fc
      .record({ type: fc.constant(type), ...fields })
      .map((value) => value as unknown as Rdata);
    fc.assert(
      fc.property(values, (value) => {
        const rdata = encodeRdata(value);
        expect(decodeRdata(TYPE[type], rdata)).toEqual(value);
        expect(parseRdata(TYPE[type], printRdata(TYPE[type], rdata))).toEqual(rdata);
      }),
      { numRuns: 30 },
    );
  },
);
