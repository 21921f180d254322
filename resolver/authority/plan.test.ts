import { expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { generateZoneKey } from '../dnssec/keys.ts';
import type { Edns } from '../message/edns.ts';
import type { Message } from '../message/message.ts';
import { rcodeName } from '../message/type.ts';
import { createAuthority } from './authority.ts';
import { listed, sampleQuery, zoneOf } from './zone.fixture.ts';

const { crypto } = nodeRuntime();
const key = await generateZoneKey(crypto);
const CONTEXT = { now: 1_795_000_000, clockIsSet: true };
const DO: Edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [] };

const zone = zoneOf(
  'router A 100.64.0.1',
  'desktop A 100.64.0.2',
  'desktop AAAA 2',
  'a.b.ent A 100.64.0.3',
  '*.wild A 100.64.0.4',
  'alias CNAME desktop',
  'two CNAME alias',
  'out CNAME www.example.',
  'gone CNAME nowhere',
  'loop CNAME pool',
  'pool CNAME loop',
  '*.turn CNAME again.turn',
  'sub NS ns.sub',
  'ns.sub A 192.0.2.1',
  'safe NS ns.example.',
  'safe DS',
  'down CNAME host.sub',
  'old DNAME wild',
);
const authority = createAuthority({ zone, keys: [key], crypto });

function answer(name: string, type: string, more: Partial<Message> = {}) {
  const { rcode, authoritative, answers, authorities, additionals } = authority.answer(
    sampleQuery(name, type, more),
    CONTEXT,
  );
  return {
    rcode: rcodeName(rcode),
    aa: authoritative,
    answers: listed(answers),
    authorities: listed(authorities),
    additionals: listed(additionals),
  };
}

const SOA = ['@ SOA'];

test.each([
  { ask: 'desktop A', rcode: 'NOERROR', answers: ['desktop A'], why: 'a device' },
  { ask: 'DeskTop AAAA', rcode: 'NOERROR', answers: ['DeskTop AAAA'], why: "the asker's case" },
  { ask: 'desktop MX', rcode: 'NOERROR', authorities: SOA, why: 'no data' },
  { ask: 'ent A', rcode: 'NOERROR', authorities: SOA, why: 'an empty non-terminal (RFC 8020 §2)' },
  { ask: 'nope A', rcode: 'NXDOMAIN', authorities: SOA, why: 'no such name' },
  { ask: 'x.y.nope A', rcode: 'NXDOMAIN', authorities: SOA, why: 'nor below it' },
  { ask: 'x.desktop A', rcode: 'NXDOMAIN', authorities: SOA, why: 'nothing below a device' },
  { ask: 'foo.wild A', rcode: 'NOERROR', answers: ['foo.wild A'], why: 'a wildcard' },
  { ask: 'a.b.wild A', rcode: 'NOERROR', answers: ['a.b.wild A'], why: 'deeper too' },
  { ask: 'foo.wild MX', rcode: 'NOERROR', authorities: SOA, why: 'a wildcard without the type' },
  { ask: '*.wild A', rcode: 'NOERROR', answers: ['*.wild A'], why: 'the wildcard itself' },
  { ask: 'wild A', rcode: 'NOERROR', authorities: SOA, why: 'a wildcard is below, not at' },
  { ask: 'alias A', rcode: 'NOERROR', answers: ['alias CNAME', 'desktop A'], why: 'an alias' },
  { ask: 'alias CNAME', rcode: 'NOERROR', answers: ['alias CNAME'], why: 'the alias itself' },
  {
    ask: 'two AAAA',
    rcode: 'NOERROR',
    answers: ['two CNAME', 'alias CNAME', 'desktop AAAA'],
    why: 'a chain inside the zone',
  },
  {
    ask: 'alias MX',
    rcode: 'NOERROR',
    answers: ['alias CNAME'],
    authorities: SOA,
    why: 'an alias of a name without the type (RFC 2308 §2.2)',
  },
  { ask: 'out A', rcode: 'NOERROR', answers: ['out CNAME'], why: 'an alias that leaves the zone' },
  {
    ask: 'gone A',
    rcode: 'NXDOMAIN',
    answers: ['gone CNAME'],
    authorities: SOA,
    why: 'the code is about the last name (RFC 6604 §2.1)',
  },
  {
    ask: 'loop A',
    rcode: 'NOERROR',
    answers: ['loop CNAME', 'pool CNAME'],
    why: 'a loop ends where it begins (I6)',
  },
  {
    ask: 'x.turn A',
    rcode: 'NOERROR',
    answers: ['x.turn CNAME', 'again.turn CNAME'],
    why: 'a wildcard that points below itself',
  },
  {
    ask: 'x.old A',
    rcode: 'NOERROR',
    answers: ['old DNAME', 'x.old CNAME', 'x.wild A'],
    why: 'DNAME, then the wildcard at its target',
  },
  { ask: 'old DNAME', rcode: 'NOERROR', answers: ['old DNAME'], why: 'the DNAME itself' },
  { ask: 'old A', rcode: 'NOERROR', authorities: SOA, why: "a DNAME's owner is not moved" },
  { ask: ' SOA', rcode: 'NOERROR', answers: SOA, why: 'the apex' },
  { ask: ' NS', rcode: 'NOERROR', answers: ['@ NS'], why: 'its name servers, nothing additional' },
  { ask: ' DS', rcode: 'NOERROR', authorities: SOA, why: "the parent's (RFC 4035 §3.1.4.1)" },
  { ask: ' DNSKEY', rcode: 'NOERROR', answers: ['@ DNSKEY'], why: 'the key' },
  { ask: ' CDS', rcode: 'NOERROR', answers: ['@ CDS'], why: 'for the parent (RFC 7344)' },
  { ask: ' CDNSKEY', rcode: 'NOERROR', answers: ['@ CDNSKEY'], why: 'for the parent (RFC 7344)' },
  { ask: 'desktop ANY', rcode: 'NOERROR', answers: ['desktop A'], why: 'one set (RFC 8482 §4.1)' },
  { ask: 'alias ANY', rcode: 'NOERROR', answers: ['alias CNAME'], why: 'an alias is all there is' },
  { ask: 'ent ANY', rcode: 'NOERROR', authorities: SOA, why: 'no set at all' },
  { ask: 'safe DS', rcode: 'NOERROR', answers: ['safe DS'], why: "DS is the parent's: ours" },
  { ask: 'sub DS', rcode: 'NOERROR', authorities: SOA, why: 'an insecure delegation has none' },
])('without DNSSEC, $ask is $rcode: $why', ({ ask, rcode, answers = [], authorities = [] }) => {
  const [name = '', type = ''] = ask.split(' ');
  const expected = { rcode, aa: true, answers, authorities, additionals: [] };
  expect(answer(name, type)).toEqual(expected);
});

