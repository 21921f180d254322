import fc from 'fast-check';
import { expect, test } from 'vitest';
import { APEX, sampleName, sampleRecord, zoneOf } from '../authority/zone.fixture.ts';
import { buildZone, type RecordSet, type Zone } from '../authority/zone.ts';
import {
  compareNames,
  isWithin,
  labels,
  type Name,
  nameFromLabels,
  parseName,
  printName,
} from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import { TYPE, typeName } from '../message/type.ts';
import { firstAfter, firstBeyond, lastBefore, nsecAt, nsecOver, reachesFurther } from './denial.ts';

const LONG = 'x'.repeat(63);
const FULL = '\\255'.repeat(63);
/** 241 octets together with the apex: fourteen octets are left. */
const DEEP = [LONG, LONG, LONG, 'x'.repeat(34)].join('.');

function printed(set: RecordSet): string {
  const { next, types = [] } = decodeRdataAs('NSEC', set.rdatas[0] ?? new Uint8Array(0)) ?? {};
  return `${printName(set.owner)} ${next && printName(next)} ${types.map(typeName).join(' ')}`;
}

test.each([
  { name: 'b', beyond: 'b\\000.alice.nymote.', why: 'the next sibling is one zero octet longer' },
  { name: 'x.b', beyond: 'x\\000.b.alice.nymote.', why: 'below another name' },
  { name: LONG, beyond: `${LONG.slice(1)}y.alice.nymote.`, why: 'a full label is counted up' },
  { name: FULL, beyond: 'alice.nymote.', why: 'after the last child comes the apex again' },
  {
    name: `a.${FULL}.b`,
    beyond: `a\\000.${FULL}.b.alice.nymote.`,
    why: 'only its own label counts',
  },
  { name: `${FULL}.b`, beyond: 'b\\000.alice.nymote.', why: 'after the last child of b' },
  { name: `a${'\\255'.repeat(62)}`, beyond: 'b.alice.nymote.', why: '0xff at the end is dropped' },
  { name: `${'@'.repeat(63)}`, beyond: `${'\\@'.repeat(62)}[.alice.nymote.`, why: 'no capitals' },
  { name: '', beyond: 'alice.nymote.', why: 'the apex is the end of its own zone' },
  {
    name: `${'x'.repeat(13)}.${DEEP}`,
    beyond: `${'x'.repeat(12)}y.${DEEP}.alice.nymote.`,
    why: '255',
  },
])('what follows $name and all below it is $beyond: $why', ({ name, beyond }) => {
  expect(printName(firstBeyond(sampleName(name), APEX))).toBe(beyond);
});

test.each([
  { name: 'b', after: '\\000.b.alice.nymote.', why: 'the first child (RFC 4471 §3.1.2)' },
  { name: '', after: '\\000.alice.nymote.', why: "the apex's first child" },
  { name: 'B', after: '\\000.b.alice.nymote.', why: 'in lower case (RFC 4034 §6.1)' },
  {
    name: `${'x'.repeat(12)}.${DEEP}`,
    after: `${'x'.repeat(12)}\\000.${DEEP}.alice.nymote.`,
    why: '254: no child fits',
  },
  {
    name: `${'x'.repeat(13)}.${DEEP}`,
    after: `${'x'.repeat(12)}y.${DEEP}.alice.nymote.`,
    why: '255',
  },
])('what follows $name is $after: $why', ({ name, after }) => {
  expect(printName(firstAfter(sampleName(name), APEX))).toBe(after);
});

test.each([
  { name: '\\000', before: 'alice.nymote.', why: 'the first child follows its parent' },
  { name: '\\000.b', before: 'b.alice.nymote.', why: 'also deeper' },
])('what precedes $name is $before: $why', ({ name, before }) => {
  expect(printName(lastBefore(sampleName(name)))).toBe(before);
});

