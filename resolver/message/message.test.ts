import { describe, expect, test } from 'vitest';
import { printRecord } from '../authority/zone-file.ts';
import { decoded, EMPTY, name, QUESTION, record } from './message.fixture.ts';
import { decodeMessage, encodeMessage } from './message.ts';
import { printName } from './name.ts';
import { CLASS, OPCODE, RCODE, TYPE } from './type.ts';

/** Octets from hexadecimal with comments in parentheses. */
const octets = (...parts: string[]) =>
  Uint8Array.from(Buffer.from(parts.join('').replace(/\([^)]*\)|\s/g, ''), 'hex'));

const reasonOf = (bytes: Uint8Array) => {
  const result = decodeMessage(bytes);
  return result.ok ? 'ok' : result.reason;
};

describe('header', () => {
  const flags = [
    'response',
    'authoritative',
    'truncated',
    'recursionDesired',
    'recursionAvailable',
    'authenticData',
    'checkingDisabled',
  ] as const;

  test.each(flags.map((flag) => ({ flag })))('$flag alone comes back alone', ({ flag }) => {
    const message = { ...EMPTY, response: false, [flag]: true };
    expect(decoded(encodeMessage(message))).toEqual(message);
  });

  test.each(Object.entries(OPCODE).map(([mnemonic, opcode]) => ({ mnemonic, opcode })))(
    'opcode $mnemonic',
    ({ opcode }) => {
      const message = { ...EMPTY, opcode, questions: [QUESTION] };
      expect(decoded(encodeMessage(message)).opcode).toBe(opcode);
    },
  );

  test('a return code of 12 bits is split between header and OPT', () => {
    const edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [] };
    const message = { ...EMPTY, rcode: RCODE.BADCOOKIE, edns };
    const bytes = encodeMessage(message);
    expect(bytes[3]).toBe(RCODE.BADCOOKIE & 15);
    expect(decoded(bytes)).toEqual(message);
  });

  test('a return code that needs EDNS becomes SERVFAIL without, not the NOERROR of its low bits', () => {
    expect(decoded(encodeMessage({ ...EMPTY, rcode: RCODE.BADVERS })).rcode).toBe(RCODE.SERVFAIL);
  });
});

