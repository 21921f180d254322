import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBase64, decodeText, encodeBase64, encodeHex, readU32, u32 } from './bytes.ts';

const bytes = fc.uint8Array({ maxLength: 200 });

test('base64 and hex are those of everybody else', () => {
  fc.assert(
    fc.property(bytes, (data) => {
      const text = Buffer.from(data).toString('base64');
      expect(encodeBase64(data)).toBe(text);
      expect(decodeBase64(text)).toEqual(data);
      expect(encodeHex(data)).toBe(Buffer.from(data).toString('hex'));
    }),
  );
});

test('base64 has one spelling', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      const data = decodeBase64(text);
      return data === undefined || encodeBase64(data) === text;
    }),
  );
});

test.each([
  { text: 'AB==', why: 'bits left over' },
  { text: 'AAB=', why: 'bits left over' },
  { text: 'AA', why: 'no padding' },
  { text: '====', why: 'nothing but padding' },
  { text: 'A===', why: 'half a byte' },
  { text: 'AA=A', why: 'padding inside' },
  { text: 'AA-_', why: 'the alphabet of URLs' },
  { text: 'AA A', why: 'a blank' },
  { text: 'ÿAAA', why: 'beyond ASCII' },
])('$text is no base64: $why', ({ text }) => {
  expect(decodeBase64(text)).toBeUndefined();
});

test.each([
  { data: [0xff], why: 'no UTF-8' },
  { data: [0xed, 0xa0, 0x80], why: 'half a character' },
  { data: [0xc0, 0x80], why: 'an overlong zero' },
])('$data is no text: $why', ({ data }) => {
  expect(decodeText(Uint8Array.from(data))).toBeUndefined();
});

test('a byte order mark is kept', () => {
  expect(decodeText(Uint8Array.of(0xef, 0xbb, 0xbf))).toBe('\ufeff');
});

test('numbers are read where they are and nowhere else', () => {
  expect(readU32(u32(0xfedcba98), 0)).toBe(0xfedcba98);
  expect(readU32(u32(1), 1)).toBeUndefined();
  expect(readU32(u32(1), -1)).toBeUndefined();
});