test('what precedes a name is as long as names get (RFC 4471 §3.1.1)', () => {
  const before = lastBefore(sampleName('b'));
  expect(before.wire).toHaveLength(255);
  const label = labels(before).at(-3);
  expect(label).toEqual(Uint8Array.of(0x61, ...new Array(62).fill(0xff)));
  // One octet short: the next label would need two.
  expect(lastBefore(sampleName('[')).wire.length).toBeGreaterThanOrEqual(254);
  expect(labels(lastBefore(sampleName('['))).at(-3)?.[0]).toBe(0x40);
});

test('proofs of names are short, those of types have the real types', () => {
  const zone = zoneOf('desktop A 1.2.3.4', 'desktop AAAA 1', 'x.ent A 1.2.3.4', '* TXT x');
  const node = zone.nodes.get(sampleName('desktop').key);
  const entry = zone.nodes.get(sampleName('ent').key);
  if (node === undefined || entry === undefined) throw new Error('missing nodes');
  expect(printed(nsecAt(zone, node))).toBe(
    'desktop.alice.nymote. \\000.desktop.alice.nymote. A AAAA RRSIG NSEC',
  );
  expect(printed(nsecAt(zone, entry))).toBe('ent.alice.nymote. \\000.ent.alice.nymote. RRSIG NSEC');
  expect(printed(nsecOver(zone, sampleName('Laptop')))).toBe(
    'laptoo\\255.alice.nymote. laptop\\000.alice.nymote. RRSIG NSEC',
  );
});

test.each([
  {
    line: 'sub NS ns.example.',
    types: 'NS RRSIG NSEC',
    why: 'no DS: the zone below is insecure (RFC 4035 §5.2)',
  },
  { line: 'sub DS', types: 'NS DS RRSIG NSEC', why: 'a secure delegation' },
  { line: 'sub A 1.2.3.4', types: 'NS RRSIG NSEC', why: "glue is not the parent's data" },
])('at a cut with $line the types are $types: $why', ({ line, types }) => {
  const zone = zoneOf('sub NS sub', 'sub A 1.2.3.5', ...(line.includes(' NS') ? [] : [line]));
  const node = zone.nodes.get(sampleName('sub').key);
  expect(node && printed(nsecAt(zone, node))).toBe(
    `sub.alice.nymote. \\000.sub.alice.nymote. ${types}`,
  );
});

test('where something lives just before, the proof begins right after it', () => {
  const zone = zoneOf('x.laptoo\\255\\255 A 1.2.3.4', 'laptoo\\255z A 1.2.3.4');
  const nsec = nsecOver(zone, sampleName('laptop'));
  expect(nsec.owner.wire.length).toBeGreaterThan(253);
  expect(gapOf(nsec)).toMatchObject({ next: sampleName('laptop\\000') });
  expectTrue(zone, nsec);
});

test('an existing owner of a proof shows its real types', () => {
  const zone = zoneOf('a A 1.2.3.4', '\\001 A 1.2.3.4');
  expect(printed(nsecOver(zone, sampleName('\\000')))).toBe(
    'alice.nymote. \\000\\000.alice.nymote. NS SOA RRSIG NSEC',
  );
  expect(printed(nsecOver(zone, sampleName('\\000.a')))).toBe(
    'a.alice.nymote. \\000\\000.a.alice.nymote. A RRSIG NSEC',
  );
});

test('of two proofs with one owner, the wider one is found', () => {
  const zone = zoneOf();
  const apex = zone.nodes.get(APEX.key);
  if (apex === undefined) throw new Error('no apex');
  const [narrow, wide] = [nsecAt(zone, apex), nsecOver(zone, sampleName('\\000'))];
  expect(reachesFurther(wide, narrow, APEX)).toBe(true);
  expect(reachesFurther(narrow, wide, APEX)).toBe(false);
  expect(reachesFurther(wide, wide, APEX)).toBe(false);
});

const octet = fc.oneof(
  fc.constantFrom(0x00, 0x01, 0x2a, 0x40, 0x5a, 0x5b, 0x61, 0x7a, 0xfe, 0xff),
  fc.integer({ min: 0, max: 255 }),
);
const label = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 3 }) },
  { weight: 3, arbitrary: fc.array(octet, { minLength: 1, maxLength: 3 }) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 58, max: 63 }), octet, octet)
      .map(([size, fill, last]) => new Uint8Array(size).fill(fill).with(size - 1, last)),
  },
);
const nameBelow = fc
  .array(label, { minLength: 1, maxLength: 5 })
  .map((found) =>
    nameFromLabels([...found.map((octets) => Uint8Array.from(octets)), ...labels(APEX)]),
  )
  .filter((name) => name !== undefined);

