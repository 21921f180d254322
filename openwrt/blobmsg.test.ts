import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BlobTable, type BlobValue, decodeBlobTable, encodeBlobTable } from './blobmsg.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

const vectors: { table: BlobTable; wire: string; why: string }[] = [
  { table: { a: 'b' }, wire: '8300000a 00016100 62000000', why: 'the NUL counts, the padding not' },
  { table: { n: 42 }, wire: '8500000c 00016e00 0000002a', why: 'an integer is an INT32' },
  { table: { ok: true }, wire: '8700000d 00026f6b 00000000 01000000', why: 'a boolean is an INT8' },
  {
    table: { big: 5e9 },
    wire: '84000014 00036269 67000000 00000001 2a05f200',
    why: 'more than 32 bits is an INT64',
  },
  {
    table: { pi: 3.5 },
    wire: '88000014 00027069 00000000 400c0000 00000000',
    why: 'a fraction is a DOUBLE',
  },
  {
    table: { l: [1, 'x'] },
    wire: '81000020 00016c00 8500000c 00000000 00000001 8300000a 00000000 78000000',
    why: 'elements have empty names',
  },
  {
    table: { t: { a: 'b' } },
    wire: '82000014 00017400 8300000a 00016100 62000000',
    why: "a table's length counts its members' padding",
  },
  { table: { z: null }, wire: '80000008 00017a00', why: 'null is UNSPEC' },
];

describe('the bytes of libubox', () => {
  test.each(vectors)('$wire: $why', ({ table, wire }) => {
    expect(hex(encodeBlobTable(table))).toBe(wire.replaceAll(' ', ''));
    expect(decodeBlobTable(bytes(wire))).toEqual({ ok: true, value: table });
  });
});

describe('bytes that are no blobmsg', () => {
  test.each([
    { wire: '8300', reason: 'truncated', why: 'half a head' },
    { wire: '83000003', reason: 'bad-length', why: 'a length below its own head would never end' },
    { wire: '8300000a 00016100', reason: 'truncated', why: 'the value is missing' },
    { wire: '8300000a 00016100 6200', reason: 'truncated', why: 'the padding is missing' },
    { wire: '0300000a 00016100 62000000', reason: 'bad-name', why: 'no extended bit, no name' },
    { wire: '83000008 ffff6100', reason: 'bad-name', why: 'the name is longer than the attribute' },
    { wire: '83000008 00016162', reason: 'bad-name', why: 'the name has no NUL' },
    {
      wire: '8300000a 00000000 78000000',
      reason: 'bad-name',
      why: 'a member of a table needs a name',
    },
    { wire: '83000008 00016100', reason: 'bad-value', why: 'a string needs its NUL' },
    { wire: '8500000a 00016e00 00000000', reason: 'bad-value', why: 'an INT32 of two bytes' },
    { wire: '89000008 00016e00', reason: 'bad-value', why: 'type 9 does not exist' },
  ])('$wire: $why', ({ wire, reason }) => {
    expect(decodeBlobTable(bytes(wire))).toEqual({ ok: false, reason });
  });

  test('refuses to follow tables without end', () => {
    const nest = (depth: number): BlobTable => (depth === 0 ? {} : { t: nest(depth - 1) });
    expect(decodeBlobTable(encodeBlobTable(nest(31))).ok).toBe(true);
    let wire = new Uint8Array();
    for (let depth = 0; depth < 40; depth += 1) {
      const length = 8 + wire.length;
      wire = bytes(`8200${length.toString(16).padStart(4, '0')} 00017400 ${hex(wire)}`);
    }
    expect(decodeBlobTable(wire)).toEqual({ ok: false, reason: 'too-deep' });
    expect(() => encodeBlobTable(nest(40))).toThrow(RangeError);
  });
});

test('a NUL inside a text becomes U+FFFD, for C readers would stop there', () => {
  expect(decodeBlobTable(encodeBlobTable({ s: 'a\0b' }))).toEqual({
    ok: true,
    value: { s: 'a\ufffdb' },
  });
});

test('a member may have the name of a property of objects', () => {
  const decoded = decodeBlobTable(bytes('83000012 00095f5f 70726f74 6f5f5f00 78000000'));
  expect(decoded.ok && Object.keys(decoded.value)).toEqual(['__proto__']);
});

const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', ''));
const { table } = fc.letrec<{ value: BlobValue; table: BlobTable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 63n - 1n }),
    text,
    fc.array(tie('value'), { maxLength: 4 }),
    tie('table'),
  ),
  table: fc.dictionary(
    text.filter((name) => name !== ''),
    tie('value'),
    { maxKeys: 4 },
  ),
}));

describe('properties', () => {
  test('what is written is read back', () => {
    fc.assert(
      fc.property(table, (value) => {
        expect(decodeBlobTable(encodeBlobTable(value))).toEqual({ ok: true, value });
      }),
    );
  });

  test('any bytes are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (wire) => {
        expect(typeof decodeBlobTable(wire).ok).toBe('boolean');
      }),
    );
  });

  test('a valid message with a changed byte is read or refused', () => {
    fc.assert(
      fc.property(table, fc.nat(), fc.nat(255), (value, position, byte) => {
        const wire = encodeBlobTable(value);
        if (wire.length > 0) wire[position % wire.length] = byte;
        expect(typeof decodeBlobTable(wire).ok).toBe('boolean');
      }),
    );
  });
});
