import { expect, test } from 'vitest';
import { printName } from '../message/name.ts';
import { decodeRdata } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { TYPE } from '../message/type.ts';
import { APEX, sampleName, sampleRecord, zoneOf } from './zone.fixture.ts';
import { buildZone, lastNameBefore, withApexSets } from './zone.ts';

const base = { apex: APEX, serial: 7, ttl: 300, nameServers: [sampleName('router')] };

function problemsOf(...records: ResourceRecord[]): string[] {
  const built = buildZone({ ...base, records });
  return built.ok
    ? []
    : built.problems.map(({ reason, owner, type }) => `${reason} ${owner} ${type}`);
}

test.each([
  { lines: [], why: 'a zone may have nothing but its apex' },
  { lines: ['desktop A 100.64.0.2', 'desktop AAAA 2', 'desktop TXT x'], why: 'types side by side' },
  { lines: ['desktop A 100.64.0.2', 'desktop A 100.64.0.3'], why: 'a set of two' },
  { lines: ['*.lab A 100.64.0.2', '* CNAME router'], why: 'wildcards' },
  { lines: ['a.*.lab A 100.64.0.2'], why: 'a name below an asterisk (RFC 4592 §2.2.1)' },
  { lines: ['sub NS ns.sub', 'ns.sub A 192.0.2.1', 'sub DS'], why: 'a delegation with glue' },
  { lines: ['sub NS sub', 'sub A 192.0.2.1'], why: 'the cut is its own name server' },
  { lines: ['sub NS ns.example.'], why: 'no glue is needed for a server elsewhere' },
  { lines: ['old DNAME new', 'old TXT x'], why: 'DNAME may have data beside it (RFC 6672 §2.4)' },
  { lines: ['a TYPE1000 anything'], why: 'an unknown type is opaque (RFC 3597)' },
])('accepts $lines: $why', ({ lines }) => {
  expect(problemsOf(...lines.map((line) => sampleRecord(line)))).toEqual([]);
});

test.each([
  { lines: ['bob.nymote. A 192.0.2.1'], problem: 'outside-apex bob.nymote. A', why: 'not ours' },
  { lines: ['xalice.nymote. A 1.2.3.4'], problem: 'outside-apex xalice.nymote. A', why: 'label' },
  { lines: ['@ NS bob'], problem: 'not-user-data alice.nymote. NS', why: 'given as nameServers' },
  { lines: ['@ SOA x'], problem: 'not-user-data alice.nymote. SOA', why: 'made here' },
  { lines: ['a NSEC x'], problem: 'not-user-data a.alice.nymote. NSEC', why: 'made by the signer' },
  { lines: ['a ANY x'], problem: 'not-user-data a.alice.nymote. ANY', why: 'a query type' },
  {
    lines: ['a A 1.2.3.4', 'A A 1.2.3.4'],
    problem: 'duplicate A.alice.nymote. A',
    why: 'the same record in other case (RFC 4343)',
  },
  {
    lines: ['a CNAME router', 'a A 1.2.3.4'],
    problem: 'cname-beside-other-data a.alice.nymote. CNAME',
    why: 'RFC 2181 §10.1',
  },
  {
    lines: ['@ CNAME router'],
    problem: 'cname-beside-other-data alice.nymote. CNAME',
    why: 'the apex has SOA and NS',
  },
  {
    lines: ['a CNAME b', 'a CNAME c'],
    problem: 'several-cnames a.alice.nymote. CNAME',
    why: 'RFC 2181 §10.1',
  },
  {
    lines: ['a DNAME b', 'a DNAME c'],
    problem: 'several-dnames a.alice.nymote. DNAME',
    why: 'RFC 6672 §2.4',
  },
  {
    lines: ['a DNAME b', 'x.y.a A 1.2.3.4'],
    problem: 'below-dname x.y.a.alice.nymote. A',
    why: 'hidden (RFC 6672 §2.4)',
  },
  {
    lines: ['sub NS ns.example.', 'x.sub A 1.2.3.4'],
    problem: 'below-delegation x.sub.alice.nymote. A',
    why: 'an address no NS names is not glue',
  },
  {
    lines: ['sub NS ns.sub', 'ns.sub A 1.2.3.4', 'ns.sub TXT x'],
    problem: 'below-delegation ns.sub.alice.nymote. TXT',
    why: 'only addresses are glue',
  },
  {
    lines: ['sub NS ns.example.', 'sub TXT x'],
    problem: 'beside-delegation sub.alice.nymote. TXT',
    why: 'belongs to the zone below',
  },
  {
    lines: ['*.sub NS ns.example.'],
    problem: 'delegation-at-wildcard *.sub.alice.nymote. NS',
    why: 'RFC 4592 §4.2',
  },
  {
    lines: ['*.sub DNAME router'],
    problem: 'dname-at-wildcard *.sub.alice.nymote. DNAME',
    why: 'RFC 6672 §3.3',
  },
  {
    lines: ['a DS', 'a A 1.2.3.4'],
    problem: 'ds-without-delegation a.alice.nymote. DS',
    why: 'RFC 4035 §2.4',
  },
  { lines: ['@ DS'], problem: 'ds-without-delegation alice.nymote. DS', why: "it is the parent's" },
  {
    lines: ['sub NS ns.sub'],
    problem: 'missing-glue ns.sub.alice.nymote. NS',
    why: 'the server could not be found (RFC 9471 §2)',
  },
])('refuses $lines: $why', ({ lines, problem }) => {
  expect(problemsOf(...lines.map((line) => sampleRecord(line)))).toEqual([problem]);
});

