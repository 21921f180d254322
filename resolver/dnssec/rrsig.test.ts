import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nameFromLabels, ROOT } from '../message/name.ts';
import { canonicalRdata, decodeRdataAs, encodeRdata } from '../message/rdata.ts';
import { TYPE } from '../message/type.ts';
import { readRrsig, signedOctets } from './rrsig.ts';

const label = fc.uint8Array({ minLength: 1, maxLength: 12 });
const name = fc.array(label, { maxLength: 4 }).map((labels) => nameFromLabels(labels) ?? ROOT);
const number = (bits: number) => fc.nat(2 ** bits - 1);

const rdata = fc
  .record({
    type: fc.constant('RRSIG' as const),
    ...{ typeCovered: number(16), algorithm: number(8), labels: number(8), keyTag: number(16) },
    ...{ originalTtl: number(31), expiration: number(31), inception: number(31) },
    signer: name,
    signature: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  })
  .map(encodeRdata);

test('reads what the table of all types reads, also when cut or changed', () => {
  const change = fc.record({ at: fc.nat(40), octet: fc.nat(255), length: fc.nat(140) });
  fc.assert(
    fc.property(rdata, fc.option(change), (whole, changed) => {
      const octets = changed === null ? whole : whole.slice(0, changed.length);
      if (changed !== null && changed.at < octets.length) octets[changed.at] = changed.octet;
      expect(readRrsig(octets)).toEqual(decodeRdataAs('RRSIG', octets));
    }),
    { numRuns: 500 },
  );
});

test('signs the canonical form without the signature', () => {
  fc.assert(
    fc.property(rdata, fc.uint8Array({ maxLength: 30 }), (octets, set) => {
      const fields = readRrsig(octets);
      if (fields === undefined) throw new Error('unreachable: it was made from fields');
      const canonical = canonicalRdata(TYPE.RRSIG, octets);
      const prefix = canonical.subarray(0, octets.length - fields.signature.length);
      expect(signedOctets(octets, fields, set)).toEqual(Uint8Array.of(...prefix, ...set));
    }),
  );
});