describe('compression', () => {
  test('shares suffixes between owners, questions and the RDATA of RFC 1035 types', () => {
    const message = {
      ...EMPTY,
      questions: [QUESTION],
      answers: [
        record('www.example.com CNAME host.example.com.'),
        record('host.example.com A 192.0.2.1'),
      ],
    };
    const bytes = encodeMessage(message);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      Buffer.from(
        octets(
          '1234 8000 0001 0002 0000 0000',
          '03777777 076578616d706c65 03636f6d 00 0001 0001',
          'c00c 0005 0001 0000003c 0007 04686f7374 c010',
          'c02d 0001 0001 0000003c 0004 c0000201',
        ),
      ).toString('hex'),
    );
    expect(decoded(bytes)).toEqual(message);
  });

  test('keeps the case of every name: other case is other octets', () => {
    const message = {
      ...EMPTY,
      questions: [QUESTION],
      answers: [record('WWW.Example.com A 192.0.2.1'), record('www.example.COM A 192.0.2.2')],
    };
    const back = decoded(encodeMessage(message));
    expect(back.answers.map(printRecord)).toEqual(message.answers.map(printRecord));
  });

  test.each([
    { text: 'x.example.com SRV 0 0 1 www.example.com.', why: 'RFC 2782, RFC 3597 §4' },
    { text: 'x.example.com DNAME www.example.com.', why: 'RFC 6672 §2.5' },
    { text: 'x.example.com RP www.example.com. www.example.com.', why: 'RFC 3597 §4' },
    { text: 'x.example.com NSEC www.example.com. A', why: 'RFC 4034 §4.1.1' },
    { text: 'x.example.com HTTPS 1 www.example.com.', why: 'RFC 9460 §2.2' },
  ])('never in other RDATA: $text ($why)', ({ text }) => {
    const bytes = encodeMessage({ ...EMPTY, questions: [QUESTION], answers: [record(text)] });
    expect(Buffer.from(bytes).toString('latin1').split('\x03www\x07example\x03com\0')).toHaveLength(
      text.includes(' RP ') ? 4 : 3,
    );
  });

  test.each([
    { type: 'SRV', rdata: '0000 0000 0001 c00c', why: 'RFC 3597 §4 says so' },
    { type: 'RP', rdata: 'c00c c00c', why: 'RFC 3597 §4 says so' },
    { type: 'NAPTR', rdata: '0000 0000 00 00 00 c00c', why: 'RFC 3597 §4 says so' },
    { type: 'MX', rdata: '0000 c00c', why: 'RFC 1035 §3.3' },
  ] as const)('is undone when reading $type: $why', ({ type, rdata }) => {
    const bytes = withRecord(TYPE[type], rdata);
    const [answer] = decoded(bytes).answers;
    expect(answer && printRecord(answer)).toMatch(/ www\.example\.com\.$/);
  });

  test.each([
    { type: TYPE.DNAME, rdata: 'c00c', why: 'RFC 6672 §2.5' },
    { type: TYPE.KX, rdata: '0000 c00c', why: 'not in the list of RFC 3597 §4' },
    { type: TYPE.NSEC, rdata: 'c00c 0001 40', why: 'RFC 4034 §4.1.1' },
    { type: TYPE.SVCB, rdata: '0001 c00c', why: 'RFC 9460 §2.2' },
  ])('is refused in type $type: $why', ({ type, rdata }) => {
    expect(reasonOf(withRecord(type, rdata))).toBe('bad-rdata');
  });
});

/** A response to QUESTION with one record whose RDATA is given. */
function withRecord(type: number, rdata: string, length?: number): Uint8Array {
  const data = octets(rdata);
  const head = octets(
    '1234 8000 0001 0001 0000 0000',
    '03777777 076578616d706c65 03636f6d 00 0001 0001',
    `c00c ${type.toString(16).padStart(4, '0')} 0001 0000003c`,
  );
  const size = length ?? data.length;
  return Uint8Array.of(...head, size >> 8, size & 0xff, ...data);
}

describe('RDLENGTH is the law', () => {
  test.each([
    { type: TYPE.A, rdata: 'c00002', why: 'an address cut short' },
    { type: TYPE.A, rdata: 'c000020100', why: 'an address and one more' },
    { type: TYPE.AAAA, rdata: '00000000', why: 'IPv4 in AAAA' },
    {
      type: TYPE.CNAME,
      rdata: '00 c00c 0001 0001 0000003c 0004 c0000201',
      why: 'a record smuggled behind a name',
    },
    { type: TYPE.NS, rdata: '', why: 'no name' },
    { type: TYPE.MX, rdata: '0000', why: 'a preference for nothing' },
    {
      type: TYPE.SOA,
      rdata: 'c00c c00c 00000001 00000002 00000003 00000004',
      why: 'a timer is missing',
    },
    { type: TYPE.TXT, rdata: '', why: 'no string' },
    { type: TYPE.TXT, rdata: '0361', why: 'a string over the end' },
    { type: TYPE.SSHFP, rdata: '01', why: 'a fingerprint without its type' },
    { type: TYPE.HINFO, rdata: '0161', why: 'one string of two' },
    { type: TYPE.CAA, rdata: '0005', why: 'a tag over the end' },
    { type: TYPE.NSEC, rdata: '00 0100', why: 'an empty window' },
    { type: TYPE.NSEC, rdata: '00 0002 4000', why: 'a trailing zero octet' },
    { type: TYPE.NSEC, rdata: '00 0101 40 0001 40', why: 'windows out of order' },
    { type: TYPE.SVCB, rdata: '0001 00 0003 0002 0035 0001 0003 026832', why: 'keys out of order' },
    { type: TYPE.SVCB, rdata: '0001 00 0003 0004 0035', why: 'a value over the end' },
  ])('type $type with $why', ({ type, rdata }) => {
    expect(reasonOf(withRecord(type, rdata))).not.toBe('ok');
  });

  test('a name in RDATA may not run on into the next record', () => {
    const bytes = withRecord(TYPE.NS, '03777777 00', 4);
    expect(reasonOf(bytes)).not.toBe('ok');
  });

  test('an unknown type keeps its octets, pointers and all', () => {
    const [answer] = decoded(withRecord(65280, 'c00c ff')).answers;
    expect(answer?.rdata).toEqual(octets('c00cff'));
  });

  test('RDATA is a copy: the receive buffer may be reused', () => {
    const bytes = Buffer.from(withRecord(TYPE.A, 'c0000201'));
    const { answers } = decoded(bytes);
    bytes.fill(0xff);
    expect(answers.map(printRecord)).toEqual(['www.example.com. 60 IN A 192.0.2.1']);
  });
});

