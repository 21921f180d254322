/**
 * Sets of commits for the tests of the judgement: written by hand, and played at random.
 */

import fc from 'fast-check';
import type { VoidNode } from './judge.ts';

const RANKS: Record<string, number> = { r: 0, a: 1, b: 2, c: 3, d: 4 };

/**
 * A commit from words: `a3 ^b2 !c1 +d@4` is the third of a, knows b's second, revokes c beyond its
 * first and makes d an owner of rank 4. It knows its device's commit before; `'` marks a twin.
 */
export function node(text: string): VoidNode {
  const [name = '', ...words] = text.split(' ');
  const device = name.charAt(0);
  const seq = Number.parseInt(name.slice(1), 10);
  const parents = words.filter((word) => word.startsWith('^')).map((word) => word.slice(1));
  const revokes = words
    .filter((word) => word.startsWith('!'))
    .map((word) => ({ device: word.charAt(1), lastSeq: Number(word.slice(2)) }));
  const admits = words
    .filter((word) => word.startsWith('+'))
    .map((word) => ({ device: word.charAt(1), rank: Number(word.split('@')[1]) }));
  const rank = Number(words.find((word) => word.startsWith('#'))?.slice(1) ?? RANKS[device] ?? 9);
  const before = seq > 1 ? [`${device}${seq - 1}`] : [];
  return { id: name, device, seq, rank, parents: [...before, ...parents], revokes, admits };
}

/** How a realm of some size comes about; numbers choose among what is possible. */
type Move = {
  readonly who: number;
  readonly knows: readonly number[];
  readonly act: 'write' | 'admit' | 'revoke' | 'leave' | 'rebel';
  readonly whom: number;
  readonly number: number;
  readonly forks: boolean;
};

const DEVICES = ['r', 'e', 'b', 'd', 'c', 'a'];
/** Scripts for `play`. */
export const moves = fc.array(
  fc.record<Move>({
    who: fc.nat(5),
    knows: fc.array(fc.nat(40), { maxLength: 3 }),
    act: fc.constantFrom('write', 'admit', 'admit', 'revoke', 'revoke', 'leave', 'rebel'),
    whom: fc.nat(5),
    number: fc.nat(6),
    forks: fc.nat(9).map((chance) => chance === 0),
  }),
  { minLength: 5, maxLength: 30 },
);

/** Plays moves as devices that keep the rules of rights.ts, but for rebels. */
export function play(script: readonly Move[]): VoidNode[] {
  const genesis = { id: 'r1', device: 'r', seq: 1, rank: 0, parents: [], revokes: [] };
  const nodes: VoidNode[] = [{ ...genesis, admits: [{ device: 'a', rank: 1 }] }];
  for (const { who, knows, act, whom, number, forks } of script) {
    const device = DEVICES[who] as string;
    const target = DEVICES[whom] as string;
    const chain = nodes.filter((node) => node.device === device);
    const last = forks ? chain.at(-2) : chain.at(-1);
    const known = knows.map((at) => nodes[at % nodes.length] as VoidNode);
    const parents = [...new Set([...known, ...(last ? [last] : [])].map(({ id }) => id))];
    const past = pastOf(nodes, parents);
    const rank = standing(past, device);
    if (rank === undefined) continue;
    const seq = (last?.seq ?? 0) + 1;
    const author = { device, rank, seq };
    const deed =
      act === 'leave' ? leave(author, number) : deedOf(author, past, { act, target, number });
    nodes.push({ id: `${device}${seq}-${nodes.length}`, device, seq, rank, parents, ...deed });
  }
  return nodes;
}

type Deed = Pick<VoidNode, 'revokes' | 'admits'>;
type Doer = Pick<VoidNode, 'device' | 'rank' | 'seq'>;

const leave = ({ device, seq }: Doer, number: number): Deed => ({
  revokes: [{ device, lastSeq: seq + (number % 2) }],
});

function deedOf(
  { device, rank }: Doer,
  past: readonly VoidNode[],
  { act, target, number }: Pick<Move, 'act' | 'number'> & { readonly target: string },
): Deed {
  const theirs = standing(past, target) ?? 1000;
  const next = 1 + Math.max(...past.flatMap(({ admits = [] }) => admits.map((item) => item.rank)));
  const isSenior = rank < theirs || (rank === theirs && device < target);
  if (act === 'rebel' || (act === 'revoke' && isSenior))
    return { revokes: [{ device: target, lastSeq: number }] };
  const isAdmitted = act === 'admit' && theirs > next;
  return { revokes: [], admits: isAdmitted ? [{ device: target, rank: next }] : [] };
}

/** Everything below `parents`, in the order of `nodes`. */
export function pastOf(nodes: readonly VoidNode[], parents: readonly string[]): VoidNode[] {
  const ids = new Set(parents);
  const past: VoidNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!ids.has(node.id)) continue;
    past.push(node);
    for (const parent of node.parents) ids.add(parent);
  }
  return past.reverse();
}

/** The newest rank that the past gives a device. */
function standing(past: readonly VoidNode[], device: string): number | undefined {
  if (device === 'r') return past.length > 0 ? 0 : undefined;
  const given = past.flatMap(({ admits = [] }) => admits.filter((item) => item.device === device));
  return given.length === 0 ? undefined : Math.min(...given.map(({ rank }) => rank));
}
