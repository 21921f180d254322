import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Name, parseName } from '../message/name.ts';
import { CLASS, TYPE } from '../message/type.ts';
import { parseRecord, parseZone, printRecord, type ZoneFileDefaults } from './zone-file.ts';

const origin = parseName('example.com') as Name;

const lines = (text: string, defaults: ZoneFileDefaults = { origin }) => {
  const zone = parseZone(text, defaults);
  return zone.ok ? zone.records.map(printRecord) : zone;
};

const ZONE = `\
; a zone with everything in it
$TTL 1h
@       IN SOA ns hostmaster ( 2026112001 ; serial
                3600 600
                1w 300 ) ; minimum
        NS ns
        NS ns.other.
ns 300  A 192.0.2.1
   IN 60 AAAA 2001:db8::1
   60 IN TXT "two words" ; a comment
$ORIGIN sub
www     CNAME @
*       TXT ("a" ; one
  b) "(c;d)"
$TTL 5
\\@      TXT e\\;f
$ORIGIN other.
x       HINFO a\\032b ""
`;

test('a zone with everything in it', () => {
  expect(lines(ZONE)).toEqual([
    'example.com. 3600 IN SOA ns.example.com. hostmaster.example.com. 2026112001 3600 600 604800 300',
    'example.com. 3600 IN NS ns.example.com.',
    'example.com. 3600 IN NS ns.other.',
    'ns.example.com. 300 IN A 192.0.2.1',
    'ns.example.com. 60 IN AAAA 2001:db8::1',
    'ns.example.com. 60 IN TXT "two words"',
    'www.sub.example.com. 3600 IN CNAME sub.example.com.',
    '*.sub.example.com. 3600 IN TXT "a" "b" "(c;d)"',
    '\\@.sub.example.com. 5 IN TXT "e;f"',
    'x.other. 5 IN HINFO "a b" ""',
  ]);
});

test('ends of line as Windows writes them, and no last one', () => {
  expect(lines('a 1 A 192.0.2.1\r\n  A 192.0.2.2\r\n\r\nb 1 A 192.0.2.3')).toEqual([
    'a.example.com. 1 IN A 192.0.2.1',
    'a.example.com. 1 IN A 192.0.2.2',
    'b.example.com. 1 IN A 192.0.2.3',
  ]);
});

describe('what a line may leave out', () => {
  test.each([
    { text: 'a 7 A 192.0.2.1\nb A 192.0.2.1', ttls: [7, 7], why: 'the last TTL (RFC 1035 §5.1)' },
    {
      text: '$TTL 9\na 7 A 192.0.2.1\nb A 192.0.2.1',
      ttls: [7, 9],
      why: '$TTL is stronger (RFC 2308 §4)',
    },
    { text: 'a A 192.0.2.1', ttl: 5, ttls: [5], why: 'the one that was given' },
  ])('TTL: $why', ({ text, ttl, ttls }) => {
    const zone = parseZone(text, ttl === undefined ? { origin } : { origin, ttl });
    expect(zone.ok && zone.records.map((record) => record.ttl)).toEqual(ttls);
  });

  test('the class is IN, or the one that was given', () => {
    const zone = parseZone('version.bind. 0 TXT x', { class: CLASS.CH });
    expect(zone.ok && zone.records[0]?.class).toBe(CLASS.CH);
  });

  test('without an origin all names are absolute', () => {
    expect(lines('a 1 NS b', {})).toEqual(['a. 1 IN NS b.']);
  });
});