describe('what is no message', () => {
  const header = '1234 0100 0001 0000 0000 0000';
  const question = '0161 00 0001 0001';

  test.each([
    { bytes: '', reason: 'too-short', why: 'nothing' },
    { bytes: '1234 0100 0000 0000 0000 00', reason: 'too-short', why: '11 octets' },
    {
      bytes: '1234 0100 ffff ffff ffff ffff',
      reason: 'counts-beyond-end',
      why: 'counts without records',
    },
    {
      bytes: `1234 0100 0002 0000 0000 0000 ${question} ${question}`,
      reason: 'question-count',
      why: 'two questions (RFC 9619)',
    },
    {
      bytes: '1234 2800 0000 0000 0000 0000',
      reason: 'question-count',
      why: 'an update without a zone',
    },
    { bytes: `${header} 0161 00 0001`, reason: 'record-past-end', why: 'a question cut short' },
    { bytes: `${header} 016162 000001`, reason: 'bad-label-type', why: 'a label type of RFC 2673' },
    { bytes: `${header} 3f61 00 0001 0001`, reason: 'name-past-end', why: 'a label over the end' },
    { bytes: `${header} c00c 0001 0001`, reason: 'bad-pointer', why: 'a pointer to itself' },
    { bytes: `${header} c00e 0001 0001`, reason: 'bad-pointer', why: 'a pointer forward' },
    {
      bytes: `${header} 0161 c00c 0001 0001`,
      reason: 'bad-pointer',
      why: 'a name that holds itself',
    },
    { bytes: `${header} ${question} 00`, reason: 'trailing-octets', why: 'an octet too many' },
    {
      bytes: `1234 0100 0001 0001 0000 0000 ${question} 00 0001 0001 00000000 0005 01020304`,
      reason: 'record-past-end',
      why: 'RDLENGTH over the end',
    },
    {
      bytes: `1234 0100 0001 0001 0000 0000 ${question} 00 0029 04d0 00000000 0000`,
      reason: 'bad-edns',
      why: 'OPT among the answers',
    },
    {
      bytes: `1234 0100 0001 0000 0000 0001 ${question} 0161 00 0029 04d0 00000000 0000`,
      reason: 'bad-edns',
      why: 'OPT with an owner',
    },
    {
      bytes: `1234 0100 0001 0000 0000 0002 ${question} 00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000`,
      reason: 'bad-edns',
      why: 'OPT twice (RFC 6891 §6.1.1)',
    },
    {
      bytes: `1234 0100 0001 0000 0000 0001 ${question} 00 0029 04d0 00000000 0006 000a 0003 0000`,
      reason: 'bad-edns',
      why: 'an option over the end',
    },
    {
      bytes: `1234 0100 0001 0000 0000 0001 ${question} 00 0029 04d0 00000000 0003 000a00`,
      reason: 'bad-edns',
      why: 'half an option',
    },
    {
      bytes: `1234 0100 0001 0000 0000 0001 ${question} 00 0029 04d0 00000000 0104 ${'00030000'.repeat(65)}`,
      reason: 'bad-edns',
      why: 'options without end (CVE-2026-41292)',
    },
  ])('$reason: $why', ({ bytes, reason }) => {
    expect(reasonOf(octets(bytes))).toBe(reason);
  });

  test('what is known of a broken message is enough to answer FORMERR', () => {
    const result = decodeMessage(octets(`${header} ${question} 00`));
    expect(result).toEqual({
      ok: false,
      reason: 'trailing-octets',
      id: 0x1234,
      response: false,
      opcode: OPCODE.QUERY,
      recursionDesired: true,
      question: { name: name('a'), type: TYPE.A, class: CLASS.IN },
    });
  });

  test('without a whole header there is nobody to answer', () => {
    expect(decodeMessage(octets('1234 0100'))).toEqual({ ok: false, reason: 'too-short' });
  });

  test('no question is no fault: cookie requests and transfers have none', () => {
    expect(reasonOf(octets('1234 8000 0000 0000 0000 0000'))).toBe('ok');
  });

  test('DSO messages keep what follows the header for the caller (RFC 8490 §5.4.1)', () => {
    expect(reasonOf(octets('1234 3000 0000 0000 0000 0000 0001 0004 00000000'))).toBe('ok');
  });
});

