import { expect, test } from 'vitest';
import { conflictRule } from './conflict-rules.ts';

test.each([
  { path: 'rules/printer/effect', rule: 'deny', why: 'what refuses beats what allows' },
  { path: 'rules/printer/who', rule: 'rank', why: 'neither selection is more careful' },
  { path: 'rules/ttl/effect', rule: 'deny', why: 'a key is no field' },
  { path: 'names/www/ttl', rule: 'lower', why: 'a shorter life is forgotten sooner' },
  { path: 'names/www/records', rule: undefined, why: 'they are a set, which merges' },
  { path: 'options/a1/value', rule: 'rank', why: 'the senior device knows' },
  { path: 'devices/k7m2/name', rule: 'rank', why: 'the senior device knows' },
  { path: 'realm/settings/apex', rule: 'rank', why: 'the senior device knows' },
  { path: 'status/k7m2/reason', rule: undefined, why: 'only the device itself writes it' },
  { path: 'rules/printer', rule: undefined, why: 'a record is there or not' },
  { path: '', rule: undefined, why: 'nothing' },
])('$path: $rule, $why', ({ path, rule }) => {
  expect(conflictRule(path)).toBe(rule);
});
