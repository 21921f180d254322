import { expect, test } from 'vitest';
import { fieldChanges } from './diff.ts';
import {
  ago,
  bytes,
  countdown,
  dateAndTime,
  doorOf,
  duration,
  plural,
  sentence,
  subjectOf,
  ttlOf,
} from './words.ts';

test.each([
  { said: ago(0, 20), text: 'just now' },
  { said: ago(0, 3 * 3600), text: '3 hours ago' },
  { said: ago(0, 86_400), text: 'yesterday' },
  { said: duration(93_784), text: '1 day 2 h' },
  { said: duration(59), text: 'under 1 min' },
  { said: duration(7200), text: '2 h' },
  { said: duration(7265), text: '2 h 1 min' },
  { said: duration(86_400 * 2 + 60), text: '2 days 1 min' },
  { said: bytes(0), text: '0 B' },
  { said: bytes(999_600), text: '1.0 MB' },
  { said: bytes(48_201_113), text: '48.2 MB' },
  { said: countdown(599.2), text: '10:00' },
  { said: countdown(-1), text: '0:00' },
  { said: sentence('switched off'), text: 'Switched off.' },
  { said: sentence('No permission.'), text: 'No permission.' },
  { said: subjectOf('Revert "Add phone"\n\nThis reverts …'), text: 'Revert "Add phone"' },
  { said: doorOf('ubus'), text: 'LuCI' },
  { said: doorOf('later'), text: 'later' },
  { said: ttlOf(3600), text: '1 h' },
  { said: ttlOf(30), text: '30 s' },
  { said: plural(1, 'device'), text: '1 device' },
  { said: plural(1200, 'device'), text: '1,200 devices' },
])('$text', ({ said, text }) => {
  expect(said).toBe(text);
});

test.each([
  {
    before: { name: 'a', endpoints: ['x'] },
    after: { name: 'b', endpoints: ['x', 'y'] },
    lines: ['- name a', '+ name b', '+ endpoints/1 y'],
    why: 'only what differs, in lists too',
  },
  { before: undefined, after: { on: true }, lines: ['+ on true'], why: 'a new record' },
  { before: { a: {} }, after: undefined, lines: ['- a empty'], why: 'a removed one' },
  {
    before: { port: 53 },
    after: { port: 53, addedAt: 1_795_184_165 },
    lines: [`+ addedAt ${dateAndTime(1_795_184_165)}`],
    why: 'an instant as a date',
  },
  { before: null, after: 'text', lines: ['-  null', '+  text'], why: 'no objects at all' },
])('$why', ({ before, after, lines }) => {
  const said = fieldChanges(before, after).map(
    ({ sign, field, value }) => `${sign} ${field} ${value}`,
  );
  expect(said).toEqual(lines);
});
