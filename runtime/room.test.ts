import { describe, expect, test } from 'vitest';
import { createRoom } from './room.ts';

/** Lets connections in from these addresses, one after the other. */
function fill(places: number, perAddress: number, addresses: readonly string[]) {
  const room = createRoom(places, perAddress);
  const ended: number[] = [];
  const entered = addresses.map((address, index) =>
    room.enter(`${index}`, address, () => ended.push(index)),
  );
  return {
    room,
    ended,
    refused: entered.flatMap((leave, index) => (leave === undefined ? [index] : [])),
  };
}

const NET = '2001:db8:0:1::';
const SITE = (net: number) => `2001:db8:9:${net}::1`;

describe('who gets a place', () => {
  test.each([
    { from: ['a', 'b', 'c', 'd'], refused: [], ended: [], why: 'there is one for each' },
    { from: ['a', 'a', 'a', 'a'], refused: [3], ended: [], why: 'an address has a limit' },
    { from: ['a', 'a', 'a', 'b', 'c'], refused: [], ended: [0], why: 'the oldest of most goes' },
    { from: ['b', 'a', 'a', 'a', 'c'], refused: [], ended: [1], why: 'not the oldest of all' },
    { from: ['a', 'a', 'b', 'b', 'c'], refused: [], ended: [0], why: 'also of one among equals' },
    {
      from: ['a', 'b', 'c', 'd', 'e'],
      refused: [],
      ended: [0],
      why: 'of many with one, the oldest',
    },
    {
      from: ['a', 'a', 'b', 'b', 'b'],
      refused: [],
      ended: [2],
      why: 'who holds as many gives up its own',
    },
    {
      from: ['c', 'd', 'a', 'b', 'b'],
      refused: [],
      ended: [3],
      why: 'nobody with one goes for the second of another',
    },
    {
      from: [`${NET}1`, `${NET}2`, `${NET}3`, `${NET}4`, 'a'],
      refused: [],
      ended: [0],
      why: 'the addresses of a /64 are one network',
    },
    {
      from: ['a', '2001:db8:0:2::1', `${NET}1`, `${NET}2`, 'b'],
      refused: [],
      ended: [2],
      why: 'of those of one /48 the /64 that holds most',
    },
    {
      from: ['a', 'b', 'c', SITE(1), SITE(2), SITE(3), SITE(4)],
      refused: [],
      ended: [3, 4, 5],
      why: 'a /48 has any number of /64, and takes from itself only',
    },
    {
      from: ['a', 'a', SITE(1), SITE(2), SITE(3), SITE(4), 'b'],
      refused: [],
      ended: [2, 3, 0],
      why: 'who holds as much as that is no better than it',
    },
    {
      from: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '198.51.100.1', '203.0.113.1'],
      refused: [],
      ended: [0],
      why: 'a /24 of IPv4 is one site, too',
    },
  ])('$from: $why', ({ from, refused, ended }) => {
    expect(fill(4, 3, from)).toMatchObject({ refused, ended });
  });

  test.each<{ asks: number[]; waits: number[]; ended: number; why: string }>([
    { asks: [], waits: [], ended: 0, why: 'nobody asked anything' },
    { asks: [0, 2], waits: [], ended: 1, why: 'the one that asked nothing' },
    { asks: [1, 0, 3, 2], waits: [], ended: 1, why: 'the one that asked longest ago' },
    { asks: [], waits: [0, 1], ended: 2, why: 'not one that waits for its answer' },
    { asks: [], waits: [2, 0, 1, 3], ended: 2, why: 'all wait: the one for longest' },
  ])('$ended is ended: $why', ({ asks, waits, ended: expected }) => {
    const { room, ended } = fill(4, 3, ['a', 'b', 'c', 'd']);
    for (const index of asks) room.ask(`${index}`)();
    for (const index of waits) room.ask(`${index}`);
    room.enter('4', 'e', () => undefined);
    expect(ended).toEqual([expected]);
  });
});

test('a place that is given back is free for anybody', () => {
  const { room, ended } = fill(2, 1, ['a', 'b']);
  const enter = (name: string, address: string) => room.enter(name, address, () => undefined);
  expect(enter('2', 'a')).toBeUndefined();
  room.leave('0');
  room.leave('0');
  const leave = enter('2', 'a');
  expect(leave).toBeDefined();
  expect(enter('3', 'a')).toBeUndefined();
  leave?.();
  expect(enter('3', 'a')).toBeDefined();
  expect(ended).toEqual([]);
});

test('whose name somebody else has by now does not take that place away', () => {
  const room = createRoom(2, 1);
  const leave = room.enter('1', 'a', () => undefined);
  room.enter('1', 'b', () => undefined);
  leave?.();
  expect(room.enter('2', 'b', () => undefined)).toBeUndefined();
});

test('who has no place may ask', () => {
  expect(createRoom(1, 1).ask('1')).not.toThrow();
});

test('all can be ended', () => {
  const { room, ended } = fill(3, 3, ['a', 'a', 'b']);
  room.leave('1');
  room.endAll();
  expect(ended).toEqual([0, 2]);
});
