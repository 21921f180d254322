/**
 * Against a model: zones of a few short names, of whose proofs any part is known. What is made from
 * them must be what the zone says; with all of them known, every denial can be made.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { denial, name, nsec, purse, samples, set } from '../dnssec/signed.fixture.ts';
import type { Found } from '../dnssec/validate.ts';
import {
  compareNames,
  countLabels,
  type Name,
  parentOf,
  prepend,
  printName,
} from '../message/name.ts';
import { encodeRdata } from '../message/rdata.ts';
import { type RRset, recordsOf } from '../message/rrset.ts';
import { TYPE, typeName } from '../message/type.ts';
import { type Cache, createCache } from './cache.ts';
import { createSynthesis, MAX_HASHES_FOR_NAME, MAX_LABELS, type Synthesis } from './synthesis.ts';

const { crypto } = nodeRuntime();
const { nsec3Chain } = samples(crypto);
const APEX = name('example.');

/** A signature by `example.` that nobody checks here. */
function signed(rrset: RRset, labels = countLabels(rrset.owner)): RRset {
  const times = { originalTtl: rrset.ttl, expiration: 0, inception: 0, keyTag: 0 };
  const rdata = encodeRdata({
    type: 'RRSIG',
    typeCovered: rrset.type,
    algorithm: 13,
    labels,
    signer: APEX,
    signature: new Uint8Array(1),
    ...times,
  });
  return { ...rrset, signatures: [rdata] };
}

const soa = signed(set('example. 300 SOA ns.example. host.example. 1 2 3 4 200'));
const told = (...proof: readonly RRset[]): Found =>
  denial('no-name', soa, ...proof.map((each) => signed(each)));

function stand(): {
  cache: Cache;
  synthesis: Synthesis;
  kind(name: string, type: number, now?: number): string | undefined;
} {
  const cache = createCache();
  const synthesis = createSynthesis(cache, crypto);
  const kind = (text: string, type: number, now = 1) =>
    synthesis.find(name(text), type, purse(), now)?.kind;
  return { cache, synthesis, kind };
}

/* The model */

type Owned = { readonly name: Name; readonly types: readonly number[] };
type Zone = ReadonlyMap<string, Owned>;

const APEX_TYPES = [TYPE.NS, TYPE.SOA];

function zoneOf(lines: readonly (readonly [string, number])[]): Zone {
  const zone = new Map<string, Owned>([[APEX.key, { name: APEX, types: APEX_TYPES }]]);
  for (const [text, type] of lines) {
    const owner = name(text);
    zone.set(owner.key, { name: owner, types: [type] });
  }
  // What is below a cut or a DNAME is not in the zone.
  for (const { name: owner } of [...zone.values()]) {
    if (isHidden(zone, owner)) zone.delete(owner.key);
  }
  return zone;
}

function above(owner: Name): Name[] {
  const found: Name[] = [];
  for (let at = parentOf(owner); at !== undefined && at.key !== APEX.key; at = parentOf(at)) {
    found.push(at);
  }
  return found;
}

function isHidden(zone: Zone, owner: Name): boolean {
  return above(owner).some((at) => {
    const types = zone.get(at.key)?.types ?? [];
    return types.includes(TYPE.NS) || types.includes(TYPE.DNAME);
  });
}

function lookUp(zone: Zone, wanted: Name, type: number): string {
  if (isHidden(zone, wanted)) return 'elsewhere';
  const exists = [...zone.values()].some(({ name: owner }) => owner.key.endsWith(wanted.key));
  if (exists) return judge(zone.get(wanted.key)?.types ?? [], type, wanted.key === APEX.key);
  const encloser = above(wanted).find((at) =>
    [...zone.values()].some(({ name: owner }) => owner.key.endsWith(at.key)),
  );
  const source = zone.get(prepend('*', encloser ?? APEX)?.key ?? '');
  return source === undefined ? 'no-name' : judge(source.types, type, false);
}

function judge(types: readonly number[], type: number, isApex: boolean): string {
  if (types.includes(type)) return 'answer';
  if (types.includes(TYPE.CNAME)) return 'alias';
  return types.includes(TYPE.NS) && !isApex && type !== TYPE.DS ? 'elsewhere' : 'no-data';
}

/** All names with the NSEC after them. */
function chainOf(zone: Zone): RRset[] {
  const names = [...zone.values()].sort((a, b) => compareNames(a.name, b.name));
  return names.map(({ name: owner, types }, index) => {
    const next = names[(index + 1) % names.length]?.name ?? APEX;
    const words = [...types, TYPE.RRSIG, TYPE.NSEC].map(typeName).join(' ');
    return nsec(`${printName(owner)} → ${printName(next)} ${words}`);
  });
}

