import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createArena, EVENT_RING_BYTES, mapArena } from './layout.ts';
import { ringsOf } from './loop.ts';
import { commit, reserve, take } from './ring.ts';

/** Octets of the longest record. */
const MOST = 2_000;

test('what goes in comes out, whole and in order, and what does not fit is refused', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ put: fc.nat(MOST) }) },
    { weight: 2, arbitrary: fc.constant('take' as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, start) => {
      const arena = mapArena(createArena(1, 0, 1));
      const { event } = ringsOf(arena, 0);
      // Anywhere, also near the wrap of the counters.
      arena.words[event.head] = arena.words[event.tail] = start & ~7;
      const model: { length: number; mark: number }[] = [];
      let mark = 0;
      for (const each of steps) {
        if (each === 'take') {
          const record = take(arena, event);
          const expected = model.shift();
          expect(record?.length).toBe(expected?.length);
          expect(new Set(record)).toEqual(new Set(expected?.length ? [expected.mark] : []));
          continue;
        }
        const at = reserve(arena, event, each.put);
        const held = model.reduce((sum, { length }) => sum + length + 16, 0);
        if (at < 0) {
          // An unused rest at the end may be held as well, and another one be needed.
          const rest = MOST + 16;
          expect(held + rest + 2 * (each.put + 16)).toBeGreaterThan(EVENT_RING_BYTES);
          continue;
        }
        mark = (mark + 1) & 0xff;
        arena.bytes.fill(mark, at, at + each.put);
        commit(arena, event, each.put);
        model.push({ length: each.put, mark });
      }
    }),
  );
});
