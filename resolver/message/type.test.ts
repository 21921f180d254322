import { expect, test } from 'vitest';
import {
  CLASS,
  className,
  classNumber,
  RCODE,
  rcodeName,
  TYPE,
  typeName,
  typeNumber,
} from './type.ts';

test.each([
  { text: 'A', number: 1, why: 'a mnemonic' },
  { text: 'https', number: 65, why: 'in any case' },
  { text: 'TYPE65', number: 65, why: 'RFC 3597 §5, also for known types' },
  { text: 'type65280', number: 65_280, why: 'private use' },
  { text: 'TYPE65536', number: undefined, why: 'more than 16 bits' },
  { text: 'TYPE', number: undefined, why: 'no number' },
  { text: 'TYPE-1', number: undefined, why: 'no sign' },
  { text: 'toString', number: undefined, why: 'not what every object has' },
])('type $text is $number: $why', ({ text, number }) => {
  expect(typeNumber(text)).toBe(number);
});

test('names for numbers that have none', () => {
  expect([typeName(65), typeName(65_280)]).toEqual(['HTTPS', 'TYPE65280']);
  expect([className(CLASS.IN), className(2)]).toEqual(['IN', 'CLASS2']);
  expect([classNumber('ch'), classNumber('CLASS254'), classNumber('XX')]).toEqual([
    3,
    254,
    undefined,
  ]);
  expect([rcodeName(RCODE.BADVERS), rcodeName(4000)]).toEqual(['BADVERS', 'RCODE4000']);
});

test('no number has two names', () => {
  expect(new Set(Object.values(TYPE)).size).toBe(Object.keys(TYPE).length);
  expect(new Set(Object.values(RCODE)).size).toBe(Object.keys(RCODE).length);
});
