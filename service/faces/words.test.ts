import { expect, test } from 'vitest';
import type { Json, State } from '#storage';
import { isPlace, sayChanges, sayOps, sayPath, sayValue } from './words.ts';

const STATE: State = new Map(
  Object.entries({
    realm: { settings: { user: 'alice', apex: 'alice.nymote' } },
    devices: { k7m2: { name: 'desk' } },
    options: { a1: { device: 'k7m2', option: 'network.lan.ipaddr', value: '10.0.0.1' } },
  }).map(([collection, records]) => [collection, new Map(Object.entries(records))]),
) as never;

test.each([
  { path: 'rules/printer/effect', words: 'the rule printer: whether it allows or denies' },
  { path: 'rules/printer', words: 'the rule printer' },
  { path: 'devices/k7m2/name', words: 'the device desk: its name' },
  { path: 'devices/gone/note', words: 'the device gone: its note' },
  { path: 'names/www/records', words: 'the name www.alice.nymote: its records' },
  { path: 'names/@', words: 'the name alice.nymote' },
  { path: 'options/a1/value', words: 'network.lan.ipaddr of desk: its value' },
  { path: 'options/b2', words: 'the option b2' },
  { path: 'realm/settings/twoOwners', words: 'the settings: what needs two owners' },
  { path: 'proposals/k7m2.3', words: 'a proposal of desk' },
  { path: 'status/k7m2/reason', words: 'what desk says of itself: reason' },
  { path: 'realm/recovery', words: 'the recovery key' },
  { path: 'realm/hub', words: 'the hub of your devices' },
  { path: 'realm/base-843a78d743e16891', words: 'where the history begins' },
  { path: 'keys/8cb6400e984b86ae/k7m2', words: 'a key of your realm, for desk' },
  { path: 'upstreams/isp/use', words: 'the upstream isp: use' },
  { path: 'later/x/y', words: 'later/x/y' },
  { path: 'names', words: 'names' },
])('$path is $words', ({ path, words }) => {
  expect(sayPath(STATE, path)).toBe(words);
});

test.each([
  { path: 'rules', is: true, why: 'a collection' },
  { path: 'rules/printer', is: true, why: 'a record, whether or not it is there' },
  { path: 'realm/hub', is: true, why: "one of the realm's own" },
  { path: 'realm/settings/twoOwners', is: true, why: 'a field' },
  { path: 'rule', is: false, why: 'a slip' },
  { path: 'realm/hubs', is: false, why: 'a slip where all is known' },
  { path: 'constructor', is: false, why: 'no collection' },
  { path: '', is: false, why: 'nothing' },
])('whether anything can be at $path: $why', ({ path, is }) => {
  expect(isPlace(path)).toBe(is);
});

test.each<{ value: Json | undefined; said: string; why: string }>([
  { value: undefined, said: 'removed', why: 'nothing is there' },
  { value: true, said: 'yes', why: 'a switch' },
  { value: 'k7m2', said: 'desk', why: 'ids are names' },
  { value: [], said: 'nothing', why: 'an empty list' },
  {
    value: { any: ['kind:device'], except: ['k7m2'] },
    said: 'kind:device except desk',
    why: 'who',
  },
  {
    value: [{ type: 'A', ttl: 60, data: '192.0.2.1' }],
    said: 'A 192.0.2.1 (for 60 s)',
    why: 'zone',
  },
  { value: { until: 5 }, said: 'until 5', why: 'anything else, field by field' },
  { value: 'x'.repeat(300), said: `${'x'.repeat(200)}…`, why: 'long texts are cut' },
  { value: null, said: 'null', why: 'what nobody writes' },
])('$said: $why', ({ value, said }) => {
  expect(sayValue(STATE, value)).toBe(said);
});

test('changes are sentences, also of what is gone', () => {
  expect(
    sayChanges(STATE, [
      { path: 'rules/a', before: undefined, after: { effect: 'deny' } },
      { path: 'devices/x', before: { name: 'old' }, after: undefined },
      {
        path: 'rules/b',
        before: { effect: 'deny', note: '' },
        after: { effect: 'allow', note: '' },
      },
    ]),
  ).toEqual([
    'Added the rule a',
    'Removed the device old',
    'Changed the rule b: whether it allows or denies',
  ]);
});

test('ops are wishes', () => {
  expect(
    sayOps(STATE, [
      { op: 'set', path: 'rules/a/effect', value: 'deny' },
      { op: 'del', path: 'rules/b' },
      { op: 'revoke', path: 'devices/k7m2' },
      { op: 'rem', path: 'names/www/records', value: { type: 'A', ttl: 1, data: '::' } },
      { op: 'mv', path: 'rules/a/who' },
    ]),
  ).toEqual([
    'Set the rule a: whether it allows or denies to deny',
    'Remove the rule b',
    'Shut out the device desk',
    'Take A :: (for 1 s) from the name www.alice.nymote: its records',
    'Change the rule a: whom it is about',
  ]);
});
