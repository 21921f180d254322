import { expect, test } from 'vitest';
import { printRecord } from '../authority/zone-file.ts';
import { printName } from '../message/name.ts';
import { parseIpv4, parseIpv6, printIpv6 } from '../message/wire/address-text.ts';
import { nameOf } from '../recursion/reply.fixture.ts';
import { ask, knowing, type Said } from '../serving/answered.fixture.ts';
import type { Answering } from '../serving/answering.ts';
import { withDns64 } from './dns64.ts';
import { parseIpv6Range, parseNat64Prefix, prefixIn, translated } from './nat64.ts';

const WELL_KNOWN = parseNat64Prefix('64:ff9b::/96');

const IPV4 = parseIpv4('192.0.2.33') ?? new Uint8Array(4);

/** RFC 6052 §2.4. */
test.each([
  { prefix: '2001:db8::/32', made: '2001:db8:c000:221::' },
  { prefix: '2001:db8:100::/40', made: '2001:db8:1c0:2:21::' },
  { prefix: '2001:db8:122::/48', made: '2001:db8:122:c000:2:2100::' },
  { prefix: '2001:db8:122:300::/56', made: '2001:db8:122:3c0:0:221::' },
  { prefix: '2001:db8:122:344::/64', made: '2001:db8:122:344:c0:2:2100:0' },
  { prefix: '2001:db8:122:344::/96', made: '2001:db8:122:344::c000:221' },
  { prefix: '64:ff9b::/96', made: '64:ff9b::c000:221' },
])('192.0.2.33 in $prefix is $made', ({ prefix, made }) => {
  const parsed = parseNat64Prefix(prefix);
  expect(parsed && printIpv6(translated(parsed, IPV4))).toBe(made);
});

/** RFC 7050 §3. */
test.each([
  { prefix: '2001:db8::/32' },
  { prefix: '2001:db8:100::/40' },
  { prefix: '2001:db8:122::/48' },
  { prefix: '2001:db8:122:300::/56' },
  { prefix: '2001:db8:122:344::/64' },
  { prefix: '2001:db8:122:344::/96' },
  { prefix: '64:ff9b::/96' },
])('$prefix is found in what it makes of the well-known addresses', ({ prefix }) => {
  const parsed = parseNat64Prefix(prefix);
  for (const last of [170, 171]) {
    const made = parsed && translated(parsed, new Uint8Array([192, 0, 0, last]));
    expect(made && prefixIn(made)).toEqual(parsed);
  }
});

test.each([
  { text: '2001:db8::1', why: 'no well-known address' },
  { text: '2001:db8:c000:aa::c000:aa', why: 'two places: not clear' },
])('$text shows no prefix: $why', ({ text }) => {
  expect(prefixIn(parseIpv6(text) ?? new Uint8Array(16))).toBeUndefined();
});

test.each([
  { text: '64:ff9b::', why: 'no length' },
  { text: '64:ff9b::/95', why: 'a length that RFC 6052 does not have' },
  { text: '64:ff9b::1/96', why: 'bits behind the prefix' },
  { text: '2001:db8:0:0:100::/96', why: 'bits 64 to 71 are zero' },
  { text: '10.0.0.0/96', why: 'IPv4' },
  { text: '64:ff9b::/96/96', why: 'one word too many' },
])('$text is no prefix: $why', ({ text }) => {
  expect(parseNat64Prefix(text)).toBeUndefined();
});

const NAME = 'www.example.';
const A = `${NAME} 300 A 198.51.100.1`;
const SOA = 'example. 60 SOA ns. host. 1 2 3 4 60';
const SIGNATURE = (type: string) =>
  `${NAME} 300 RRSIG ${type} 13 2 300 20300101000000 20200101000000 1 example. AAAA`;

async function synthesise(
  table: Readonly<Record<string, Said>>,
  { type = 'AAAA', cd = false, dnssecOk = false, prefix = '64:ff9b::/96' } = {},
) {
  const parsed = parseNat64Prefix(prefix);
  if (parsed === undefined) throw new Error(prefix);
  const edns = { udpSize: 1232, version: 0, dnssecOk, options: [] };
  const answering = withDns64(knowing(NAME, table), { prefix: () => parsed, excluded: [] });
  const { response } = await ask(answering, NAME, type, { checkingDisabled: cd, edns });
  const text = response.answers.map((record) =>
    printRecord(record).split(' ').slice(0, 5).join(' '),
  );
  return { text, ad: response.authenticData, rcode: response.rcode };
}

const MADE = `${NAME} 60 IN AAAA 64:ff9b::c633:6401`;

