import fc from 'fast-check';
import { expect, test } from 'vitest';
import { typeNumber } from '../message/type.ts';
import { replyTo } from '../recursion/reply.fixture.ts';
import { readHosts } from './hosts.ts';
import { printRecord } from './zone-file.ts';

const FILE = `127.0.0.1\tlocalhost
# a comment
192.0.2.7  nas.home NAS   # and its short name
192.0.2.8 nas.home\r
2001:db8::7 nas.home

0.0.0.0 ads.example
0.0.0.0 more.example
`;

function ask(name: string, type: string): string[] | undefined {
  const read = readHosts(FILE);
  if (!read.ok) throw new Error(read.problem);
  const query = replyTo(name, typeNumber(type) ?? 0, {}, { response: false });
  const [question] = query.questions;
  if (question === undefined || !read.hosts.knows(question)) return undefined;
  return read.hosts.answer(query, { now: 0, clockIsSet: true }).answers.map(printRecord);
}

test.each([
  { name: 'localhost.', type: 'A', says: ['localhost. 60 IN A 127.0.0.1'], why: 'an address' },
  {
    name: 'Nas.Home.',
    type: 'A',
    says: ['Nas.Home. 60 IN A 192.0.2.7', 'Nas.Home. 60 IN A 192.0.2.8'],
    why: 'several lines, any case',
  },
  { name: 'nas.', type: 'A', says: ['nas. 60 IN A 192.0.2.7'], why: 'another name of it' },
  { name: 'nas.home.', type: 'AAAA', says: ['nas.home. 60 IN AAAA 2001:db8::7'], why: 'IPv6' },
  { name: 'nas.', type: 'AAAA', says: [], why: 'no such address, and nobody else is asked' },
  { name: 'nas.home.', type: 'MX', says: undefined, why: 'not what a hosts file is about' },
  { name: 'www.example.', type: 'A', says: undefined, why: 'not in the file' },
  {
    name: '7.2.0.192.in-addr.arpa.',
    type: 'PTR',
    says: ['7.2.0.192.in-addr.arpa. 60 IN PTR nas.home.'],
    why: 'the first name is the canonical one',
  },
  {
    name: '0.0.0.0.in-addr.arpa.',
    type: 'PTR',
    says: ['0.0.0.0.in-addr.arpa. 60 IN PTR ads.example.'],
    why: 'one name is enough',
  },
  {
    name: `7.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa.`,
    type: 'PTR',
    says: [`7.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR nas.home.`],
    why: 'IPv6 too',
  },
  { name: '7.2.0.192.in-addr.arpa.', type: 'A', says: undefined, why: 'a reverse name is no host' },
])('$name $type: $why', ({ name, type, says }) => {
  expect(ask(name, type)).toEqual(says);
});

test.each([
  { text: '192.0.2.300 nas', problem: "line 1: '192.0.2.300' is not an address" },
  { text: '\n192.0.2.1', problem: 'line 2: an address without a name' },
  { text: '192.0.2.1 a..b', problem: "line 1: 'a..b' is not a name" },
])('$text: $problem', ({ text, problem }) => {
  expect(readHosts(text)).toEqual({ ok: false, problem });
});

test('any text is a hosts file or has a line that is not', () => {
  fc.assert(fc.property(fc.string(), (text) => typeof readHosts(text).ok === 'boolean'));
});
