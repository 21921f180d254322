import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countLabels, printName } from '../message/name.ts';
import { lastLabels, MAX_MINIMISE_COUNT, nextLabels } from './minimise.ts';
import { nameOf } from './reply.fixture.ts';

test.each([
  {
    name: 'www.example.com.',
    known: 0,
    asked: 0,
    next: 'com.',
    why: 'the root learns the TLD only',
  },
  {
    name: 'www.example.com.',
    known: 1,
    asked: 1,
    next: 'example.com.',
    why: 'the TLD learns one label more',
  },
  {
    name: 'www.example.com.',
    known: 2,
    asked: 2,
    next: 'www.example.com.',
    why: 'the last one the whole name',
  },
  { name: 'example.com.', known: 2, asked: 0, next: 'example.com.', why: 'nothing left to hide' },
  {
    name: '_25._tcp.mx.example.com.',
    known: 3,
    asked: 3,
    next: '_25._tcp.mx.example.com.',
    why: 'labels with _ are no zone cut',
  },
  {
    name: 'a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.',
    known: 4,
    asked: 4,
    next: 'k.l.m.n.o.p.',
    why: 'after four, several labels at once',
  },
  {
    name: 'a.b.c.d.e.f.g.h.',
    known: 3,
    asked: MAX_MINIMISE_COUNT,
    next: 'a.b.c.d.e.f.g.h.',
    why: 'the limit is reached',
  },
])('$name after $known labels: $why', ({ name, known, asked, next }) => {
  const whole = nameOf(name);
  expect(printName(lastLabels(whole, nextLabels(whole, known, asked)))).toBe(next);
});

test('every name is reached within the limit, always getting longer (RFC 9156 §2.3)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'b', '_c'), { minLength: 1, maxLength: 120 }),
      (parts) => {
        const name = nameOf(`${parts.join('.')}.`);
        let known = 0;
        let asked = 0;
        while (known < countLabels(name)) {
          const next = nextLabels(name, known, asked);
          expect(next).toBeGreaterThan(known);
          known = next;
          asked++;
        }
        expect(asked).toBeLessThanOrEqual(MAX_MINIMISE_COUNT + 1);
      },
    ),
  );
});
