import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp } from 'node:http2';
import { createConnection } from 'node:net';
import { type ConnectionOptions, connect as connectByTls, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Credentials, Endpoint } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { makeCredentials } from './credentials.ts';
import { takePort } from './ports.ts';
import { REAL, realRuntime } from './real.ts';
import { type Client, endpointOf, LOCAL, shout, tlsSuite } from './tls.ts';
import { until } from './waiting.ts';

let credentials: Credentials;
beforeAll(async () => {
  credentials = await makeCredentials('one.example');
});

const { tls, http, exec } = realRuntime();

tlsSuite(REAL, async () => ({
  tls,
  credentials,
  connect: async (to) => clientOf(await secure(to)),
}));

tlsSuite('fake', async () => {
  const runtime = fakeRuntime();
  return {
    tls: runtime.tls,
    credentials,
    async connect(to) {
      const connection = await runtime.tcp.connect(to);
      const hear = async () => {
        let heard = '';
        for await (const chunk of connection.received()) heard += new TextDecoder().decode(chunk);
        return heard;
      };
      return {
        write: (text) => void connection.write(new TextEncoder().encode(text)),
        // The stream in memory closes both ways at once: first hear what is on its way.
        end: () => void runtime.clock.settle().then(() => connection[Symbol.asyncDispose]()),
        heard: hear(),
      };
    },
  };
});

describe(`${REAL} tls on the wire`, () => {
  const options = () => ({ credentials, protocols: ['dot'] });

  test.each([
    { offers: ['dot'], gets: 'dot', why: 'the one we speak' },
    { offers: ['h2', 'dot'], gets: 'dot', why: 'among others' },
    { offers: undefined, gets: false, why: 'RFC 7858 clients need not offer any' },
    { offers: ['h2'], gets: 'turned away', why: 'another service' },
  ])('ALPN $offers: $why', async ({ offers, gets }) => {
    await using listener = await tls.listen(LOCAL, options(), shout);
    const alpn = offers === undefined ? {} : { ALPNProtocols: offers };
    const { alpnProtocol } = await secure(endpointOf(listener.local), alpn).catch(() => ({
      alpnProtocol: 'turned away',
    }));
    expect(alpnProtocol).toBe(gets);
  });

  test('nothing below TLS 1.2', async () => {
    await using listener = await tls.listen(LOCAL, options(), shout);
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' };
    const connecting = secure(endpointOf(listener.local), old as ConnectionOptions);
    await expect(connecting).rejects.toThrow();
  });

  test('a new certificate holds from the next handshake on, the open connection goes on', async () => {
    await using listener = await tls.listen(LOCAL, options(), shout);
    const before = await secure(endpointOf(listener.local));
    listener.replaceCredentials(await makeCredentials('two.example'));
    const after = await secure(endpointOf(listener.local));
    expect([nameIn(before), nameIn(after)]).toEqual(['one.example', 'two.example']);
    const client = clientOf(before);
    client.write('on');
    client.end();
    expect(await client.heard).toBe('ON');
    after.destroy();
  });

  test('handshakes that do not go on are ended, and one address cannot hold many', async () => {
    await using listener = await tls.listen(LOCAL, options(), shout);
    const to = endpointOf(listener.local);
    const ended: number[] = [];
    for (let index = 0; index < 40; index++) {
      const socket = createConnection({ host: to.address, port: to.port });
      socket.on('error', () => undefined);
      socket.once('close', () => ended.push(index));
      socket.resume();
    }
    await until('all are ended', () => ended.length === 40);
    // Those beyond the limit at once, the others when their time is over.
    expect(ended.slice(0, 8).sort((a, b) => a - b)).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
    const client = clientOf(await secure(to));
    client.end();
    expect(await client.heard).toBe('');
  });
});

