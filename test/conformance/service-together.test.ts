/**
 * Two full devices of one household that write while the other one is off: what they disagree about,
 * what does not fit together, and a device that exists twice, through the real command line.
 */

import { cp, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PATIENCE } from '../suites/waiting.ts';
import {
  did,
  findPorts,
  makeRoom,
  nymote,
  type Place,
  type Service,
  said,
  startService,
} from './service-stand.ts';

const stack = new AsyncDisposableStack();
let laptop: Place;
let desktop: Place;
let first: Service;
let second: Service;

/** Each writes while the other one is off; then both are on. */
beforeAll(async () => {
  const room = stack.use(await makeRoom());
  const place = async (name: string): Promise<Place> => ({
    data: join(room.path, name),
    ports: await findPorts(),
    flags: ['--endpoints', '127.0.0.1'],
  });
  [laptop, desktop] = [await place('laptop'), await place('desktop')];
  {
    await using alone = await startService(laptop);
    await did(alone, 'rule', 'set', 'printer', rule('allow', 'before'));
    await did(alone, 'rule', 'set', 'gone', rule('deny'));
    await did(alone, 'name', 'set', 'www', 'A', '192.0.2.1');
    const { code } = await alone.json('device', 'add', 'desktop', '--node', '--auto-confirm');
    const to = `127.0.0.1:${laptop.ports.control}`;
    const here = ['--endpoints', '127.0.0.1', '--control-port', String(desktop.ports.control)];
    const words = ['join', to, String(code), '--auto-confirm', '--data', desktop.data];
    const joined = await nymote([...words, ...here]);
    expect(joined).toMatchObject({ exitCode: 0 });
    await did(alone, 'rule', 'set', 'printer', rule('deny', 'before'));
    await did(alone, 'rule', 'set', 'door', rule('deny'));
    await did(alone, 'rule', 'remove', 'gone');
    await did(alone, 'name', 'set', 'www', 'A', '192.0.2.2', '--add');
    await did(alone, 'name', 'set', 'shop', 'CNAME', 'www');
  }
  {
    await using alone = await startService(desktop);
    await did(alone, 'rule', 'set', 'printer', rule('allow', 'for guests'));
    await did(alone, 'rule', 'set', 'door', rule('allow'));
    await did(alone, 'rule', 'set', 'gone', rule('deny', 'still needed'));
    await did(alone, 'rule', 'set', 'gone', rule('allow', 'still needed'));
    await did(alone, 'name', 'set', 'www', 'AAAA', '2001:db8::2');
    await did(alone, 'name', 'set', 'shop', 'A', '192.0.2.3');
  }
  first = stack.use(await startService(laptop));
  second = stack.use(await startService(desktop));
});
afterAll(() => stack.disposeAsync());

const rule = (effect: 'allow' | 'deny', note = 'x') =>
  JSON.stringify({
    ...{ tier: 'rule', effect, note, do: ['resolve'] },
    ...{ who: { any: ['stranger'] }, what: { any: ['name:printer.example'] } },
  });

test('one rule, made by both: the careful one counts, and one word decides', async () => {
  for (const service of [first, second]) {
    await expect.poll(() => said(service, 'conflicts'), PATIENCE).toContain('Two devices changed');
  }
  const text = await did(first, 'conflicts');
  expect(text.match(/Two devices changed the same thing: (.*)/g)).toEqual([
    'Two devices changed the same thing: the rule door: whether it allows or denies',
    'Two devices changed the same thing: the rule gone',
  ]);
  expect(text).toMatch(/^ {2}\* deny +laptop \(cli\) /m);
  expect(text).toMatch(/^ {4}allow +desktop \(cli\) /m);
  expect(text).toContain('what refuses counts until you decide');
  expect(await did(first, 'status')).toContain('2 in conflict (nymote conflicts)');

  expect(text).toMatch(/^ {2}\* kept +desktop \(cli\) /m);
  expect(text).toMatch(/^ {4}removed +laptop \(cli\) /m);
  await did(second, 'resolve', 'rules/gone', '--take', 'laptop');

  const nobody = await first.run('resolve', 'rules/door/effect', '--take', 'nobody');
  expect(nobody).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not by nobody') });
  await did(first, 'resolve', 'rules/door/effect', '--take', 'desktop');
  await expect.poll(() => said(second, 'conflicts'), PATIENCE).toBe('Your devices agree.\n');
});

