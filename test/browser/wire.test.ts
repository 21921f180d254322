/** The app behind the real HTTP of this machine, over TCP and over a unix socket. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { createApp } from '#web-admin';
import { PATIENCE } from '../suites/waiting.ts';
import { createHousehold } from './household.ts';

test('the command line’s requests work over a unix socket, bodies of any framing too', async () => {
  const bugs: string[] = [];
  const runtime = nodeRuntime({ log: (_, event) => void bugs.push(event) });
  const directory = await mkdtemp(join(tmpdir(), 'nymote-'));
  const path = join(directory, 'socket');
  using app = createApp(createHousehold(runtime.clock.now), {
    clock: runtime.clock,
    log: runtime.log,
    assets: new Map(),
    trust: 'unix',
    hosts: () => [],
  });
  await using _listener = await runtime.http.listen({ path }, app.fetch);

  async function ask(method: string, resource: string, init: RequestInit = {}) {
    const request = new Request(`http://nymote/api/v1${resource}`, { method, ...init });
    return runtime.http.fetch(request, { path });
  }
  const headers = { 'content-type': 'application/json' };
  const added = await ask('POST', '/devices', { headers, body: '{"name":"tv","kind":"plain"}' });
  expect(added.status).toBe(201);
  expect((await ask('DELETE', '/devices/tv')).status).toBe(204);
  expect((await ask('DELETE', '/devices/tv')).status).toBe(404);
  expect((await ask('POST', '/session/link')).status).toBe(200);
  const large = await ask('POST', '/devices', { headers, body: ' '.repeat(20_000) });
  expect(large.status).toBe(413);
  const streamed = new ReadableStream({
    start(controller) {
      for (let round = 0; round < 20; round++) controller.enqueue(new Uint8Array(1024).fill(32));
      controller.close();
    },
  });
  const endless = await ask('POST', '/devices', { headers, body: streamed, duplex: 'half' });
  expect(endless.status).toBe(413);
  expect(bugs).toEqual([]);
  await rm(directory, { recursive: true });
});

test('a stream of events reaches its reader at once and ends with the app', async () => {
  const runtime = nodeRuntime({ log: () => {} });
  const household = createHousehold(runtime.clock.now);
  const app = createApp(household, {
    clock: runtime.clock,
    log: runtime.log,
    assets: new Map(),
    trust: 'unix',
    hosts: () => [],
  });
  await using listener = await runtime.http.listen({ address: '127.0.0.1', port: 0 }, app.fetch);
  const port = 'port' in listener.local ? listener.local.port : 0;
  const url = `http://127.0.0.1:${port}/api/v1/events?topics=head`;
  const response = await runtime.http.fetch(new Request(url));
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = (response.body ?? new ReadableStream()).getReader();
  let said = '';
  const hears = async (word: string) => {
    while (!said.includes(word)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`it ended without saying ${word}: ${said}`);
      said += new TextDecoder().decode(value);
    }
  };
  await hears('retry: 2000\n\n');
  await household.removeDevice('phone', { via: 'cli', name: 'test' });
  await hears('event: head\n');

  // Readers that leave make room: more come and go than may stay.
  const visit = async () => {
    const { status, body } = await runtime.http.fetch(new Request(url));
    await body?.cancel();
    return status;
  };
  for (let round = 0; round < 12; round++) {
    // It takes the server a moment to notice that somebody left.
    await expect.poll(visit, PATIENCE).toBe(200);
  }
  app[Symbol.dispose]();
  let isDone = false;
  while (!isDone) isDone = (await reader.read()).done;
});
