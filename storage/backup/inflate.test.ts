import { constants, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, encodeText } from '../format/bytes.ts';
import { deflateStored } from '../format/zlib.ts';
import { inflate } from './inflate.ts';

const text = encodeText('tree 00\nparent 00\n'.repeat(400));

const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY } = constants;

describe('a stream of zlib itself', () => {
  test.each([
    { options: { level: 0 }, why: 'stored' },
    { options: { strategy: Z_FIXED }, why: 'fixed codes' },
    { options: { level: 9, strategy: Z_DEFAULT_STRATEGY }, why: 'dynamic codes' },
    { options: { strategy: Z_HUFFMAN_ONLY }, why: 'no distances at all' },
    { options: { strategy: Z_RLE }, why: 'distances of one' },
  ])('$why', ({ options }) => {
    const stream = deflateSync(text, options);
    const bytes = concat([encodeText('before'), stream, encodeText('after')]);
    expect(inflate(bytes, 6, text.length)).toEqual({ data: text, end: 6 + stream.length });
  });

  test('any content, any level', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.integer({ min: 0, max: 9 }),
        fc.nat(8),
        (part, level, repeats) => {
          const data = concat(Array.from({ length: repeats + 1 }, () => part));
          const stream = new Uint8Array(deflateSync(data, { level }));
          expect(inflate(stream, 0, data.length)).toEqual({ data, end: stream.length });
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a stream that is refused', () => {
  const good = deflateSync(text);
  test.each([
    { bytes: good, size: text.length - 1, why: 'more than was said' },
    { bytes: good, size: text.length + 1, why: 'less than was said' },
    { bytes: good, size: 2 ** 40, why: 'more than it can hold: nothing is allocated' },
    { bytes: good.subarray(0, -1), size: text.length, why: 'cut in its checksum' },
    { bytes: good.subarray(0, 20), size: text.length, why: 'cut in its codes' },
    { bytes: Uint8Array.of(0x78, 0xbb), size: 0, why: 'a preset dictionary' },
    { bytes: Uint8Array.of(0x78, 0x01, 0x07), size: 0, why: 'a kind of block there is not' },
    { bytes: new Uint8Array(0), size: 0, why: 'nothing' },
  ])('$why', ({ bytes, size }) => {
    expect(inflate(bytes, 0, size)).toBeUndefined();
  });

  test('anything else is refused without a word, and ends', () => {
    const start = Uint8Array.of(0x78, 0x01);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(2000), (noise, size) => {
        const found = inflate(concat([start, noise]), 0, size);
        expect(found === undefined || found.data.length === size).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('one bit off is refused or the same', () => {
    const data = encodeText('a little commit, a little tree');
    const stream = deflateStored(data);
    for (let bit = 16; bit < stream.length * 8; bit++) {
      const bytes = stream.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const found = inflate(bytes, 0, data.length);
      // Bits between a block's header and the next byte mean nothing.
      if (found !== undefined) expect(found.data).toEqual(data);
    }
  });
});
