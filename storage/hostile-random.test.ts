/**
 * Whatever ops a member signs, and in whatever order they come: all who get them agree (I5).
 * More by hand: `NYMOTE_RUNS=1000 NYMOTE_SEED=7`.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { StorageError } from './error.ts';
import { concat } from './format/bytes.ts';
import type { Json } from './format/json.ts';
import { type Op, parseOps } from './format/op.ts';
import { applyOps } from './merge/apply.ts';
import type { Merged } from './merge/merged.ts';
import { openFounder, openReplica, setName } from './realm.fixture.ts';
import type { Store } from './store.ts';
import { robbed, THIEF, write } from './thief.fixture.ts';

const RUNS = Number(process.env['NYMOTE_RUNS'] ?? 60);

const path = fc.constantFrom(
  'names/a',
  'names/a/f',
  'names/a/g',
  'lists/l/i',
  'devices/router',
  'realm/settings/twoOwners',
  `${THIEF.path}/role`,
  'a/../b',
  'names/a/__proto__',
  'proposals/x.y',
  'names/a/f/g',
);
const value: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    0,
    -1,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    '',
    'x',
    [],
    {},
    ['b', 'a', 'a'],
    { f: 1 },
    { sealed: 'x' },
  ),
  fc.string({ unit: 'binary', maxLength: 5 }),
);
const anyOp = fc.record(
  {
    op: fc.constantFrom(
      'set',
      'del',
      'add',
      'rem',
      'grow',
      'inc',
      'ins',
      'mv',
      'text',
      'revoke',
      'seal',
      7,
    ),
    path,
    value,
    at: fc.constantFrom<Json>('A', 'z'.repeat(200), '0', '', 3),
    item: fc.constantFrom<Json>(`${THIEF.id}:1:0`, 'router:1:0', ':', 0),
    rule: fc.constantFrom<Json>('deny', 'lower', 'rank', { f: 'rank' }, 'mine'),
    lastSeq: fc.constantFrom<Json>(0, 1, -1, 'x', Number.MAX_SAFE_INTEGER),
  },
  { requiredKeys: ['op', 'path'], noNullPrototype: true },
);
/** The members that each kind of op has, so that most of what is tried is an op. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  ...{ set: ['value'], add: ['value'], grow: ['value'], inc: ['value'], text: ['value'] },
  ...{ rem: ['item'], ins: ['at', 'value'], mv: ['at', 'item'], revoke: ['lastSeq'], del: [] },
};
const likelyOp = anyOp.map((op) => {
  const members = ['op', 'path', ...(MEMBERS[String(op.op)] ?? [])];
  return Object.fromEntries(Object.entries(op).filter(([name]) => members.includes(name)));
});

// Each run opens a store six times; a busy machine takes its time.
test('whatever a member signs, all who get it agree about it', {
  timeout: 300_000 + RUNS * 100,
}, async () => {
  const { founder, past } = await robbed();
  const base = await founder.exportMissing({});
  const commits = fc.array(
    fc.array(fc.oneof(anyOp, likelyOp, likelyOp, likelyOp), { maxLength: 4 }),
    { minLength: 1, maxLength: 3 },
  );
  await fc.assert(
    fc.asyncProperty(commits, fc.boolean(), async (lists, isChain) => {
      const frames = signAll(founder, past, lists as unknown as readonly Op[][], isChain);
      const ends: string[] = [];
      for (const pages of [frames, [...frames].reverse(), [concat(frames)]]) {
        const store = await openFounder(fakeRuntime(), { realm: founder.realm });
        await store.importCommits(base);
        for (const page of pages) await store.importCommits(page);
        await store.commit(setName('after', 1)).catch(expectRefusal);
        const again = await openReplica(fakeRuntime(), { realm: founder.realm });
        await again.importCommits(await store.exportMissing({}));
        expect([again.head, again.merged(), again.conflicts()]).toEqual([
          store.head,
          store.merged(),
          store.conflicts(),
        ]);
        ends.push(
          JSON.stringify([store.heads, [...store.merged()].map(([name, all]) => [name, [...all]])]),
        );
      }
      expect(new Set(ends).size).toBe(1);
    }),
    { numRuns: RUNS },
  );
});

/** Even a thief may end the founder; then the founder is told so. */
function expectRefusal(cause: unknown): void {
  expect(cause).toBeInstanceOf(StorageError);
}

/** Commits that follow each other, or that all have one number. */
function signAll(
  store: Store,
  past: Merged,
  lists: readonly Op[][],
  isChain: boolean,
): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let [state, parents, seq] = [past, [store.head], 1];
  for (const list of lists) {
    const text = JSON.stringify(list.map((op) => Object.fromEntries(Object.entries(op).sort())));
    const ops = tryParse(`${text}\n`);
    const plan = ops === undefined ? { text: `${text}\n` } : { ops };
    const { frame, id } = write(store, state, { ...plan, parents, seq });
    frames.push(frame);
    if (!isChain || ops === undefined) continue;
    state = applyOps(state, { device: THIEF.id, seq }, ops);
    parents = [id];
    seq += 1;
  }
  return frames;
}

function tryParse(text: string): readonly Op[] | undefined {
  try {
    return parseOps(text);
  } catch (cause) {
    if (cause instanceof StorageError) return undefined;
    throw cause;
  }
}
