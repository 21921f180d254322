import { describe, expect, test } from 'vitest';
import { parseRdata } from './message.fixture.ts';
import { type Name, parseName } from './name.ts';
import { decodeRdata, isWellFormed, printRdata } from './rdata.ts';
import { TYPE } from './type.ts';

const octets = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
const name = (text: string) => parseName(text) as Name;

describe('text that is refused', () => {
  test.each([
    { type: 'A', text: '192.0.2.01', why: 'a leading zero is octal to some' },
    { type: 'A', text: '192.0.2', why: 'three parts' },
    { type: 'A', text: '192.0.2.256', why: 'no octet' },
    { type: 'A', text: '192.0.2.1 192.0.2.2', why: 'one too many' },
    { type: 'A', text: '"192.0.2.1"', why: 'a string is no address' },
    { type: 'AAAA', text: '2001:db8::1::2', why: 'two gaps' },
    { type: 'AAAA', text: '1:2:3:4:5:6:7', why: 'seven groups' },
    { type: 'AAAA', text: '1:2:3:4:5:6:7:8::', why: 'a gap for nothing' },
    { type: 'AAAA', text: '::1.2.3.4:1', why: 'IPv4 inside' },
    { type: 'AAAA', text: 'fe80::1%eth0', why: 'a zone' },
    { type: 'AAAA', text: ':::', why: 'colons' },
    { type: 'MX', text: '65536 a.', why: 'more than 16 bits' },
    { type: 'MX', text: '-1 a.', why: 'a sign' },
    { type: 'MX', text: '1e3 a.', why: 'not decimal' },
    { type: 'MX', text: '10', why: 'no name' },
    { type: 'TXT', text: '', why: 'no string' },
    { type: 'TXT', text: `"${'x'.repeat(256)}"`, why: 'a string of 256 octets' },
    { type: 'TXT', text: '"a', why: 'an open quote' },
    { type: 'TXT', text: 'a"b"', why: 'a quote inside a word' },
    { type: 'TXT', text: '"\\300"', why: 'no octet' },
    { type: 'DS', text: '1 8 2', why: 'no digest' },
    { type: 'DNSKEY', text: '256 3 8 AAA', why: 'Base64 without its padding' },
    { type: 'DNSKEY', text: '256 3 8 AB==', why: 'Base64 with stray bits' },
    { type: 'DNSKEY', text: '256 3 8 A===', why: 'Base64 of six bits' },
    { type: 'NSEC3', text: '1 0 0 - 1 A', why: 'Base32 of five bits' },
    {
      type: 'RRSIG',
      text: 'A 5 3 0 20230229000000 20230101000000 1 a. AA==',
      why: '29 February of no leap year',
    },
    {
      type: 'RRSIG',
      text: 'A 5 3 0 21060207062816 20230101000000 1 a. AA==',
      why: 'later than 32 bits',
    },
    { type: 'RRSIG', text: 'A 5 3 0 19691231235959 20230101000000 1 a. AA==', why: 'before 1970' },
    { type: 'NSEC', text: 'a. NOSUCHTYPE', why: 'no type' },
    { type: 'LOC', text: '91 0 0 N 0 0 0 E 0m', why: 'beyond the pole' },
    { type: 'LOC', text: '42 60 0 N 0 0 0 E 0m', why: 'sixty minutes' },
    { type: 'LOC', text: '42 1 0 1 N 0 0 0 E 0m', why: 'four parts' },
    { type: 'LOC', text: '42 N 71 W', why: 'no altitude' },
    { type: 'APL', text: '1:192.0.2.0/33', why: 'a prefix of 33 bits' },
    { type: 'APL', text: '3:00/8', why: 'an unknown family has no text' },
    { type: 'IPSECKEY', text: '10 1 2 a. AA==', why: 'a name announced as IPv4' },
    { type: 'AMTRELAY', text: '10 2 0 .', why: 'no bit' },
    { type: 'EUI48', text: '00-00-5e-00-53', why: 'five octets' },
    { type: 'EUI48', text: '00:00:5e:00:53:2a', why: 'colons' },
    { type: 'CAA', text: '0 "" "x"', why: 'no tag' },
    { type: 'NULL', text: '00', why: 'no form of its own' },
  ] as const)('$type $text: $why', ({ type, text }) => {
    expect(parseRdata(TYPE[type], text)).toBeUndefined();
  });
});