describe('what is refused, and where', () => {
  test.each([
    {
      text: 'a 1 A 192.0.2.1\n$INCLUDE /etc/passwd',
      line: 2,
      reason: 'include-refused',
      why: 'text opens no files',
    },
    {
      text: '$GENERATE 1-10 a$ A 192.0.2.$',
      line: 1,
      reason: 'bad-directive',
      why: 'not in any RFC',
    },
    { text: '$TTL x', line: 1, reason: 'bad-directive', why: 'no number' },
    { text: '$TTL 1 2', line: 1, reason: 'bad-directive', why: 'two numbers' },
    { text: '$ORIGIN a..b', line: 1, reason: 'bad-directive', why: 'no name' },
    {
      text: '\n\n a 1 A 192.0.2.1',
      line: 3,
      reason: 'no-owner',
      why: 'the first record needs its owner',
    },
    { text: 'a..b 1 A 192.0.2.1', line: 1, reason: 'bad-owner', why: 'no name' },
    { text: '"a" 1 A 192.0.2.1', line: 1, reason: 'bad-owner', why: 'a string is no name' },
    { text: 'a A 192.0.2.1', line: 1, reason: 'no-ttl', why: 'nothing says how long' },
    { text: 'a 1 NOSUCH x', line: 1, reason: 'bad-type', why: 'no such type' },
    { text: 'a 1', line: 1, reason: 'bad-type', why: 'no type at all' },
    { text: 'a 1 2 A 192.0.2.1', line: 1, reason: 'bad-type', why: 'two TTLs' },
    { text: 'a 1 OPT \\# 0', line: 1, reason: 'bad-type', why: 'is never kept (RFC 6891 §6.1.1)' },
    { text: 'a 1 AXFR \\# 0', line: 1, reason: 'bad-type', why: 'is a question' },
    {
      text: 'a 1 NXNAME \\# 0',
      line: 1,
      reason: 'bad-type',
      why: 'is said in NSEC only (RFC 9824 §2)',
    },
    { text: 'a 1 A', line: 1, reason: 'bad-rdata', why: 'no address' },
    { text: 'a 1 A 192.0.2.1 x', line: 1, reason: 'bad-rdata', why: 'one word too many' },
    { text: 'a 1 TXT "x\ny"', line: 1, reason: 'open-quote', why: 'a string ends with its line' },
    { text: 'a 1 TXT x\\', line: 1, reason: 'bad-rdata', why: 'a backslash escapes nothing' },
    { text: '\na 1 TXT ( x\ny', line: 2, reason: 'unbalanced-parenthesis', why: 'never closed' },
    { text: 'a 1 TXT x )', line: 1, reason: 'unbalanced-parenthesis', why: 'never opened' },
    {
      text: 'a 1 A 192.0.2.1\nb 1 TXT (\nx\n)\nc 1 A x',
      line: 5,
      reason: 'bad-rdata',
      why: 'lines inside parentheses count',
    },
    {
      text: `a 1 NSEC a. ${'A '.repeat(70_001)}`,
      line: 1,
      reason: 'too-many-words',
      why: 'a line without end',
    },
  ])('$reason: $why', ({ text, line, reason }) => {
    expect(parseZone(text, { origin })).toEqual({ ok: false, line, reason });
  });
});

describe('one record', () => {
  test.each([
    { text: 'a. 60 IN A 192.0.2.1', why: 'the usual form' },
    { text: '. 0 CLASS65280 TYPE65280 \\# 0', why: 'nothing known (RFC 3597 §5)' },
    { text: 'a. 0 ANY ANY \\# 0', why: 'an update that deletes a name (RFC 2136 §2.5.3)' },
    { text: 'a. 0 NONE A \\# 0', why: 'an RRset that must not exist (RFC 2136 §2.4.3)' },
    { text: 'a. 4294967295 CH TXT "x"', why: 'all 32 bits of TTL' },
    { text: 'a. 1 IN APL', why: 'no RDATA is right here' },
  ])('$text: $why', ({ text }) => {
    const parsed = parseRecord(text);
    expect(parsed.ok && printRecord(parsed.record)).toBe(text);
  });

  test.each([
    { text: '', reason: 'no-owner' },
    { text: '; nothing', reason: 'no-owner' },
    { text: ' 1 A 192.0.2.1', reason: 'no-owner' },
    { text: 'a A 192.0.2.1', reason: 'no-ttl' },
    { text: 'a 1 A "', reason: 'open-quote' },
  ])('refuses "$text": $reason', ({ text, reason }) => {
    expect(parseRecord(text)).toEqual({ ok: false, reason });
  });

  test('class and type ANY are told apart', () => {
    const parsed = parseRecord('a. 0 ANY A \\# 0');
    expect(parsed.ok && [parsed.record.class, parsed.record.type]).toEqual([CLASS.ANY, TYPE.A]);
  });
});

test('any text is a zone or is not, but never throws', () => {
  const piece = fc.constantFrom(
    ...[
      'a',
      ' ',
      '\n',
      '\t',
      '"',
      '(',
      ')',
      ';',
      '\\',
      '$TTL',
      '$ORIGIN',
      '@',
      '1',
      'IN',
      'A',
      'TXT',
    ],
    ...['192.0.2.1', 'SVCB', 'alpn=', ',', '\\#', 'é', '.', '\\065', 'LOC', 'N', 'TYPE1', '=', '/'],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const zone = parseZone(pieces.join(''), { origin, ttl: 1 });
      if (zone.ok)
        expect(lines(zone.records.map(printRecord).join('\n'), {})).toHaveLength(
          zone.records.length,
        );
    }),
    { numRuns: 500 },
  );
});
