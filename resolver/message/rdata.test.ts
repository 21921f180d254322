import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRdata } from './message.fixture.ts';
import { type Name, parseName } from './name.ts';
import {
  canonicalRdata,
  decodeRdata,
  decodeRdataAs,
  encodeRdata,
  isWellFormed,
  printRdata,
} from './rdata.ts';
import { TYPE } from './type.ts';
import { LAYOUT } from './wire/layout.ts';

const octets = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
const name = (text: string) => parseName(text) as Name;
type Known = keyof typeof LAYOUT;

/** One or more records of every type that has a text form: text as we print it, and its octets. */
const EXAMPLES: readonly { type: Known; text: string; wire: string; why: string }[] = [
  { type: 'A', text: '192.0.2.1', wire: 'c0000201', why: 'RFC 1035 §3.4.1' },
  { type: 'NS', text: 'a.b.', wire: '0161016200', why: 'RFC 1035 §3.3.11' },
  { type: 'MD', text: 'a.', wire: '016100', why: 'RFC 1035 §3.3.4' },
  { type: 'MF', text: 'a.', wire: '016100', why: 'RFC 1035 §3.3.5' },
  { type: 'CNAME', text: 'A.', wire: '014100', why: 'RFC 1035 §3.3.1, case kept' },
  {
    type: 'SOA',
    text: 'a. b. 4294967295 7200 600 86400 60',
    wire: '016100 016200 ffffffff 00001c20 00000258 00015180 0000003c',
    why: 'RFC 1035 §3.3.13',
  },
  { type: 'MB', text: 'a.', wire: '016100', why: 'RFC 1035 §3.3.3' },
  { type: 'MG', text: 'a.', wire: '016100', why: 'RFC 1035 §3.3.6' },
  { type: 'MR', text: 'a.', wire: '016100', why: 'RFC 1035 §3.3.8' },
  { type: 'NULL', text: '\\# 2 FFFE', wire: 'fffe', why: 'RFC 1035 §3.3.10, no form of its own' },
  { type: 'PTR', text: 'a.', wire: '016100', why: 'RFC 1035 §3.3.12' },
  { type: 'HINFO', text: '"PC" ""', wire: '02504300', why: 'RFC 1035 §3.3.2' },
  { type: 'MINFO', text: 'a. b.', wire: '016100 016200', why: 'RFC 1035 §3.3.7' },
  { type: 'MX', text: '10 a.', wire: '000a 016100', why: 'RFC 1035 §3.3.9' },
  {
    type: 'TXT',
    text: '"a\\"b\\\\\\000é" ""'.replace('é', '\\233'),
    wire: '06 6122625c00e9 00',
    why: 'RFC 1035 §3.3.14',
  },
  { type: 'RP', text: 'a. .', wire: '016100 00', why: 'RFC 1183 §2.2' },
  { type: 'AFSDB', text: '1 a.', wire: '0001 016100', why: 'RFC 1183 §1' },
  { type: 'X25', text: '"311061700956"', wire: '0c333131303631373030393536', why: 'RFC 1183 §3.1' },
  {
    type: 'ISDN',
    text: '"150862028003217" "004"',
    wire: '0f313530383632303238303033323137 03303034',
    why: 'RFC 1183 §3.2',
  },
  { type: 'RT', text: '2 a.', wire: '0002 016100', why: 'RFC 1183 §3.3' },
  { type: 'NSAP', text: '0x47000580', wire: '47000580', why: 'RFC 1706 §5' },
  { type: 'NSAP-PTR', text: 'a.', wire: '016100', why: 'RFC 1706 §6' },
  {
    type: 'SIG',
    text: 'TYPE0 13 0 0 20260101000000 20251231235959 65535 a. AAECAw==',
    wire: '0000 0d 00 00000000 6955b900 6955b8ff ffff 016100 00010203',
    why: 'RFC 2931 §3',
  },
  { type: 'KEY', text: '49152 3 0', wire: 'c000 03 00', why: 'RFC 2535 §3.1.2, no key' },
  { type: 'PX', text: '10 a. b.', wire: '000a 016100 016200', why: 'RFC 2163 §4' },
  {
    type: 'GPOS',
    text: '"-32.6882" "116.8652" "10.0"',
    wire: '082d33322e36383832 083131362e38363532 0431302e30',
    why: 'RFC 1712 §3',
  },
  {
    type: 'AAAA',
    text: '2001:db8::1',
    wire: '20010db8000000000000000000000001',
    why: 'RFC 3596 §2.2',
  },
  {
    type: 'LOC',
    text: '42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m',
    wire: '00 33 16 13 89172dd0 70be15f0 00988d20',
    why: 'RFC 1876 §3',
  },
  { type: 'SRV', text: '0 5 5060 a.', wire: '0000 0005 13c4 016100', why: 'RFC 2782' },
  {
    type: 'NAPTR',
    text: '100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
    wire: '0064 000a 0175 074532552b736970 0e215e2e2a24217369703a61406221 00',
    why: 'RFC 3403 §4.1',
  },
  { type: 'KX', text: '10 a.', wire: '000a 016100', why: 'RFC 2230 §3.1' },
  { type: 'CERT', text: 'PKIX 0 13 AAECAw==', wire: '0001 0000 0d 00010203', why: 'RFC 4398 §2' },
  {
    type: 'CERT',
    text: '9 0 13 AAECAw==',
    wire: '0009 0000 0d 00010203',
    why: 'RFC 4398 §2.2, no mnemonic',
  },
  { type: 'DNAME', text: 'a.', wire: '016100', why: 'RFC 6672 §2.1' },
  {
    type: 'APL',
    text: '1:192.168.32.0/21 !1:192.168.38.0/28 2:ff00::/8',
    wire: '0001 15 03 c0a820 0001 1c 83 c0a826 0002 08 01 ff',
    why: 'RFC 3123 §5',
  },
  { type: 'APL', text: '', wire: '', why: 'RFC 3123 §4: no item at all' },
  {
    type: 'DS',
    text: '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
    wire: 'ec45 05 01 2bb183af5f22588179a53b0a98631fad1a292118',
    why: 'RFC 4034 §5.4',
  },
  {
    type: 'SSHFP',
    text: '2 1 123456789ABCDEF67890123456789ABCDEF67890',
    wire: '02 01 123456789abcdef67890123456789abcdef67890',
    why: 'RFC 4255 §3.2',
  },
  {
    type: 'IPSECKEY',
    text: '10 1 2 192.0.2.38 AAECAw==',
    wire: '0a 01 02 c0000226 00010203',
    why: 'RFC 4025 §3.2',
  },
  {
    type: 'IPSECKEY',
    text: '10 0 2 . AAECAw==',
    wire: '0a 00 02 00010203',
    why: 'RFC 4025 §3.2, no gateway',
  },
  {
    type: 'IPSECKEY',
    text: '10 3 2 a. AAECAw==',
    wire: '0a 03 02 016100 00010203',
    why: 'RFC 4025 §3.2, a name',
  },
  {
    type: 'IPSECKEY',
    text: '10 2 2 2001:db8::1 AAECAw==',
    wire: '0a 02 02 20010db8000000000000000000000001 00010203',
    why: 'RFC 4025 §3.2, IPv6',
  },
  {
    type: 'RRSIG',
    text: 'A 5 3 86400 20030322173103 20030220173103 2642 example.com. AAECAw==',
    wire: '0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52 076578616d706c6503636f6d00 00010203',
    why: 'RFC 4034 §3.3',
  },
  {
    type: 'RRSIG',
    text: 'TYPE65280 5 3 0 21060207062815 19700101000000 0 . AA==',
    wire: 'ff00 05 03 00000000 ffffffff 00000000 0000 00 00',
    why: 'RFC 4034 §3.2: both ends of time',
  },
  {
    type: 'NSEC',
    text: 'host.example.com. A MX RRSIG NSEC TYPE1234',
    wire: '04686f7374076578616d706c6503636f6d00 0006 400100000003 041b 000000000000000000000000000000000000000000000000000020',
    why: 'RFC 4034 §4.3',
  },
  {
    type: 'DNSKEY',
    text: '256 3 5 AQPSKmynfzW4kyBv',
    wire: '0100 03 05 0103d22a6ca77f35b893206f',
    why: 'RFC 4034 §2.3',
  },
  {
    type: 'DHCID',
    text: 'AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=',
    wire: '000201636fc0b8271c82825bb1ac5c41cf5351aa69b4febd94e8f17cdb95000da48c40',
    why: 'RFC 4701 §3.6.1',
  },
  {
    type: 'NSEC3',
    text: '1 1 12 AABBCCDD 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG'.replace(
      'MX DNSKEY NS SOA NSEC3PARAM RRSIG',
      'NS SOA MX RRSIG DNSKEY NSEC3PARAM',
    ),
    wire: '01 01 000c 04 aabbccdd 14 174eb2409fe28bcb4887a1836f957f0a8425e27b 0007 22010000000290',
    why: 'RFC 5155 §B',
  },
  {
    type: 'NSEC3',
    text: '1 0 0 - 00000000',
    wire: '01 00 0000 00 05 0000000000',
    why: 'RFC 5155 §7.1: no salt, no types',
  },
  {
    type: 'NSEC3PARAM',
    text: '1 0 12 AABBCCDD',
    wire: '01 00 000c 04 aabbccdd',
    why: 'RFC 5155 §B',
  },
  { type: 'TLSA', text: '0 0 1 D2ABDE24', wire: '00 00 01 d2abde24', why: 'RFC 6698 §2.3' },
  { type: 'SMIMEA', text: '3 1 1 D2ABDE24', wire: '03 01 01 d2abde24', why: 'RFC 8162 §2' },
  {
    type: 'HIP',
    text: '2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs1.a. rvs2.a.',
    wire: '10 02 0006 200100107b1a74df365639cc39f1d578 03010001b771 0472767331016100 0472767332016100',
    why: 'RFC 8005 §6',
  },
  { type: 'CDS', text: '0 0 0 00', wire: '0000 00 00 00', why: 'RFC 8078 §4: delete' },
  { type: 'CDNSKEY', text: '0 3 0 AA==', wire: '0000 03 00 00', why: 'RFC 8078 §4: delete' },
  { type: 'OPENPGPKEY', text: 'AAECAw==', wire: '00010203', why: 'RFC 7929 §2' },
  {
    type: 'CSYNC',
    text: '66 3 A NS AAAA',
    wire: '00000042 0003 0004 60000008',
    why: 'RFC 7477 §2.1',
  },
  {
    type: 'ZONEMD',
    text: '2018031500 1 1 FEBE3D4C',
    wire: '7848b78c 01 01 febe3d4c',
    why: 'RFC 8976 §2',
  },
  { type: 'DSYNC', text: 'CDS NOTIFY 5359 a.', wire: '003b 01 14ef 016100', why: 'RFC 9859' },
  {
    type: 'DSYNC',
    text: 'TYPE65280 2 5359 a.',
    wire: 'ff00 02 14ef 016100',
    why: 'RFC 9859, private',
  },
  { type: 'SPF', text: '"v=spf1 -all"', wire: '0b763d73706631202d616c6c', why: 'RFC 4408 §3.1.1' },
  {
    type: 'NID',
    text: '10 0014:4fff:ff20:ee64',
    wire: '000a 00144fffff20ee64',
    why: 'RFC 6742 §2.1.3',
  },
  { type: 'L32', text: '10 10.1.2.0', wire: '000a 0a010200', why: 'RFC 6742 §2.2.3' },
  {
    type: 'L64',
    text: '10 2001:0db8:1140:1000',
    wire: '000a 20010db811401000',
    why: 'RFC 6742 §2.3.3',
  },
  { type: 'LP', text: '10 a.', wire: '000a 016100', why: 'RFC 6742 §2.4.3' },
  { type: 'EUI48', text: '00-00-5e-00-53-2a', wire: '00005e00532a', why: 'RFC 7043 §3.3' },
  {
    type: 'EUI64',
    text: '00-00-5e-ef-10-00-00-2a',
    wire: '00005eef1000002a',
    why: 'RFC 7043 §4.3',
  },
  {
    type: 'TKEY',
    text: 'gss-tsig. 20260101000000 20260102000000 3 0 4 AAECAw== 0',
    wire: '086773732d7473696700 6955b900 69570a80 0003 0000 0004 00010203 0000',
    why: 'RFC 2930 §2',
  },
  {
    type: 'TSIG',
    text: 'hmac-sha256. 1700000000 300 4 AAECAw== 4660 18 6 AAAAAAAA',
    wire: '0b686d61632d73686132353600 00006553f100 012c 0004 00010203 1234 0012 0006 000000000000',
    why: 'RFC 8945 §4.2',
  },
  {
    type: 'URI',
    text: '10 1 "ftp://a/b c"',
    wire: '000a 0001 6674703a2f2f612f622063',
    why: 'RFC 7553 §4.1',
  },
  {
    type: 'CAA',
    text: '0 issue "ca.example.net; account=1"',
    wire: '00 05 6973737565 63612e6578616d706c652e6e65743b206163636f756e743d31',
    why: 'RFC 8659 §4.2',
  },
  { type: 'CAA', text: '128 issue ""', wire: '80 05 6973737565', why: 'RFC 8659 §4.2: nobody' },
  { type: 'AMTRELAY', text: '10 0 1 203.0.113.15', wire: '0a 01 cb00710f', why: 'RFC 8777 §4.3' },
  { type: 'AMTRELAY', text: '128 1 3 a.', wire: '80 83 016100', why: 'RFC 8777 §4.3' },
  { type: 'AMTRELAY', text: '10 0 0 .', wire: '0a 00', why: 'RFC 8777 §4.2.3: none' },
  {
    type: 'RESINFO',
    text: '"qnamemin" "exterr=15-17"',
    wire: '08716e616d656d696e 0c6578746572723d31352d3137',
    why: 'RFC 9606',
  },
  { type: 'SVCB', text: '0 a.', wire: '0000 016100', why: 'RFC 9460 §2.4.2: alias' },
  {
    type: 'HTTPS',
    text: '1 . alpn="h2,h3"',
    wire: '0001 00 0001 0006 026832 026833',
    why: 'RFC 9460 §9',
  },
];

