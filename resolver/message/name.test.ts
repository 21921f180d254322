import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalName,
  compareNames,
  countLabels,
  equalNames,
  isWithin,
  joinNames,
  keysUpwards,
  labels,
  MAX_LABEL,
  MAX_NAME,
  type Name,
  nameFromLabels,
  nameFromWire,
  parentOf,
  parseName,
  prepend,
  printName,
  ROOT,
} from './name.ts';

const name = (text: string): Name => {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`no name: ${text}`);
  return parsed;
};

const hex = (octets: Uint8Array | undefined) => octets && Buffer.from(octets).toString('hex');

describe('text to name', () => {
  test.each([
    { text: '.', wire: '00', why: 'the root' },
    { text: 'a.b', wire: '0161016200', why: 'a missing last dot makes no difference' },
    { text: 'a.b.', wire: '0161016200', why: 'a last dot is no label' },
    { text: 'WwW.b', wire: '03577757016200', why: 'case is kept (RFC 4343 §3)' },
    { text: 'a\\.b.c', wire: '03612e62016300', why: 'an escaped dot is part of its label' },
    { text: '\\000\\255.c', wire: '0200ff016300', why: 'three digits are one octet' },
    { text: '\\a\\\\', wire: '02615c00', why: 'any other escaped character is itself' },
    { text: 'é', wire: '02c3a900', why: 'beyond ASCII: UTF-8' },
    { text: 'a b', wire: '0361206200', why: 'a space is an octet like any other' },
  ])('$text: $why', ({ text, wire }) => {
    expect(hex(parseName(text)?.wire)).toBe(wire);
  });

  test.each([
    { text: '', why: 'no name at all' },
    { text: '..', why: 'an empty label' },
    { text: 'a..b', why: 'an empty label inside' },
    { text: '.a', why: 'an empty label in front' },
    { text: 'a\\', why: 'a backslash escapes nothing' },
    { text: 'a\\25', why: 'two digits only' },
    { text: 'a\\2x5', why: 'a letter among the digits' },
    { text: 'a\\256', why: 'no octet' },
    { text: 'x'.repeat(MAX_LABEL + 1), why: 'a label of 64 octets' },
    { text: '\\120'.repeat(MAX_LABEL + 1), why: 'a label of 64 escaped octets' },
    { text: `${'x.'.repeat(127)}x`, why: '257 octets' },
    { text: 'x'.repeat(100_000), why: 'text that is far too long' },
  ])('refuses $text: $why', ({ text }) => {
    expect(parseName(text)).toBeUndefined();
  });

  test('the longest name there is', () => {
    expect(parseName('x.'.repeat(127))?.wire).toHaveLength(MAX_NAME);
    const long = `${`${'x'.repeat(63)}.`.repeat(3)}${'x'.repeat(61)}`;
    expect(parseName(long)?.wire).toHaveLength(MAX_NAME);
    expect(parseName(`${long}x`)).toBeUndefined();
  });
});

describe('name to text', () => {
  test.each([
    { wire: '00', text: '.', why: 'the root' },
    { wire: '0161016200', text: 'a.b.', why: 'always with the last dot' },
    { wire: '03612e62016300', text: 'a\\.b.c.', why: 'a dot inside a label' },
    {
      wire: '0c2e225c3b2829402420002aff00',
      text: '\\.\\"\\\\\\;\\(\\)\\@\\$\\032\\000*\\255.',
      why: 'all that a reader would misread',
    },
  ])('$text: $why', ({ wire, text }) => {
    const parsed = nameFromWire(Buffer.from(wire, 'hex'));
    expect(parsed && printName(parsed)).toBe(text);
  });
});

describe('octets to name', () => {
  test.each([
    { wire: '', why: 'nothing' },
    { wire: '0161', why: 'no root at the end' },
    { wire: '016100ff', why: 'more than a name' },
    { wire: 'c000', why: 'a compression pointer' },
    { wire: '4100', why: 'a label type that never came to be (RFC 6891 §5)' },
    { wire: '0261', why: 'a label over the end' },
    { wire: `${'0178'.repeat(127)}017800`, why: '257 octets' },
  ])('refuses $wire: $why', ({ wire }) => {
    expect(nameFromWire(Buffer.from(wire, 'hex'))).toBeUndefined();
  });

  test('copies: the buffer may be reused', () => {
    const buffer = Buffer.from('0161016200', 'hex');
    const parsed = nameFromWire(buffer);
    buffer.fill(0x7a);
    expect(parsed).toEqual(name('a.b'));
  });
});

