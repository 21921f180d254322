import { expect, test } from 'vitest';
import { printName } from '../message/name.ts';
import { locate } from './lookup.ts';
import { sampleName, zoneOf } from './zone.fixture.ts';

const zone = zoneOf(
  'desktop A 100.64.0.2',
  'a.b.ent A 100.64.0.3',
  '*.wild A 100.64.0.4',
  'host.wild A 100.64.0.5',
  'sub NS ns.sub',
  'ns.sub A 192.0.2.1',
  'old DNAME desktop',
);

test.each([
  { name: '', place: 'found alice.nymote.', why: 'the apex, whose NS is no cut' },
  { name: 'DeskTop', place: 'found desktop.alice.nymote.', why: 'case does not matter' },
  { name: 'b.ent', place: 'found b.ent.alice.nymote.', why: 'an empty non-terminal exists' },
  { name: '*.wild', place: 'found *.wild.alice.nymote.', why: 'the wildcard itself' },
  { name: 'sub', place: 'cut sub.alice.nymote. exactly', why: 'the cut itself' },
  { name: 'ns.sub', place: 'cut sub.alice.nymote.', why: 'glue is not data' },
  { name: 'x.y.sub', place: 'cut sub.alice.nymote.', why: 'below the cut' },
  { name: 'old', place: 'found old.alice.nymote.', why: 'a DNAME moves what is below it only' },
  { name: 'x.y.old', place: 'dname old.alice.nymote.', why: 'below a DNAME' },
  {
    name: 'x.y.nope',
    place: 'missing nope.alice.nymote. below alice.nymote.',
    why: 'the next closer name is right below the encloser',
  },
  {
    name: 'x.desktop',
    place: 'missing x.desktop.alice.nymote. below desktop.alice.nymote.',
    why: 'below a host',
  },
  {
    name: 'x.y.wild',
    place: 'missing y.wild.alice.nymote. below wild.alice.nymote. as *.wild.alice.nymote.',
    why: 'an asterisk stands for several labels',
  },
  {
    name: 'x.host.wild',
    place: 'missing x.host.wild.alice.nymote. below host.wild.alice.nymote.',
    why: 'an existing name blocks the wildcard (RFC 4592 §3.3.1)',
  },
  {
    name: 'x.*.wild',
    place: 'missing x.*.wild.alice.nymote. below *.wild.alice.nymote.',
    why: 'the asterisk is an existing name too (RFC 4592 §2.2.1)',
  },
])('$name is $place: $why', ({ name, place }) => {
  expect(printed(name)).toBe(place);
});

test('a DNAME at the apex moves everything below it', () => {
  const moved = zoneOf('@ DNAME example.');
  expect(locate(moved, sampleName('x')).kind).toBe('dname');
  expect(locate(moved, sampleName('')).kind).toBe('found');
});

function printed(name: string): string {
  const place = locate(zone, sampleName(name));
  switch (place.kind) {
    case 'missing': {
      const wildcard = place.wildcard && ` as ${printName(place.wildcard.name)}`;
      const below = printName(place.encloser.name);
      return `missing ${printName(place.nextCloser)} below ${below}${wildcard ?? ''}`;
    }
    case 'cut':
      return `cut ${printName(place.node.name)}${place.exact ? ' exactly' : ''}`;
    default:
      return `${place.kind} ${printName(place.node.name)}`;
  }
}