/** The NSEC3 of all names, those that only have something below them included. */
function hashedChainOf(zone: Zone): RRset[] {
  const owners = new Map<string, readonly number[]>();
  for (const { name: owner, types } of zone.values()) {
    owners.set(printName(owner), [...types, TYPE.RRSIG]);
    for (const at of above(owner)) {
      if (!zone.has(at.key)) owners.set(printName(at), []);
    }
  }
  const lines = [...owners].map(([owner, types]) => [owner, ...types.map(typeName)].join(' '));
  return nsec3Chain(APEX, lines);
}

const label = fc.constantFrom('a', 'b', 'c', 'd');
const path = fc.array(label, { minLength: 1, maxLength: 3 });
const owner = fc
  .tuple(fc.boolean(), path)
  .map(([isWild, labels]) => `${[...(isWild ? ['*'] : []), ...labels].join('.')}.example.`);
const line = fc.tuple(
  owner,
  fc.constantFrom<number>(TYPE.A, TYPE.A, TYPE.TXT, TYPE.CNAME, TYPE.NS, TYPE.DNAME),
);
const question = fc.record({
  of: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'bb'), { minLength: 1, maxLength: 4 }),
  type: fc.constantFrom<number>(TYPE.A, TYPE.TXT, TYPE.DS, TYPE.NS),
});
const DENIALS = ['no-name', 'no-data'];

