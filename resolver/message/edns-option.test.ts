import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeOption, encodeOption, findOption, OPTION, type Option } from './edns-option.ts';
import { type Name, parseName } from './name.ts';

const octets = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const NONE = new Uint8Array(0);

const EXAMPLES: readonly { data: string; value: Option; why: string }[] = [
  { data: '', value: { option: 'NSID', identifier: NONE }, why: 'RFC 5001 §2.1: please' },
  { data: '7831', value: { option: 'NSID', identifier: octets('7831') }, why: 'RFC 5001 §2.3' },
  {
    data: '0001 18 00 c00002',
    value: {
      option: 'CLIENT-SUBNET',
      address: octets('c0000200'),
      sourcePrefix: 24,
      scopePrefix: 0,
    },
    why: 'RFC 7871 §6: as few octets as do',
  },
  {
    data: '0002 39 38 20010db8fd132380',
    value: {
      option: 'CLIENT-SUBNET',
      address: octets('20010db8fd1323800000000000000000'),
      sourcePrefix: 57,
      scopePrefix: 56,
    },
    why: 'RFC 7871 §6: a prefix inside an octet',
  },
  {
    data: '0001 00 00',
    value: {
      option: 'CLIENT-SUBNET',
      address: octets('00000000'),
      sourcePrefix: 0,
      scopePrefix: 0,
    },
    why: 'RFC 7871 §7.1.2: do not tell',
  },
  { data: '', value: { option: 'EXPIRE', seconds: undefined }, why: 'RFC 7314 §3.1' },
  { data: '00093a80', value: { option: 'EXPIRE', seconds: 604_800 }, why: 'RFC 7314 §3.2' },
  {
    data: '0102030405060708',
    value: { option: 'COOKIE', client: octets('0102030405060708'), server: NONE },
    why: 'RFC 7873 §5.1: the first one',
  },
  {
    data: `0102030405060708 ${'0a'.repeat(8)}`,
    value: { option: 'COOKIE', client: octets('0102030405060708'), server: octets('0a'.repeat(8)) },
    why: 'RFC 7873 §4: the shortest',
  },
  {
    data: `0102030405060708 ${'0a'.repeat(32)}`,
    value: {
      option: 'COOKIE',
      client: octets('0102030405060708'),
      server: octets('0a'.repeat(32)),
    },
    why: 'RFC 7873 §4: the longest',
  },
  { data: '', value: { option: 'KEEPALIVE', timeout: undefined }, why: 'RFC 7828 §3.2.1' },
  { data: '0064', value: { option: 'KEEPALIVE', timeout: 100 }, why: 'RFC 7828 §3.3.2' },
  { data: '000000', value: { option: 'PADDING', length: 3 }, why: 'RFC 7830 §3' },
  { data: '4a5c 4f66', value: { option: 'KEY-TAG', tags: [19_036, 20_326] }, why: 'RFC 8145 §4.1' },
  { data: '0006', value: { option: 'EDE', code: 6, text: '' }, why: 'RFC 8914 §2: no text' },
  {
    data: '0012 6ec3b66e',
    value: { option: 'EDE', code: 18, text: 'nön' },
    why: 'RFC 8914 §2: UTF-8',
  },
  {
    data: '0161 03636f6d 00',
    value: { option: 'REPORT-CHANNEL', agent: parseName('a.com') as Name },
    why: 'RFC 9567 §5',
  },
  { data: '', value: { option: 'ZONEVERSION', version: undefined }, why: 'RFC 9660 §3.1' },
  {
    data: '02 00 78c3b7d5',
    value: { option: 'ZONEVERSION', version: { labels: 2, kind: 0, octets: octets('78c3b7d5') } },
    why: 'RFC 9660 §3.2: a SOA serial',
  },
];

test.each(EXAMPLES)('$value.option $data: $why', ({ data, value }) => {
  const option = encodeOption(value);
  expect(option.code).toBe(OPTION[value.option]);
  expect(hex(option.data)).toBe(hex(octets(data)));
  expect(decodeOption({ code: OPTION[value.option], data: octets(data) })).toEqual(value);
});

