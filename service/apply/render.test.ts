import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import type { State } from '#storage';
import { optionLines, optionsOf, partOf, waitsFor } from './render.ts';

const { crypto } = fakeRuntime();

function stateOf(records: Readonly<Record<string, object>>): State {
  const state = new Map<string, Map<string, never>>();
  for (const [path, record] of Object.entries(records)) {
    const [collection = '', key = ''] = path.split('/');
    const held = state.get(collection) ?? new Map<string, never>();
    state.set(collection, held.set(key, record as never));
  }
  return state;
}

const ZONE = { device: 'a', option: 'system.main.zonename', value: 'UTC' };
const LAN = { device: 'a', option: 'network.lan.ipaddr', value: '10.0.0.1' };

test('options of a device, in order, and of no other one', () => {
  const state = stateOf({
    'options/1': ZONE,
    'options/2': LAN,
    'options/3': { ...LAN, device: 'b' },
  });
  expect(optionsOf(state, 'a')).toEqual([
    { ...LAN, id: '2' },
    { ...ZONE, id: '1' },
  ]);
  expect(optionsOf(new Map(), 'a')).toEqual([]);
});

test('what the head lets go of is given back, and removed where it was not', () => {
  const originals = {
    'system.main.zonename': 'CET',
    'network.lan.dns': null,
    'network.lan.ipaddr': '192.168.1.1',
  };
  expect(optionLines(stateOf({ 'options/2': LAN }), 'a', originals)).toEqual([
    { option: 'network.lan.ipaddr', value: '10.0.0.1' },
    { option: 'system.main.zonename', value: 'CET' },
    { option: 'network.lan.dns', value: undefined },
  ]);
});

test.each([
  { records: { 'options/9': ZONE }, same: true, why: 'the key of a record says nothing' },
  {
    records: { 'options/1': { ...ZONE, note: 'summer' } },
    same: true,
    why: 'nor does a note',
  },
  {
    records: { 'options/1': ZONE, 'options/2': { ...LAN, device: 'b' } },
    same: true,
    why: 'nor another device',
  },
  { records: { 'options/1': { ...ZONE, value: 'CET' } }, same: false, why: 'a value does' },
  { records: { 'options/1': ZONE, 'options/2': LAN }, same: false, why: 'so does one more' },
])('the same wish: $why', ({ records, same }) => {
  const wish = partOf(crypto, stateOf({ 'options/1': ZONE }), 'a');
  expect(partOf(crypto, stateOf(records), 'a') === wish).toBe(same);
});

const STAGED = { 'options/1': { ...ZONE, firstOn: 'b' }, 'options/2': { ...ZONE, device: 'b' } };
const part = partOf(crypto, stateOf(STAGED), 'b');

test.each([
  { records: { 'options/1': ZONE }, waits: undefined, why: 'nobody is named' },
  { records: STAGED, waits: 'b', why: 'it has said nothing yet' },
  {
    records: { ...STAGED, 'status/b': { part: 'another', at: 0 } },
    waits: 'b',
    why: 'what holds there is older',
  },
  {
    records: { ...STAGED, 'status/b': { part, at: 0 } },
    waits: undefined,
    why: 'it confirmed the same',
  },
  {
    records: { ...STAGED, 'status/b': { part, at: 0, pending: { id: 'x' } } },
    waits: 'b',
    why: 'it confirmed, and tries something again',
  },
  {
    records: { 'options/1': { ...ZONE, firstOn: 'b' } },
    waits: undefined,
    why: 'it has nothing to try',
  },
  {
    records: { 'options/1': { ...ZONE, firstOn: 'a' } },
    waits: undefined,
    why: 'nobody waits for himself',
  },
])('waiting for another device: $why', ({ records, waits }) => {
  expect(waitsFor(crypto, stateOf(records), 'a')).toBe(waits);
});
