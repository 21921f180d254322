/**
 * A router with several addresses, asked over a real link: each answer comes from the address that
 * was asked, whether a thread or the main thread gives it.
 */

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLab, until } from './namespaces.ts';

const MAIN = join(import.meta.dirname, '../../service/main.ts');

test('answers leave from the address that was asked, IPv4 and IPv6', async () => {
  await using lab = await createLab('nymdp');
  await lab.namespace('router');
  await lab.namespace('guest');
  await lab.cable('router', '10.77.0.1/24', 'guest', '10.77.0.9/24');
  const addresses = ['10.77.0.1', '10.77.0.2', '10.77.1.1', 'fd77::1', 'fd77::2'];
  for (const [address, host] of [
    ['10.77.0.2/24', 'router'],
    ['10.77.1.1/32', 'router'],
    ['fd77::1/64', 'router'],
    ['fd77::2/64', 'router'],
    ['fd77::9/64', 'guest'],
  ] as const) {
    const device = host === 'router' ? 'to-guest' : 'to-router';
    const isLong = address.includes(':');
    await lab.must(
      host,
      ...['ip', 'address', 'add', address, 'dev', device],
      ...(isLong ? ['nodad'] : []),
    );
  }
  await lab.must('guest', 'ip', 'route', 'add', '10.77.1.1/32', 'via', '10.77.0.1');
  const house = lab.start(
    'router',
    ...[process.execPath, MAIN, 'serve', '--data', join(lab.folder, 'data')],
    ...['--dns', '0.0.0.0:53,[::]:53', '--datapath', 'on', '--tunnels', 'off'],
    ...['--endpoints', '10.77.0.1', '--forward', '127.0.0.1:1'],
  );
  await house.says(/Ready/);
  const askAll = async () => {
    for (const address of addresses) {
      // dig takes an answer only from whom it asked.
      const words = ['+tries=1', '+time=30', '+nocookie', `@${address}`, 'localhost', 'A'];
      const { stdout } = await lab.run('guest', 'dig', ...words);
      expect(stdout, address).toMatch(/status: NOERROR/);
      expect(stdout).not.toContain('timed out');
      expect(stdout).toMatch(/^localhost\.\s.*127\.0\.0\.1$/m);
    }
  };
  const countOfThreads = async () => {
    const words = ['doctor', '--data', join(lab.folder, 'data')];
    const { stdout } = await lab.run('router', process.execPath, MAIN, ...words);
    return Number(/datapath: \d+ threads, (\d+) answers/.exec(stdout)?.[1]);
  };
  // Two rounds of them come from a thread, when threads are there: the same question is told apart
  // by nothing but its way.
  const isFromThreads = async () => {
    await askAll();
    return (await countOfThreads()) >= 2 * addresses.length;
  };
  expect(await until(isFromThreads)).toBe(true);
});