test.each(EXAMPLES)('$type $text: $why', ({ type, text, wire }) => {
  const rdata = octets(wire);
  expect(printRdata(TYPE[type], rdata)).toBe(text);
  expect(hex(parseRdata(TYPE[type], text))).toBe(hex(rdata));
  const value = decodeRdata(TYPE[type], rdata);
  expect(value?.type).toBe(type);
  expect(value && hex(encodeRdata(value))).toBe(hex(rdata));
});

test('every type of the table has an example', () => {
  const shown = new Set(EXAMPLES.map(({ type }) => type));
  expect(Object.keys(LAYOUT).filter((type) => !shown.has(type as Known))).toEqual([]);
});

describe('RFC 3597 §5', () => {
  test.each([
    { type: TYPE.A, text: '\\# 4 0A000001', wire: '0a000001', why: 'a known type' },
    { type: 731, text: '\\# 6 abcd ( ef 01 23 45 )', wire: 'abcdef012345', why: 'its own example' },
    { type: 731, text: '\\# 0', wire: '', why: 'no octets' },
    { type: TYPE.A, text: '\\# 3 0A0000', wire: undefined, why: 'no such address' },
    { type: 731, text: '\\# 3 0A00', wire: undefined, why: 'fewer than announced' },
    { type: 731, text: '\\# 1 0A00', wire: undefined, why: 'more than announced' },
    { type: 731, text: '\\# 1 0', wire: undefined, why: 'half an octet' },
    { type: 731, text: '\\# 1 0G', wire: undefined, why: 'no digit' },
    { type: 731, text: '\\#', wire: undefined, why: 'nothing more' },
    { type: 731, text: '"\\#" 1 00', wire: undefined, why: 'in quotes it is a string' },
    { type: 731, text: '10.0.0.1', wire: undefined, why: 'an unknown type has no other form' },
  ])('$type $text: $why', ({ type, text, wire }) => {
    expect(hex(parseRdata(type, text))).toBe(wire);
  });
});