describe('parts', () => {
  test('labels and their number', () => {
    expect(labels(name('a.\\.b.c')).map(hex)).toEqual(['61', '2e62', '63']);
    expect(countLabels(name('*.a.b'))).toBe(3);
    expect(countLabels(ROOT)).toBe(0);
    expect(labels(ROOT)).toEqual([]);
  });

  test('parents', () => {
    expect(parentOf(name('A.B.c'))).toEqual(name('B.c'));
    expect(parentOf(name('c'))).toEqual(ROOT);
    expect(parentOf(ROOT)).toBeUndefined();
  });

  test('keys upwards are those of the name and of all above it', () => {
    const line = ['A.B.c', 'B.c', 'c', '.'].map((text) => name(text).key);
    expect(keysUpwards(name('A.B.c'))).toEqual(line);
    expect(keysUpwards(ROOT)).toEqual([ROOT.key]);
  });

  test.each([
    { label: 'a.b', below: 'c', text: 'a\\.b.c.', why: 'a dot in a label is an octet' },
    { label: '', below: 'c', text: undefined, why: 'an empty label' },
    { label: 'x'.repeat(64), below: 'c', text: undefined, why: 'a label too long' },
    { label: 'x', below: 'x.'.repeat(127), text: undefined, why: 'a name too long' },
  ])('prepend: $why', ({ label, below, text }) => {
    const longer = prepend(label, name(below));
    expect(longer && printName(longer)).toBe(text);
  });

  test('joining', () => {
    expect(joinNames(name('a.b'), name('C'))).toEqual(name('a.b.C'));
    expect(joinNames(ROOT, name('c'))).toEqual(name('c'));
    expect(joinNames(name('x.'.repeat(64)), name('x.'.repeat(64)))).toBeUndefined();
  });
});

test.each([
  { name: 'a.b', ancestor: 'b', within: true, why: 'a child' },
  { name: 'b', ancestor: 'b', within: true, why: 'the name itself' },
  { name: 'B', ancestor: 'b', within: true, why: 'whatever the case' },
  { name: 'b', ancestor: 'a.b', within: false, why: 'the other way around' },
  { name: 'a.b', ancestor: '.', within: true, why: 'everything is below the root' },
  { name: 'xa.b', ancestor: 'a.b', within: false, why: 'a longer label is another label' },
  { name: 'x\\001a.b', ancestor: 'a.b', within: false, why: 'octets that look like a length' },
])('$name within $ancestor is $within: $why', ({ name: below, ancestor, within }) => {
  expect(isWithin(name(below), name(ancestor))).toBe(within);
});

test('the order of RFC 4034 §6.1', () => {
  const ordered = [
    'example',
    'a.example',
    'yljkjljk.a.example',
    'Z.a.example',
    'zABC.a.EXAMPLE',
    'z.example',
    '\\001.z.example',
    '*.z.example',
    '\\200.z.example',
  ].map(name);
  const shuffled = [...ordered].reverse().sort(compareNames);
  expect(shuffled.map(printName)).toEqual(ordered.map(printName));
});

const octets = fc.uint8Array({ minLength: 1, maxLength: 20 });
const anyName = fc.array(octets, { maxLength: 8 }).map((parts) => nameFromLabels(parts) ?? ROOT);

test('every name survives its text, its labels and its octets', () => {
  fc.assert(
    fc.property(anyName, (any) => {
      expect(parseName(printName(any))).toEqual(any);
      expect(nameFromLabels(labels(any))).toEqual(any);
      expect(nameFromWire(any.wire)).toEqual(any);
    }),
  );
});

test('the order is an order, and equality is equality of canonical octets', () => {
  fc.assert(
    fc.property(anyName, anyName, anyName, (a, b, c) => {
      expect(Math.sign(compareNames(a, b)) + Math.sign(compareNames(b, a))).toBe(0);
      expect(compareNames(a, b) === 0).toBe(equalNames(a, b));
      expect(equalNames(a, b)).toBe(hex(canonicalName(a)) === hex(canonicalName(b)));
      if (compareNames(a, b) <= 0 && compareNames(b, c) <= 0) {
        expect(compareNames(a, c)).toBeLessThanOrEqual(0);
      }
    }),
  );
});

test('any text is a name or is not, but never throws', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom('a', '.', '\\', '0', '9', 'é', '\n', '𝒳'),
        maxLength: 300,
      }),
      (text) => {
        const parsed = parseName(text);
        if (parsed !== undefined) expect(parsed.wire.length).toBeLessThanOrEqual(MAX_NAME);
      },
    ),
  );
});
