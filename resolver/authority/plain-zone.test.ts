import { expect, test } from 'vitest';
import type { Message } from '../message/message.ts';
import { typeNumber } from '../message/type.ts';
import { replyTo } from '../recursion/reply.fixture.ts';
import { readPlainZone } from './plain-zone.ts';
import { printRecord } from './zone-file.ts';

const FILE = `$TTL 300
@ SOA ns host 7 7200 3600 1209600 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.80
*.wild TXT "wild"
alias CNAME www
deep.ent A 192.0.2.81
`;

const TIME = { now: 0, clockIsSet: true };

function ask(name: string, type: string): Message {
  const read = readPlainZone('lab', FILE);
  if (!read.ok) throw new Error(read.problem);
  const edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [] };
  const query = replyTo(name, typeNumber(type) ?? 0, {}, { response: false, edns });
  return read.authority.answer(query, TIME);
}

const SOA = 'lab. 60 IN SOA ns.lab. host.lab. 7 7200 3600 1209600 60';

test.each([
  { name: 'www.lab.', type: 'A', rcode: 0, answers: ['www.lab. 300 IN A 192.0.2.80'], denied: [] },
  { name: 'no.lab.', type: 'A', rcode: 3, answers: [], denied: [SOA] },
  { name: 'www.lab.', type: 'MX', rcode: 0, answers: [], denied: [SOA] },
  { name: 'ent.lab.', type: 'A', rcode: 0, answers: [], denied: [SOA] },
  {
    name: 'a.wild.lab.',
    type: 'TXT',
    rcode: 0,
    answers: ['a.wild.lab. 300 IN TXT "wild"'],
    denied: [],
  },
  { name: 'lab.', type: 'DNSKEY', rcode: 0, answers: [], denied: [SOA] },
])('$name $type: as in the file, without proofs', ({ name, type, rcode, answers, denied }) => {
  const response = ask(name, type);
  expect(response).toMatchObject({ rcode, authoritative: true, authenticData: false });
  expect(response.answers.map(printRecord)).toEqual(answers);
  expect(response.authorities.map(printRecord)).toEqual(denied);
});

test('a file that says no TTL has one hour, as with NSD and Knot', () => {
  const read = readPlainZone('lab', '@ SOA ns host 7 7200 3600 1209600 60\nwww A 192.0.2.80\n');
  if (!read.ok) throw new Error(read.problem);
  const query = replyTo('www.lab.', 1, {}, { response: false });
  expect(read.authority.answer(query, TIME).answers.map(printRecord)).toEqual([
    'www.lab. 3600 IN A 192.0.2.80',
  ]);
});

test.each([
  { apex: 'a..b', file: FILE, problem: /not a domain name/, why: 'no apex' },
  { apex: 'lab', file: '@ 60 FOO bar', problem: /^line 1: bad-type/, why: 'not a record' },
  { apex: 'lab', file: '@ 60 A 192.0.2.1', problem: /^one SOA record at lab\. /, why: 'no SOA' },
  { apex: 'lab', file: `${FILE}@ SOA ns host 8 1 1 1 1`, problem: /^one SOA/, why: 'two' },
  {
    apex: 'lab',
    file: `${FILE}sub NS ns.sub`,
    problem: /^sub\.lab\. is delegated/,
    why: 'a delegation',
  },
  { apex: 'lab', file: `${FILE}www CNAME ns`, problem: /cname-beside-other-data/, why: 'CNAME' },
  { apex: 'lab', file: `${FILE}a.b. A 192.0.2.1`, problem: /outside-apex/, why: 'another zone’s' },
  { apex: 'lab', file: `${FILE}www NSEC ns A`, problem: /not-user-data/, why: 'a signed zone' },
  { apex: 'lab', file: `$INCLUDE /etc/passwd`, problem: /include-refused/, why: 'other files' },
])('refused: $why', ({ apex, file, problem }) => {
  expect(readPlainZone(apex, file)).toEqual({
    ok: false,
    problem: expect.stringMatching(problem),
  });
});
