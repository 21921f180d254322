/** Messages and records of every kind for fast-check, made from text. */

import fc, { type Arbitrary } from 'fast-check';
import { type Message, type Name, parseName, parseRecord, type ResourceRecord } from '#resolver';

export const record = (text: string): ResourceRecord => {
  const parsed = parseRecord(text);
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${text}`);
  return parsed.record;
};

const label = fc.stringMatching(/^[a-zA-Z0-9-]{1,12}$/);
/** Few labels, so that names share suffixes. */
const suffix = fc.constantFrom('example.com.', 'a.example.com.', 'Example.COM.', 'net.', '.');
const nameText = fc.tuple(fc.array(label, { maxLength: 3 }), suffix).map(([labels, rest]) =>
  [...labels, rest]
    .join('.')
    .replace(/\.\.$/, '.')
    .replace(/^\.(?=.)/, ''),
);
const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const hex = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((octets) => Buffer.from(octets).toString('hex'));
const base64 = fc
  .uint8Array({ minLength: 1, maxLength: 70 })
  .map((octets) => Buffer.from(octets).toString('base64'));
const string = fc
  .uint8Array({ maxLength: 60 })
  .map(
    (octets) => `"${[...octets].map((octet) => `\\${String(octet).padStart(3, '0')}`).join('')}"`,
  );
const ipv4 = fc.ipV4();
const ipv6 = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((octets) => (Buffer.from(octets).toString('hex').match(/.{4}/g) ?? []).join(':'));
const types = fc
  .subarray(['A', 'NS', 'SOA', 'MX', 'TXT', 'AAAA', 'RRSIG', 'NSEC', 'DNSKEY'], { minLength: 1 })
  .map((list) => list.join(' '));
const words = (...parts: Arbitrary<string | number>[]) =>
  fc.tuple(...parts).map((list) => list.join(' '));

/** RDATA text of the types that both codecs read right. */
export const SHARED: Readonly<Record<string, Arbitrary<string>>> = {
  A: ipv4,
  AAAA: ipv6,
  CNAME: nameText,
  NS: nameText,
  PTR: nameText,
  MX: words(u16, nameText),
  SRV: words(u16, u16, u16, nameText),
  TXT: fc.array(string, { minLength: 1, maxLength: 3 }).map((list) => list.join(' ')),
  SOA: words(nameText, nameText, u32, u32, u32, u32, u32),
  CAA: words(
    fc.constantFrom(0, 128),
    fc.constantFrom('issue', 'issuewild', 'iodef'),
    fc.stringMatching(/^[a-z0-9.;=:]{0,30}$/).map((text) => `"${text}"`),
  ),
  DS: words(u16, u8, u8, hex),
  DNSKEY: words(u16, fc.constant(3), u8, base64),
  RRSIG: words(fc.constantFrom('A', 'SOA', 'NSEC'), u8, u8, u32, u32, u32, u16, nameText, base64),
  NSEC: words(nameText, types),
  TLSA: words(u8, u8, u8, hex),
};

/** Types where compression, opaque forms or odd rules matter. */
export const OURS: Readonly<Record<string, Arbitrary<string>>> = {
  ...SHARED,
  DNAME: nameText,
  RP: words(nameText, nameText),
  NAPTR: words(u16, u16, string, string, string, nameText),
  KX: words(u16, nameText),
  NSEC3: words(
    u8,
    u8,
    u16,
    fc.constantFrom('-', 'AABB'),
    fc.constant('2t7b4g4vsa5smi47k61mv5bv1a22bojr'),
    types,
  ),
  HTTPS: words(u16, nameText, fc.constantFrom('', 'alpn="h2,h3"', 'port=53', 'key999=x')),
  APL: fc.constantFrom('', '1:10.0.0.0/8', '!2:ff00::/8 1:0.0.0.0/0'),
  LOC: fc.constant('42 21 54 N 71 6 18 W -24m 30m'),
  TYPE65280: fc
    .uint8Array({ maxLength: 30 })
    .map((octets) => `\\# ${octets.length} ${Buffer.from(octets).toString('hex')}`),
};

export const recordOf = (table: Readonly<Record<string, Arbitrary<string>>>) =>
  fc.oneof(
    ...Object.entries(table).map(([type, rdata]) =>
      fc
        .tuple(nameText, fc.nat(0x7fffffff), rdata)
        .map(([owner, ttl, text]) => record(`${owner} ${ttl} IN ${type} ${text}`)),
    ),
  );

export const sections = (table: Readonly<Record<string, Arbitrary<string>>>) =>
  fc.array(recordOf(table), { maxLength: 5 });

const option = fc.record({ code: u16, data: fc.uint8Array({ maxLength: 40 }) });

export const message: Arbitrary<Message> = fc.record({
  id: u16,
  response: fc.boolean(),
  opcode: fc.constant(0),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  authenticData: fc.boolean(),
  checkingDisabled: fc.boolean(),
  rcode: fc.nat(15),
  questions: fc.array(
    fc.record({ name: nameText.map((text) => parseName(text) as Name), type: u16, class: u16 }),
    { maxLength: 1 },
  ),
  answers: sections(OURS),
  authorities: sections(OURS),
  additionals: sections(OURS),
  edns: fc.option(
    fc.record({
      udpSize: u16,
      version: u8,
      dnssecOk: fc.boolean(),
      options: fc.array(option, { maxLength: 4 }),
    }),
    { nil: undefined },
  ),
});
