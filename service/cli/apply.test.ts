import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { APPLY_ACTIONS, printApply, printDrift, printOptions, printProvenance } from './apply.ts';
import type { Action } from './verbs.ts';

const COMMIT = 'ab'.repeat(32);

test('what is pending comes first, with what to do', () => {
  expect(
    printApply({
      state: 'on',
      applied: COMMIT,
      last: { commit: COMMIT, outcome: 'confirmed', reason: 'everything works' },
      pending: {
        ...{ id: 'f00', commit: COMMIT, kind: 'risky', secondsLeft: 280 },
        ...{ options: ['network.lan.ipaddr'], failing: ['tunnels'] },
      },
      devices: [
        {
          ...{ device: 'x', name: 'router', applied: COMMIT, outcome: 'rolled-back', at: 0 },
          reason: 'nobody confirmed it in time',
        },
      ],
    }),
  ).toMatchInlineSnapshot(`
    "Pending f00: network.lan.ipaddr, taken back in 280 s.
      Does not work: tunnels.
      It stays only if somebody says so, on any of your devices: nymote confirm f00
    In force: the options of abababababab.
    Last change (abababababab): confirmed, everything works.

    router  taken back  abababababab  1970-01-01 00:00 UTC  nobody confirmed it in time"
  `);
});

test('where nothing is applied that is said', () => {
  expect(printApply({ state: 'off', reason: 'this machine has no uci', devices: [] })).toBe(
    'Options are not applied here: this machine has no uci.',
  );
  expect(printApply({ state: 'on', devices: [] })).toBe('Nothing was applied yet.');
  expect(printApply({ state: 'on', reason: 'kitchen tries it first', devices: [] })).toBe(
    'Not applied: kitchen tries it first.',
  );
});

test('drift is a diff', () => {
  expect(
    printDrift({
      drift: [
        {
          ...{ target: 'uci', line: 'network.lan.dns', kind: 'different', source: 'options/a' },
          ...{ wanted: ['1.1.1.1', '9.9.9.9'], found: '8.8.8.8' },
        },
        { target: 'nft', line: 'inet nymote_old', kind: 'extra' },
      ],
    }),
  ).toMatchInlineSnapshot(`
    "uci network.lan.dns (different, options/a)
    - 1.1.1.1, 9.9.9.9
    + 8.8.8.8
    nft inet nymote_old (not in the head)"
  `);
  expect(printDrift({ drift: [] })).toBe('This device is as the head says.');
});

test('options are a table', () => {
  const option = {
    id: 'a',
    device: 'x',
    name: 'router',
    option: 'network.lan.dns',
    value: ['1', '2'],
  };
  expect(printOptions({ options: [option] })).toBe('router  network.lan.dns  1, 2');
  expect(printOptions({ options: [] })).toBe('There are no options.');
});

test('a line has a chain', () => {
  expect(
    printProvenance({
      lines: [
        {
          ...{ target: 'wg', line: 'nymote0.peer.phone', value: ['fd00::1/128'] },
          ...{ source: 'devices/p', person: 'alice', version: '1' },
          rule: { id: 'own-connections', tier: 'default', sentence: 'Yes.' },
          commits: [
            { id: COMMIT, device: 'laptop', via: 'cli', at: 0, message: 'Add phone' },
            { id: COMMIT, device: 'laptop', via: 'web', at: 0, message: 'Add it before' },
          ],
        },
      ],
    }),
  ).toMatchInlineSnapshot(`
    "wg nymote0.peer.phone = fd00::1/128
      rule     own-connections (default): Yes.
      person   alice
      commit   abababababab by laptop (cli), 1970-01-01 00:00 UTC: Add phone
      before   abababababab by laptop (web), 1970-01-01 00:00 UTC: Add it before
      source   devices/p
      version  nymote 1"
  `);
});

describe('what is asked is waited for', () => {
  const PENDING = { id: 'f00', commit: COMMIT, kind: 'risky', options: [], secondsLeft: 60 };
  const last = (outcome: string) => ({ commit: COMMIT, outcome, reason: 'so' });
  const waiting = { state: 'on', devices: [], pending: { ...PENDING, failing: ['tunnels'] } };
  const away = { device: 'r', name: 'router', at: 0, outcome: 'confirmed' };
  const elsewhere = { state: 'on', devices: [{ ...away, pending: PENDING }] };
  const stays = { state: 'on', devices: [], last: last('confirmed') };
  const back = { state: 'on', devices: [], last: last('rolled-back') };
  const lost = { state: 'on', devices: [], last: last('failed') };
  const WAITS = 'waits: tunnels does not work; otherwise it is taken back in 60 s';
  async function ask(verb: string, views: readonly object[]) {
    const runtime = fakeRuntime({});
    const left = [...views];
    const api = async (method: string) =>
      method === 'POST' ? { id: 'f00' } : left.length > 1 ? left.shift() : left[0];
    const action = APPLY_ACTIONS[verb] as Action;
    const invocation = { operands: {}, flags: {} } as Parameters<Action>[1];
    const answer = action(api as Parameters<Action>[0], invocation, runtime);
    for (let turn = 0; turn < 120; turn++) await runtime.clock.advance(500);
    return answer;
  }

  test.each<[readonly object[], string, number, string]>([
    [[waiting, waiting, stays], 'is confirmed: it stays', 0, 'the guard knows in the end'],
    [[waiting, back], 'taken back all the same: so', 1, 'too late'],
    [[waiting], WAITS, 1, 'what does not work is not kept'],
    [[elsewhere, { ...elsewhere, devices: [away] }], 'it stays', 0, 'on another router'],
    [[elsewhere], 'its router has not heard', 1, 'that is away'],
  ])('confirm, %j: %s %s (%s)', async (views, text, exitCode) => {
    const answer = await ask('confirm', views);
    expect(answer.text).toContain(text);
    expect(answer.exitCode).toBe(exitCode);
  });

  test.each<[readonly object[], string, number, string]>([
    [[waiting, waiting, back], 'It is taken back.', 0, 'the guard puts it back'],
    [[waiting, stays], 'Too late', 1, 'a confirmation was faster'],
    [[waiting], 'It is being taken back', 1, 'on slow flash'],
    [[waiting, lost], 'It ended otherwise: so.', 1, 'nobody knows'],
  ])('rollback, %j: %s %s (%s)', async (views, text, exitCode) => {
    const answer = await ask('rollback', views);
    expect(answer.text).toContain(text);
    expect(answer.exitCode).toBe(exitCode);
  });
});