describe('what breaks its own rules', () => {
  test.each([
    { option: 'CLIENT-SUBNET', data: '0001', why: 'no prefixes' },
    { option: 'CLIENT-SUBNET', data: '0001 21 00 c000020100', why: '33 bits of IPv4' },
    { option: 'CLIENT-SUBNET', data: '0001 18 21 c00002', why: 'a scope of 33 bits' },
    { option: 'CLIENT-SUBNET', data: '0001 18 00 c0000200', why: 'an octet too many' },
    { option: 'CLIENT-SUBNET', data: '0001 18 00 c000', why: 'an octet too few' },
    { option: 'CLIENT-SUBNET', data: '0001 17 00 c00001', why: 'a bit beyond the prefix' },
    { option: 'CLIENT-SUBNET', data: '0003 00 00', why: 'no such family' },
    { option: 'EXPIRE', data: '00', why: 'no 32 bits' },
    { option: 'COOKIE', data: '01020304050607', why: 'half a client cookie' },
    { option: 'COOKIE', data: `${'01'.repeat(15)}`, why: 'half a server cookie' },
    { option: 'COOKIE', data: `${'01'.repeat(41)}`, why: 'too much server cookie' },
    { option: 'KEEPALIVE', data: '00', why: 'no 16 bits' },
    { option: 'KEY-TAG', data: '', why: 'no tag' },
    { option: 'KEY-TAG', data: '000000', why: 'a tag and a half' },
    { option: 'EDE', data: '00', why: 'no code' },
    { option: 'REPORT-CHANNEL', data: '0161', why: 'no root at the end' },
    { option: 'REPORT-CHANNEL', data: 'c000', why: 'a compression pointer' },
    { option: 'REPORT-CHANNEL', data: '00', why: 'nobody to report to' },
    { option: 'ZONEVERSION', data: '02', why: 'no kind' },
    { option: 'ZONEVERSION', data: '02 00 0000', why: 'half a serial' },
  ] as const)('$option $data: $why', ({ option, data }) => {
    expect(decodeOption({ code: OPTION[option], data: octets(data) })).toBeUndefined();
  });

  test('and what we do not read at all', () => {
    expect(decodeOption({ code: OPTION.CHAIN, data: octets('00') })).toBeUndefined();
    expect(decodeOption({ code: 65_001, data: octets('00') })).toBeUndefined();
  });
});

test('an extended error may be cut anywhere, or end in a zero', () => {
  const { data } = encodeOption({ option: 'EDE', code: 1, text: 'nön' });
  const text = (bytes: Uint8Array) => {
    const value = decodeOption({ code: OPTION.EDE, data: bytes });
    return value?.option === 'EDE' ? value.text : undefined;
  };
  expect(text(data.subarray(0, 4))).toBe('n\ufffd');
  expect(text(Uint8Array.of(...data, 0))).toBe('nön');
});

test('finding an option by name takes the first', () => {
  const options = ['0001', '0002'].map((data) => ({ code: OPTION.EDE, data: octets(data) }));
  expect(findOption(options, 'EDE')?.code).toBe(1);
  expect(findOption(options, 'COOKIE')).toBeUndefined();
});

test('a value out of range is our own mistake', () => {
  expect(() => encodeOption({ option: 'EDE', code: 65_536, text: '' })).toThrow(RangeError);
});

test('any octets decode to a value that encodes to the same, or to nothing', () => {
  const codes = Object.values(OPTION).filter(
    (code) => code !== OPTION.EDE && code !== OPTION.PADDING,
  );
  fc.assert(
    fc.property(fc.constantFrom(...codes), fc.uint8Array({ maxLength: 44 }), (code, data) => {
      const value = decodeOption({ code, data });
      if (value !== undefined) expect(hex(encodeOption(value).data)).toBe(hex(data));
    }),
    { numRuns: 500 },
  );
});