describe(`${REAL} tls with many at the door`, () => {
  const options = () => ({ credentials, protocols: ['dot'] });

  test('who holds handshakes from several addresses keeps nobody else out', async () => {
    await using listener = await tls.listen(LOCAL, options(), shout);
    const to = endpointOf(listener.local);
    const held = hold(to, 160);
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    const client = clientOf(await secure(to));
    client.end();
    expect(await client.heard).toBe('');
    for (const socket of held) socket.destroy();
  });

  test('a server holds as many connections as it is told', async () => {
    const room = { connections: 800, perSource: 800 };
    const handle = () => new Response('hello');
    await using server = await http.listenSecurely(LOCAL, credentials, handle, room);
    const to = endpointOf(server.local);
    const open: TLSSocket[] = [];
    let ended = 0;
    for (let round = 0; round < 33; round++) {
      const some = Array.from({ length: 20 }, () => secure(to, { ALPNProtocols: ['h2'] }));
      const sockets = await Promise.all(some);
      const since = performance.now();
      // On a busy machine it takes so long that the first ones are ended for being idle.
      const note = () => performance.now() - since < 15_000 && ended++;
      open.push(...sockets.map((socket) => socket.resume().once('close', note)));
    }
    expect(await curl(to, '--http2')).toBe('hello 2 200');
    expect(ended).toBe(0);
    for (const socket of open) socket.destroy();
  });

  test('who holds all places and all handshakes keeps nobody else out', async () => {
    const room = { connections: 4, perSource: 4 };
    const handle = () => new Response('hello');
    await using server = await http.listenSecurely(LOCAL, credentials, handle, room);
    const to = endpointOf(server.local);
    const open: TLSSocket[] = [];
    for (let index = 0; index < 4; index++) {
      const options = { ALPNProtocols: ['h2'], localAddress: '127.0.0.2' };
      open.push(await secure(to, options as ConnectionOptions));
    }
    const held = hold(to, 128);
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    expect(await curl(to, '--http2')).toBe('hello 2 200');
    for (const socket of [...open, ...held]) socket.destroy();
  });

  test('when all are taken, whoever holds most gives one up', async () => {
    const room = { connections: 4, perSource: 3 };
    const handle = () => new Response('hello');
    await using server = await http.listenSecurely(LOCAL, credentials, handle, room);
    const to = endpointOf(server.local);
    const open: TLSSocket[] = [];
    for (const localAddress of ['127.0.0.3', '127.0.0.2', '127.0.0.2', '127.0.0.2']) {
      const socket = await secure(to, { ALPNProtocols: ['h2'], localAddress } as ConnectionOptions);
      open.push(socket.resume());
    }
    expect(await curl(to, '--http2')).toBe('hello 2 200');
    await until('one is ended', () => open.some(({ closed }) => closed));
    expect(open.map(({ closed }) => closed)).toEqual([false, true, false, false]);
    for (const socket of open) socket.destroy();
  });

  test('many hosts with one connection each keep nobody out; who asked last stays', async () => {
    const room = { connections: 4, perSource: 4 };
    const handle = () => new Response('hello');
    await using server = await http.listenSecurely(LOCAL, credentials, handle, room);
    const to = endpointOf(server.local);
    const sessions: ClientHttp2Session[] = [];
    const ask = async (session: ClientHttp2Session | undefined) => {
      let heard = '';
      for await (const chunk of session?.request({ ':path': '/' }) ?? []) heard += chunk;
      expect(heard).toBe('hello');
    };
    for (let host = 1; host <= 4; host++) {
      const socket = await secure(to, {
        ALPNProtocols: ['h2'],
        localAddress: `127.0.${host}.1`,
      } as ConnectionOptions);
      const options = { createConnection: () => socket };
      const session = connectHttp(`https://127.0.0.1:${to.port}`, options);
      sessions.push(session.on('error', () => undefined));
      await ask(session);
    }
    await ask(sessions[0]);
    expect(await curl(to, '--http2')).toBe('hello 2 200');
    await until('one is ended', () => sessions.some(({ destroyed }) => destroyed));
    expect(sessions.map(({ destroyed }) => destroyed)).toEqual([false, true, false, false]);
    for (const session of sessions) session.destroy();
  });
});

describe(`${REAL} http over tls, answers that are not read`, () => {
  const BODY = new Uint8Array(60_000);

  const openSession = (to: Endpoint, initialWindowSize: number) =>
    connectHttp(`https://127.0.0.1:${to.port}`, {
      rejectUnauthorized: false,
      settings: { initialWindowSize },
    }).on('error', () => undefined);

  test.each([
    { octets: 100_000, milliseconds: 3_600_000, questions: 3, why: 'too much' },
    { octets: 1_000_000, milliseconds: 50, questions: 1, why: 'for too long' },
  ])('$why: the connection ends', async ({ octets, milliseconds, questions }) => {
    const room = { connections: 9, perSource: 9, unread: { octets, milliseconds } };
    const handle = () => new Response(BODY);
    await using server = await http.listenSecurely(LOCAL, credentials, handle, room);
    const session = openSession(endpointOf(server.local), 0);
    for (let index = 0; index < questions; index++) {
      const stream = session.request({ ':path': '/' });
      stream.on('error', () => undefined).pause();
    }
    await until('it is ended', () => session.destroyed);
  });

  test('who reads may ask for as much as it likes', async () => {
    const unread = { octets: 100_000, milliseconds: 3_600_000 };
    const room = { connections: 9, perSource: 9, unread };
    const handle = () => new Response(BODY);
    await using server = await http.listenSecurely(LOCAL, credentials, handle, room);
    const session = openSession(endpointOf(server.local), 65_535);
    for (let question = 0; question < 10; question++) {
      let read = 0;
      for await (const chunk of session.request({ ':path': '/' })) read += chunk.length;
      expect(read).toBe(BODY.length);
    }
    session.destroy();
  });
});

