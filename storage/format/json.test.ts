import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StorageError } from '../error.ts';
import { canonicalize, type Json, MAX_DEPTH, parseCanonical } from './json.ts';

/** Any UTF-16, well-formed or not; fast-check's own takes a second to begin. */
const anyText = fc
  .array(fc.nat(0xffff), { maxLength: 30 })
  .map((units) => String.fromCharCode(...units));

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** RFC 8785 by the book and without our limits: sort, then let JSON.stringify print. */
function printNaively(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(printNaively).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${printNaively(item)}`).join(',')}}`;
}

const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value;

describe('the canonical text', () => {
  test.each([
    { value: { b: 1, a: 2 }, text: '{"a":2,"b":1}', why: 'keys are sorted' },
    {
      value: { '\u20ac': 1, '\r': 2, '1': 3 },
      text: '{"\\r":2,"1":3,"€":1}',
      why: 'RFC 8785 §3.2.3',
    },
    {
      value: { '\u{1f600}': 1, '\ufb33': 2 },
      text: '{"😀":1,"\ufb33":2}',
      why: 'UTF-16 order, not code points',
    },
    { value: '\u000f"\\/', text: '"\\u000f\\"\\\\/"', why: 'RFC 8785 §3.2.2.2' },
    { value: [-0, 9007199254740991], text: '[0,9007199254740991]', why: 'no minus zero' },
  ])('$text: $why', ({ value, text }) => {
    expect(canonicalize(value)).toBe(text);
  });

  test.each([
    { value: 1.5, why: 'a fraction' },
    { value: Number.NaN, why: 'no number' },
    { value: 2 ** 53, why: 'not exact everywhere' },
    { value: '\ud800', why: 'half a character' },
    { value: { '\udc00': 1 }, why: 'half a character as key' },
    { value: undefined, why: 'undefined' },
    { value: { a: undefined }, why: 'a member without a value' },
    { value: new Map(), why: 'no plain object' },
    { value: 1n, why: 'a bigint' },
    { value: JSON.parse('{"__proto__":1}'), why: 'a key that careless code trips over' },
    { value: JSON.parse(nested(MAX_DEPTH + 1)), why: 'too deep' },
  ])('does not exist for $why', ({ value }) => {
    expect(() => canonicalize(value)).toThrow(StorageError);
  });

  test('is what a naive printer prints', () => {
    fc.assert(fc.property(json, (value) => canonicalize(value) === printNaively(value)));
  });

  test('reads back as the same value, frozen', () => {
    fc.assert(
      fc.property(json, (value) => {
        const read = parseCanonical(canonicalize(value));
        expect(read).toEqual(JSON.parse(JSON.stringify(value)));
        expect(Object.isFrozen(read)).toBe(true);
      }),
    );
  });
});

describe('reading', () => {
  test.each([
    { text: '{"a":1,"a":1}', why: 'a key twice' },
    { text: '{"a": 1}', why: 'white space' },
    { text: '{"b":1,"a":1}', why: 'keys out of order' },
    { text: '1.0', why: 'another spelling of one' },
    { text: '1e1', why: 'another spelling of ten' },
    { text: '-0', why: 'another spelling of zero' },
    { text: '"\\u0041"', why: 'another spelling of A' },
    { text: '\ufeff1', why: 'a byte order mark' },
    { text: '{"__proto__":{}}', why: 'a key that careless code trips over' },
    { text: nested(MAX_DEPTH + 1), why: 'too deep' },
    { text: '['.repeat(200_000), why: 'much too deep' },
    { text: '"', why: 'not JSON' },
    { text: '', why: 'nothing' },
  ])('refuses $why', ({ text }) => {
    expect(() => parseCanonical(text)).toThrow(StorageError);
  });

  test('counts no brackets inside strings', () => {
    const text = JSON.stringify('[{"'.repeat(100));
    expect(parseCanonical(text)).toBe('[{"'.repeat(100));
  });

  test('throws nothing but StorageError', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.json({ maxDepth: 2 })), (text) => {
        try {
          return canonicalize(parseCanonical(text)) === text;
        } catch (thrown) {
          return thrown instanceof StorageError;
        }
      }),
    );
  });
});
