/**
 * Resolution as an asker sees it, over the fake network.
 */

import { expect, test } from 'vitest';
import { openInternet } from './internet.ts';
import { WORLD } from './world.ts';

const NOERROR = 0;
const SERVFAIL = 2;
const NXDOMAIN = 3;

test.each([
  {
    name: 'www.example.com.',
    type: 'A',
    rcode: NOERROR,
    lines: ['www.example.com. 300 IN A 198.51.100.1'],
    why: 'root → TLD → leaf',
  },
  {
    name: 'WwW.eXample.com.',
    type: 'A',
    rcode: NOERROR,
    lines: ['WwW.eXample.com. 300 IN A 198.51.100.1'],
    why: 'case is given back as asked',
  },
  { name: 'www.example.com.', type: 'MX', rcode: NOERROR, lines: [], why: 'NODATA' },
  { name: 'no.example.com.', type: 'A', rcode: NXDOMAIN, lines: [], why: 'NXDOMAIN' },
  {
    name: 'under.there.example.com.',
    type: 'A',
    rcode: NOERROR,
    lines: [],
    why: 'an empty non-terminal exists',
  },
  {
    name: 'deep.under.there.example.com.',
    type: 'A',
    rcode: NOERROR,
    lines: ['deep.under.there.example.com. 300 IN A 198.51.100.2'],
    why: 'minimisation walks through empty non-terminals',
  },
  {
    name: 'inside.example.com.',
    type: 'A',
    rcode: NOERROR,
    lines: [
      'inside.example.com. 300 IN CNAME www.example.com.',
      'www.example.com. 300 IN A 198.51.100.1',
    ],
    why: 'CNAME within the zone',
  },
  {
    name: 'outside.example.com.',
    type: 'A',
    rcode: NOERROR,
    lines: [
      'outside.example.com. 300 IN CNAME www.other.net.',
      'www.other.net. 300 IN A 198.51.100.9',
    ],
    why: 'CNAME across zones',
  },
  {
    name: 'outside.example.com.',
    type: 'CNAME',
    rcode: NOERROR,
    lines: ['outside.example.com. 300 IN CNAME www.other.net.'],
    why: 'the CNAME itself was asked for',
  },
  {
    name: 'www.moved.example.com.',
    type: 'A',
    rcode: NOERROR,
    lines: [
      'moved.example.com. 300 IN DNAME other.net.',
      'www.moved.example.com. 300 IN CNAME www.other.net.',
      'www.other.net. 300 IN A 198.51.100.9',
    ],
    why: 'DNAME makes a CNAME (RFC 6672)',
  },
  {
    name: 'www.glueless.com.',
    type: 'A',
    rcode: NOERROR,
    lines: ['www.glueless.com. 300 IN A 198.51.100.7'],
    why: "the server's address is looked up first",
  },
  { name: 'loop1.example.com.', type: 'A', rcode: SERVFAIL, lines: [], why: 'CNAMEs in a circle' },
  { name: 'c0.example.com.', type: 'A', rcode: SERVFAIL, lines: [], why: 'more than 11 CNAMEs' },
  { name: 'nowhere.', type: 'A', rcode: NXDOMAIN, lines: [], why: 'the root denies it' },
  {
    name: 'example.com.',
    type: 'ANY',
    rcode: NOERROR,
    lines: ['example.com. 3600 IN HINFO "RFC8482" ""'],
    why: 'RFC 8482',
  },
])('$name $type: $why', async ({ name, type, rcode, lines }) => {
  await using internet = await openInternet(WORLD);
  const answer = await internet.ask(name, type);
  expect(answer).toMatchObject({ rcode, lines });
  expect(answer.message.authenticData).toBe(false);
  expect(answer.message.recursionAvailable).toBe(true);
});

test('a circle of CNAMEs is called by its name', async () => {
  await using internet = await openInternet(WORLD);
  await internet.ask('loop1.example.com.', 'A');
  expect(internet.events[0]?.ede?.text).toBe('the CNAMEs point at each other');
});

test('no server is asked more of a name than it needs (RFC 9156)', async () => {
  await using internet = await openInternet(WORLD);
  await internet.ask('deep.under.there.example.com.', 'AAAA');
  const asked = internet.asked.map(({ server, name, type }) => `${server} ${name} ${type}`);
  expect(asked.slice(0, 2)).toEqual(['192.0.2.1 com. A', '192.0.2.2 example.com. A']);
  expect(asked.slice(2).map((line) => line.slice(line.indexOf(' ') + 1))).toEqual([
    'there.example.com. A',
    'under.there.example.com. A',
    'deep.under.there.example.com. AAAA',
  ]);
});

test('what a CNAME leads to is asked for itself, also when it came along', async () => {
  await using internet = await openInternet(WORLD);
  await internet.ask('inside.example.com.', 'A');
  const last = internet.asked.slice(-2).map(({ name }) => name);
  expect(last).toEqual(['inside.example.com.', 'www.example.com.']);
});

test('a denial is kept and its TTL counts down (RFC 2308)', async () => {
  await using internet = await openInternet(WORLD);
  await internet.ask('no.example.com.', 'A');
  const before = internet.asked.length;
  await internet.clock.advance(100_000);
  const again = await internet.ask('below.no.example.com.', 'TXT');
  expect(again.rcode).toBe(NXDOMAIN);
  expect(again.authorities[0]).toMatch(/^example\.com\. 200 IN SOA/);
  expect(internet.asked.length).toBe(before);
});

test('an answer comes from the cache until its TTL is over', async () => {
  await using internet = await openInternet(WORLD, { prefetch: false });
  await internet.ask('www.example.com.', 'A');
  const before = internet.asked.length;
  await internet.clock.advance(299_000);
  expect((await internet.ask('www.example.com.', 'A')).lines).toEqual([
    'www.example.com. 1 IN A 198.51.100.1',
  ]);
  expect(internet.asked.length).toBe(before);
  expect(internet.events.map(({ from }) => from)).toEqual(['recursion', 'cache']);
  await internet.clock.advance(2_000);
  await internet.ask('www.example.com.', 'A');
  expect(internet.asked.length).toBe(before + 1);
});

test('a large answer is fetched over TCP and truncated for the asker', async () => {
  await using internet = await openInternet(WORLD);
  const answer = await internet.ask('big.example.com.', 'TXT');
  expect(answer.message).toMatchObject({ truncated: true, rcode: NOERROR });
  expect(internet.asked.at(-1)).toMatchObject({ transport: 'tcp', name: 'big.example.com.' });
});

test('equal questions at once are asked once', async () => {
  await using internet = await openInternet(WORLD);
  await Promise.all([1, 2, 3].map(() => internet.ask('www.example.com.', 'A')));
  const leaf = internet.asked.filter(({ name }) => name === 'www.example.com.');
  expect(leaf).toHaveLength(1);
});

test('without recursion desired nothing is looked up', async () => {
  await using internet = await openInternet(WORLD);
  const answer = await internet.ask('www.example.com.', 'A', { recursionDesired: false });
  expect(answer).toMatchObject({ rcode: 5, ede: 20 });
  expect(internet.asked).toEqual([]);
});

test('CD and RD come back as they were asked, AD never does (I1)', async () => {
  await using internet = await openInternet(WORLD);
  const answer = await internet.ask('www.example.com.', 'A', {
    checkingDisabled: true,
    authenticData: true,
  });
  expect(answer.message).toMatchObject({
    checkingDisabled: true,
    recursionDesired: true,
    authenticData: false,
  });
});
