/**
 * The x86-64 executable for routers, run by Debian's musl: it starts, and answers a query.
 *
 * Builds it first, as `npm run package` does; Bun's two packages are fetched once, 100 MB, into
 * `node_modules/.cache`.
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../suites/waiting.ts';
import { MUSL_LOADER, makeMuslLibraries } from './musl-shim.ts';
import { findPorts } from './service-stand.ts';

const PROJECT = join(import.meta.dirname, '../..');

const directory = mkdtempSync(join(tmpdir(), 'nymote-musl-'));
const libraries = join(directory, 'lib');
const executable = join(directory, 'nymote-x86_64');
const env = { PATH: process.env['PATH'], HOME: directory, LD_LIBRARY_PATH: libraries };
let running: ChildProcess | undefined;

beforeAll(() => {
  makeMuslLibraries(libraries);
  const options = ['--arch', 'x86_64', '--executable-only', '--out', directory];
  execFileSync(process.execPath, ['openwrt/package/build.ts', ...options], {
    cwd: PROJECT,
    stdio: 'pipe',
  });
});

afterAll(async () => {
  if (running?.exitCode === null) {
    running.kill('SIGTERM');
    await once(running, 'exit');
  }
  rmSync(directory, { recursive: true });
});

test('is a program for musl that wants nothing but libstdc++', () => {
  const args = ['--program-headers', '--dynamic', executable];
  const result = spawnSync('readelf', args, { encoding: 'utf8' });
  if (result.error !== undefined) throw new Error('readelf is missing: apt-get install binutils');
  expect(result.stdout).toContain(`[Requesting program interpreter: ${MUSL_LOADER}]`);
  const needed = [...result.stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]);
  expect(new Set(needed)).toEqual(new Set(['libstdc++.so.6', 'libc.musl-x86_64.so.1']));
});

test('says its version', () => {
  const result = spawnSync(executable, ['--version'], { encoding: 'utf8', env });
  expect(result).toMatchObject({ status: 0, stderr: '' });
  expect(result.stdout).toMatch(/\d+\.\d+\.\d+/);
});

test('answers for its zone, by threads too, and has the admin page inside', async () => {
  const { dns, admin, wireguard, control } = await findPorts();
  const settings = ['--user', 'alice', '--name', 'router', '--data', join(directory, 'data')];
  const listen = ['--dns', `127.0.0.1:${dns}`, '--admin', `127.0.0.1:${admin}`];
  const ports = ['--wireguard-port', String(wireguard), '--control-port', String(control)];
  const args = ['serve', ...settings, ...listen, ...ports, '--tunnels', 'off'];
  const said: string[] = [];
  running = spawn(executable, args, { cwd: directory, env });
  running.stdout?.on('data', (chunk) => said.push(String(chunk)));
  running.stderr?.on('data', (chunk) => said.push(String(chunk)));

  const answer = await untilAnswered(() => dig(dns, 'alice.nymote', 'SOA'), said);
  expect(answer).toMatch(/status: NOERROR/);
  expect(answer).toMatch(/flags: qr aa/);
  expect(answer).toMatch(/^alice\.nymote\.\s+\d+\s+IN\s+SOA\s/m);
  await until('threads answer', () => {
    dig(dns, 'alice.nymote', 'SOA');
    const words = ['doctor', '--data', join(directory, 'data')];
    const { stdout } = spawnSync(executable, words, { encoding: 'utf8', env });
    return Number(/datapath: \d+ threads, (\d+) answers/.exec(stdout)?.[1]) > 1;
  });
  const page = await fetch(`http://127.0.0.1:${admin}/`);
  expect(page.status).toBe(200);
  expect(await page.text()).toMatch(/^<!doctype html>/i);
});

function dig(port: number, name: string, type: string): string | undefined {
  const args = ['+tries=1', '+time=1', '+nocookie', '@127.0.0.1', '-p', String(port), name, type];
  const result = spawnSync('dig', args, { encoding: 'utf8' });
  if (result.error !== undefined) throw new Error('dig is missing: apt-get install bind9-dnsutils');
  return result.status === 0 ? result.stdout : undefined;
}

async function untilAnswered(ask: () => string | undefined, said: string[]): Promise<string> {
  let answer: string | undefined;
  const isOver = () => {
    answer = ask();
    return answer !== undefined || running?.exitCode !== null;
  };
  await until('an answer', isOver, 200);
  if (answer === undefined) throw new Error(`it ended, and said:\n${said.join('')}`);
  return answer;
}
