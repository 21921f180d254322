import { expect, test } from 'vitest';
import { printProblems } from './say.ts';

const problem = (message: string) => ({ source: 'f', message });

test.each([
  { message: 'wrong', says: 'nymote: f: wrong\n', why: 'where, and what' },
  { message: 'a\nb', says: 'nymote: f: a\\u000ab\n', why: 'one line each' },
  { message: '\u001b[31m\u009b2J', says: 'nymote: f: \\u001b[31m\\u009b2J\n', why: 'no colours' },
  { message: '\u202egpj', says: 'nymote: f: \\u202egpj\n', why: 'nothing from right to left' },
  { message: 'größe', says: 'nymote: f: größe\n', why: 'letters stay' },
])('$why', ({ message, says }) => {
  expect(printProblems([problem(message)])).toBe(says);
});

test('what is long is cut, and what is many is counted', () => {
  expect(printProblems([problem('x'.repeat(1_000_000))]).length).toBeLessThan(1_100);
  const lines = printProblems(Array.from({ length: 100_000 }, () => problem('x'))).split('\n');
  expect(lines.slice(20)).toEqual(['nymote: and 99980 more', '']);
});