test('what does not fit together is said and not in force, until it is put right', async () => {
  await expect.poll(() => said(first, 'status'), PATIENCE).toContain('an older state is in force');
  const doctor = await first.run('doctor');
  expect(doctor.exitCode).toBe(1);
  expect(doctor.stdout).toMatch(/FAIL {2}merge: .*cname-beside-other-data\n.*→ undo one/);
  const { merge } = await first.json('status');
  const messages = (merge as { changes: { message: string }[] }).changes.map(
    (each) => each.message,
  );
  expect(messages).toContain('A of shop.alice.nymote');
  expect(messages).toContain('CNAME of shop.alice.nymote');

  await did(first, 'name', 'remove', 'shop', 'CNAME');
  expect(await said(first, 'status')).not.toContain('an older state');
  expect(await first.dig('+short', 'shop.alice.nymote', 'A')).toBe('192.0.2.3\n');
  await expect
    .poll(() => second.dig('+short', 'shop.alice.nymote', 'A'), PATIENCE)
    .toContain('2.3');
});

test('what both changed elsewhere is all there, without a question', async () => {
  expect(await first.dig('+short', 'www.alice.nymote', 'AAAA')).toBe('2001:db8::2\n');
  const addresses = await first.dig('+short', 'www.alice.nymote', 'A');
  expect(addresses.trim().split('\n').toSorted()).toEqual(['192.0.2.1', '192.0.2.2']);
  const rules = await did(second, 'rule', 'list');
  expect(rules).toMatch(/^door +rule +allow/m);
  expect(rules).not.toMatch(/^gone /m);
  expect(rules).toMatch(/^printer +rule +deny +for guests/m);
  const log = await did(second, 'log', '--device', 'desktop', '--grep', 'A OF SHOP', '--what');
  expect(log).toMatch(/alice, desktop \(cli\) +A of shop.alice.nymote\n {4}Added the name shop/);
});

test('two owners: one proposes, the other agrees', async () => {
  await did(first, 'proposals', '--require', 'rules');
  await expect.poll(() => said(second, 'proposals'), PATIENCE).toContain('No owner alone changes');
  const refused = await second.run('rule', 'set', 'gate', rule('deny'));
  expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('second owner') });
  const [, id = ''] = /nymote approve (\S+)/.exec(refused.stderr) ?? [];
  await expect.poll(() => said(first, 'proposals'), PATIENCE).toContain(`nymote approve ${id};`);
  expect(await said(first, 'rule', 'list')).not.toContain('gate');
  expect((await second.run('approve', id)).exitCode).toBe(3);
  await did(first, 'approve', id);
  expect(await said(first, 'rule', 'list')).toMatch(/gate +rule +deny/);
  expect((await first.run('approve', id)).exitCode).toBe(1);
});

test('a device that exists twice is shown with its evidence, and removed by the decision', async () => {
  await Promise.all([first.stop(), second.stop()]);
  const twin = { ...desktop, data: `${desktop.data}-copy` };
  // A running nymote leaves sockets behind, which nobody copies.
  const filter = async (path: string) => !(await lstat(path)).isSocket();
  await cp(desktop.data, twin.data, { recursive: true, filter });
  {
    await using alone = await startService(desktop);
    await did(alone, 'name', 'set', 'one', 'A', '192.0.2.11');
  }
  {
    await using alone = await startService(twin);
    await did(alone, 'name', 'set', 'two', 'A', '192.0.2.12');
  }
  await using again = await startService(laptop);
  {
    await using _one = await startService(desktop);
    await expect.poll(() => said(again, 'name', 'list'), PATIENCE).toContain('one.alice.nymote');
  }
  {
    await using two = await startService(twin);
    // It pulls what is new to it, then: a change here has the other asked what it holds.
    await did(again, 'name', 'set', 'here', 'A', '192.0.2.13');
    await expect.poll(() => said(two, 'name', 'list'), PATIENCE).toContain('here.alice.nymote');
    await expect.poll(() => said(again, 'late'), PATIENCE).toContain('two different changes');
  }
  const late = await did(again, 'late');
  expect(late).toContain('it was copied, or restored from an old backup');
  expect(late).toContain('192.0.2.11');
  expect(late).toContain('192.0.2.12');
  expect(await said(again, 'name', 'list')).not.toContain('one.alice.nymote');
  expect(await did(again, 'late', 'adopt', 'desktop')).toContain('taken over.');
  const names = await did(again, 'name', 'list');
  expect(names).toContain('one.alice.nymote');
  expect(names).toContain('two.alice.nymote');
  expect(await did(again, 'device', 'list')).not.toContain('desktop');
  expect(await did(again, 'late')).toBe('There are no late changes.\n');
});
