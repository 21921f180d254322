import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPlace, placeBetween } from './order.ts';

test('there is always a place between two', () => {
  const picks = fc.array(fc.nat(), { maxLength: 100 });
  fc.assert(
    fc.property(picks, (spots) => {
      const places: string[] = [];
      for (const pick of spots) {
        const at = pick % (places.length + 1);
        const place = placeBetween(places[at - 1], places[at]);
        expect(isPlace(place)).toBe(true);
        expect((places[at - 1] ?? '') < place).toBe(true);
        expect(places[at] === undefined || place < (places[at] ?? '')).toBe(true);
        places.splice(at, 0, place);
      }
    }),
  );
});

test('the ends of a list are far away', () => {
  let [first, last]: (string | undefined)[] = [undefined, undefined];
  for (let count = 0; count < 10_000; count++) {
    last = placeBetween(last, undefined);
    first = placeBetween(undefined, first);
  }
  expect([isPlace(first ?? ''), isPlace(last ?? '')]).toEqual([true, true]);
});

test('two at one place have the next one behind both', () => {
  expect(placeBetween('B', 'B') > 'B').toBe(true);
});

test.each(['', '0', 'A0', 'a b', 'x'.repeat(201), 'ü'])('"%s" is no place', (text) => {
  expect(isPlace(text)).toBe(false);
});
