import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDeadlines, type Deadline } from './deadlines.ts';

test('the first to end is at hand, whatever was added and taken out (against a list)', () => {
  const action = fc.record({ adds: fc.boolean(), number: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
      const deadlines = createDeadlines<Deadline>();
      const model: Deadline[] = [];
      for (const { adds, number } of actions) {
        if (adds || model.length === 0) {
          const item = { until: number, position: -1 };
          model.push(item);
          deadlines.add(item);
        } else {
          const [item] = model.splice(number % model.length, 1);
          if (item === undefined) throw new Error('unreachable');
          deadlines.delete(item);
          deadlines.delete(item);
        }
        const least = Math.min(...model.map(({ until }) => until));
        expect(deadlines.first()?.until).toBe(model.length === 0 ? undefined : least);
      }
    }),
  );
});
