import { expect, test } from 'vitest';
import { readJsonLines } from './json-lines.ts';

const TEXT = `{
  "a": 1, "b": [
    true,
    {"c": "x\\"{[\\\\", "d": -1.5e3}
  ],

  "e": {}, "": null,
  "1": "é"
}
`;

test.each([
  { path: [], line: 1, why: 'all of it' },
  { path: ['a'], line: 2, why: 'a number' },
  { path: ['b'], line: 2, why: 'a list begins there' },
  { path: ['b', 0], line: 3, why: 'the first in a list' },
  { path: ['b', 1, 'd'], line: 4, why: 'behind a string that looks like more' },
  { path: ['e'], line: 7, why: 'an empty object' },
  { path: [''], line: 7, why: 'an empty key' },
  { path: ['1'], line: 8, why: 'a key of digits' },
  { path: ['b', 7], line: 2, why: 'nothing there: what it would be in' },
  { path: ['b', 'x', 1, 'c'], line: 4, why: 'a step that is not in the text' },
])('$path is on line $line: $why', ({ path, line }) => {
  JSON.parse(TEXT);
  expect(readJsonLines(TEXT).lineOf(path)).toBe(line);
});

test.each([
  { json: '{"a":1,"b":{"a":2}}', twice: [], why: 'in another object' },
  { json: '{"a":1,"A":2}', twice: [], why: 'another key' },
  { json: '[{"a":1},{"a":1}]', twice: [], why: 'in two objects of a list' },
  { json: '{"a":"b","b":"a"}', twice: [], why: 'a value is no key' },
  { json: '{"a":1,"\\u0061":2}', twice: [['a']], why: 'written in another way' },
  { json: '{"a":[0,{"b":1,"b":2}]}', twice: [['a', 1, 'b']], why: 'deep inside' },
  { json: '{"a":1,"a":1,"a":1}', twice: [['a'], ['a']], why: 'thrice' },
  { json: '"a"', twice: [], why: 'a string alone' },
])('$json has $twice twice: $why', ({ json, twice }) => {
  JSON.parse(json);
  expect(readJsonLines(json).twice).toEqual(twice);
});

test('deeper than a stack, longer than a line', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  expect(readJsonLines(deep).twice).toEqual([]);
  expect(readJsonLines(`{"a":"${'x\\n'.repeat(500_000)}",\n"b":1}`).lineOf(['b'])).toBe(2);
});
