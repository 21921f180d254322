import { expect, test } from 'vitest';
import { printLog, printStatus } from './print.ts';
import { printConflicts, printLate, printProposals } from './together.ts';

const COMMIT = 'ab'.repeat(32);
const by = (name: string, commit = COMMIT) => ({ commit, device: name, name, date: 0, via: 'web' });

test('a conflict has both values, who wrote them, which counts, why, and the one step', () => {
  expect(printConflicts({ conflicts: [] })).toBe('Your devices agree.');
  expect(
    printConflicts({
      conflicts: [
        {
          path: 'rules/printer/effect',
          what: 'the rule printer: whether it allows or denies',
          values: [
            { ...by('desk'), value: 'deny', said: 'deny' },
            { ...by('laptop'), value: 'allow', said: 'allow' },
          ],
          rule: 'deny',
          why: 'what refuses counts until you decide',
        },
      ],
    }),
  ).toMatchInlineSnapshot(`
    "Two devices changed the same thing: the rule printer: whether it allows or denies
      * deny   desk (web)    1970-01-01 00:00 UTC
        allow  laptop (web)  1970-01-01 00:00 UTC
      * what refuses counts until you decide.
      To choose: nymote resolve rules/printer/effect --take desk|laptop"
  `);
});

test('late changes have their evidence and two ways out', () => {
  expect(printLate({ late: [] })).toBe('There are no late changes.');
  const change = { ...by('desk'), message: 'Add a\n\nmore', what: ['Set the name a to b'] };
  expect(
    printLate({
      late: [
        {
          ...{ device: 'x', name: 'desk', reason: 'forked', count: 3 },
          sentence: 'desk wrote two different changes with one number (7).',
          changes: [change, { ...change, commit: 'c'.repeat(64) }],
          fork: { seq: 7, commits: [COMMIT] },
        },
      ],
    }),
  ).toMatchInlineSnapshot(`
    "desk wrote two different changes with one number (7).
      abababababab! 1970-01-01 00:00 UTC  Add a
          Set the name a to b
      cccccccccccc  1970-01-01 00:00 UTC  Add a
          Set the name a to b
      and 1 more
      To take them over: nymote late adopt desk; to let them go: nymote late dismiss desk"
  `);
});

test('where nobody may decide about late changes, that is said in place of how to', () => {
  const late = { device: 'x', name: 'desk', reason: 'revoked', sentence: '' } as const;
  const text = printLate(
    { late: [{ ...late, count: 0, changes: [] }] },
    'This device was removed.',
  );
  expect(text).toContain('This device was removed.');
  expect(text).not.toContain('late adopt');
});

test('a proposal says what would happen', () => {
  expect(printProposals({ paths: [], proposals: [] })).toBe('Nothing waits for a second owner.');
  const proposal = { id: 'x.3', device: 'x', name: 'desk', what: ['Remove the rule guests'] };
  expect(
    printProposals({
      paths: ['rules'],
      proposals: [
        { ...proposal, mayApprove: true },
        { ...proposal, mayApprove: false },
      ],
    }),
  ).toMatchInlineSnapshot(`
    "No owner alone changes rules.

    desk would like to:
      Remove the rule guests
      To agree: nymote approve x.3; not to: nymote approve x.3 --no

    desk would like to:
      Remove the rule guests
      Another owner has to agree, on another device."
  `);
});

test('the log says whose device it was, and on request what changed', () => {
  const commit = {
    ...{ id: COMMIT, seq: 2, author: 'desk', device: 'x', person: 'alice', date: 0, via: 'cli' },
    ...{ message: 'Remove tablet', what: ['Removed the device tablet'], changes: [] },
  };
  expect(printLog([commit])).toBe(
    'abababababab  1970-01-01 00:00 UTC  alice, desk (cli)  Remove tablet',
  );
  expect(printLog([commit], true)).toContain('Remove tablet\n    Removed the device tablet');
});

test('the status says what waits, and why something older is in force', () => {
  const status = printStatus({
    ...{ version: '1', user: 'a', apex: 'a.b', readOnly: false, uptimeSeconds: 1, memoryBytes: 1 },
    device: { id: 'x', name: 'desk', kind: 'node' },
    dns: { addresses: [], questions: 0, cacheHits: 0 },
    tunnels: { state: 'off', peers: [] },
    store: { head: COMMIT, commits: 2, problems: [] },
    clock: { isSet: true },
    warnings: [],
    waiting: { conflicts: 2, late: 1, proposals: 0 },
    merge: { problems: ['two devices are called tv'], fix: 'undo one', changes: [] },
  });
  expect(status).toContain(
    'Problem  what your devices changed does not fit together, so an older state is in force: two devices are called tv\n           → undo one\n',
  );
  expect(status).toContain(
    'Decide   2 in conflict (nymote conflicts), late changes of 1 (nymote late)',
  );
});
