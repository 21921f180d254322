import { expect, test } from 'vitest';
import { typeNumber } from '../message/type.ts';
import { type Gap, proveNoData, proveNoDs, proveNoName, proveWildcard } from './nsec.ts';
import { name } from './signed.fixture.ts';

const ZONE = name('example.');

/** `a.example. → c.example. A RRSIG NSEC`. */
function gap(text: string): Gap {
  const [owner = '', , next = '', ...types] = text.split(' ');
  return {
    owner: name(owner),
    next: name(next),
    types: types.map((type) => typeNumber(type) ?? 0),
  };
}

test.each([
  {
    gaps: ['b.example. → d.example. A', 'example. → b.example. NS SOA'],
    of: 'c.example.',
    proven: true,
    why: 'the name, and the wildcard at the apex',
  },
  {
    gaps: ['b.example. → d.example. A'],
    of: 'c.example.',
    proven: false,
    why: 'a wildcard could stand in for it',
  },
  {
    gaps: ['example. → example. NS SOA'],
    of: 'c.example.',
    proven: true,
    why: 'one gap covers name and wildcard, and wraps around',
  },
  {
    gaps: ['x.example. → example. A', 'example. → b.example. NS SOA'],
    of: 'z.example.',
    proven: true,
    why: 'the last gap ends at the apex (RFC 4034 §4.1.1)',
  },
  {
    gaps: ['x.example. → b.example. A', 'example. → b.example. NS SOA'],
    of: 'z.example.',
    proven: false,
    why: 'only the apex may end it',
  },
  {
    gaps: ['c.example. → d.example. A', 'example. → b.example. NS SOA'],
    of: 'c.example.',
    proven: false,
    why: 'the owner exists',
  },
  {
    gaps: ['b.example. → x.c.example. A', 'example. → b.example. NS SOA'],
    of: 'c.example.',
    proven: false,
    why: 'an empty non-terminal exists (RFC 4592 §2.2.2)',
  },
  {
    gaps: ['sub.example. → z.example. NS DS', 'example. → b.example. NS SOA'],
    of: 'www.sub.example.',
    proven: false,
    why: "the parent's side of a cut says nothing of the child (RFC 6840 §4.1)",
  },
  {
    gaps: ['sub.example. → z.example. DNAME', 'example. → b.example. NS SOA'],
    of: 'www.sub.example.',
    proven: false,
    why: 'nor does a DNAME deny what is below it (RFC 6840 §4.1)',
  },
  {
    gaps: ['b.example. → other. A', 'example. → b.example. NS SOA'],
    of: 'c.example.',
    proven: false,
    why: 'the next name lies out of the zone (CVE-2026-13321)',
  },
  {
    gaps: ['b.a.example. → d.a.example. A', 'example. → a.example. NS SOA'],
    of: 'c.a.example.',
    proven: false,
    why: 'the wildcard is that of the closest encloser, not of the apex',
  },
  {
    gaps: ['*.a.example. → d.a.example. A', 'example. → a.example. NS SOA'],
    of: 'c.a.example.',
    proven: false,
    why: 'the wildcard exists',
  },
  {
    gaps: ['c.example. → \\000.c.example. RRSIG NSEC NXNAME'],
    of: 'c.example.',
    proven: true,
    why: 'compact denial (RFC 9824 §2)',
  },
])('no name $of, $proven: $why', ({ gaps, of, proven }) => {
  expect(proveNoName(gaps.map(gap), name(of), ZONE) !== undefined).toBe(proven);
});

