/**
 * What a disk can do to the service, and a power cut: nothing that was confirmed is lost, and what is
 * wrong is said in words.
 */

import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import {
  findPorts,
  makeRoom,
  nymote,
  type Place,
  runProgram,
  type Service,
  serveWords,
  startService,
} from './service-stand.ts';

const { http } = nodeRuntime();
const NAMES = ['phone', 'tablet', 'camera', 'printer'];

let room: Awaited<ReturnType<typeof makeRoom>>;
/** A realm with some devices, to be copied and damaged. */
let whole = '';
let copies = 0;

beforeAll(async () => {
  room = await makeRoom();
  whole = join(room.path, 'whole');
  await using service = await startService({ data: whole, ports: await findPorts() });
  for (const name of NAMES) await service.run('device', 'add', name);
  await service.stop();
});
afterAll(() => room?.[Symbol.asyncDispose]());

async function copyRealm(): Promise<Place & { readonly log: string }> {
  copies += 1;
  const data = join(room.path, `copy-${copies}`);
  await cp(whole, data, { recursive: true });
  const [segment = ''] = await readdir(join(data, 'store/log'));
  return { data, ports: await findPorts(), log: join(data, 'store/log', segment) };
}

async function listNames(service: Service): Promise<string[]> {
  const { devices } = (await service.json('device', 'list')) as { devices: { name: string }[] };
  return devices.map(({ name }) => name);
}

describe('a damaged log', () => {
  test.each([
    { tail: Buffer.from([0, 0, 3, 0, 1, 2, 3, 4, 5, 6]), why: 'a frame that is cut short' },
    { tail: Buffer.alloc(512), why: 'zeros' },
  ])('$why at the end: nothing is lost, and it is said', async ({ tail }) => {
    const { log, ...place } = await copyRealm();
    const before = await readFile(log);
    await writeFile(log, Buffer.concat([before, tail]));
    await using service = await startService(place);
    expect(await listNames(service)).toEqual(expect.arrayContaining(NAMES));
    const words = 'the last change was cut short before it was confirmed, and was dropped';
    expect((await service.run('status')).stdout).toContain(`Problem  ${words}`);
    expect((await service.run('device', 'add', 'later')).exitCode).toBe(0);
    expect((await readFile(log)).subarray(0, before.length).equals(before)).toBe(true);
  });

  test('in the middle, after a clean stop: every name resolves and changes go on; it is said', async () => {
    const { log, ...place } = await copyRealm();
    const bytes = await readFile(log);
    const middle = Math.floor(bytes.length / 2);
    bytes.fill(0x58, middle, middle + 8);
    await writeFile(log, bytes);
    await using service = await startService(place);
    expect(new Set(await listNames(service))).toEqual(new Set(['laptop', ...NAMES]));
    expect((await service.run('status')).stdout).toMatch(/commits after number \d+ are missing/);
    expect((await service.run('device', 'add', 'later')).exitCode).toBe(0);
  });

  test('in the middle, after a crash: names before it resolve, nothing is written over, all is said', async () => {
    const { log, ...place } = await copyRealm();
    await rm(join(place.data, 'store/checkpoint.json'));
    const bytes = await readFile(log);
    const before = Buffer.from(bytes);
    const middle = Math.floor(bytes.length / 2);
    bytes.fill(0x58, middle, middle + 8);
    await writeFile(log, bytes);
    await using service = await startService(place);
    expect(await service.dig('phone.alice.nymote', 'A', '+short')).toMatch(/^100\./);
    const status = await service.run('status');
    expect(status.stdout).toMatch(/read-only: Part of the history is damaged or missing/);
    expect(status.stdout).toMatch(/Problem {2}\S+ at \d+: \d+ bytes are no frame; they were moved/);
    expect(status.stdout).toMatch(/Problem {2}log: commits after number \d+ are missing/);
    expect((await service.run('doctor')).stdout).toMatch(
      /^FAIL {2}store: .*\n {6}→ start another/m,
    );
    const refused = await service.run('device', 'add', 'later');
    expect(refused.stderr).toContain('until it comes back from another device of yours');
    expect(refused.exitCode).toBe(3);
    const quarantine = join(place.data, 'store/quarantine');
    const [name = ''] = await readdir(quarantine);
    const aside = await readFile(join(quarantine, name));
    expect((await stat(log)).size + aside.length).toBe(before.length);
  });

  test('its very beginning, after a crash: no start, and nothing is begun anew over it', async () => {
    const { log, ...place } = await copyRealm();
    await rm(join(place.data, 'store/checkpoint.json'));
    const bytes = await readFile(log);
    bytes.fill(0x58, 20, 40);
    await writeFile(log, bytes);
    const { exitCode, stderr } = await nymote(serveWords(place));
    expect(stderr).toMatch(/^nymote: the history in \S+\/store is gone; /m);
    expect(stderr).toContain('Put a backup of it back');
    expect(exitCode).toBe(1);
  });
});