test('a proof covers its name, all below it, and no name that exists', () => {
  const check = fc.property(
    fc.array(nameBelow, { maxLength: 6 }),
    nameBelow,
    fc.array(nameBelow, { maxLength: 4 }),
    (existing, asked, others) => {
      const zone = zoneFrom(existing);
      fc.pre(!zone.nodes.has(asked.key));
      const nsec = nsecOver(zone, asked);
      expect(covers(nsec, asked)).toBe(true);
      expect(isWithin(gapOf(nsec).next, asked)).toBe(false);
      for (const name of others) {
        if (isWithin(name, asked)) expect(covers(nsec, name)).toBe(true);
      }
      expectTrue(zone, nsec);
    },
  );
  fc.assert(check, { numRuns: 400 });
});

test('a proof about an existing name covers nothing that exists, and no possible name at all', () => {
  const check = fc.property(fc.array(nameBelow, { maxLength: 6 }), nameBelow, (existing, other) => {
    const zone = zoneFrom(existing);
    for (const node of zone.nodes.values()) {
      const nsec = nsecAt(zone, node);
      expectTrue(zone, nsec);
      expect(covers(nsec, other)).toBe(false);
    }
  });
  fc.assert(check, { numRuns: 100 });
});

test('nothing fits between a name and its neighbours', () => {
  const check = fc.property(nameBelow, nameBelow, (name, other) => {
    const before = lastBefore(name);
    expect(compareNames(before, name)).toBeLessThan(0);
    const isBetween = compareNames(before, other) < 0 && compareNames(other, name) < 0;
    expect(isBetween).toBe(false);
    const beyond = firstBeyond(name, APEX);
    if (beyond.key === APEX.key) return;
    expect(compareNames(name, beyond)).toBeLessThan(0);
    const isInGap = compareNames(name, other) < 0 && compareNames(other, beyond) < 0;
    expect(isInGap).toBe(isInGap && isWithin(other, name));
  });
  fc.assert(check, { numRuns: 1_000 });
});

function zoneFrom(existing: readonly Name[]): Zone {
  const { type, ttl, rdata } = sampleRecord('x A 1.2.3.4');
  const unique = new Map(existing.map((name) => [name.key, name]));
  const records = [...unique.values()].map((owner) => ({ owner, type, class: 1, ttl, rdata }));
  const nameServers = [parseName('ns.example') ?? APEX];
  const built = buildZone({ apex: APEX, serial: 1, ttl: 60, nameServers, records });
  if (!built.ok) throw new Error(JSON.stringify(built.problems));
  return built.zone;
}

function gapOf(nsec: RecordSet): { owner: Name; next: Name; types: readonly number[] } {
  const parsed = decodeRdataAs('NSEC', nsec.rdatas[0] ?? new Uint8Array(0));
  if (parsed === undefined) throw new Error('no NSEC');
  return { owner: nsec.owner, next: parsed.next, types: parsed.types };
}

/** RFC 4035 §5.4, with the wrap at the apex. */
function covers(nsec: RecordSet, name: Name): boolean {
  const { owner, next } = gapOf(nsec);
  const isLast = next.key === APEX.key;
  return compareNames(owner, name) < 0 && (isLast || compareNames(name, next) < 0);
}

/** Everything an NSEC says must be so: no name in its gap, the right types at its owner. */
function expectTrue(zone: Zone, nsec: RecordSet): void {
  expect(zone.order.filter((name) => covers(nsec, name)).map(printName)).toEqual([]);
  const types = [...(zone.nodes.get(nsec.owner.key)?.sets.keys() ?? [])];
  const expected = [...types, TYPE.RRSIG, TYPE.NSEC].sort((a, b) => a - b);
  expect(gapOf(nsec).types).toEqual(expected);
}
