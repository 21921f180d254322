/** Apply, confirm, or go back: the real service and the real guard on a router's files. */

import { expect, test } from 'vitest';
import { until } from '../suites/waiting.ts';
import { NETWORK, SYSTEM, startRouter } from './apply-stand.ts';

const LAN = ['option', 'set', 'network.lan.ipaddr', '10.9.9.9'] as const;

test.concurrent('power cut in the window: the old configuration before any network', async () => {
  await using router = await startRouter();
  await router.service().run(...LAN);
  await router.until('network', '10.9.9.9');
  await router.cutPower();
  expect(await router.config('network')).toBe(NETWORK);
  await router.start();
  expect(await router.outcome()).toMatchObject({
    outcome: 'rolled-back',
    reason: 'the power went before it was confirmed',
  });
  expect(await router.config('network')).toBe(NETWORK);
  expect((await router.service().run('status')).stdout).toContain('taken back: the power went');
  await router.service().run('apply', 'retry');
  await router.until('network', '10.9.9.9');
});

test.concurrent('the service dies in the window: back all the same, and told at its next start', async () => {
  await using router = await startRouter();
  await router.service().run(...LAN);
  await router.until('network', '10.9.9.9');
  await router.kill();
  await router.passDeadline();
  await router.until('network', '192.168.1.1');
  await router.start();
  expect(await router.outcome()).toMatchObject({
    outcome: 'rolled-back',
    reason: 'nobody confirmed it in time',
  });
});

test.concurrent('nobody confirms: back after the deadline, and said truthfully', async () => {
  await using router = await startRouter();
  await router.service().run(...LAN);
  await router.until('network', '10.9.9.9');
  expect(await router.applied()).toMatchObject({ pending: { kind: 'risky' } });
  await router.passDeadline();
  await router.until('network', '192.168.1.1');
  expect(await router.outcome()).toMatchObject({
    outcome: 'rolled-back',
    reason: 'nobody confirmed it in time',
  });
  expect(await router.config('network')).toBe(NETWORK);
  const { devices } = await router.applied();
  expect(devices).toMatchObject([{ name: 'laptop', outcome: 'rolled-back' }]);
});

test.concurrent('confirmed on another path, with a session of its own: stays', async () => {
  await using router = await startRouter();
  const { ports } = router.service().place;
  await router.service().run(...LAN);
  await router.until('network', '10.9.9.9');
  // The phone: neither the socket nor the session of whoever made the change.
  const admin = `http://127.0.0.1:${ports.admin}`;
  const headers = { 'content-type': 'application/json', origin: admin };
  const session = await fetch(`${admin}/api/v1/session`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ code: router.service().code() }),
  });
  const cookie = session.headers.get('set-cookie')?.split(';')[0] ?? '';
  const confirmed = await fetch(`${admin}/api/v1/apply/confirm`, {
    method: 'POST',
    headers: { ...headers, cookie },
    body: '{}',
  });
  expect(confirmed.status).toBe(200);
  expect(await router.outcome()).toMatchObject({
    outcome: 'confirmed',
    reason: 'everything works, and laptop (web) confirmed it',
  });
  await router.cutPower();
  expect(await router.config('network')).toContain('10.9.9.9');
});

test.concurrent('a plain change stays by itself; drift is shown, healed and adopted', async () => {
  await using router = await startRouter();
  const zone = (text: string) => SYSTEM.replace('UTC', text);
  await router.service().run('option', 'set', 'system.main.zonename', 'Europe/Berlin');
  expect(await router.outcome()).toMatchObject({ outcome: 'confirmed' });
  expect(await router.config('system')).toContain("zonename 'Europe/Berlin'");
  await router.edit('system', zone('Asia/Tokyo'));
  const drift = await router.service().run('drift');
  expect(drift.stdout).toContain('- Europe/Berlin\n+ Asia/Tokyo');
  await router.service().run('drift', '--adopt');
  expect(await router.service().json('drift')).toEqual({ drift: [] });
  await router.edit('system', zone('Europe/Paris'));
  await router.service().run('drift', '--heal');
  await router.until('system', 'Asia/Tokyo');
  const why = await router.service().run('why', 'uci', 'system.main.zonename');
  expect(why.stdout).toMatch(/person {3}alice\n {2}commit {3}[0-9a-f]{12} by laptop \(cli\)/);
  expect(why.stdout).toContain('local-administrator');
});

test.concurrent('an option that somebody removed by hand, and adopted so, stays away', async () => {
  await using router = await startRouter();
  await router.service().run('option', 'set', 'system.main.zonename', 'Europe/Berlin');
  expect(await router.outcome()).toMatchObject({ outcome: 'confirmed' });
  const without = SYSTEM.replace(/.*zonename.*\n/, '');
  await router.edit('system', without);
  expect((await router.service().run('drift', '--adopt')).stdout).toContain('(missing');
  const isSettled = async () => (await router.outcome())['reason'] === 'it was so already';
  await until('there is nothing to give back', isSettled, 200);
  expect(await router.config('system')).toBe(without);
});

// The time zone is what that program does not like.
test.concurrent('what a program of the person says is broken does not stay', async () => {
  await using router = await startRouter('--apply-checks', 'well');
  await router.service().run('option', 'set', 'system.main.zonename', 'CET');
  await router.untilFailing('well');
  await router.passDeadline();
  expect(await router.outcome()).toMatchObject({
    outcome: 'rolled-back',
    reason: 'at the deadline this did not work: well',
  });
  expect(await router.config('system')).toBe(SYSTEM);
});

test.concurrent('what cannot be written is taken back at once', async () => {
  await using router = await startRouter();
  await router.service().run('option', 'set', 'network.nowhere.mtu', '1400');
  expect(await router.outcome()).toMatchObject({
    outcome: 'rolled-back',
    reason: 'network.nowhere.mtu: there is no such section',
  });
  expect(await router.config('network')).toBe(NETWORK);
});
