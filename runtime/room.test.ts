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

describe('who gets a place', () => {
  test.each([
    { from: ['a', 'b', 'c', 'd'], refused: [], ended: [], why: 'there is one for each' },
    { from: ['a', 'a', 'a', 'a'], refused: [3], ended: [], why: 'an address has a limit' },
    { from: ['a', 'a', 'a', 'b', 'c'], refused: [], ended: [0], why: 'the oldest of most goes' },
    { from: ['b', 'a', 'a', 'a', 'c'], refused: [], ended: [1], why: 'not the oldest of all' },
    { from: ['a', 'a', 'b', 'b', 'c'], refused: [], ended: [0], why: 'also of one among equals' },
    { from: ['a', 'b', 'c', 'd', 'e'], refused: [4], ended: [], why: 'nobody holds more' },
    { from: ['a', 'a', 'b', 'b', 'b'], refused: [4], ended: [], why: 'who holds as many waits' },
    {
      from: [`${NET}1`, `${NET}2`, `${NET}3`, `${NET}4`, 'a'],
      refused: [],
      ended: [0],
      why: 'the addresses of a /64 are one network',
    },
    {
      from: [`${NET}1`, `${NET}2`, '2001:db8:0:2::1', '2001:db8:0:2::2', `${NET}5`],
      refused: [4],
      ended: [],
      why: 'which competes with others as one',
    },
  ])('$from: $why', ({ from, refused, ended }) => {
    expect(fill(4, 3, from)).toMatchObject({ refused, ended });
  });
});

test('a place that is given back is free for anybody', () => {
  const { room } = fill(2, 1, ['a', 'b']);
  const enter = (name: string, address: string) => room.enter(name, address, () => undefined);
  expect(enter('2', 'c')).toBeUndefined();
  room.leave('1');
  room.leave('1');
  const leave = enter('2', 'c');
  expect(leave).toBeDefined();
  expect(enter('3', 'd')).toBeUndefined();
  leave?.();
  expect(enter('3', 'd')).toBeDefined();
});

test('whose name somebody else has by now does not take that place away', () => {
  const room = createRoom(1, 1);
  const leave = room.enter('1', 'a', () => undefined);
  room.enter('1', 'b', () => undefined);
  leave?.();
  expect(room.enter('2', 'c', () => undefined)).toBeUndefined();
});

test('all can be ended', () => {
  const { room, ended } = fill(3, 3, ['a', 'a', 'b']);
  room.leave('1');
  room.endAll();
  expect(ended).toEqual([0, 2]);
});
