/** What people of a simulated household ask for: every kind of op, on shared and on own paths. */

import type { DraftOp } from '../changes/narrow.ts';
import type { Json } from '../format/json.ts';
import type { State } from '../format/op.ts';

type Numbers = readonly [number, number, number];

/** Ops that somebody may want; `fresh` is a value that nobody wrote before. */
export function wishOf(device: string, state: State, [a, b, c]: Numbers, fresh: number): DraftOp[] {
  const first = WISHES[a % WISHES.length]?.({ device, state, b, c, fresh });
  const isMore = c % 5 === 0;
  const second = WISHES[(a >> 4) % WISHES.length];
  if (first === undefined) return [];
  const more = isMore ? second?.({ device, state, b: b >> 3, c: c >> 3, fresh: -fresh }) : [];
  return [...first, ...(more ?? [])];
}

type Wish = (asked: {
  readonly device: string;
  readonly state: State;
  readonly b: number;
  readonly c: number;
  readonly fresh: number;
}) => readonly DraftOp[];

const KEYS = ['a', 'b', 'c'];
const MEMBERS = ['p', 'q', 'r'];
const pick = <T>(list: readonly T[], at: number): T => list[at % list.length] as T;
const LIST = 'lists/l/items';
const TEXT = 'notes/t/body';

const WISHES: readonly Wish[] = [
  ({ b, c, fresh }) => [{ op: 'set', path: `names/${pick(KEYS, b)}/${field(c)}`, value: fresh }],
  ({ b, c, fresh }) => [{ op: 'set', path: `names/${pick(KEYS, b)}/${field(c)}`, value: fresh }],
  ({ b, fresh }) => [{ op: 'set', path: `names/${pick(KEYS, b)}`, value: { f: fresh, g: b % 2 } }],
  ({ b, c, fresh }) => [
    { op: 'set', path: `names/${pick(KEYS, b)}`, value: { [field(c)]: `v${fresh}` } },
  ],
  ({ b }) => [{ op: 'del', path: `names/${pick(KEYS, b)}` }],
  ({ b, c }) => [{ op: 'del', path: `names/${pick(KEYS, b)}/${field(c)}` }],
  ({ b, c }) => [change('names/a/set', c % 3 < 2, member(b))],
  ({ b, c }) => [change('groups/g/members', c % 2 === 0, member(b))],
  ({ b }) => [{ op: 'grow', path: 'groups/g/seen', value: member(b) }],
  ({ b, c }) => [{ op: 'inc', path: `names/${pick(KEYS, b)}/n`, value: (c % 9) - 3 }],
  ({ c, fresh }) => [{ op: 'ins', path: LIST, at: c % 3, value: fresh }],
  ({ state, b, c }) => {
    const count = listIn(state).length;
    if (count === 0) return [{ op: 'ins', path: LIST, at: 0, value: c }];
    const item = b % count;
    return [c % 3 === 0 ? { op: 'rem', path: LIST, item } : { op: 'mv', path: LIST, item, at: 0 }];
  },
  ({ state, c, fresh }) => [
    { op: 'text', path: TEXT, value: rewrite(textIn(state), c, `line ${fresh}`) },
  ],
  ({ b, fresh }) => [
    {
      op: 'set',
      path: `rules/${pick(KEYS, b)}/effect`,
      value: pick<Json>([fresh, 'deny', 'allow'], b),
      rule: pick(['deny', 'lower', 'rank'] as const, b),
    },
  ],
  ({ device, fresh }) => [{ op: 'set', path: `status/${device}`, value: { seen: fresh } }],
  ({ device, fresh }) => [{ op: 'set', path: `devices/${device}/note`, value: fresh }],
];

function change(path: string, isIn: boolean, value: Json): DraftOp {
  return isIn ? { op: 'add', path, value } : { op: 'rem', path, value };
}

function field(number: number): string {
  return pick(['f', 'g'], number);
}

function member(number: number): Json {
  return pick(MEMBERS, number);
}

function listIn(state: State): readonly Json[] {
  const items = state.get('lists')?.get('l')?.['items'];
  return Array.isArray(items) ? items : [];
}

function textIn(state: State): readonly string[] {
  const body = state.get('notes')?.get('t')?.['body'];
  return typeof body === 'string' ? body.split('\n') : [];
}

/** A line more, or another one in the place of an old one. */
function rewrite(lines: readonly string[], place: number, line: string): string {
  return lines.toSpliced(place % (lines.length + 1), place % 2, line).join('\n');
}
