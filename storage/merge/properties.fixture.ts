/** The laws of the merge as properties; the tests of mutants run the same ones. */

import fc from 'fast-check';
import { canonicalize, type Json } from '../format/json.ts';
import { fold, type Step } from '../history/fold.ts';
import { applyOps } from './apply.ts';
import { DECISIONS, type Decisions } from './decide.ts';
import { type Scene, scenes } from './histories.fixture.ts';
import { meaningOf } from './intent.fixture.ts';
import { join } from './join.ts';
import { type Merged, NOTHING } from './merged.ts';

/** More by hand: `NYMOTE_RUNS=100000`. */
export const RUNS = Number(process.env['NYMOTE_RUNS'] ?? 300);

/** A merge with some decision exchanged. */
export type Variant = Partial<Decisions>;

/** Whatever order and partition the commits come in, all devices end with the same (I4, I5). */
export function convergence(variant: Variant = {}) {
  const decide = { ...DECISIONS, ...variant };
  const shuffled = scenes.chain((scene) =>
    fc.tuple(
      fc.constant(scene),
      fc.shuffledSubarray([...scene.steps], { minLength: scene.steps.length }),
    ),
  );
  return fc.property(shuffled, ([scene, order]) => {
    const all = print(fold(scene.steps, undefined, decide));
    if (print(fold(order, undefined, decide)) !== all) return false;
    const [a = NOTHING, b = NOTHING, c = NOTHING] = replicas(scene, decide);
    const results = [
      join(join(a, b, decide), c, decide),
      join(a, join(b, c, decide), decide),
      join(join(c, a, decide), join(b, a, decide), decide),
      join(fold(scene.steps, undefined, decide), b, decide),
    ];
    return results.every((result) => print(result) === all);
  });
}

/** What comes out is what the devices meant, at the end and at every commit on the way. */
export function intent(variant: Variant = {}) {
  const decide = { ...DECISIONS, ...variant };
  return fc.property(scenes, ({ steps }) => {
    const views = [steps, ...steps.map((step) => pastOf(steps, step))];
    return views.every((view) => {
      const { values, conflicts, revoked } = meaningOf(view);
      const merged = fold(view, undefined, decide);
      const undecided = Object.entries(conflicts).map(([path, list]) => [path, list]);
      return print(merged) === printAll(values, Object.fromEntries(undecided), revoked);
    });
  });
}

/** The states of the devices, worked out by each from what it held at the time. */
function replicas({ steps, held }: Scene, decide: Decisions): Merged[] {
  const at = new Map<string, Merged>();
  for (const step of steps) {
    const past = step.parents.reduce(
      (state, parent) => join(state, at.get(parent) ?? NOTHING, decide),
      NOTHING,
    );
    at.set(step.id, applyOps(past, step, step.ops, decide));
  }
  return [...held.values()].map((ids) =>
    [...ids].reduce((state, id) => join(at.get(id) ?? NOTHING, state, decide), NOTHING),
  );
}

function pastOf(steps: readonly Step[], last: Step): Step[] {
  const ids = new Set([last.id]);
  for (const { id, parents } of steps.toReversed()) {
    if (ids.has(id)) for (const parent of parents) ids.add(parent);
  }
  return steps.filter(({ id }) => ids.has(id));
}

/** Everything that a state says, as text. */
export function print({ state, conflicts, revoked }: Merged): string {
  const values = [...state].flatMap(([name, records]) =>
    [...records].map(([key, record]) => [`${name}/${key}`, record] as const),
  );
  const undecided = [...conflicts].flatMap(([path, list]) =>
    list.map(({ field, rivals }) =>
      field === '' ? [path, []] : [`${path}/${field}`, rivals.map(({ value }) => value ?? null)],
    ),
  );
  return printAll(
    Object.fromEntries(values),
    Object.fromEntries(undecided),
    Object.fromEntries(revoked),
  );
}

function printAll(...parts: readonly Readonly<Record<string, unknown>>[]): string {
  return canonicalize(parts as unknown as Json);
}
