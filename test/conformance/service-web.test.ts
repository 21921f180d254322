/**
 * The API and the history as programs meet them: over real HTTP, with sign-in, with git.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Ended,
  findPorts,
  makeRoom,
  runProgram,
  type Service,
  startService,
} from './service-stand.ts';

let room: Awaited<ReturnType<typeof makeRoom>>;
let service: Service;
let origin = '';
let cookie = '';

beforeAll(async () => {
  room = await makeRoom();
  service = await startService({ data: join(room.path, 'data'), ports: await findPorts() });
  origin = `http://127.0.0.1:${service.place.ports.admin}`;
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await room?.[Symbol.asyncDispose]();
});

/** A request as the page makes it, with the cookie of the session if there is one. */
function ask(
  path: string,
  { headers, ...init }: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<Response> {
  const own = { origin, 'content-type': 'application/json', ...(cookie ? { cookie } : {}) };
  return fetch(`${origin}/api/v1${path}`, { ...init, headers: { ...own, ...headers } });
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(path, { method: 'POST', body: JSON.stringify(body), headers });

describe('before signing in', () => {
  test.each(['/status', '/devices', '/zone', '/log', '/events', '/tokens', '/doctor'])(
    'GET %s is refused with 401, as a problem',
    async (path) => {
      const answer = await ask(path);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(await answer.json()).toMatchObject({ code: 'signed-out' });
    },
  );

  test('a code that is none does not open the door, nor does another site with a good one', async () => {
    expect((await post('/session', { code: 'AAAAA-AAAAA-AAAAA' })).status).toBe(403);
    const foreign = await post(
      '/session',
      { code: service.code() },
      { origin: 'http://evil.test' },
    );
    expect([foreign.status, await foreign.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'cross-origin' }),
    ]);
  });

  test('another name in Host gets 421, whatever it asks for', async () => {
    for (const path of ['/', '/api/v1/status', '/git/config.git/HEAD']) {
      expect(await statusWithHost(path, 'evil.test'), path).toBe(421);
    }
    const { admin } = service.place.ports;
    expect(await statusWithHost('/api/v1/status', `laptop.alice.nymote:${admin}`)).toBe(401);
  });
});

/** fetch() sets Host itself. */
function statusWithHost(path: string, host: string): Promise<number> {
  const { admin: port } = service.place.ports;
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, headers: { host } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asking.once('error', reject).end();
  });
}

describe('signed in', () => {
  test('the printed link opens a session, once', async () => {
    const answer = await post('/session', { code: service.code() });
    expect(answer.status).toBe(200);
    const set = answer.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^nymote=[^;]+; Path=\/; HttpOnly; SameSite=Strict$/);
    expect((await post('/session', { code: service.code() })).status).toBe(403);
    cookie = set.split(';')[0] ?? '';
    const status = await ask('/status');
    expect(status.status).toBe(200);
    expect(await status.json()).toMatchObject({ apex: 'alice.nymote', readOnly: false });
  });

  test('a change made on an old page is refused with 412, on a fresh one it is made', async () => {
    const seen = await ask('/devices');
    const etag = seen.headers.get('etag') ?? '';
    const changed = await post('/devices', { name: 'phone', kind: 'plain' });
    expect(changed.status).toBe(201);
    const stale = await ask('/devices/phone', { method: 'DELETE', headers: { 'if-match': etag } });
    expect([stale.status, await stale.json()]).toEqual([
      412,
      expect.objectContaining({ code: 'stale' }),
    ]);
    const fresh = (await ask('/devices')).headers.get('etag') ?? '';
    const removed = await ask('/devices/phone', {
      method: 'DELETE',
      headers: { 'if-match': fresh },
    });
    expect(removed.status).toBe(204);
  });

  test('the stream of events tells of a question while dig asks it', async () => {
    const leaving = new AbortController();
    const stream = await ask('/events', { signal: leaving.signal });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    if (stream.body === null) throw new Error('unreachable: a stream has a body');
    const asking = service.dig('asked-by-dig.alice.nymote', 'TXT');
    let heard = '';
    for await (const chunk of stream.body.pipeThrough(new TextDecoderStream())) {
      heard += chunk;
      if (/asked-by-dig[^\n]*\n\n/.test(heard)) break;
    }
    leaving.abort();
    await asking;
    const data = /^data: (.*asked-by-dig.*)$/m.exec(heard)?.[1] ?? '{}';
    expect(JSON.parse(data)).toMatchObject({
      name: 'asked-by-dig.alice.nymote.',
      type: 'TXT',
      from: 'zone',
    });
  });
});

describe('git', () => {
  let clone = '';
  let url = '';
  const git = async (...args: readonly string[]): Promise<Ended> =>
    runProgram('git', ['-C', clone, ...args], {
      env: { HOME: room.path, GIT_TERMINAL_PROMPT: '0' },
    });

  beforeAll(async () => {
    clone = join(room.path, 'clone');
    await mkdir(clone);
    const { token } = await service.json('token', 'add', 'backup');
    url = `http://nymote:${String(token)}@127.0.0.1:${service.place.ports.admin}/git/config.git`;
    const { stdout } = await service.run('signers');
    await writeFile(join(room.path, 'signers'), stdout);
  });

  test('clones the history with a token', async () => {
    const cloned = await git('clone', '-q', url, '.');
    expect([cloned.exitCode, cloned.stderr]).toEqual([0, '']);
    const { store } = (await service.json('status')) as { store: { head: string } };
    expect((await git('rev-parse', 'HEAD')).stdout.trim()).toBe(store.head);
  });

  test('calls every signature good, with the file that `nymote signers` prints', async () => {
    const signers = `gpg.ssh.allowedSignersFile=${join(room.path, 'signers')}`;
    const { stdout, stderr } = await git('-c', signers, 'log', '--format=%G?');
    expect(stderr).toBe('');
    const marks = stdout.trim().split('\n');
    expect(marks.length).toBeGreaterThan(2);
    expect(new Set(marks)).toEqual(new Set(['G']));
  });

  test('finds nothing to complain about', async () => {
    const { exitCode, stdout, stderr } = await git('fsck', '--strict', '--full');
    expect([exitCode, stdout, stderr]).toEqual([0, '', '']);
  });

  test('fetches a change made since', async () => {
    await service.run('device', 'add', 'tablet');
    expect((await git('pull', '-q')).exitCode).toBe(0);
    expect((await git('log', '-1', '--format=%s')).stdout.trim()).toBe('Add tablet');
  });

  test('is refused without a token, and with one that was taken back', async () => {
    const bare = url.replace(/nymote:[^@]+@/, '');
    expect((await git('ls-remote', bare)).exitCode).not.toBe(0);
    const { tokens } = (await service.json('token', 'list')) as { tokens: { id: string }[] };
    await service.run('token', 'remove', tokens[0]?.id ?? '');
    expect((await git('ls-remote', url)).exitCode).not.toBe(0);
  });
});
