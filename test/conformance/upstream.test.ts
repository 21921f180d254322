/**
 * An operator's realm, published on a hub, and a home that follows it: what the operator denies is
 * denied at home, before or after the home's own rules, and still when the operator is away.
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { type HubSettings, inviteToHub, startHub } from '#service';
import { takePort } from '../suites/ports.ts';
import { PATIENCE } from '../suites/waiting.ts';
import { startPostgres } from './hub-stand.ts';
import { findPorts, makeRoom, type Place, type Service, startService } from './service-stand.ts';

const runtime = nodeRuntime({ log: () => undefined });
const stack = new AsyncDisposableStack();

let settings: HubSettings;
let hub: AsyncDisposable;
let url: string;
let operator: Service;
let home: Service;
let homePlace: Place;
let room: string;

beforeAll(async () => {
  const database = stack.use(await startPostgres());
  room = stack.use(await makeRoom()).path;
  // It comes and goes, and nobody else may have its place meanwhile.
  const listen = { address: '127.0.0.1', port: await takePort() };
  const open = { database: database.url, listen };
  settings = { ...open, quota: 1 << 24, daily: 1 << 24, uses: 1, isProxied: false };
  hub = await startHub(runtime, settings);
  url = `http://127.0.0.1:${listen.port}`;
  const place = async (name: string, ...flags: string[]): Promise<Place> => ({
    data: join(room, name),
    ports: await findPorts(),
    flags,
  });
  operator = stack.use(await startService(await place('operator', '--user', 'mesh')));
  homePlace = await place('home');
  home = await startService(homePlace);
});
afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
  await hub?.[Symbol.asyncDispose]();
  await stack.disposeAsync();
});

const DENY = {
  ...{ tier: 'list', effect: 'deny', note: 'phishing' },
  ...{ who: { any: ['*'] }, do: ['resolve'], what: { any: ['name:bad.example'] } },
};

const setRule = async (service: Service, name: string, change: object) =>
  expect(
    await service.run('rule', 'set', name, JSON.stringify({ ...DENY, ...change })),
  ).toMatchObject({ exitCode: 0 });

const why = async (name = 'bad.example') => (await home.run('why', name)).stdout;

/** Until the operator's hub has what it wrote. */
const pulled = async (what: () => Promise<string>, word: string) =>
  expect
    .poll(async () => {
      await home.run('upstream', 'pull', 'mesh');
      return what();
    }, PATIENCE)
    .toContain(word);

test('a realm without a hub cannot be shared', async () => {
  const refused = await operator.run('upstream', 'share');
  expect(refused.exitCode).not.toBe(0);
  expect(refused.stderr).toContain('hub join');
});

test('what an operator denies is denied at home, and said whose rule it is', async () => {
  const invite = await inviteToHub(runtime, settings);
  expect(await operator.run('hub', 'join', url, '--invite', invite)).toMatchObject({ exitCode: 0 });
  await setRule(operator, 'phishing', {});
  const { text } = await operator.json('upstream', 'share');
  expect(text).toMatch(/^nymote-upstream:/);
  expect(await home.run('upstream', 'add', 'made-up')).toMatchObject({ exitCode: 2 });
  expect(await home.run('upstream', 'add', String(text))).toMatchObject({ exitCode: 0 });
  await pulled(why, 'your upstream mesh forbids it; phishing');
  expect(await home.dig('bad.example', 'A')).toContain('status: NXDOMAIN');
  const list = await home.json('upstream', 'list');
  expect(list['upstreams']).toMatchObject([
    { name: 'mesh', precedence: 'mine-first', enabled: true, rules: 1, url },
  ]);
});

test('mine first or theirs first is the home’s choice', async () => {
  await setRule(home, 'mine', { tier: 'rule', effect: 'allow', note: 'I know them' });
  expect(await why()).toContain('I know them');
  const words = ['upstream', 'set', 'mesh', '--precedence'];
  expect(await home.run(...words, 'theirs-first')).toMatchObject({ exitCode: 0 });
  expect(await why()).toContain('your upstream mesh forbids it');
  expect((await home.run(...words, 'sideways')).exitCode).not.toBe(0);
  expect(await home.run(...words, 'mine-first')).toMatchObject({ exitCode: 0 });
  expect(await why()).toContain('I know them');
  await home.run('rule', 'remove', 'mine');
});

test('what changes there changes here; nothing of it is in our own history', async () => {
  await setRule(operator, 'more', { what: { any: ['name:worse.example'] } });
  await pulled(() => why('worse.example'), 'your upstream mesh forbids it');
  expect((await home.run('log', '--limit', '200')).stdout).not.toContain('worse.example');
  const own = await home.json('rule', 'list');
  expect(JSON.stringify(own['rules'])).not.toContain('worse.example');
});

test('what was read last holds while nobody answers, after a restart too; it is said', async () => {
  await hub[Symbol.asyncDispose]();
  await home.stop();
  home = await startService(homePlace);
  expect(await why()).toContain('your upstream mesh forbids it');
  await expect
    .poll(async () => (await home.run('doctor')).stdout, PATIENCE)
    .toMatch(/upstream mesh.*2 rules of before hold/);
  expect((await home.run('status')).stdout).toContain('upstream mesh');
  hub = await startHub(runtime, settings);
  const doctor = async () => (await home.run('doctor')).stdout;
  await pulled(doctor, '2 rules of theirs');
  expect(await doctor()).toMatch(/upstream mesh.*2 rules of theirs/);
});

test('who shares no more is not read any more; who is removed leaves nothing', async () => {
  expect(await operator.run('upstream', 'share', '--off')).toMatchObject({ exitCode: 0 });
  await setRule(operator, 'later', { what: { any: ['name:later.example'] } });
  const after = await home.run('upstream', 'pull', 'mesh');
  expect(after.stdout).toContain('does not know this device');
  expect(await home.run('upstream', 'set', 'mesh', '--off')).toMatchObject({ exitCode: 0 });
  await expect.poll(() => why(), PATIENCE).not.toContain('mesh');
  expect(await home.run('upstream', 'remove', 'mesh')).toMatchObject({ exitCode: 0 });
  const left = async () => {
    const found = await readdir(join(room, 'home', 'upstream'), {
      ...{ recursive: true, withFileTypes: true },
    });
    return found.filter((each) => each.isFile()).map(({ name }) => name);
  };
  await expect.poll(left, PATIENCE).toEqual([]);
  expect((await home.json('upstream', 'list'))['upstreams']).toEqual([]);
});
