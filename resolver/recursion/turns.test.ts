import { expect, test } from 'vitest';
import { createTurns } from './turns.ts';

type Order = { readonly enter: string } | { readonly leave: string };

/** Items are `owner` and a number, in the order they come. */
function play(limit: number, orders: readonly Order[]) {
  const told: string[] = [];
  const turns = createTurns<string>(limit, (item) => told.push(`-${item}`));
  for (const order of orders) {
    if ('leave' in order) {
      const isThere = turns.leave(order.leave[0] ?? '', order.leave);
      if (!isThere) told.push(`?${order.leave}`);
    } else if (!turns.enter(order.enter[0] ?? '', order.enter)) told.push(`!${order.enter}`);
  }
  const { size } = turns;
  const taken: string[] = [];
  for (let item = turns.next(); item !== undefined; item = turns.next()) taken.push(item);
  expect([taken.length, turns.size]).toEqual([size, 0]);
  return { told: told.join(' '), taken: taken.join(' ') };
}

const enter = (text: string): Order[] => text.split(' ').map((item) => ({ enter: item }));

test.each<{ orders: readonly Order[]; taken: string; told: string; why: string }>([
  { orders: [], taken: '', told: '', why: 'nothing' },
  { orders: enter('a1 a2 a3'), taken: 'a1 a2 a3', told: '', why: 'alone: the oldest first' },
  { orders: enter('a1 a2 a3 b1'), taken: 'a1 b1 a2 a3', told: '', why: 'one turn each' },
  { orders: enter('a1 b1 a2 c1 b2'), taken: 'a1 b1 c1 a2 b2', told: '', why: 'round and round' },
  {
    orders: [...enter('a1 a2 b1'), { leave: 'a1' }],
    taken: 'a2 b1',
    told: '',
    why: 'who leaves keeps no place, its owner does',
  },
  {
    orders: [...enter('a1 b1'), { leave: 'a1' }, { leave: 'a1' }, { leave: 'c1' }],
    taken: 'b1',
    told: '?a1 ?c1',
    why: 'who is not there cannot leave',
  },
  {
    orders: enter('a1 a2 a3 a4 a5 a6'),
    taken: 'a1 a2 a3 a4 a5',
    told: '!a6',
    why: 'full of its own: no room',
  },
  {
    orders: enter('a1 a2 a3 a4 b1 c1'),
    taken: 'a1 b1 c1 a2 a3',
    told: '-a4',
    why: 'full: who has most gives up the newest',
  },
  {
    orders: enter('a1 a2 b1 b2 c1 a3'),
    taken: 'a1 b1 c1 a2 b2',
    told: '!a3',
    why: 'full, and nobody has more than who asks',
  },
  {
    orders: enter('a1 a2 a3 b1 b2 b3'),
    taken: 'a1 b1 a2 b2 a3',
    told: '!b3',
    why: 'nor one more, or two would push each other out by turns',
  },
])('$why', ({ orders, taken, told }) => {
  expect(play(5, orders)).toEqual({ taken, told });
});

test('who takes while others come waits for nobody twice', () => {
  const turns = createTurns<string>(9, () => undefined);
  for (const item of ['a1', 'a2', 'a3']) turns.enter('a', item);
  expect(turns.next()).toBe('a1');
  turns.enter('b', 'b1');
  expect([turns.next(), turns.next(), turns.next()]).toEqual(['a2', 'b1', 'a3']);
});
