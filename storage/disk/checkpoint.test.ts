import { expect, test } from 'vitest';
import { parseState } from './checkpoint.ts';

const DOT = '{"device":"router","seq":1,"index":0}';
const lineOf = (key: string, value: number) =>
  `names/${key} [[${DOT}],[],{"at":[{"kind":"value","dot":${DOT},"value":{"ttl":${value}}}]}]`;

test('states that are read together share the records they have in common', () => {
  const [vector, read] = [new Map([['router', 1]]), new Map()];
  const [one, two] = [1, 2].map((ttl) =>
    parseState([lineOf('same', 0), lineOf('other', ttl)], vector, new Map(), read),
  );
  const [first, second] = [one, two].map((state) => state?.state.get('names'));
  expect(first?.get('same')).toEqual({ at: { ttl: 0 } });
  expect(second?.get('same')).toBe(first?.get('same'));
  expect([first, second].map((names) => names?.get('other'))).toEqual([
    { at: { ttl: 1 } },
    { at: { ttl: 2 } },
  ]);
});
