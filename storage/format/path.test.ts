import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fileName, overlaps, parsePath } from './path.ts';

test.each([
  { text: 'devices/k7m2', field: undefined, why: 'a record' },
  { text: 'devices/k7m2/signingKey', field: 'signingKey', why: 'a field' },
  { text: 'names/@', field: undefined, why: 'the zone apex' },
  { text: 'names/*.home', field: undefined, why: 'a wildcard' },
  { text: 'names/_25._tcp.mail', field: undefined, why: 'a service name' },
  { text: `names/${'a'.repeat(200)}`, field: undefined, why: 'the longest key' },
])('$text is $why', ({ text, field }) => {
  expect(parsePath(text)?.field).toBe(field);
  expect(parsePath(text)).toBeDefined();
});

test.each([
  { text: '', why: 'nothing' },
  { text: 'devices', why: 'a bare collection' },
  { text: 'devices/', why: 'no key' },
  { text: '/x', why: 'no collection' },
  { text: 'a/b/c/d', why: 'too deep' },
  { text: 'a/..', why: 'the parent directory' },
  { text: 'a/.', why: 'the directory itself' },
  { text: 'a/.git', why: "git's own" },
  { text: '.git/config', why: "git's own" },
  { text: '.nymote/ops', why: 'our own' },
  { text: 'a/.hidden', why: 'a hidden file' },
  { text: 'a/B', why: 'case, which some disks ignore' },
  { text: 'A/b', why: 'case, which some disks ignore' },
  { text: 'a/git~1', why: 'a short name of Windows' },
  { text: 'a/-rf', why: 'an option of a shell command' },
  { text: 'a/b c', why: 'a blank' },
  { text: 'a/b\\c', why: 'a separator of Windows' },
  { text: 'a/b\n', why: 'a line' },
  { text: 'a/b\0', why: 'the end of a string in C' },
  { text: 'a/b%2a', why: 'the spelling of * in file names' },
  { text: 'a/ü', why: 'not ASCII' },
  { text: 'a/b/__proto__', why: 'a key that careless code trips over' },
  { text: 'a/b/constructor', why: 'every record would seem to have it' },
  { text: 'a/b/toString', why: 'and this' },
  { text: `a/${'a'.repeat(201)}`, why: 'a file name too long for disks' },
  { text: 'a/'.repeat(10_000), why: 'too long to look at' },
])('$text is no path: $why', ({ text }) => {
  expect(parsePath(text)).toBeUndefined();
});

test('file names differ when keys do, and none is special to git', () => {
  const key = fc.stringMatching(/^(?:@|[a-z0-9_*][a-z0-9._*-]{0,20})$/);
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(fileName(a) === fileName(b)).toBe(a === b);
      expect(fileName(a)).not.toMatch(/^\.|[*/\\]/);
    }),
  );
});

test.each([
  { a: 'devices/x', b: 'devices', is: true, why: 'in the collection' },
  { a: 'devices/x', b: 'devices/x/name', is: true, why: 'the record sets the field' },
  { a: 'devices/x', b: 'devices/x', is: true, why: 'the same' },
  { a: 'devices/xy', b: 'devices/x', is: false, why: 'only begins alike' },
])('$a touches $b: $is, $why', ({ a, b, is }) => {
  expect(overlaps(a, b)).toBe(is);
});
