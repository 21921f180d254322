/**
 * Going out under TLS: who is not who was meant is not spoken to.
 */

import { createHash, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Credentials, SecureOptions } from '#runtime';
import { makeCredentials } from './credentials.ts';
import { REAL, realRuntime } from './real.ts';
import { endpointOf, LOCAL, shout } from './tls.ts';
import { until } from './waiting.ts';

const { tls, http, tcp } = realRuntime();

let credentials: Credentials;
let pin: string;
beforeAll(async () => {
  credentials = await makeCredentials('one.example');
  const key = new X509Certificate(credentials.certificate).publicKey;
  const spki = key.export({ type: 'spki', format: 'der' });
  pin = createHash('sha256').update(spki).digest('base64');
});

const OTHER_PIN = Buffer.alloc(32, 7).toString('base64');

describe(`${REAL} tls, going out`, () => {
  test('bytes go both ways to whose key is pinned', async () => {
    await using listener = await tls.listen(LOCAL, { credentials, protocols: ['dot'] }, shout);
    const options = { pins: [OTHER_PIN, pin], protocols: ['dot'] };
    await using connection = await tls.connect(endpointOf(listener.local), options);
    await connection.write(new TextEncoder().encode('quiet'));
    for await (const chunk of connection.received()) {
      expect(new TextDecoder().decode(chunk)).toBe('QUIET');
      break;
    }
  });

  test.each<{ options: () => SecureOptions; says: RegExp; why: string }>([
    { options: () => ({ pins: [OTHER_PIN] }), says: /none of those pinned/, why: 'another key' },
    { options: () => ({ pins: [] }), says: /none of those pinned/, why: 'no key is the right one' },
    {
      options: () => ({ name: 'one.example' }),
      says: /signed by itself/,
      why: 'the right name, but nobody vouches for it',
    },
    {
      options: () => ({ name: 'one.example', pins: [pin] }),
      says: /signed by itself/,
      why: 'with a name and a pin both must be right',
    },
    { options: () => ({}), says: /nothing says who/, why: 'anybody is nobody' },
  ])('untrusted: $why', async ({ options, says }) => {
    await using listener = await tls.listen(LOCAL, { credentials, protocols: ['dot'] }, shout);
    const asked = { ...options(), protocols: ['dot'] };
    const connecting = tls.connect(endpointOf(listener.local), asked);
    await expect(connecting).rejects.toMatchObject({
      code: 'untrusted',
      message: expect.stringMatching(says),
    });
  });

  test('what does not speak TLS, or does not answer, is an end too', async () => {
    await using listener = await tcp.listen(LOCAL, (connection) => connection.abort());
    const options = { pins: [pin], protocols: ['dot'] };
    await expect(tls.connect(endpointOf(listener.local), options)).rejects.toThrow();
    await using silent = await tcp.listen(LOCAL, () => undefined);
    await expect(
      tls.connect(endpointOf(silent.local), { ...options, timeoutMs: 200 }),
    ).rejects.toMatchObject({ code: 'timeout' });
  });
});

describe(`${REAL} http/2, going out`, () => {
  test('many requests on one connection, each with its answer', async () => {
    await using server = await http.listenSecurely(LOCAL, credentials, async (request) => {
      const text = await request.text();
      const status = text === '3' ? 404 : 200;
      return new Response(text, { status, headers: { 'content-type': 'text/plain' } });
    });
    await using session = await http.connect(endpointOf(server.local), { pins: [pin] });
    const ask = async (body: string) => {
      const request = new Request('https://one.example/a', { method: 'POST', body });
      const response = await session.fetch(request);
      return [response.status, response.headers.get('content-type'), await response.text()];
    };
    expect(await Promise.all(['1', '2', '3'].map(ask))).toEqual([
      [200, 'text/plain', '1'],
      [200, 'text/plain', '2'],
      [404, 'text/plain', ''],
    ]);
    expect(session.isOpen).toBe(true);
  });

  test('requests without a body end, whatever their method, and 207 has content', async () => {
    await using server = await http.listenSecurely(LOCAL, credentials, async (request) => {
      const text = `${request.method} ${await request.text()}`;
      return new Response(text, { status: request.method === 'PROPFIND' ? 207 : 200 });
    });
    await using session = await http.connect(endpointOf(server.local), { pins: [pin] });
    for (const method of ['GET', 'DELETE', 'PROPFIND', 'MKCOL']) {
      const answer = await session.fetch(new Request('https://one.example/a', { method }));
      expect(await answer.text()).toBe(`${method} `);
    }
    const init = { method: 'PUT', body: 'x'.repeat(3_000_000) };
    const answer = await session.fetch(new Request('https://one.example/a', init));
    expect((await answer.text()).length).toBe(3_000_004);
  });

  test('a session that was closed says so', async () => {
    const server = await http.listenSecurely(LOCAL, credentials, () => new Response('x'));
    const session = await http.connect(endpointOf(server.local), { pins: [pin] });
    await server[Symbol.asyncDispose]();
    await expect(session.fetch(new Request('https://one.example/'))).rejects.toThrow();
    await until('the session knows', () => !session.isOpen);
    await session[Symbol.asyncDispose]();
  });

  test('somebody else is not spoken to, nor who has no HTTP/2', async () => {
    await using server = await http.listenSecurely(LOCAL, credentials, () => new Response('x'));
    await expect(
      http.connect(endpointOf(server.local), { pins: [OTHER_PIN] }),
    ).rejects.toMatchObject({ code: 'untrusted' });
    await using dot = await tls.listen(LOCAL, { credentials, protocols: ['dot'] }, shout);
    await expect(http.connect(endpointOf(dot.local), { pins: [pin] })).rejects.toThrow();
  });
});