describe('canonical form (RFC 4034 §6.2, RFC 6840 §5.1)', () => {
  const lowered: readonly Known[] = [
    ...(['NS', 'MD', 'MF', 'CNAME', 'SOA', 'MB', 'MG', 'MR', 'PTR', 'MINFO', 'MX', 'RP'] as const),
    ...(['AFSDB', 'RT', 'SIG', 'PX', 'NAPTR', 'KX', 'SRV', 'DNAME', 'RRSIG'] as const),
  ];
  const kept: readonly Known[] = ['NSEC', 'HIP', 'SVCB', 'LP', 'DSYNC', 'TSIG', 'TKEY', 'NSAP-PTR'];

  test.each(EXAMPLES.filter(({ text }) => /[a-z]\.( |$)/.test(text)))(
    '$type $text',
    ({ type, wire, text }) => {
      const rdata = octets(wire);
      const upper = parseRdata(
        TYPE[type],
        text.replace(/\b[a-z0-9-]+\.([a-z]+\.)?(?= |$)/g, (any) => any.toUpperCase()),
      );
      if (lowered.includes(type))
        expect(hex(upper && canonicalRdata(TYPE[type], upper))).toBe(
          hex(canonicalRdata(TYPE[type], rdata)),
        );
      else if (kept.includes(type))
        expect(upper && canonicalRdata(TYPE[type], upper)).toEqual(upper);
    },
  );

  test('other octets than names are left alone', () => {
    const rdata = octets('0001 0001 0141 0142 0143 014100');
    expect(hex(canonicalRdata(TYPE.NAPTR, rdata))).toBe('0001000101410142' + '0143' + '016100');
  });
});