test.each([
  {
    table: { AAAA: { authorities: [SOA] }, A: { answers: [A] } },
    options: {},
    text: [MADE],
    why: 'no AAAA: made, for no longer than the denial holds',
  },
  {
    table: { A: { answers: [A] } },
    options: {},
    text: [`${NAME} 300 IN AAAA 64:ff9b::c633:6401`],
    why: 'a denial without SOA',
  },
  {
    table: { AAAA: { answers: [`${NAME} 300 AAAA 2001:db8::1`] }, A: { answers: [A] } },
    options: {},
    text: [`${NAME} 300 IN AAAA 2001:db8::1`],
    why: 'there is an AAAA',
  },
  {
    table: {
      AAAA: { answers: [`${NAME} 300 AAAA ::ffff:1.2.3.4`], authorities: [SOA] },
      A: { answers: [A] },
    },
    options: {},
    text: [MADE],
    why: 'a mapped address is none',
  },
  {
    table: {
      AAAA: { authorities: [SOA] },
      A: { answers: [`${NAME} 9 CNAME b.`, 'b. 20 A 198.51.100.1'] },
    },
    options: {},
    text: [`${NAME} 9 IN CNAME b.`, 'b. 20 IN AAAA 64:ff9b::c633:6401'],
    why: 'behind an alias',
  },
  {
    table: { AAAA: { authorities: [SOA] }, A: { answers: [A, SIGNATURE('A')] } },
    options: { dnssecOk: true },
    text: [MADE],
    why: 'the signature is over something else',
  },
  {
    table: { AAAA: { authorities: [SOA] }, A: { answers: [A] } },
    options: { dnssecOk: true, cd: true },
    text: [],
    why: 'who validates alone gets what there is',
  },
  {
    table: { AAAA: { authorities: [SOA] }, A: { answers: [A] } },
    options: { type: 'A' },
    text: [`${NAME} 300 IN A 198.51.100.1`],
    why: 'another question',
  },
  {
    table: { AAAA: { authorities: [SOA] }, A: { answers: [`${NAME} 300 A 10.0.0.1`] } },
    options: {},
    text: [],
    why: 'a private address behind the well-known prefix',
  },
  {
    table: { AAAA: { authorities: [SOA] }, A: { answers: [`${NAME} 20 A 10.0.0.1`] } },
    options: { prefix: 'fd00:64::/96' },
    text: [`${NAME} 20 IN AAAA fd00:64::a00:1`],
    why: 'and behind one’s own',
  },
  {
    table: { AAAA: { authorities: [SOA] }, A: { answers: [`${NAME} 20 A 10.0.0.1`] } },
    options: { prefix: '64:ff9b:1:fffe::/96' },
    text: [`${NAME} 20 IN AAAA 64:ff9b:1:fffe::a00:1`],
    why: 'also next to the well-known prefix (RFC 8215)',
  },
])('$why', async ({ table, options, text }) => {
  expect((await synthesise(table, options)).text).toEqual(text);
});

test.each([
  { aaaa: { rcode: 3 }, a: { answers: [A] }, rcode: 3, why: 'no such name' },
  { aaaa: { rcode: 2 }, a: { answers: [A] }, rcode: 2, why: 'a bogus denial' },
  { aaaa: { authorities: [SOA] }, a: { rcode: 2 }, rcode: 2, why: 'bogus addresses' },
  {
    aaaa: { rcode: 2, ede: 22 },
    a: { answers: [A], ad: true },
    rcode: 2,
    why: 'nobody answers for AAAA, and the zone is signed',
  },
  { aaaa: { rcode: 2, ede: 22 }, a: { rcode: 2, ede: 22 }, rcode: 2, why: 'nobody answers at all' },
  { aaaa: { rcode: 2, ede: 7 }, a: { answers: [A] }, rcode: 2, why: 'a bogus denial, told' },
  { aaaa: { rcode: 5, ede: 22 }, a: { answers: [A] }, rcode: 5, why: 'a refusal' },
])('nothing is made: $why', async ({ aaaa, a, rcode }) => {
  expect(await synthesise({ AAAA: aaaa, A: a })).toEqual({ text: [], ad: false, rcode });
});

test.each([13, 22, 23])('a server that fails at AAAA has none: EDE %i', async (ede) => {
  const table = { AAAA: { rcode: 2, ede }, A: { answers: [A] } };
  const made = [`${NAME} 300 IN AAAA 64:ff9b::c633:6401`];
  expect(await synthesise(table)).toEqual({ text: made, ad: false, rcode: 0 });
});

test.each([
  { denial: true, data: true, ad: true, why: 'both are' },
  { denial: false, data: true, ad: false, why: 'the denial is not' },
  { denial: true, data: false, ad: false, why: 'the addresses are not' },
])('authentic $ad: $why (I1)', async ({ denial, data, ad }) => {
  const table = { AAAA: { authorities: [SOA], ad: denial }, A: { answers: [A], ad: data } };
  expect(await synthesise(table, { dnssecOk: true })).toEqual({ text: [MADE], ad, rcode: 0 });
});