test.each([
  {
    gaps: ['a.example. → c.example. TXT'],
    of: 'a.example.',
    type: 'A',
    proven: true,
    why: 'not in the bitmap',
  },
  { gaps: ['a.example. → c.example. A'], of: 'a.example.', type: 'A', proven: false, why: 'it is' },
  {
    gaps: ['a.example. → c.example. CNAME'],
    of: 'a.example.',
    type: 'A',
    proven: false,
    why: 'an alias (RFC 6840 §4.3)',
  },
  {
    gaps: ['a.example. → c.example. NS DS'],
    of: 'a.example.',
    type: 'A',
    proven: false,
    why: 'from the parent of a cut (RFC 6840 §4.1)',
  },
  {
    gaps: ['a.example. → c.example. NS'],
    of: 'a.example.',
    type: 'DS',
    proven: true,
    why: 'DS is the parent’s',
  },
  {
    gaps: ['example. → c.example. NS SOA'],
    of: 'example.',
    type: 'DS',
    proven: false,
    why: 'from the child (RFC 4035 §5.2)',
  },
  {
    gaps: ['example. → c.example. NS SOA'],
    of: 'example.',
    type: 'MX',
    proven: true,
    why: 'the apex speaks for itself',
  },
  {
    gaps: ['a.example. → x.b.example. A'],
    of: 'b.example.',
    type: 'A',
    proven: true,
    why: 'an empty non-terminal',
  },
  {
    gaps: ['a.example. → c.example. A'],
    of: 'b.example.',
    type: 'A',
    proven: false,
    why: 'covered is not there',
  },
  {
    gaps: ['a.example. → c.example. A', '*.example. → a.example. TXT'],
    of: 'b.example.',
    type: 'A',
    proven: true,
    why: 'the wildcard has no such type',
  },
  {
    gaps: ['a.example. → c.example. A', '*.example. → a.example. A'],
    of: 'b.example.',
    type: 'A',
    proven: false,
    why: 'it has',
  },
  {
    gaps: ['a.example. → c.example. A', 'example. → x.*.example. NS SOA'],
    of: 'b.example.',
    type: 'A',
    proven: true,
    why: 'the wildcard is an empty non-terminal (RFC 4592 §2.2.2)',
  },
  {
    gaps: ['*.example. → a.example. TXT'],
    of: 'b.example.',
    type: 'A',
    proven: false,
    why: 'the name itself is not denied',
  },
  {
    gaps: ['a.example. → c.a.example. RRSIG NSEC NXNAME'],
    of: 'a.example.',
    type: 'A',
    proven: true,
    why: 'NXNAME (RFC 9824)',
  },
])('no $type at $of, $proven: $why', ({ gaps, of, type, proven }) => {
  const found = proveNoData(gaps.map(gap), name(of), typeNumber(type) ?? 0, ZONE);
  expect(found !== undefined).toBe(proven);
});

test.each([
  {
    gaps: ['a.example. → c.example. A'],
    nextCloser: 'b.example.',
    proven: true,
    why: 'nothing closer',
  },
  {
    gaps: ['a.example. → x.b.example. A'],
    nextCloser: 'b.example.',
    proven: false,
    why: 'an empty non-terminal is closer',
  },
  {
    gaps: ['b.example. → c.example. A'],
    nextCloser: 'b.example.',
    proven: false,
    why: 'the closer name exists',
  },
])('wildcard for $nextCloser, $proven: $why', ({ gaps, nextCloser, proven }) => {
  expect(proveWildcard(gaps.map(gap), name(nextCloser), ZONE) !== undefined).toBe(proven);
});

test.each([
  { gaps: ['a.example. → c.example. NS'], of: 'a.example.', says: 'delegation', why: 'unsigned' },
  { gaps: ['a.example. → c.example. NS DS'], of: 'a.example.', says: undefined, why: 'it has one' },
  { gaps: ['a.example. → c.example. A'], of: 'a.example.', says: 'no-cut', why: 'just a name' },
  { gaps: ['a.example. → c.example. A'], of: 'b.example.', says: 'no-cut', why: 'no name' },
  { gaps: ['a.example. → c.b.example. A'], of: 'b.example.', says: 'no-cut', why: 'empty' },
  {
    gaps: ['a.example. → c.example. NS SOA'],
    of: 'a.example.',
    says: undefined,
    why: 'the child’s',
  },
  { gaps: ['a.example. → c.example. NS'], of: 'b.a.example.', says: undefined, why: 'below a cut' },
])('no DS at $of, $says: $why', ({ gaps, of, says }) => {
  expect(proveNoDs(gaps.map(gap), name(of), ZONE)).toBe(says);
});