test('typed values', () => {
  const soa = decodeRdataAs(
    'SOA',
    octets('016100 016200 00000001 00000002 00000003 00000004 00000005'),
  );
  expect(soa).toEqual({
    type: 'SOA',
    mname: name('a'),
    rname: name('b'),
    serial: 1,
    refresh: 2,
    retry: 3,
    expire: 4,
    minimum: 5,
  });
  expect(decodeRdataAs('A', octets('01'))).toBeUndefined();
  expect(() => encodeRdata({ type: 'MX', preference: 65_536, exchange: name('a') })).toThrow(
    RangeError,
  );
  expect(() => encodeRdata({ type: 'A', address: octets('01') })).toThrow(RangeError);
});

test('any octets read as a value write the same octets, and print to text that reads the same', () => {
  const types = Object.keys(LAYOUT) as Known[];
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 40 }), (type, rdata) => {
      const value = decodeRdata(TYPE[type], rdata);
      if (value !== undefined) expect(hex(encodeRdata(value))).toBe(hex(rdata));
      if (!isWellFormed(TYPE[type], rdata)) return;
      expect(hex(parseRdata(TYPE[type], printRdata(TYPE[type], rdata)))).toBe(hex(rdata));
      const canonical = canonicalRdata(TYPE[type], rdata);
      expect(hex(canonicalRdata(TYPE[type], canonical))).toBe(hex(canonical));
    }),
    { numRuns: 2000 },
  );
});