describe('updates (RFC 2136 §2.4 and §2.5)', () => {
  const lines = [
    'a.example.com 0 ANY ANY \\# 0',
    'b.example.com 0 ANY A \\# 0',
    'c.example.com 0 NONE MX \\# 0',
    'd.example.com 0 NONE A 192.0.2.1',
    'e.example.com 60 IN A 192.0.2.1',
  ];
  const message = {
    ...EMPTY,
    response: false,
    opcode: OPCODE.UPDATE,
    questions: [{ name: name('example.com'), type: TYPE.SOA, class: CLASS.IN }],
    authorities: lines.map(record),
  };

  test('records without RDATA come through, and as text too', () => {
    expect(decoded(encodeMessage(message))).toEqual(message);
    expect(message.authorities.map(printRecord).map(record)).toEqual(message.authorities);
  });

  test('but only in updates, and only for the classes that mean a condition or a deletion', () => {
    expect(reasonOf(encodeMessage({ ...message, opcode: OPCODE.QUERY }))).toBe('bad-rdata');
    const bare = message.authorities.map((entry) => ({ ...entry, class: CLASS.IN }));
    expect(reasonOf(encodeMessage({ ...message, authorities: bare.slice(1, 2) }))).toBe(
      'bad-rdata',
    );
  });
});

test('offsets tell where each record and its RDATA start, OPT included (RFC 8945 §4.3.2)', () => {
  const edns = { udpSize: 1232, version: 0, dnssecOk: false, options: [] };
  const key = record('key. 0 ANY TSIG hmac-sha256. 1700000000 300 4 AAAAAA== 4660 0 0');
  const bytes = encodeMessage({ ...EMPTY, questions: [QUESTION], edns });
  const tail = encodeMessage({ ...EMPTY, additionals: [key] }).subarray(12);
  const signed = Uint8Array.of(...bytes, ...tail);
  signed[11] = 2;
  const result = decodeMessage(signed);
  expect(result.ok && result.offsets).toEqual({
    recordStarts: [33, 44],
    rdataStarts: [44, bytes.length + 5 + 10],
  });
  expect(result.ok && result.message.additionals.map(printRecord)).toEqual([printRecord(key)]);
});

test('printName of a question that came compressed and in odd case', () => {
  const { questions } = decoded(
    encodeMessage({ ...EMPTY, questions: [{ ...QUESTION, name: name('wWw.eXample.com') }] }),
  );
  expect(questions.map((question) => printName(question.name))).toEqual(['wWw.eXample.com.']);
});