test.each([
  { ask: 'desktop A', answers: ['desktop A', 'desktop RRSIG(A)'], proofs: [], why: 'signed' },
  {
    ask: 'desktop MX',
    answers: [],
    proofs: ['@ SOA', '@ RRSIG(SOA)', 'desktop NSEC', 'desktop RRSIG(NSEC)'],
    why: 'no data: the NSEC of the name (RFC 4035 §3.1.3.1)',
  },
  {
    ask: 'x.y.nope A',
    answers: [],
    proofs: [
      '@ SOA',
      '@ RRSIG(SOA)',
      'nopd\\255 NSEC',
      'nopd\\255 RRSIG(NSEC)',
      '\\)\\255 NSEC',
      '\\)\\255 RRSIG(NSEC)',
    ],
    why: 'neither the name nor a wildcard (RFC 4035 §3.1.3.2)',
  },
  {
    ask: 'foo.wild A',
    answers: ['foo.wild A', 'foo.wild RRSIG(A)'],
    proofs: ['fon\\255.wild NSEC', 'fon\\255.wild RRSIG(NSEC)'],
    why: 'a wildcard: nothing closer (RFC 4035 §3.1.3.3)',
  },
  {
    ask: 'foo.wild MX',
    answers: [],
    proofs: [
      'fon\\255.wild NSEC',
      'fon\\255.wild RRSIG(NSEC)',
      '*.wild NSEC',
      '*.wild RRSIG(NSEC)',
    ],
    soa: true,
    why: 'a wildcard without the type (RFC 4035 §3.1.3.4)',
  },
  {
    ask: 'x.old AAAA',
    answers: ['old DNAME', 'old RRSIG(DNAME)', 'x.old CNAME'],
    soa: true,
    proofs: ['w\\255.wild NSEC', 'w\\255.wild RRSIG(NSEC)', '*.wild NSEC', '*.wild RRSIG(NSEC)'],
    why: "a DNAME's CNAME is not signed (RFC 6672 §5.3.1)",
  },
  { ask: 'desktop RRSIG', answers: ['desktop RRSIG(A)'], proofs: [], why: 'signatures only' },
  {
    ask: 'ent NSEC',
    answers: ['ent NSEC', 'ent RRSIG(NSEC)'],
    proofs: [],
    why: 'asked for by name',
  },
])('with DNSSEC, $ask has its proofs: $why', ({ ask, answers, proofs, soa }) => {
  const [name = '', type = ''] = ask.split(' ');
  const authorities = soa ? ['@ SOA', '@ RRSIG(SOA)', ...proofs] : proofs;
  expect(answer(name, type, { edns: DO })).toMatchObject({ answers, authorities });
});

test.each([
  {
    ask: 'x.sub A',
    aa: false,
    authorities: ['sub NS', 'sub NSEC', 'sub RRSIG(NSEC)'],
    additionals: ['ns.sub A'],
    why: 'glue unsigned, and a proof that there is no DS',
  },
  {
    ask: 'safe TXT',
    aa: false,
    authorities: ['safe NS', 'safe DS', 'safe RRSIG(DS)'],
    additionals: [],
    why: 'a secure delegation',
  },
  {
    ask: 'down A',
    aa: true,
    authorities: ['sub NS', 'sub NSEC', 'sub RRSIG(NSEC)'],
    additionals: ['ns.sub A'],
    why: 'the alias is ours, what it points at is not',
  },
])('$ask is referred: $why', ({ ask, aa, authorities, additionals }) => {
  const [name = '', type = ''] = ask.split(' ');
  expect(answer(name, type, { edns: DO })).toMatchObject({ aa, authorities, additionals });
  const plain = answer(name, type);
  expect(plain.authorities).toEqual(authorities.slice(0, 1));
});

test('a DNAME whose target is too long says so (RFC 6672 §2.2)', () => {
  const target = `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}`;
  const moved = createAuthority({ zone: zoneOf(`d DNAME ${target}`), keys: [key], crypto });
  const response = moved.answer(sampleQuery(`${'a'.repeat(60)}.d`, 'A'), CONTEXT);
  expect(rcodeName(response.rcode)).toBe('YXDOMAIN');
  expect(listed(response.answers)).toEqual(['d DNAME']);
});