describe(`${REAL} http over tls`, () => {
  test.each(['2', '1.1'])('HTTP/%s', async (version) => {
    await using server = await http.listenSecurely(LOCAL, credentials, async (request, from) => {
      const { pathname, search } = new URL(request.url);
      const asker = 'address' in from ? from.address : '';
      const words = [request.method, pathname, search, asker, await request.text()];
      return new Response(words.join(' '), { status: 201 });
    });
    const flag = version === '2' ? '--http2' : '--http1.1';
    const answer = await curl(endpointOf(server.local), flag, '-d', 'content');
    expect(answer).toBe(`POST /a ?b=c 127.0.0.1 content ${version} 201`);
  });

  test('one address cannot hold all connections, nor hold up others for long', async () => {
    await using server = await http.listenSecurely(LOCAL, credentials, () => new Response('hello'));
    const to = endpointOf(server.local);
    let ended = 0;
    const open: TLSSocket[] = [];
    for (let index = 0; index < 70; index++) {
      const socket = await secure(to, { ALPNProtocols: ['h2'] });
      socket.once('close', () => ended++);
      socket.resume();
      open.push(socket);
    }
    await until('those beyond the limit are ended', () => ended >= 6);
    expect(ended).toBe(6);
    for (const socket of open) socket.destroy();
    await until('others are let in', async () => (await curl(to, '--http2')) === 'hello 2 200');
  });

  test.each([
    { host: 'a b', status: 400, why: 'no host' },
    { host: '', status: 400, why: 'none at all' },
    { host: 'dns.example', status: 200, why: 'any that could be one' },
  ])('Host $host: $why', async ({ host, status }) => {
    await using server = await http.listenSecurely(LOCAL, credentials, () => new Response(''));
    const flags = ['--http1.1', '-o', '/dev/null', '-H', `Host:${host === '' ? '' : ` ${host}`}`];
    expect(await curl(endpointOf(server.local), ...flags)).toBe(` 1.1 ${status}`);
  });

  test('a port on 0.0.0.0 leaves the same port on :: to somebody else', async () => {
    const handle = () => new Response('');
    const port = await takePort();
    const any = { address: '0.0.0.0', port };
    await using _four = await http.listenSecurely(any, credentials, handle);
    await using six = await http.listenSecurely({ address: '::', port }, credentials, handle);
    expect(endpointOf(six.local).port).toBe(port);
  });

  test('a new certificate holds, and closing does not wait for idle clients', async () => {
    const server = await http.listenSecurely(LOCAL, credentials, () => new Response('hello'));
    const to = endpointOf(server.local);
    const idle = await secure(to, { ALPNProtocols: ['h2'] });
    server.replaceCredentials(await makeCredentials('two.example'));
    const next = await secure(to, { ALPNProtocols: ['h2'] });
    expect([nameIn(idle), nameIn(next)]).toEqual(['one.example', 'two.example']);
    await server[Symbol.asyncDispose]();
    await expect(secure(to)).rejects.toThrow();
  });
});

test('the fake one serves what comes plain', async () => {
  const { http: fake } = fakeRuntime();
  await using server = await fake.listenSecurely(LOCAL, credentials, () => new Response('hello'));
  const { port } = endpointOf(server.local);
  const answer = await fake.fetch(new Request(`http://127.0.0.1:${port}/`));
  expect(await answer.text()).toBe('hello');
  const bad = { certificate: 'no', key: 'no' };
  const listening = fake.listenSecurely(LOCAL, bad, () => new Response());
  await expect(listening).rejects.toMatchObject({ code: 'bad-key' });
});

/** Handshakes that do not begin, as many from one address as it may have. */
const hold = ({ address, port }: Endpoint, count: number) =>
  Array.from({ length: count }, (_, index) => {
    const localAddress = `127.0.0.${10 + Math.floor(index / 32)}`;
    return createConnection({ host: address, port, localAddress }).on('error', () => undefined);
  });

function secure(to: Endpoint, options: ConnectionOptions = { ALPNProtocols: ['dot'] }) {
  return new Promise<TLSSocket>((resolve, reject) => {
    const socket = connectByTls(
      { host: to.address, port: to.port, rejectUnauthorized: false, ...options },
      () => resolve(socket),
    );
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
  });
}

const nameIn = (socket: TLSSocket) => String(socket.getPeerCertificate().subject.CN);

function clientOf(socket: TLSSocket): Client {
  const heard = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
  return { write: (text) => void socket.write(text), end: () => void socket.end(), heard };
}

async function curl({ port }: Endpoint, ...args: string[]): Promise<string> {
  const words = ['-sSk', '-m', '60', '-w', ' %{http_version} %{http_code}', ...args];
  const url = `https://127.0.0.1:${port}/a?b=c`;
  const { stdout, stderr } = await exec('curl', [...words, url], { timeoutMs: 180_000 });
  return stdout + stderr;
}
