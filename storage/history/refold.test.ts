import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { buildTree } from '../format/object.ts';
import type { Op } from '../format/op.ts';
import { joinAll } from '../merge/join.ts';
import type { Merged } from '../merge/merged.ts';
import { moves, pastOf, play } from '../rights/judge.fixture.ts';
import { findForks, findVoid, type VoidNode } from '../rights/judge.ts';
import { fold, type Step } from './fold.ts';
import { isSettled, refold } from './refold.ts';

const { crypto } = fakeRuntime();

/** What a commit of a random realm does: it revokes, and leaves traces of having counted. */
function stepOf({ id, parents, device, seq, revokes }: VoidNode): Step {
  const ops: Op[] = [
    ...revokes.map(
      (item) => ({ op: 'revoke', path: `devices/${item.device}`, lastSeq: item.lastSeq }) as const,
    ),
    { op: 'add', path: 'things/all/members', value: id },
    { op: 'inc', path: 'things/all/count', value: 1 },
    { op: 'set', path: 'things/all/last', value: id },
  ];
  return { id, parents, device, seq, ops };
}

/** From the beginning. */
function foldAll(nodes: readonly VoidNode[]): Merged {
  const voids = findVoid(nodes);
  return fold(nodes.map(stepOf), (id) => voids.has(id));
}

const show = (merged: Merged) => ({
  vector: new Map(merged.vector),
  revoked: new Map(merged.revoked),
  tree: buildTree(crypto, merged, '').root.id,
  dots: new Set(
    [...(merged.collections.get('things')?.get('all')?.fields.values() ?? [])]
      .flat()
      .map((entry) => JSON.stringify(entry.dot)),
  ),
});

const script = fc.tuple(moves, fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }));

async function compare(nodes: readonly VoidNode[], ends: readonly number[], hasTip: boolean) {
  const tip = hasTip ? nodes.at(-1) : undefined;
  const chosen = ends.map((at) => nodes[at % nodes.length]?.id ?? '');
  const ids = [...new Set(tip?.parents ?? chosen)];
  const below = pastOf(nodes, ids);
  const stateOf = async (id: string) => foldAll(pastOf(nodes, [id]));
  const source = {
    stateOf,
    stepOf: async (id: string) => stepOf(nodes.find((node) => node.id === id) as VoidNode),
  };
  const states = await Promise.all(ids.map(stateOf));
  const known = tip
    ? [{ ids, state: foldAll(below) }]
    : ids.map((id, at) => ({ ids: [id], state: states[at] as Merged }));
  const all = tip ? [...below, tip] : below;
  expect(show(await refold(source, { below, tip }, known))).toEqual(show(foldAll(all)));
  const joined = joinAll(states);
  const forks = new Map(findForks(nodes).map(({ device, seq }) => [device, seq]));
  if (isSettled(joined, states, forks)) expect(show(joined)).toEqual(show(foldAll(below)));
}

test('what is folded again from where it differs is what is folded from the beginning', async () => {
  await fc.assert(
    fc.asyncProperty(script, async ([played, ends]) => compare(play(played), ends, false)),
    { numRuns: 400 },
  );
});

test('so is a commit on top of what is known', async () => {
  await fc.assert(
    fc.asyncProperty(script, async ([played, ends]) => compare(play(played), ends, true)),
    { numRuns: 400 },
  );
});