describe('text that is read though it is printed otherwise', () => {
  test.each([
    {
      type: 'SOA',
      text: 'a. b. 1 2h 10M 1d12h 1w',
      as: 'a. b. 1 7200 600 129600 604800',
      why: 'units',
    },
    { type: 'AAAA', text: '::ffff:192.0.2.1', as: '::ffff:c000:201', why: 'IPv4 at the end' },
    { type: 'AAAA', text: '2001:DB8:0:0:1:0:0:1', as: '2001:db8::1:0:0:1', why: 'RFC 5952 §4.2.3' },
    {
      type: 'AAAA',
      text: '1:0:2:3:4:5:6:7',
      as: '1:0:2:3:4:5:6:7',
      why: 'RFC 5952 §4.2.2: one zero stays',
    },
    { type: 'TXT', text: 'a b', as: '"a" "b"', why: 'strings without quotes' },
    { type: 'DS', text: '1 RSASHA256 2 AB cd', as: '1 8 2 ABCD', why: 'a mnemonic, digits apart' },
    {
      type: 'DNSKEY',
      text: '257 3 ed25519 AAEC Aw==',
      as: '257 3 15 AAECAw==',
      why: 'in any case',
    },
    {
      type: 'RRSIG',
      text: 'A 13 1 0 1700000000 0 1 a. AA==',
      as: 'A 13 1 0 20231114221320 19700101000000 1 a. AA==',
      why: 'seconds',
    },
    { type: 'NSEC', text: 'a. MX A MX', as: 'a. A MX', why: 'types in any order' },
    {
      type: 'LOC',
      text: '42 N 71 W 0',
      as: '42 0 0.000 N 71 0 0.000 W 0.00m 1.00m 10000.00m 10.00m',
      why: 'defaults of RFC 1876 §3',
    },
    { type: 'NSAP', text: '0x47.0005.80', as: '0x47000580', why: 'dots' },
    { type: 'NSEC3PARAM', text: '1 0 0 -', as: '1 0 0 -', why: 'no salt' },
    {
      type: 'SVCB',
      text: '1 . port=53 alpn=h2',
      as: '1 . alpn="h2" port=53',
      why: 'keys in any order',
    },
  ] as const)('$type $text: $why', ({ type, text, as }) => {
    const rdata = parseRdata(TYPE[type], text);
    expect(rdata && printRdata(TYPE[type], rdata)).toBe(as);
  });

  test('relative names and the origin itself', () => {
    expect(hex(parseRdata(TYPE.RP, '@ a', name('b')))).toBe('016200' + '0161016200');
  });
});

describe('octets without a meaning', () => {
  test.each([
    { type: 'LOC', wire: '01 ff', why: 'another version' },
    { type: 'LOC', wire: '00 33 16 13 ffffffff 70be15f0 00988d20', why: 'far beyond the pole' },
    {
      type: 'LOC',
      wire: '00 03 16 13 89172dd0 70be15f0 00988d20',
      why: 'nothing times a thousand',
    },
    { type: 'APL', wire: '0003 08 01 ff', why: 'an unknown family' },
    { type: 'APL', wire: '0001 08 02 0a00', why: 'a trailing zero' },
    { type: 'IPSECKEY', wire: '0a 04 02 ff', why: 'an unknown form of gateway' },
    { type: 'IPSECKEY', wire: '00 80 00', why: 'the top bit is a part of the form' },
    { type: 'DS', wire: '0001 08 02', why: 'no digest' },
    { type: 'SVCB', wire: '0001 00 0003 0001 35', why: 'a port of one octet' },
    { type: 'SVCB', wire: '0001 00 0000 0002 0001', why: 'a mandatory key is missing' },
  ] as const)('$type with $why is passed on, and printed raw', ({ type, wire }) => {
    const rdata = octets(wire);
    expect(isWellFormed(TYPE[type], rdata)).toBe(true);
    expect(decodeRdata(TYPE[type], rdata)).toBeUndefined();
    const text = printRdata(TYPE[type], rdata);
    expect(text).toMatch(/^\\# /);
    expect(hex(parseRdata(TYPE[type], text))).toBe(hex(rdata));
  });
});