const IN_PREFIX = '1.0.4.6.3.3.6.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa.';
const OUTSIDE = IN_PREFIX.replace('4.6.0.0.ip6', '4.6.0.1.ip6');

/** Answers PTR questions by name; others have no data. */
const reverse = (table: Readonly<Record<string, Said>>): Answering => ({
  answer: (query, ...rest) => {
    const name = printName(query.questions[0]?.name ?? nameOf('.'));
    const { answers = [], rcode = 0 } = table[name] ?? { rcode: 3 };
    return knowing(name, { PTR: { answers, rcode } }).answer(query, ...rest);
  },
});

test.each([
  {
    name: IN_PREFIX,
    table: {
      '1.100.51.198.in-addr.arpa.': { answers: ['1.100.51.198.in-addr.arpa. PTR www.example.'] },
    },
    rcode: 0,
    text: ['CNAME 1.100.51.198.in-addr.arpa.', 'PTR www.example.'],
    why: 'an address of the NAT64 leads to the name of the IPv4 one',
  },
  {
    name: IN_PREFIX,
    table: {},
    rcode: 3,
    text: ['CNAME 1.100.51.198.in-addr.arpa.'],
    why: 'or to none',
  },
  {
    name: IN_PREFIX,
    table: { '1.100.51.198.in-addr.arpa.': { rcode: 5 } },
    rcode: 5,
    text: [],
    why: 'who may not ask is told nothing',
  },
  { name: OUTSIDE, table: {}, rcode: 3, text: [], why: 'another address is asked for as it is' },
  {
    name: '170.0.0.192.in-addr.arpa.',
    table: {},
    rcode: 0,
    text: ['PTR ipv4only.arpa.'],
    why: 'the well-known addresses have one name (RFC 8880 §7.2)',
  },
  {
    name: 'a.a.0.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa.',
    table: {},
    rcode: 0,
    text: ['CNAME 170.0.0.192.in-addr.arpa.', 'PTR ipv4only.arpa.'],
    why: 'also behind the NAT64',
  },
])('PTR: $why', async ({ name, table, rcode, text }) => {
  const answering = withDns64(reverse(table), { prefix: () => WELL_KNOWN, excluded: [] });
  const { response } = await ask(answering, name, 'PTR');
  expect(response.rcode).toBe(rcode);
  expect(response.answers.map((each) => printRecord(each).split(' ').slice(3).join(' '))).toEqual(
    text,
  );
});

test.each([
  { type: 'A', text: ['192.0.0.170', '192.0.0.171'], why: 'the addresses it has' },
  { type: 'AAAA', text: ['64:ff9b::c000:aa', '64:ff9b::c000:ab'], why: 'and the ones made' },
  { type: 'TXT', text: [], why: 'nothing else' },
])('ipv4only.arpa $type, asked of nobody: $why (RFC 8880)', async ({ type, text }) => {
  const nobody: Answering = { answer: () => Promise.reject(new Error('asked')) };
  const answering = withDns64(nobody, { prefix: () => WELL_KNOWN, excluded: [] });
  const { response } = await ask(answering, 'ipv4only.arpa.', type);
  expect(response.rcode).toBe(0);
  expect(response.answers.map((each) => printRecord(each).split(' ').at(-1))).toEqual(text);
});

test('without a prefix nothing is made, whatever the name', async () => {
  const answering = withDns64(knowing('ipv4only.arpa.', {}), {
    prefix: () => undefined,
    excluded: [],
  });
  expect((await ask(answering, 'ipv4only.arpa.', 'AAAA')).response.answers).toEqual([]);
});

test.each([
  {
    answers: ['2001:db8::1'],
    text: ['AAAA 64:ff9b::c633:6401'],
    why: 'none but excluded ones: made',
  },
  {
    answers: ['2001:db8::1', '2001:db9::1'],
    text: ['AAAA 2001:db9::1'],
    why: 'the others are left',
  },
])('excluded addresses: $why (RFC 6147 §5.1.4)', async ({ answers, text }) => {
  const range = parseIpv6Range('2001:db8::/32');
  if (range === undefined) throw new Error('unreachable: a range');
  const lines = answers.map((address) => `${NAME} 300 AAAA ${address}`);
  const table = { AAAA: { answers: lines, ad: true }, A: { answers: [A] } };
  const dns64 = { prefix: () => WELL_KNOWN, excluded: [range] };
  const { response } = await ask(withDns64(knowing(NAME, table), dns64), NAME, 'AAAA');
  expect(response.answers.map((each) => printRecord(each).split(' ').slice(3).join(' '))).toEqual(
    text,
  );
  expect(response.authenticData).toBe(false);
});
