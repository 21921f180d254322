import { expect, test } from 'vitest';
import { parseIpv4, parseIpv6 } from '../message/wire/address-text.ts';
import { type Askers, publishAskers, viewOf } from './askers.ts';
import { createArena, HEAD, headWord, MAX_EXACT, mapArena } from './layout.ts';

/** sockaddr_in or sockaddr_in6 as words. */
function sender(address: string): Uint32Array {
  const bytes = new Uint8Array(32);
  const isLong = address.includes(':');
  bytes[0] = isLong ? 10 : 2;
  bytes.set((isLong ? parseIpv6(address) : parseIpv4(address)) ?? [], isLong ? 8 : 4);
  return new Uint32Array(bytes.buffer);
}

const ASKERS: Askers = {
  exact: [
    { address: '10.0.0.5', view: 'phone' },
    { address: 'fd00::5', view: 'phone' },
    { address: '10.0.0.6', view: 'nas' },
    { address: '10.0.0.6', view: 'other' },
    { address: 'FD00::7', view: 'other' },
    { address: 'nonsense', view: 'other' },
  ],
  networks: [
    { address: '10.0.1.0', bits: 24, view: 'near' },
    { address: '10.0.0.0', bits: 8, view: 'home' },
    { address: 'fd00::', bits: 9, view: 'home' },
    { address: '::1', bits: 128, view: 'self' },
  ],
};

test.each([
  { address: '10.0.0.5', view: 'phone', why: 'a device' },
  { address: 'fd00::5', view: 'phone', why: 'its other address' },
  { address: '10.0.0.6', view: 'nas', why: 'the first of two with one address' },
  { address: '10.0.1.200', view: 'near', why: 'the first network that fits' },
  { address: '10.9.9.9', view: 'home', why: 'a network' },
  { address: 'fd7f::1', view: 'home', why: 'a network that ends within an octet' },
  { address: 'fd80::1', view: undefined, why: 'beyond it' },
  { address: 'fd00::7', view: 'home', why: 'a device spelled otherwise is not known' },
  { address: '::1', view: 'self', why: 'one address' },
  { address: '::2', view: undefined, why: 'its neighbour' },
  { address: '192.0.2.1', view: undefined, why: 'nobody' },
  { address: '0.0.0.0', view: undefined, why: 'zeros' },
  { address: '::', view: undefined, why: 'more zeros' },
])('$address: $why', ({ address, view }) => {
  const arena = mapArena(createArena(1, 0, 1));
  const numbers = publishAskers(arena, ASKERS);
  expect(viewOf(arena, sender(address), 0)).toBe(view === undefined ? 0 : numbers.get(view));
});

test('each table is an epoch of its own, and nobody is known before the first', () => {
  const arena = mapArena(createArena(1, 0, 1));
  expect(viewOf(arena, sender('10.0.0.5'), 0)).toBe(0);
  publishAskers(arena, ASKERS);
  publishAskers(arena, { exact: [], networks: [] });
  expect(arena.words[headWord(HEAD.epoch)]).toBe(4);
  expect(viewOf(arena, sender('10.0.0.5'), 0)).toBe(0);
});

test('more devices than fit: nobody has a view, rather than the wrong one', () => {
  const arena = mapArena(createArena(1, 0, 1));
  const exact = Array.from({ length: MAX_EXACT + 1 }, (_, index) => ({
    address: `10.1.${index >> 8}.${index & 255}`,
    view: 'one',
  }));
  expect(publishAskers(arena, { ...ASKERS, exact }).size).toBe(0);
  expect(viewOf(arena, sender('10.9.9.9'), 0)).toBe(0);
  expect(publishAskers(arena, { ...ASKERS, exact: exact.slice(1) }).get('one')).toBeGreaterThan(0);
  expect(viewOf(arena, sender('10.1.8.0'), 0)).toBeGreaterThan(0);
});

test('another family has no view', () => {
  const arena = mapArena(createArena(1, 0, 1));
  publishAskers(arena, ASKERS);
  expect(viewOf(arena, new Uint32Array(8), 0)).toBe(0);
});