test('reports every problem at once, of the input too', () => {
  const records = [
    sampleRecord('bob.nymote. A 192.0.2.1'),
    { ...sampleRecord('a TXT x'), ttl: -1 },
  ];
  const built = buildZone({ apex: APEX, serial: 2 ** 32, ttl: -1, nameServers: [], records });
  expect(built.ok ? [] : built.problems.map(({ reason }) => reason)).toEqual([
    'no-name-server',
    'bad-serial',
    'bad-ttl',
    'outside-apex',
    'bad-ttl',
  ]);
  expect(problemsOf({ ...sampleRecord('a TXT x'), class: 3 })).toEqual([
    'wrong-class a.alice.nymote. TXT',
  ]);
  expect(problemsOf({ ...sampleRecord('a A 1.2.3.4'), rdata: Uint8Array.of(1, 2, 3) })).toEqual([
    'bad-rdata a.alice.nymote. A',
  ]);
});

test.each([
  { ttl: 300, minimum: 60, why: 'a device that comes back must not stay missing' },
  { ttl: 45, minimum: 45, why: 'follows the zone' },
  { ttl: 5, minimum: 30, why: 'some negative caching protects us' },
])('a TTL of $ttl makes a negative TTL of $minimum: $why', ({ ttl, minimum }) => {
  const built = buildZone({ ...base, ttl, records: [] });
  const sets = built.ok ? built.zone.nodes.get(APEX.key)?.sets : undefined;
  const soa = sets?.get(TYPE.SOA);
  expect(soa?.ttl).toBe(minimum);
  expect(decodeRdata(TYPE.SOA, soa?.rdatas[0] ?? new Uint8Array(0))).toMatchObject({
    mname: sampleName('router'),
    rname: sampleName('hostmaster'),
    serial: 7,
    minimum,
  });
  expect(sets?.get(TYPE.NS)?.ttl).toBe(ttl);
});

test('empty non-terminals exist, and names are in canonical order (RFC 4034 §6.1)', () => {
  const zone = zoneOf('z A 1.2.3.4', 'a.b.ent A 1.2.3.4', 'Y.z A 1.2.3.4', '* A 1.2.3.4');
  expect(zone.order.map(printName)).toEqual([
    'alice.nymote.',
    '*.alice.nymote.',
    'ent.alice.nymote.',
    'b.ent.alice.nymote.',
    'a.b.ent.alice.nymote.',
    'z.alice.nymote.',
    'Y.z.alice.nymote.',
  ]);
  expect(zone.nodes.get(sampleName('b.ent').key)?.sets.size).toBe(0);
});

test('a set of different TTLs gets the smallest (RFC 2181 §5.2)', () => {
  const records = [sampleRecord('a A 1.2.3.4', 60), sampleRecord('a A 1.2.3.5', 10)];
  const built = buildZone({ ...base, records });
  const sets = built.ok ? built.zone.nodes.get(sampleName('a').key)?.sets : undefined;
  expect(sets?.get(TYPE.A)).toMatchObject({ ttl: 10, rdatas: { length: 2 } });
});

test.each([
  { name: '', before: undefined, why: 'nothing is before the apex' },
  { name: 'a', before: 'alice.nymote.', why: 'the first child' },
  { name: 'zz', before: 'x.z.alice.nymote.', why: 'below z comes before zz' },
])('the name before $name is $before: $why', ({ name, before }) => {
  const zone = zoneOf('b.ent A 1.2.3.4', 'z A 1.2.3.4', 'x.z A 1.2.3.4');
  const found = lastNameBefore(zone, sampleName(name));
  expect(found && printName(found)).toBe(before);
});

test('sets are added at the apex without changing the zone', () => {
  const zone = zoneOf();
  const set = { owner: APEX, type: TYPE.DNSKEY, ttl: 60, rdatas: [Uint8Array.of(1, 1, 3, 13)] };
  const keyed = withApexSets(zone, [set]);
  expect([...(keyed.nodes.get(APEX.key)?.sets.keys() ?? [])]).toEqual([
    TYPE.SOA,
    TYPE.NS,
    TYPE.DNSKEY,
  ]);
  expect(zone.nodes.get(APEX.key)?.sets.has(TYPE.DNSKEY)).toBe(false);
});
