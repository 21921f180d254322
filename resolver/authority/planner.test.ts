import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Question } from '../message/message.ts';
import { CLASS, TYPE } from '../message/type.ts';
import { planAnswer } from './plan.ts';
import { createPlanner } from './planner.ts';
import { sampleName, zoneOf } from './zone.fixture.ts';

const zone = zoneOf(
  'desktop A 100.64.0.2',
  'a.b.ent A 100.64.0.3',
  '*.wild A 100.64.0.4',
  'alias CNAME desktop',
  'sub NS ns.sub',
  'ns.sub A 192.0.2.1',
  'old DNAME wild',
);
const ask = (name: string, type: number): Question => ({
  name: sampleName(name),
  type,
  class: CLASS.IN,
});

const NAMES = ['desktop', 'Desktop', 'ent', 'x.wild', 'X.wild', 'alias', 'a.sub', 'b.old', 'no'];
const asked = fc.tuple(
  fc.constantFrom(...NAMES),
  fc.constantFrom(TYPE.A, TYPE.AAAA, TYPE.CNAME, TYPE.DS),
  fc.boolean(),
);

test('what was asked before changes no plan', () => {
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 20 }), (questions) => {
      const plan = createPlanner(zone);
      for (const [name, type, follow] of [...questions, ...questions]) {
        const question = ask(name, type);
        expect(plan(question, follow)).toEqual(planAnswer(zone, question, follow));
      }
    }),
  );
});

test('the same question is planned once, also after a flood of others', () => {
  const plan = createPlanner(zone);
  const first = plan(ask('missing', TYPE.A));
  expect(plan(ask('missing', TYPE.A))).toBe(first);
  for (let count = 0; count < 2_000; count++) {
    plan(ask(`n${count}`, TYPE.A));
    if (count % 100 === 0) plan(ask('missing', TYPE.A));
  }
  expect(plan(ask('missing', TYPE.A))).toBe(first);
});
