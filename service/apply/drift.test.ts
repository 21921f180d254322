import { expect, test } from 'vitest';
import { adoptionOf, compare, parseTables, type System } from './drift.ts';
import type { Rendered } from './render.ts';
import { findLines } from './why.ts';

const NOTHING: System = { uci: undefined, peers: undefined, tables: undefined };
const LAN: Rendered = {
  target: 'uci',
  line: 'network.lan.ipaddr',
  value: '10.0.0.1',
  source: 'options/a',
};
const PHONE: Rendered = {
  ...{ target: 'wg', line: 'nymote0.peer.phone', source: 'devices/p', key: 'P' },
  value: ['fd00::1/128'],
};
const NAS: Rendered = { ...PHONE, line: 'nymote0.peer.nas', key: 'N', isOnDemand: true };

test.each([
  { lines: [LAN], system: NOTHING, found: [], why: 'what cannot be read has not drifted' },
  {
    lines: [LAN],
    system: { ...NOTHING, uci: new Map([['network.lan.ipaddr', '10.0.0.1']]) },
    found: [],
    why: 'as it should be',
  },
  {
    lines: [LAN],
    system: { ...NOTHING, uci: new Map([['network.lan.ipaddr', '10.0.0.2']]) },
    found: [{ kind: 'different', wanted: '10.0.0.1', found: '10.0.0.2', source: 'options/a' }],
    why: 'an option was changed by hand',
  },
  {
    lines: [LAN],
    system: { ...NOTHING, uci: new Map() },
    found: [{ kind: 'missing', wanted: '10.0.0.1' }],
    why: 'or removed',
  },
  {
    lines: [PHONE, NAS],
    system: { ...NOTHING, peers: new Map() },
    found: [{ kind: 'missing', line: 'nymote0.peer.phone' }],
    why: 'a peer is missing, one that comes on demand is not',
  },
  {
    lines: [PHONE],
    system: { ...NOTHING, peers: new Map([['P', ['0.0.0.0/0']]]) },
    found: [{ kind: 'different', wanted: ['fd00::1/128'], found: ['0.0.0.0/0'] }],
    why: 'a peer has other AllowedIPs',
  },
  {
    lines: [PHONE],
    system: {
      ...NOTHING,
      peers: new Map([
        ['P', ['fd00::1/128']],
        ['X', []],
      ]),
    },
    found: [{ kind: 'extra', line: 'nymote0.peer.X' }],
    why: 'a peer that nobody added here',
  },
  {
    lines: [],
    system: { ...NOTHING, tables: ['inet nymote_old'] },
    found: [{ kind: 'extra', target: 'nft', line: 'inet nymote_old' }],
    why: 'a table of ours that the head does not know',
  },
])('$why', ({ lines, system, found }) => {
  expect(compare(lines, system, 'nymote0')).toMatchObject(found);
  expect(compare(lines, system, 'nymote0')).toHaveLength(found.length);
});

test('what is there becomes the head, for options only', () => {
  const state = new Map([
    [
      'options',
      new Map([
        ['a', { device: 'd', option: 'network.lan.ipaddr', value: '1' }],
        ['b', { device: 'd', option: 'network.lan.dns', value: '1' }],
      ]),
    ],
  ]);
  const drifts = [
    { target: 'uci', line: 'network.lan.ipaddr', kind: 'different', found: '2' },
    { target: 'uci', line: 'network.lan.dns', kind: 'missing' },
    { target: 'wg', line: 'nymote0.peer.X', kind: 'extra', found: [] },
  ] as const;
  expect(adoptionOf(drifts, state, 'd')).toEqual([
    { op: 'set', path: 'options/a/value', value: '2' },
    { op: 'del', path: 'options/b' },
  ]);
  expect(adoptionOf(drifts, state, 'another')).toEqual([]);
});

test.each([
  {
    json: '{"nftables":[{"metainfo":{}},{"table":{"family":"inet","name":"fw4"}},{"table":{"family":"inet","name":"nymote"}},{"table":{"family":"ip","name":"nymote; flush"}}]}',
    tables: ['inet nymote'],
    why: 'only ours',
  },
  { json: '', tables: undefined, why: 'no nft here' },
  { json: '{"nftables":3}', tables: undefined, why: 'not what nft prints' },
  { json: '{"nftables":[{"table":null},3]}', tables: [], why: 'rows of another kind' },
])('nft: $why', ({ json, tables }) => {
  expect(parseTables(json)).toEqual(tables);
});

const AAAA: Rendered = { ...LAN, target: 'dns', line: 'nas.alice.nymote AAAA' };
const A: Rendered = { ...AAAA, line: 'nas.alice.nymote A' };

test.each([
  { text: 'wg0.peer.phone', found: [PHONE], why: 'whatever the interface is called' },
  { text: 'wg nymote0.peer.phone', found: [PHONE], why: 'with its target' },
  { text: 'uci network.lan.ipaddr', found: [LAN], why: 'an option' },
  { text: 'network.lan.ipaddr', found: [LAN], why: 'an option by itself' },
  { text: 'dns NAS.alice.nymote. aaaa', found: [AAAA], why: 'a name as people write it' },
  { text: 'dns nas.alice.nymote', found: [AAAA, A], why: 'all types' },
  { text: 'uci nas.alice.nymote', found: [], why: 'the wrong target' },
  { text: 'phone', found: [], why: 'half a line' },
  { text: '', found: [], why: 'nothing' },
])('why $text: $why', ({ text, found }) => {
  expect(findLines([LAN, PHONE, NAS, AAAA, A], text)).toEqual(found);
});
