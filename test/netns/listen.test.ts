/**
 * A listen address that vanishes and returns, as when a cable is pulled or a bridge is made anew:
 * the listeners go on by themselves.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLab, until } from './namespaces.ts';

const MAIN = join(import.meta.dirname, '../../service/main.ts');
const ADDRESSES = ['10.78.0.1', 'fd78::1'] as const;

test('an address vanishes with its interface and returns', async () => {
  await using lab = await createLab('nymls');
  await lab.namespace('router');
  const ip = (...args: string[]) => lab.must('router', 'ip', ...args);
  const make = async () => {
    await ip('link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'cable');
    await ip('link', 'set', 'cable', 'up');
    await ip('link', 'set', 'lan', 'up');
    await ip('address', 'add', '10.78.0.1/24', 'dev', 'lan');
    await ip('address', 'add', 'fd78::1/64', 'dev', 'lan', 'nodad');
  };
  await make();
  const hosts = join(lab.folder, 'hosts');
  await writeFile(hosts, '192.0.2.80 nas.example\n');
  const config = join(lab.folder, 'bare.json');
  await writeFile(config, JSON.stringify({ listen: ADDRESSES, hosts }));
  const bare = lab.start('router', process.execPath, MAIN, 'resolver', '--config', config);
  await bare.says(/listening.*fd78::1/);
  const ask = async (address: string, ...flags: string[]) => {
    const words = [`@${address}`, 'nas.example', 'A', '+short', '+time=5', '+tries=1', ...flags];
    return (await lab.run('router', 'dig', ...words)).stdout.trim();
  };
  let answers: readonly string[] = [];
  const isServed = async () => {
    const asked = ADDRESSES.flatMap((address) => [ask(address), ask(address, '+tcp')]);
    answers = await Promise.all(asked);
    return answers.every((answer) => answer === '192.0.2.80');
  };
  expect(await until(isServed), String(answers)).toBe(true);
  await ip('link', 'delete', 'lan');
  await isServed();
  expect(answers).not.toContain('192.0.2.80');
  await make();
  expect(await until(isServed), String(answers)).toBe(true);
});

test('an address that is not there at the start is served as soon as it is', async () => {
  await using lab = await createLab('nymls');
  await lab.namespace('router');
  const hosts = join(lab.folder, 'hosts');
  await writeFile(hosts, '192.0.2.80 nas.example\n');
  const config = join(lab.folder, 'bare.json');
  await writeFile(config, JSON.stringify({ listen: ['127.0.0.1', '10.78.0.1'], hosts }));
  const bare = lab.start('router', process.execPath, MAIN, 'resolver', '--config', config);
  await bare.says(/listen-address-missing address=10.78.0.1/);
  const ip = (...args: string[]) => lab.must('router', 'ip', ...args);
  await ip('address', 'add', '10.78.0.1/32', 'dev', 'lo');
  await bare.says(/listening address=10.78.0.1/);
  for (const flag of ['+notcp', '+tcp']) {
    const words = ['@10.78.0.1', 'nas.example', 'A', '+short', '+time=30', '+tries=1', flag];
    expect((await lab.run('router', 'dig', ...words)).stdout.trim()).toBe('192.0.2.80');
  }
  expect(bare.output().match(/listen-address-missing/g)).toHaveLength(1);
});

test('without the datapath, too, an answer leaves from the address that was asked', async () => {
  await using lab = await createLab('nymls');
  await lab.namespace('router');
  await lab.namespace('client');
  const inRouter = (...args: string[]) => lab.must('router', 'ip', ...args);
  const peer = ['peer', 'name', 'eth0', 'netns', lab.fullName('client')];
  await inRouter('link', 'add', 'lan', 'type', 'veth', ...peer);
  await inRouter('address', 'add', '10.78.0.1/24', 'dev', 'lan');
  await inRouter('address', 'add', 'fd78::1/64', 'dev', 'lan', 'nodad');
  await inRouter('address', 'add', '10.79.0.1/32', 'dev', 'lo');
  await inRouter('address', 'add', 'fd79::1/128', 'dev', 'lo', 'nodad');
  await inRouter('address', 'add', '127.0.0.2/8', 'dev', 'lo');
  await inRouter('link', 'set', 'lan', 'up');
  await lab.must('client', 'ip', 'address', 'add', '10.78.0.9/24', 'dev', 'eth0');
  await lab.must('client', 'ip', 'address', 'add', 'fd78::9/64', 'dev', 'eth0', 'nodad');
  await lab.must('client', 'ip', 'link', 'set', 'eth0', 'up');
  await lab.must('client', 'ip', 'route', 'add', 'default', 'via', '10.78.0.1');
  await lab.must('client', 'ip', '-6', 'route', 'add', 'default', 'via', 'fd78::1');
  const hosts = join(lab.folder, 'hosts');
  await writeFile(hosts, '192.0.2.80 nas.example\n');
  const config = join(lab.folder, 'bare.json');
  await writeFile(config, JSON.stringify({ listen: ['0.0.0.0', '::'], hosts, datapath: 'off' }));
  const bare = lab.start('router', process.execPath, MAIN, 'resolver', '--config', config);
  await bare.says(/listening.*\[?::/);
  /** dig takes no answer from another address than it asked. */
  const isServed = async (from: string, address: string) => {
    const words = [`@${address}`, 'nas.example', 'A', '+short', '+time=5', '+tries=1'];
    return (await lab.run(from, 'dig', ...words)).stdout.trim() === '192.0.2.80';
  };
  expect(await until(() => isServed('router', '127.0.0.2'))).toBe(true);
  for (const address of ['10.78.0.1', 'fd78::1', '10.79.0.1', 'fd79::1']) {
    expect(await until(() => isServed('client', address)), address).toBe(true);
  }
  await inRouter('address', 'add', '10.77.0.1/32', 'dev', 'lo');
  await inRouter('address', 'delete', '10.79.0.1/32', 'dev', 'lo');
  expect(await until(() => isServed('client', '10.77.0.1'))).toBe(true);
});
