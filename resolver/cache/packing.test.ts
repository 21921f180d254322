import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nameFromLabels, ROOT } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Judgement } from '../recursion/judgement.ts';
import { nameOf } from '../recursion/reply.fixture.ts';
import { createCache, type Denial } from './cache.ts';
import { MAX_PACKED } from './packing.ts';
import { TRUST } from './worth.ts';

const octets = (maxLength: number) => fc.uint8Array({ maxLength });

const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
const name = fc.array(label, { maxLength: 5 }).map((labels) => nameFromLabels(labels) ?? ROOT);

const TTL = 600;

const record: fc.Arbitrary<ResourceRecord> = fc.record({
  owner: name,
  type: fc.nat(0xffff),
  class: fc.constant(1),
  ttl: fc.nat(TTL),
  rdata: octets(90),
});
const proof = fc.array(record, { maxLength: 4 });

const rrset: fc.Arbitrary<RRset> = fc.record({
  owner: name,
  type: fc.nat(0xffff),
  ttl: fc.constant(TTL),
  rdatas: fc.array(octets(300), { maxLength: 4 }),
  signatures: fc.array(octets(120), { maxLength: 3 }),
});

/** Its last four octets are the minimum; more than the TTL. */
const soa = record.map((each) => ({ ...each, ttl: TTL, rdata: Uint8Array.of(0, 0, 0xff, 0xff) }));
const denial: fc.Arbitrary<Denial> = fc.record({ soa, proof });

const judgement: fc.Arbitrary<Judgement> = fc.oneof(
  fc.record({ state: fc.constant('secure'), isDenial: fc.boolean(), isTimed: fc.boolean() }),
  fc.record({
    state: fc.constant('insecure'),
    reason: fc.constant('unsigned-delegation'),
    isTimed: fc.boolean(),
  }),
  fc.constant({ state: 'bogus', reason: 'signature-expired' } as const),
);

test('what is put is what is found: sets', () => {
  fc.assert(
    fc.property(rrset, proof, judgement, (set, records, verdict) => {
      const cache = createCache();
      const found = () => cache.find(set.owner, set.type, 0);
      cache.putRecords(set, TRUST.authoritative, 0, records);
      expect(found()).toEqual({ kind: 'records', rrset: set, proof: records });
      const known = { kind: 'records', rrset: set, proof: records, judgement: verdict } as const;
      cache.putJudged(set.owner, set.type, known, TTL, 0);
      expect(found()).toEqual(known);
    }),
  );
});

test('what is put is what is found: denials', () => {
  fc.assert(
    fc.property(name, denial, judgement, (owner, grounds, verdict) => {
      const cache = createCache();
      cache.putNoData(owner, TYPE.MX, grounds, TRUST.authoritative, 0);
      expect(cache.find(owner, TYPE.MX, 0)).toEqual({ kind: 'no-data', denial: grounds });
      const known = { kind: 'no-name', denial: grounds, judgement: verdict } as const;
      cache.putJudged(owner, TYPE.A, known, TTL, 0);
      expect(cache.find(owner, TYPE.A, 0)).toEqual(known);
    }),
  );
});

test('what is put is what is found: delegations and proofs', () => {
  const server = fc.record({ name, addresses: fc.array(fc.ipV6(), { maxLength: 3 }) });
  const cut = fc.record({ zone: name, servers: fc.array(server, { maxLength: 4 }), proof });
  fc.assert(
    fc.property(cut, rrset, fc.boolean(), ({ zone, servers, proof: noDs }, set, isSigned) => {
      const cache = createCache();
      const whole = { zone, servers, until: 77.125, ...(isSigned ? {} : { noDs }) };
      cache.putCut(whole, 0);
      expect(cache.findCut(zone, 1)).toEqual(whole);
      cache.putProof(zone, set, 60, 0);
      const { owner, type } = set;
      expect(cache.findProof(zone, owner, type, 0)).toEqual({ ...set, ttl: 60 });
      expect(cache.findProof(nameOf('other.'), owner, type, 0)).toBeUndefined();
    }),
  );
});

test('what is too large for an entry is not kept, and nothing older in its place', () => {
  const cache = createCache();
  const owner = nameOf('www.example.');
  const small = { owner, type: TYPE.TXT, ttl: TTL, rdatas: [new Uint8Array(9)], signatures: [] };
  const part = new Uint8Array(0xffff);
  cache.putRecords(small, TRUST.answer, 0);
  expect(cache.find(owner, TYPE.TXT, 0)).toBeDefined();
  const rdatas = Array.from({ length: Math.ceil(MAX_PACKED / part.length) }, () => part);
  cache.putRecords({ ...small, rdatas }, TRUST.answer, 0);
  expect([cache.find(owner, TYPE.TXT, 0), cache.entries]).toEqual([undefined, 0]);
});
