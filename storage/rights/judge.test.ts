import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { moves, node, pastOf, play } from './judge.fixture.ts';
import { findForks, findVoid, type VoidNode, type VoidReason } from './judge.ts';

function judged(texts: readonly string[]): Record<string, VoidReason> {
  const found = [...findVoid(texts.map(node))];
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

type Row = {
  readonly set: string[];
  readonly void: Record<string, VoidReason>;
  readonly why: string;
};
const check = (row: Row) => expect(judged(row.set)).toEqual(row.void);

describe('revocation', () => {
  test.each<Row>([
    { set: [], void: {}, why: 'nothing' },
    { set: ['a1', 'b1', 'b2'], void: {}, why: 'nobody was revoked' },
    { set: ['a1 !b1', 'b1', 'b2', 'b3'], void: { b2: 'revoked', b3: 'revoked' }, why: 'beyond' },
    { set: ['a1 !b0', 'b1'], void: { b1: 'revoked' }, why: 'all of it' },
    { set: ['a1 !b5', 'b1'], void: {}, why: 'beyond what there is' },
    {
      set: ['a1 !b1', 'b1', 'b2', 'c1 ^b2', 'c2'],
      void: { b2: 'revoked' },
      why: 'who built on it stays',
    },
    {
      set: ['a1 !c2', 'b1 !c1', 'c1', 'c2', 'c3'],
      void: { c2: 'revoked', c3: 'revoked' },
      why: 'the least',
    },
    { set: ['a1 !b1 !b0', 'b1'], void: { b1: 'revoked' }, why: 'the least in one commit' },
    {
      set: ['a1 !b0', 'b1 !c0', 'c1'],
      void: { b1: 'revoked' },
      why: 'what a void commit revokes stays',
    },
    {
      set: ['r1 !a1', 'a1', 'a2 !b0', 'b1 !c0', 'c1'],
      void: { a2: 'revoked', c1: 'revoked' },
      why: 'so the next one counts again',
    },
    {
      set: ['r1 !a1', 'a1 !b0', 'a2', 'b1 !c0', 'c1'],
      void: { a2: 'revoked', b1: 'revoked' },
      why: 'what was revoked before the end counts',
    },
    { set: ['b1 !a0', 'a1'], void: {}, why: 'a junior cannot end its senior' },
    { set: ['a1 !r0', 'r1'], void: {}, why: 'nobody ends the phrase' },
    { set: ['b1 #1 !a0', 'a1'], void: {}, why: 'of two with one rank the lesser id is senior' },
    { set: ['a1 !b0', 'b1 #1'], void: { b1: 'revoked' }, why: 'and ends the other' },
  ])('$why', check);
});

describe('mutual revocation', () => {
  test.each<Row>([
    { set: ['a1 !b0', 'b1 !a0'], void: { b1: 'revoked' }, why: 'the senior wins' },
    {
      set: ['a1', 'a2 !b1', 'b1', 'b2 !a1', 'b3'],
      void: { b2: 'revoked', b3: 'revoked' },
      why: 'whatever the numbers',
    },
    {
      set: ['a1 !b0', 'b1 !c0', 'c1 !a0'],
      void: { b1: 'revoked' },
      why: 'a ring ends at its most senior',
    },
    {
      set: ['a1 !c0', 'b1 !c0', 'c1 !a0 !b0', 'b2 !a0'],
      void: { c1: 'revoked' },
      why: 'two against one, and one against all',
    },
    {
      set: ['r1 !a0', 'a1 !b0', 'b1 !a0 !c0', 'c1'],
      void: { a1: 'revoked', c1: 'revoked' },
      why: 'the phrase frees who was ended by who it ends',
    },
    { set: ['b1 #9 !c0', 'c1 #9 !b0'], void: { c1: 'revoked' }, why: 'equals: the lesser id' },
  ])('$why', check);
});

describe('leaving', () => {
  test.each<Row>([
    { set: ['a1', 'a2 !a2', 'a3'], void: { a3: 'revoked' }, why: 'ends what comes later' },
    { set: ['a1', 'a2 !a0'], void: {}, why: 'takes nothing back' },
    { set: ['a1 !a3', 'a2 !a2', 'a3'], void: { a3: 'revoked' }, why: 'sooner than once said' },
    {
      set: ['a1 !b1', 'b1', 'b2 !b2', 'b3'],
      void: { b2: 'revoked', b3: 'revoked' },
      why: 'not after the end',
    },
  ])('$why', check);
});

describe('forks', () => {
  test.each<Row>([
    { set: ['b1', "b1'"], void: { b1: 'forked', "b1'": 'forked' }, why: 'both' },
    {
      set: ['b1', 'b2', "b2'", 'b3', "b3'"],
      void: { b2: 'forked', "b2'": 'forked', b3: 'forked', "b3'": 'forked' },
      why: 'and everything from there on',
    },
    { set: ['b1', 'b1'], void: {}, why: 'one commit that came twice is one' },
    {
      set: ['a1 !b1', 'b1', 'b2', "b2'"],
      void: { b2: 'revoked', "b2'": 'revoked' },
      why: 'until an owner decides',
    },
    {
      set: ['a1 !b2', 'b1', 'b2', "b2'", 'b3'],
      void: { b2: 'forked', "b2'": 'forked', b3: 'revoked' },
      why: 'above it nothing is decided',
    },
    {
      set: ['a1', 'a2 !b0', "a2'", 'b1'],
      void: { a2: 'forked', "a2'": 'forked' },
      why: 'what a fork revokes stays',
    },
    {
      set: ['r1', "r1' !b0", 'b1'],
      void: { b1: 'revoked' },
      why: 'nobody could decide the phrase’s',
    },
  ])('$why', check);

  test('the evidence names the first number that was used twice, and all who used it', () => {
    const set = ["c1'", 'c1', 'b1', 'b3', "b3'", "b2'", 'b2', 'a1'];
    expect(findForks(set.map(node))).toEqual([
      { device: 'b', seq: 2, commits: ['b2', "b2'"] },
      { device: 'c', seq: 1, commits: ['c1', "c1'"] },
    ]);
  });

  test('a revocation leaves the evidence', () => {
    expect(findForks(['a1 !b0', 'b1', "b1'"].map(node))).toHaveLength(1);
  });
});

describe('whom a void commit let in', () => {
  test.each<Row>([
    {
      set: ['r1 +b@2', 'b1 ^r1', 'a1 !b1', 'b2 +d@4', 'd1 ^b2', 'd2'],
      void: { b2: 'revoked', d1: 'revoked', d2: 'revoked' },
      why: 'goes with who let it in',
    },
    {
      set: ['a1 !b1', 'b1 +d@4', 'b2', 'd1 ^b1'],
      void: { b2: 'revoked' },
      why: 'stays when it was let in before the end',
    },
    {
      set: ['a1 !b0', 'b1 +c@3', 'c1 ^b1 +d@4', 'd1 ^c1 !a0'],
      void: { b1: 'revoked', c1: 'revoked', d1: 'revoked' },
      why: 'and so on',
    },
    {
      set: ['a1 !b0', 'b1 +d@4', 'a2 +d@9', 'd1 #4 ^b1', 'd2 #9 ^a2'],
      void: { b1: 'revoked', d1: 'revoked' },
      why: 'until somebody else lets it in',
    },
    {
      set: ['a1 +d@9', 'b1 +d@3', 'd1 #9 ^a1', 'd2 #3 ^b1 !c0', 'r1 !b0', 'c1 #4'],
      void: { b1: 'revoked', d2: 'revoked' },
      why: 'a rank that a void commit gave is none',
    },
    {
      set: ['a1 !b0', 'b1 +d@4', 'd1 #9', 'd2 #4 ^b1'],
      void: { b1: 'revoked', d2: 'revoked' },
      why: 'what was in before, by commits that are not held, stays',
    },
    {
      set: ['a1 +d@4', "a1' +d@4", 'd1 #4 ^a1', 'r1 !c0', 'c1 +d@9'],
      void: { a1: 'forked', "a1'": 'forked', d1: 'forked', c1: 'revoked' },
      why: 'a lesser rank that a void commit gave has no part in it',
    },
    {
      set: ['b1 +c@3', "b1' +c@3", 'c1 ^b1'],
      void: { b1: 'forked', "b1'": 'forked', c1: 'forked' },
      why: 'by a fork it is as void as the fork',
    },
  ])('$why', check);
});

/** The same definition, tried on the whole set again and again until nothing changes. */
function oracle(nodes: readonly VoidNode[]): Map<string, VoidReason> {
  let voids = new Map<string, VoidReason>();
  for (let round = 0; round <= nodes.length + 1; round++) {
    const next = new Map<string, VoidReason>();
    for (const node of nodes) {
      const reason = reasonFor(node, nodes, voids);
      if (reason !== undefined) next.set(node.id, reason);
    }
    const isSame =
      next.size === voids.size && [...next].every(([id, why]) => voids.get(id) === why);
    if (isSame) return next;
    voids = next;
  }
  throw new Error('no fixpoint');
}

function reasonFor(
  node: VoidNode,
  nodes: readonly VoidNode[],
  voids: ReadonlyMap<string, VoidReason>,
): VoidReason | undefined {
  const mine = nodes.filter(({ device }) => device === node.device);
  const ranks = mine
    .filter((item) => unfounded(item, nodes, voids) === undefined)
    .map(({ rank }) => rank);
  const rank = Math.min(...ranks);
  const doubt = unfounded(node, nodes, voids);
  if (ranks.length === 0 || node.rank < rank) return doubt;
  const ends = nodes
    .filter((by) => by.device !== node.device && !voids.has(by.id))
    .filter((by) => by.rank < rank || (by.rank === rank && by.device < node.device))
    .concat(mine.filter((by) => !voids.has(by.id) || unfounded(by, nodes, voids) !== undefined))
    .flatMap((by) =>
      by.revokes
        .filter((item) => item.device === node.device)
        .filter((item) => by.device !== node.device || item.lastSeq >= by.seq)
        .map((item) => item.lastSeq),
    );
  if (node.seq > Math.min(...ends)) return 'revoked';
  const twins = mine.filter((a) => mine.some((b) => a.seq === b.seq && a.id !== b.id));
  const isForked = rank > 0 && twins.some(({ seq }) => seq <= node.seq);
  return isForked ? 'forked' : doubt;
}

function unfounded(
  node: VoidNode,
  nodes: readonly VoidNode[],
  voids: ReadonlyMap<string, VoidReason>,
): VoidReason | undefined {
  const lets = (by: VoidNode) =>
    by.admits?.some((item) => item.device === node.device && item.rank <= node.rank) === true;
  const past = pastOf(nodes, node.parents);
  const all = nodes.filter((by) => lets(by) && voids.has(by.id));
  const isGiven = past.some((by) => lets(by) && !voids.has(by.id));
  if (isGiven || !past.some((by) => all.includes(by))) return undefined;
  return all.every(({ id }) => voids.get(id) === 'forked') ? 'forked' : 'revoked';
}

const sorted = (found: ReadonlyMap<string, VoidReason>) =>
  [...found].sort(([a], [b]) => (a < b ? -1 : 1));

test('the judgement is the one that the definition gives when tried again and again', () => {
  const seen = { revoked: 0, forked: 0 };
  fc.assert(
    fc.property(moves, (script) => {
      const nodes = play(script);
      const found = findVoid(nodes);
      expect(sorted(found)).toEqual(sorted(oracle(nodes)));
      for (const reason of found.values()) seen[reason]++;
    }),
    { numRuns: 1500 },
  );
  // A generator that never gets anywhere would prove nothing.
  expect(seen.revoked).toBeGreaterThan(100);
  expect(seen.forked).toBeGreaterThan(100);
});

test('it depends on which commits there are, never on their order or how often they came', () => {
  fc.assert(
    fc.property(
      moves.chain((script) => {
        const nodes = play(script);
        const mixed = fc.shuffledSubarray([...nodes, ...nodes], { minLength: nodes.length * 2 });
        return fc.tuple(fc.constant(nodes), mixed);
      }),
      ([nodes, mixed]) => {
        expect(sorted(findVoid(mixed))).toEqual(sorted(findVoid(nodes)));
        expect(findForks(mixed)).toEqual(findForks(nodes));
      },
    ),
    { numRuns: 500 },
  );
});

test('more commits never take evidence away', () => {
  fc.assert(
    fc.property(
      moves.chain((script) => {
        const nodes = play(script);
        return fc.tuple(fc.constant(nodes), fc.subarray(nodes));
      }),
      ([nodes, some]) => {
        const all = findForks(nodes);
        for (const fork of findForks(some)) {
          const same = all.find(({ device }) => device === fork.device);
          expect(same?.seq).toBeLessThanOrEqual(fork.seq);
          if (same?.seq === fork.seq)
            expect(same.commits).toEqual(expect.arrayContaining([...fork.commits]));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('nothing is void that nobody revoked, forked, or let in by what is', () => {
  fc.assert(
    fc.property(moves, (script) => {
      const nodes = play(script.map((move) => ({ ...move, forks: false })));
      const calm = nodes.map((node) => ({ ...node, revokes: [] }));
      expect(findVoid(calm).size).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test.each([
  { why: 'one long chain', devices: 1 },
  { why: 'a thousand devices, each let in by the thief', devices: 1000 },
])('10,000 commits: $why', ({ devices }) => {
  const nodes: VoidNode[] = [{ ...node('r1 !b0'), admits: [{ device: 'b', rank: 1 }] }];
  const admits = Array.from({ length: devices }, (_, at) => ({ device: `t${at}`, rank: 2 }));
  nodes.push({ ...node('b1 ^r1'), admits });
  for (let at = 2; at < 10_000; at++) {
    const device = `t${at % devices}`;
    const seq = Math.floor((at - 2) / devices) + 1;
    const parents = [(nodes[at - 1] as VoidNode).id];
    nodes.push({ id: `n${at}`, device, seq, rank: 2, parents, revokes: [], admits: [] });
  }
  expect(findVoid(nodes.toReversed()).size).toBe(9999);
});