describe('lost or damaged files', () => {
  test.each([
    { file: 'device.json', content: 'no keys', says: 'is damaged (it is not JSON)' },
    { file: 'device.json', content: '{"kind":1}', says: 'is damaged (parts are missing)' },
    { file: 'device.json', content: undefined, says: 'is missing; it is the identity of' },
    { file: 'zone.json', content: '{}', says: 'is damaged; it holds the keys that sign' },
    { file: 'realm', content: 'another', says: 'names another realm than' },
    { file: 'store', content: undefined, says: 'is gone. Put a backup of it back' },
  ])('$file ($says): a sentence, and nothing is touched', async ({ file, content, says }) => {
    const { log: _, ...place } = await copyRealm();
    const path = join(place.data, file);
    await rm(path, { recursive: true });
    if (content !== undefined) await writeFile(path, content);
    const { exitCode, stderr } = await nymote(serveWords(place));
    const words = stderr.split('\n').filter((line) => line.startsWith('nymote: '));
    expect(words).toEqual([expect.stringContaining(says)]);
    expect(words[0]).toContain(path);
    expect(stderr).not.toContain('    at ');
    expect(exitCode).toBe(1);
    if (content !== undefined) expect(await readFile(path, 'utf8')).toBe(content);
    else
      expect(await readFile(join(place.data, 'device.json'), 'utf8').catch(() => '')).toBe(
        file === 'device.json' ? '' : await readFile(join(whole, 'device.json'), 'utf8'),
      );
  });
});

test('a file where the directory should be is called that, not a running nymote', async () => {
  const { log, ...place } = await copyRealm();
  const { exitCode, stderr } = await nymote(serveWords({ ...place, data: log }));
  expect(stderr).toContain('cannot make the directory');
  expect([exitCode, stderr.includes('running')]).toEqual([1, false]);
});

test('a full disk: the change fails in words, all else goes on, and later changes work', async () => {
  const { log, ...place } = await copyRealm();
  await using service = await startService(place);
  const limit = async (bytes: string) =>
    runProgram('prlimit', ['--pid', String(service.pid), `--fsize=${bytes}:unlimited`]);
  expect((await limit(String((await stat(log)).size + 100))).stderr).toBe('');
  const refused = await service.run('device', 'add', 'later');
  expect(refused.stderr).toBe('nymote: The disk is full, nothing was changed.\n');
  expect(refused.exitCode).toBe(1);
  expect((await service.run('device', 'add', 'later')).exitCode).toBe(1);
  expect(await service.dig('phone.alice.nymote', 'A', '+short')).toMatch(/^100\./);
  await limit('unlimited');
  expect((await service.run('device', 'add', 'after')).exitCode).toBe(0);
  await service.stop('SIGKILL');
  await using again = await startService(place);
  expect(new Set(await listNames(again))).toEqual(new Set(['laptop', ...NAMES, 'after']));
});

const ROUNDS = 10;

test(`killed ${ROUNDS} times while devices are added: every confirmed one is there`, async () => {
  const place = { data: join(room.path, 'killed'), ports: await findPorts() };
  const confirmed = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    await using service = await startService(place);
    const names = await listNames(service);
    expect(names).toEqual(expect.arrayContaining([...confirmed]));
    let killing: Promise<unknown> | undefined;
    for (let device = 0; await addDevice(place.data, `device-${round}-${device}`); device++) {
      confirmed.add(`device-${round}-${device}`);
      killing ??= sleep(1 + ((round * 71) % 300)).then(() => service.stop('SIGKILL'));
    }
    await killing;
  }
  await using service = await startService(place);
  expect(await listNames(service)).toEqual(expect.arrayContaining([...confirmed]));
  expect(confirmed.size).toBeGreaterThanOrEqual(ROUNDS);
});

/** Adds a device as the command line would, without starting one for each; false: the service is gone. */
async function addDevice(data: string, name: string): Promise<boolean> {
  const body = JSON.stringify({ name, kind: 'plain' });
  const headers = { 'content-type': 'application/json' };
  const request = new Request('http://nymote/api/v1/devices', { method: 'POST', headers, body });
  try {
    const response = await http.fetch(request, { path: join(data, 'nymote.sock') });
    await response.text();
    return response.status === 201;
  } catch {
    return false;
  }
}
