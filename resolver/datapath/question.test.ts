import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeMessage } from '../message/message.ts';
import { encoded, queryOf } from './message.fixture.ts';
import { createAsked, hashFor, readAsked } from './question.ts';

const EDNS = { udpSize: 1232, version: 0, dnssecOk: false, options: [] };

function read(bytes: Uint8Array, start = 0, length = bytes.length) {
  const asked = createAsked();
  return readAsked(bytes, start, length, 7, asked) ? asked : undefined;
}

const with3 = (at: number, octet: number) => {
  const bytes = encoded(queryOf('www.example', { edns: EDNS }));
  bytes[at] = octet;
  return bytes;
};
const END = encoded(queryOf('www.example')).length;

test.each([
  { bytes: encoded(queryOf('www.example')), why: 'a plain question' },
  { bytes: encoded(queryOf('.')), why: 'the root' },
  { bytes: encoded(queryOf('www.example', { edns: EDNS })), why: 'EDNS without options' },
  {
    bytes: encoded(queryOf('www.example', { edns: { ...EDNS, dnssecOk: true, compactOk: true } })),
    why: 'DO and CO',
  },
])('read: $why', ({ bytes }) => {
  expect(read(bytes)).toMatchObject({ end: bytes.length - (bytes[11] === 1 ? 11 : 0) });
});

test.each([
  { bytes: new Uint8Array(0), why: 'nothing' },
  { bytes: encoded(queryOf('www.example')).subarray(0, 11), why: 'half a header' },
  { bytes: encoded(queryOf('www.example')).subarray(0, -1), why: 'a class cut off' },
  { bytes: Uint8Array.of(...encoded(queryOf('www.example')), 0), why: 'an octet too many' },
  { bytes: with3(2, 0x81), why: 'a response' },
  { bytes: with3(2, 0x09), why: 'another opcode' },
  { bytes: with3(2, 0x03), why: 'TC in a query' },
  { bytes: with3(3, 0x40), why: 'the reserved bit' },
  { bytes: with3(3, 0x01), why: 'a return code in a query' },
  { bytes: with3(5, 2), why: 'two questions' },
  { bytes: with3(7, 1), why: 'an answer in a query' },
  { bytes: with3(11, 2), why: 'two additional records' },
  { bytes: with3(12, 0xc0), why: 'a pointer in the question' },
  { bytes: with3(12, 0x40), why: 'a label type nobody has' },
  { bytes: with3(END + 2, 42), why: 'an additional record that is no OPT' },
  { bytes: with3(END + 5, 1), why: 'an extended return code' },
  { bytes: with3(END + 6, 1), why: 'EDNS version 1' },
  { bytes: with3(END + 7, 0x20), why: 'a reserved flag' },
  { bytes: with3(END + 8, 1), why: 'another reserved flag' },
  {
    bytes: encoded(
      queryOf('www.example', {
        edns: { ...EDNS, options: [{ code: 10, data: new Uint8Array(8) }] },
      }),
    ),
    why: 'an option',
  },
])('for the main thread: $why', ({ bytes }) => {
  expect(read(bytes)).toBeUndefined();
});

test.each([
  { size: undefined, limit: 512 },
  { size: 0, limit: 512 },
  { size: 900, limit: 900 },
  { size: 65_535, limit: 1232 },
])('an asker that says $size takes $limit octets', ({ size, limit }) => {
  const edns = size === undefined ? undefined : { ...EDNS, udpSize: size };
  expect(read(encoded(queryOf('a', { edns })))).toMatchObject({ limit });
});

test("letters' case does not count, everything else does", () => {
  const hash = (bytes: Uint8Array) => read(bytes)?.hash;
  const plain = hash(encoded(queryOf('www.example')));
  expect(hash(encoded(queryOf('wWw.EXAMPLE')))).toBe(plain);
  const others = [
    queryOf('www.example', { recursionDesired: false }),
    queryOf('www.example', { checkingDisabled: true }),
    queryOf('www.example', { authenticData: true }),
    queryOf('www.example', { edns: EDNS }),
    queryOf('www.example', { edns: { ...EDNS, dnssecOk: true } }),
    queryOf('www.example', { edns: { ...EDNS, compactOk: true } }),
    queryOf('wwx.example'),
    queryOf('w.ww.example'),
  ];
  const hashes = others.map((query) => hash(encoded(query)));
  expect(new Set([plain, ...hashes]).size).toBe(others.length + 1);
  const asked = read(encoded(queryOf('www.example')));
  if (asked === undefined) throw new Error('not read');
  expect(hashFor(1, asked)).not.toBe(hashFor(2, asked));
});

test('whatever comes, it reads within bounds, and only what the codec reads the same', () => {
  const mutated = fc
    .tuple(
      fc.constantFrom('www.example', 'a.b.c.d.e', '.'),
      fc.constantFrom(undefined, EDNS),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }),
      fc.nat(3),
    )
    .map(([name, edns, changes, cut]) => {
      const bytes = encoded(queryOf(name, { edns }));
      for (const [at, octet] of changes) if (at < bytes.length) bytes[at] = octet;
      return bytes.slice(0, bytes.length - cut);
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), (bytes) => {
      const asked = read(bytes);
      if (asked === undefined) return;
      const decoded = decodeMessage(bytes);
      expect(decoded).toMatchObject({ ok: true });
      if (!decoded.ok) return;
      const { message } = decoded;
      expect(message).toMatchObject({ opcode: 0, response: false, answers: [], additionals: [] });
      expect(message.questions).toHaveLength(1);
      expect(message.edns?.options ?? []).toEqual([]);
      expect((asked.variant & 1) !== 0).toBe(message.recursionDesired);
      expect((asked.variant & 0x80) !== 0).toBe(message.edns?.dnssecOk ?? false);
      expect((asked.variant & 2) !== 0).toBe(message.edns !== undefined);
      expect((asked.variant & 0x10) !== 0).toBe(message.checkingDisabled);
    }),
    { numRuns: 2_000 },
  );
});
