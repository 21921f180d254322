import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Endpoint, Http, Path } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { takePort } from './ports.ts';
import { REAL, realRuntime } from './real.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nymote-http-'));
});
afterAll(() => rm(root, { recursive: true }));

describe.each([
  { name: REAL, open: () => ({ http: realRuntime().http, path: join(root, 'http.sock') }) },
  { name: 'fake', open: () => ({ http: fakeRuntime().http, path: '/run/http.sock' }) },
])('$name http', ({ open }) => {
  test.each(['127.0.0.1', '::1', 'path'])('a request and its answer go over %s', async (kind) => {
    const { http, path } = open();
    const local = kind === 'path' ? { path } : { address: kind, port: 0 };
    await using server = await http.listen(local, async (request) => {
      const { pathname, search } = new URL(request.url);
      const words = [request.method, pathname, search, request.headers.get('x-mine')];
      const body = `${words.join(' ')} ${await request.text()}`;
      return new Response(body, { status: 201, headers: { etag: '"7"' } });
    });
    const answer = await get(http, server.local, '/a/b?c=d', {
      method: 'PUT',
      headers: { 'x-mine': 'yes' },
      body: 'content',
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('etag')).toBe('"7"');
    expect(await answer.text()).toBe('PUT /a/b ?c=d yes content');
  });

  test('an answer without a body is one', async () => {
    const { http } = open();
    const local = { address: '127.0.0.1', port: 0 };
    await using server = await http.listen(local, () => new Response(null, { status: 204 }));
    const answer = await get(http, server.local, '/');
    expect([answer.status, await answer.text()]).toEqual([204, '']);
  });

  test('an answer streams: its start is here before its end is known', async () => {
    const { http } = open();
    let finish = () => undefined as unknown;
    await using server = await http.listen({ address: '127.0.0.1', port: 0 }, () => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('data: 1\n\n'));
          finish = () => {
            controller.enqueue(new TextEncoder().encode('data: 2\n\n'));
            controller.close();
          };
        },
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    });
    const answer = await get(http, server.local, '/');
    const reader = answer.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n');
    finish();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 2\n\n');
    expect((await reader?.read())?.done).toBe(true);
  });

  test('nobody there is refused, a missing path not-found', async () => {
    const { http, path } = open();
    const local = { address: '127.0.0.1', port: await takePort() };
    const server = await http.listen(local, () => new Response());
    await server[Symbol.asyncDispose]();
    await expect(get(http, server.local, '/')).rejects.toMatchObject({ code: 'refused' });
    await expect(get(http, { path }, '/')).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe(`${REAL} http on the wire`, () => {
  const { http } = realRuntime();
  const local = { address: '127.0.0.1', port: 0 };

  test('the handler learns when the reader goes away', async () => {
    const gone = Promise.withResolvers<void>();
    await using server = await http.listen(local, (request) => {
      request.signal.addEventListener('abort', () => gone.resolve());
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(Uint8Array.of(33)),
      });
      return new Response(body);
    });
    const answer = await get(http, server.local, '/');
    await answer.body?.cancel();
    await gone.promise;
  });

  test('closing the server does not wait for a stream that never ends', async () => {
    const server = await http.listen(
      local,
      () =>
        new Response(
          new ReadableStream({ start: (controller) => controller.enqueue(Uint8Array.of(33)) }),
        ),
    );
    const answer = await get(http, server.local, '/');
    await server[Symbol.asyncDispose]();
    await expect(answer.text()).rejects.toThrow();
  });

  test('a handler that fails answers 500 and says nothing else', async () => {
    await using server = await http.listen(local, () => {
      throw new Error('the secret reason');
    });
    const answer = await get(http, server.local, '/');
    expect([answer.status, await answer.text()]).toEqual([500, '']);
  });

  test('one source cannot take all connections', async () => {
    await using server = await http.listen(local, () => new Response('yes'));
    if (!('port' in server.local)) throw new Error('unreachable: not on TCP');
    const { port } = server.local;
    const held = Array.from({ length: 64 }, () => createConnection({ port, host: '127.0.0.1' }));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    await expect(get(http, server.local, '/')).rejects.toMatchObject({ name: 'RuntimeError' });
    const elsewhere = { port, host: '127.0.0.1', localAddress: '127.0.0.2' };
    const other = createConnection(elsewhere);
    other.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(String((await once(other, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
    held.map((socket) => socket.destroy());
    // The server hears of it in its own time.
    for (let status = 0; status !== 200; ) {
      status = await get(http, server.local, '/').then(
        (answer) => answer.status,
        () => 0,
      );
    }
  });

  test.each([
    'POST http://[::: HTTP/1.1\r\nHost: x',
    'GET / HTTP/1.1\r\nHost: [[[',
    'GET / HTTP/1.0',
  ])('%j is no request, and nobody is to blame here', async (head) => {
    await using server = await http.listen(local, () => new Response('yes'));
    if (!('port' in server.local)) throw new Error('unreachable: not on TCP');
    const socket = createConnection({ port: server.local.port, host: '127.0.0.1' });
    socket.write(`${head}\r\n\r\n`);
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  test('a port on 0.0.0.0 leaves the same port on :: to somebody else', async () => {
    const port = await takePort();
    await using _four = await http.listen({ address: '0.0.0.0', port }, () => new Response('4'));
    await using _six = await http.listen({ address: '::', port }, () => new Response('6'));
    const answers = await Promise.all(
      ['127.0.0.1', '::1'].map(async (address) => (await get(http, { address, port }, '/')).text()),
    );
    expect(answers).toEqual(['4', '6']);
  });

  test('an answer that does not come is a timeout', async () => {
    await using server = await http.listen(local, () => new Promise<Response>(() => undefined));
    const asking = get(http, server.local, '/', {}, 100);
    await expect(asking).rejects.toMatchObject({ name: 'RuntimeError', code: 'timeout' });
  });

  test('an aborted request fails', async () => {
    await using server = await http.listen(local, () => new Promise<Response>(() => undefined));
    const asking = get(http, server.local, '/', { signal: AbortSignal.timeout(50) });
    await expect(asking).rejects.toMatchObject({ name: 'RuntimeError', code: 'timeout' });
  });

  test('several cookies stay several', async () => {
    await using server = await http.listen(local, () => {
      const headers = new Headers([
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ]);
      return new Response('', { headers });
    });
    const answer = await get(http, server.local, '/');
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });
});

function get(
  http: Http,
  at: Endpoint | Path,
  path: string,
  init: RequestInit = {},
  timeoutMs = 60_000,
): Promise<Response> {
  if ('path' in at) {
    return http.fetch(new Request(`http://localhost${path}`, init), { path: at.path, timeoutMs });
  }
  const host = at.address.includes(':') ? `[${at.address}]` : at.address;
  return http.fetch(new Request(`http://${host}:${at.port}${path}`, init), { timeoutMs });
}
