import { expect, test } from 'vitest';
import type { Status } from '#web-admin';
import {
  printAdded,
  printChecks,
  printDecision,
  printDevices,
  printDiff,
  printLog,
  printStatus,
} from './print.ts';

const STATUS: Status = {
  ...{
    version: '1',
    user: 'alice',
    apex: 'alice.nymote',
    readOnly: false,
    uptimeSeconds: 1,
    memoryBytes: 1,
  },
  device: { id: 'x', name: 'laptop', kind: 'signpost' },
  dns: { addresses: ['127.0.0.1:53'], questions: 3, cacheHits: 1 },
  tunnels: { state: 'off', reason: 'not root', peers: [] },
  store: { head: 'ab'.repeat(32), commits: 2, problems: [] },
  clock: { isSet: true },
  warnings: [],
};

test('status says the important first', () => {
  expect(printStatus(STATUS)).toMatchInlineSnapshot(`
    "This is laptop.alice.nymote (signpost), nymote 1.
    DNS      127.0.0.1:53: 3 questions, 1 from the cache
    Tunnels  off: not root
    Store    2 changes, head abababababab
    Clock    set"
  `);
});

test('status names what is wrong', () => {
  const text = printStatus({
    ...STATUS,
    ...{
      readOnly: true,
      readOnlyReason: 'A copy.',
      clock: { isSet: false },
      warnings: ['Mind the gap.'],
    },
    store: { ...STATUS.store, problems: ['segment 1: torn'] },
  });
  for (const words of [
    'read-only: A copy.',
    'NOT SET',
    'Problem  segment 1: torn',
    'Warning  Mind the gap.',
  ]) {
    expect(text).toContain(words);
  }
});

test('devices are a table', () => {
  const device = {
    id: 'x',
    name: 'nas',
    fqdn: 'nas.alice.nymote',
    kind: 'node',
    ipv6: 'fd00::1',
    state: 'idle',
    addedAt: 0,
    endpoints: [],
    self: false,
  } as const;
  expect(
    printDevices([device, { ...device, fqdn: 'a.alice.nymote', self: true, ipv4: '100.64.0.1' }]),
  ).toMatchInlineSnapshot(`
    "NAME              KIND  STATE     IPV6     IPV4
    nas.alice.nymote  node  idle      fd00::1
    a.alice.nymote    node  this one  fd00::1  100.64.0.1"
  `);
});

test('a phone gets a QR code and the text in it; a node a command', () => {
  const device = {
    id: 'x',
    name: 'phone',
    fqdn: 'phone.alice.nymote',
    kind: 'plain',
    ipv6: 'fd00::1',
    state: 'idle',
    addedAt: 0,
    endpoints: [],
    self: false,
  } as const;
  const phone = printAdded({
    kind: 'plain',
    device,
    config: '[Interface]\nPrivateKey = x',
    once: true,
  });
  expect(phone).toContain('[Interface]\nPrivateKey = x');
  expect(phone).toContain('shown once');
  const command = 'npx nymote join …';
  const node = printAdded({ kind: 'node', code: 'C', command, uri: 'nymote:join', expiresAt: 0 });
  expect(node).toContain('  npx nymote join …');
  expect(node).toContain('1970-01-01 00:00 UTC');
});

test('a decision with its rule, what it outweighed and how long it holds', () => {
  const decision = {
    effect: 'deny',
    asker: 'a',
    verb: 'resolve',
    name: 'n',
    sentence: 'No.',
    reason: 'denied-by-rule',
    rule: 'r',
    tier: 'rule',
    validUntil: 60,
    overridden: ['o'],
  } as const;
  expect(printDecision(decision)).toBe('No.\nRule: r (rule tier)');
});

test('log, diff and checks, also when there is nothing', () => {
  expect(printLog([])).toBe('No change fits.');
  const commit = { id: 'c'.repeat(64), date: 0, author: 'laptop', via: 'cli', seq: 2, changes: [] };
  expect(printLog([{ ...commit, message: 'Revert "Add phone"\n\nThis reverts commit 1.' }])).toBe(
    'cccccccccccc  1970-01-01 00:00 UTC  laptop (cli)  Revert "Add phone"',
  );
  expect(printDiff({ to: 'x', changes: [] })).toBe('No difference.');
  expect(
    printDiff({ to: 'x', changes: [{ path: 'a/b', kind: 'changed', before: 1, after: [2] }] }),
  ).toBe('a/b\n- 1\n+ [\n+   2\n+ ]');
  expect(printChecks([{ name: 'wg', ok: false, detail: 'not found', fix: 'install it' }])).toBe(
    'FAIL  wg: not found\n      → install it',
  );
});
