/** Changes that are collected and made as one, and somebody who watches, through the real command line. */

import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PATIENCE } from '../suites/waiting.ts';
import { findPorts, makeRoom, type Place, type Service, startService } from './service-stand.ts';

const PROJECT = join(import.meta.dirname, '../..');
const stack = new AsyncDisposableStack();
let place: Place;
let service: Service;

beforeAll(async () => {
  const room = stack.use(await makeRoom());
  place = { data: join(room.path, 'laptop'), ports: await findPorts() };
  service = stack.use(await startService(place));
});
afterAll(() => stack.disposeAsync());

const record = (data: string) =>
  JSON.stringify({ records: [{ type: 'A', ttl: 60, data: `192.0.2.${data}` }] });

async function did(...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await service.run(...words);
  expect([exitCode, stderr], words.join(' ')).toEqual([0, '']);
  return stdout;
}

function watch(...words: readonly string[]) {
  const main = join(PROJECT, 'service/main.ts');
  const child = spawn(process.execPath, [main, 'watch', '--data', place.data, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  stack.defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let printed = '';
  child.stdout.on('data', (data: Buffer) => {
    printed += String(data);
  });
  return { child, ended, printed: () => printed };
}

test('a draft is nothing until it is applied, and then it is one entry of the log', async () => {
  const { head } = await service.json('log').then(({ commits }) => {
    return { head: (commits as { id: string }[])[0]?.id };
  });
  await did('draft', 'begin', 'move');
  await did('draft', 'set', 'move', 'names/www', record('1'), '--message', 'the new server');
  await did('draft', 'set', 'move', 'names/mail', record('2'), '-m', 'and its mail');
  expect(await did('draft', 'list')).toMatch(/^move +2 steps/m);
  expect(await did('draft', 'show', 'move')).toMatch(/Applied now:\n.*Added the name mail/);
  expect((await stat(join(place.data, 'drafts/move.json'))).mode & 0o777).toBe(0o600);
  expect(await service.dig('+short', 'www.alice.nymote', 'A')).toBe('');

  const { commit } = (await service.json('draft', 'apply', 'move')) as {
    commit: { id: string; message: string };
  };
  expect(commit.message).toBe('Apply the draft move\n\n- the new server\n- and its mail');
  const log = (await service.json('log')) as { commits: { id: string }[] };
  expect(log.commits.slice(0, 2).map(({ id }) => id)).toEqual([commit.id, head]);
  expect(await service.dig('+short', 'mail.alice.nymote', 'A')).toBe('192.0.2.2\n');
  expect(await service.run('draft', 'apply', 'move')).toMatchObject({ exitCode: 1 });
});

test('what was changed under a draft is said, and needs a word', async () => {
  await did('draft', 'begin', 'again');
  await did('draft', 'set', 'again', 'names/www', record('7'));
  await did('name', 'set', 'www', 'A', '192.0.2.9');
  expect(await did('draft', 'show', 'again')).toContain('Moved    the name www.alice.nymote');
  const refused = await service.run('draft', 'apply', 'again');
  expect(refused).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('--force') });
  await did('draft', 'apply', 'again', '--force');
  expect(await service.dig('+short', 'www.alice.nymote', 'A')).toBe('192.0.2.7\n');
});

const SEEN = /laptop \(cli\) +A of seen\.alice\.nymote\n {4}\w/;

test('watch prints what comes, in words and as JSON; Ctrl-C ends it well', async () => {
  const [words, json] = [watch(), watch('--json')];
  let last = 0;
  // It says nothing before something happens: something happens until both have seen it.
  await expect
    .poll(async () => {
      last += 1;
      await did('name', 'set', 'seen', 'A', `192.0.2.${last}`);
      return SEEN.test(words.printed()) && json.printed().includes('\n');
    }, PATIENCE)
    .toBe(true);
  const [line = ''] = json.printed().split('\n');
  expect(JSON.parse(line)).toMatchObject({ author: 'laptop', message: 'A of seen.alice.nymote' });
  words.child.kill('SIGINT');
  expect(await words.ended).toBe(0);
  await service.stop();
  expect(await json.ended).toBe(5);
});