describe.each([
  { how: 'NSEC', chain: chainOf, isComplete: true },
  { how: 'NSEC3', chain: hashedChainOf, isComplete: true },
])('$how', ({ chain, isComplete }) => {
  test('what is made is what the zone says (against a model)', () => {
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 8 }),
        fc.array(fc.boolean(), { maxLength: 12 }),
        fc.array(question, { minLength: 1, maxLength: 12 }),
        (lines, known, questions) => {
          const zone = zoneOf(lines.filter(([, type]) => type !== undefined));
          const proofs = chain(zone).filter((_, index) => known[index] ?? true);
          const { synthesis } = stand();
          for (const proof of proofs) synthesis.learn(told(proof), 300, 0);
          for (const { of, type } of questions) {
            const wanted = name(`${of.join('.')}.example.`);
            const right = lookUp(zone, wanted, type);
            const made = synthesis.find(wanted, type, purse(), 1)?.kind;
            const hasAll = known.every(Boolean) && isComplete && DENIALS.includes(right);
            if (made !== undefined || hasAll) expect(made).toBe(right);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what is made, and for how long', () => {
  const gap = nsec('a.example. → m.example. A RRSIG NSEC');
  const apex = nsec('example. → a.example. NS SOA RRSIG NSEC');

  test.each<{ of: string; type: number; now: number; kind: string | undefined; why: string }>([
    { of: 'b.example.', type: TYPE.A, now: 1, kind: 'no-name', why: 'name and wildcard denied' },
    { of: 'x.b.example.', type: TYPE.A, now: 1, kind: 'no-name', why: 'nor anything below it' },
    { of: 'a.example.', type: TYPE.TXT, now: 1, kind: 'no-data', why: 'not among the types' },
    { of: 'a.example.', type: TYPE.A, now: 1, kind: undefined, why: 'among the types' },
    { of: 'z.example.', type: TYPE.A, now: 1, kind: undefined, why: 'in no gap' },
    { of: 'b.other.', type: TYPE.A, now: 1, kind: undefined, why: 'in another zone' },
    { of: 'b.example.', type: TYPE.A, now: 99, kind: 'no-name', why: 'nearly over' },
    { of: 'b.example.', type: TYPE.A, now: 100, kind: undefined, why: 'over' },
    {
      of: `${'x.'.repeat(MAX_LABELS)}example.`,
      type: TYPE.A,
      now: 1,
      kind: undefined,
      why: 'too deep to be worth it',
    },
  ])('$of after $now s: $why', ({ of, type, now, kind }) => {
    const { synthesis, kind: find } = stand();
    synthesis.learn(told(gap, apex), 100, 0);
    expect(find(of, type, now)).toBe(kind);
  });

  test('its TTL is the least of all and counts down; the proof comes along', () => {
    const { synthesis } = stand();
    synthesis.learn(told(gap, apex), 1000, 0);
    const made = synthesis.find(name('b.example.'), TYPE.A, purse(), 150);
    if (made?.kind !== 'no-name') throw new Error('not made');
    expect(made.denial?.soa.ttl).toBe(150);
    expect(made.denial?.proof.map(({ type }) => typeName(type))).toEqual([
      'RRSIG',
      'NSEC',
      'RRSIG',
      'NSEC',
      'RRSIG',
    ]);
    expect(made.judgement).toMatchObject({ state: 'secure', isTimed: true });
  });

  test.each<{ proof: () => RRset; why: string }>([
    { proof: () => nsec('b.example. → \\000.b.example. A RRSIG NSEC'), why: 'RFC 4470' },
    { proof: () => nsec('b.example. → \\000.b.example. RRSIG NSEC NXNAME'), why: 'RFC 9824' },
    {
      proof: () => nsec3Chain(APEX, ['example. NS SOA'], undefined, true)[0] as RRset,
      why: 'opt-out (RFC 5155 §6)',
    },
    {
      proof: () =>
        nsec3Chain(APEX, ['example. NS'], { iterations: 151, salt: new Uint8Array(0) })[0] as RRset,
      why: 'too many iterations (RFC 9276)',
    },
  ])('nothing comes of $why', ({ proof }) => {
    const { synthesis, kind, cache } = stand();
    synthesis.learn(told(proof()), 300, 0);
    expect(kind('b.example.', TYPE.TXT)).toBeUndefined();
    expect(cache.entries, 'only the SOA').toBe(1);
  });

  test('hashes are paid for', () => {
    const { synthesis } = stand();
    const chain = nsec3Chain(APEX, ['example. NS SOA', 'a.example. A']);
    synthesis.learn(told(...chain), 300, 0);
    const full = purse();
    expect(synthesis.find(name('b.example.'), TYPE.A, full, 1)?.kind).toBe('no-name');
    expect(full.budget.hashes).toBeLessThan(purse().budget.hashes);
    const empty = { budget: { ...full.budget, hashes: 0 } };
    expect(synthesis.find(name('b.example.'), TYPE.A, empty, 1)).toBeUndefined();
  });

  test.each([
    { iterations: 0, of: 'b.example.', kind: 'no-name', why: 'what zones should have' },
    { iterations: 30, of: 'b.example.', kind: 'no-name', why: 'what many have' },
    { iterations: 140, of: 'b.example.', kind: undefined, why: 'the servers are asked instead' },
    { iterations: 30, of: 'b.c.d.e.f.example.', kind: undefined, why: 'and for deep names' },
  ])('with $iterations iterations $of is $kind: $why', ({ iterations, of, kind }) => {
    const { synthesis } = stand();
    const hashing = { iterations, salt: new Uint8Array(0) };
    const chain = nsec3Chain(APEX, ['example. NS SOA', 'a.example. A'], hashing);
    synthesis.learn(told(...chain), 300, 0);
    const full = purse();
    expect(synthesis.find(name(of), TYPE.A, full, 1)?.kind).toBe(kind);
    expect(purse().budget.hashes - full.budget.hashes).toBeLessThanOrEqual(MAX_HASHES_FOR_NAME);
  });
});

describe('wildcards (RFC 8198 §5.3)', () => {
  const gap = signed(nsec('*.example. → m.example. A CNAME RRSIG NSEC'));
  const expand = (labels: number, line: string) => signed(set(line), labels);
  const answer = (rrset: RRset): Found => ({
    kind: 'answer',
    rrset,
    proof: recordsOf(gap, true),
  });

  test('what a wildcard stands for, where it was seen to stand', () => {
    const { synthesis, kind } = stand();
    synthesis.learn(answer(expand(1, 'b.example. 300 A 192.0.2.1')), 300, 0);
    const made = synthesis.find(name('c.example.'), TYPE.A, purse(), 1);
    if (made?.kind !== 'answer') throw new Error('not made');
    expect([printName(made.rrset.owner), made.rrset.rdatas[0]?.join('.')]).toEqual([
      'c.example.',
      '192.0.2.1',
    ]);
    expect(made.proof.length).toBeGreaterThan(0);
    expect(kind('z.example.', TYPE.A), 'in no gap').toBeUndefined();
  });

  test('signatures that disagree make none', () => {
    const { synthesis, kind } = stand();
    const rrset = expand(1, 'b.example. 300 A 192.0.2.1');
    const other = expand(2, 'b.example. 300 A 192.0.2.1').signatures;
    synthesis.learn(answer({ ...rrset, signatures: [...rrset.signatures, ...other] }), 300, 0);
    expect(kind('c.example.', TYPE.A)).toBeUndefined();
  });

  test('an answer without proof is no wildcard, whatever its signature says', () => {
    const { synthesis, kind } = stand();
    synthesis.learn(told(gap), 300, 0);
    const rrset = expand(1, 'b.example. 300 A 192.0.2.1');
    synthesis.learn({ kind: 'answer', rrset, proof: [] }, 300, 0);
    expect(kind('c.example.', TYPE.A)).toBeUndefined();
  });
});
