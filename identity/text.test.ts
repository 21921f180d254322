import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  BASE32,
  CROCKFORD,
  decodeBase32,
  decodeBase64,
  encodeBase32,
  encodeBase64,
  encodeBase64Url,
} from './text.ts';

// RFC 4648 §10, without padding.
test.each([
  ['', ''],
  ['f', 'my'],
  ['fo', 'mzxq'],
  ['foo', 'mzxw6'],
  ['foob', 'mzxw6yq'],
  ['fooba', 'mzxw6ytb'],
  ['foobar', 'mzxw6ytboi'],
])('base32 of "%s" is "%s"', (text, expected) => {
  expect(encodeBase32(new TextEncoder().encode(text), BASE32)).toBe(expected);
});

test('both base32 alphabets round-trip every byte string', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.constantFrom(BASE32, CROCKFORD),
      (bytes, digits) => {
        expect(decodeBase32(encodeBase32(bytes, digits), digits)).toEqual(bytes);
      },
    ),
  );
});

test('base64 round-trips every byte string, and has one spelling only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
      expect(encodeBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
      expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes);
    }),
  );
});

test.each([
  { text: 'AB==', why: 'the bits left over are not zero' },
  { text: 'AA', why: 'no padding' },
  { text: 'A A=', why: 'a space' },
  { text: 'AA==\n', why: 'a line end' },
  { text: 'A-_=', why: 'the other alphabet' },
  { text: 'ä===', why: 'no digit at all' },
])('base64 "$text" is none: $why', ({ text }) => {
  expect(decodeBase64(text)).toBeUndefined();
});
