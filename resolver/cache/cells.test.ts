import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CELL_BYTES, cellsFor, createCells } from './cells.ts';

const SAME = Uint8Array.from({ length: 256 }, (_, octet) => octet);

test('items keep their octets and heads while others come and go, and cells are used again', () => {
  const step = fc.record({ size: fc.nat(500), isGone: fc.boolean(), which: fc.nat(50) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const cells = createCells();
      const model = new Map<number, Uint8Array>();
      let most = 0;
      for (const [index, { size, isGone, which }] of steps.entries()) {
        const gone = isGone ? [...model.keys()][which] : undefined;
        if (gone !== undefined) {
          cells.remove(gone);
          model.delete(gone);
        }
        const octets = new Uint8Array(size).fill(index);
        const item = cells.add(octets, size);
        expect(model.has(item)).toBe(false);
        cells.set(item, 3, index);
        model.set(item, octets);
        const used = [...model.values()].reduce((sum, each) => sum + cellsFor(each.length), 0);
        expect(cells.used).toBe(used);
        most = Math.max(most, used);
        for (const [each, wanted] of model) {
          const into = new Uint8Array(500);
          cells.read(each, into);
          expect(into.subarray(0, cells.sizeOf(each))).toEqual(wanted);
          expect(cells.get(each, 3)).toBe(wanted[0] ?? cells.get(each, 3));
          expect(cells.begins(each, wanted, 0, SAME)).toBe(true);
          // No cell beyond the most that were ever needed at once.
          expect(each).toBeLessThanOrEqual(most);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test.each([
  { size: 0, cells: 1 },
  { size: 16, cells: 1 },
  { size: 17, cells: 2 },
  { size: 16 + 52, cells: 2 },
  { size: 16 + 52 + 1, cells: 3 },
])('$size octets are $cells cells', ({ size, cells }) => {
  expect(cellsFor(size)).toBe(cells);
  expect(CELL_BYTES).toBe(56);
});
