import { beforeEach, describe, expect, test } from 'vitest';
import { type Connection, RuntimeError } from '#runtime';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { printName } from '../message/name.ts';
import type { Event, Send } from '../recursion/frame.ts';
import { nameOf, recordOf } from '../recursion/reply.fixture.ts';
import type { RouteServer } from '../recursion/route.ts';
import { frame, unframe } from '../serving/framing.ts';
import { withEncryption } from './encrypted.ts';
import { createUpstream, type Upstream } from './upstream.ts';

const DOT: RouteServer = { address: '198.51.100.9', port: 853, secure: { name: 'dns.example' } };
const DOH: RouteServer = {
  ...{ address: '198.51.100.9', port: 443 },
  secure: { name: 'dns.example', url: 'https://dns.example/dns-query' },
};

const sendTo = (server: RouteServer, name = 'www.example.', timeout = 3000): Send => ({
  ...{ server, transport: 'tcp', name: nameOf(name), type: 1, edns: true },
  ...{ recursionDesired: true, timeout },
});

let runtime: FakeRuntime;
let upstream: Upstream;
let heard: { query: Message; bytes: number; connection: Connection }[];
let connections: Connection[];
let logged: string[];

const answerTo = (query: Message, more: Partial<Message> = {}): Message => ({
  ...query,
  response: true,
  answers: query.questions.map(({ name }) => ({ ...recordOf('x. A 192.0.2.1'), owner: name })),
  ...more,
});

/** A server under TLS; `answer` gives what to write for each question, now or later. */
async function listen(answer: (query: Message, connection: Connection) => void): Promise<void> {
  const host = runtime.network.join(DOT.address);
  await host.tcp.listen(DOT, (connection) => {
    connections.push(connection);
    void (async () => {
      for await (const data of unframe(connection.received())) {
        const decoded = decodeMessage(data);
        if (!decoded.ok) throw new Error(decoded.reason);
        heard.push({ query: decoded.message, bytes: data.length, connection });
        answer(decoded.message, connection);
      }
    })();
  });
}

const write = (connection: Connection, message: Message) =>
  void connection.write(frame(encodeMessage(message)));

beforeEach(() => {
  logged = [];
  runtime = fakeRuntime();
  heard = [];
  connections = [];
  const log = (_: string, event: string) => void logged.push(event);
  const plain = createUpstream(runtime, { sources: [], randomiseCase: true });
  upstream = withEncryption({ ...runtime, log }, plain, { sources: [], udpSize: 1232 });
});

async function ask(send: Send): Promise<Event> {
  const event = upstream.ask(send);
  await runtime.clock.advance(send.timeout + 10);
  return event;
}

const nameIn = (event: Event) =>
  event.kind === 'reply' ? printName(event.message.questions[0]?.name ?? nameOf('.')) : event.kind;

describe('over TLS', () => {
  test('questions share a connection, and answers come in any order', async () => {
    const waiting: [Message, Connection][] = [];
    await listen((query, connection) => {
      waiting.push([query, connection]);
      if (waiting.length < 3) return;
      for (const [each, to] of waiting.splice(0).reverse()) write(to, answerTo(each));
    });
    const names = ['a.example.', 'b.example.', 'c.example.'];
    const events = names.map((name) => upstream.ask(sendTo(DOT, name)));
    await runtime.clock.advance(100);
    expect((await Promise.all(events)).map(nameIn)).toEqual(names);
    expect(connections).toHaveLength(1);
    expect(new Set(heard.map(({ query }) => query.id)).size).toBe(3);
    // Their lengths tell nothing, and no cookie says who asks (RFC 8467 §4.1).
    expect(heard.every(({ bytes }) => bytes % 128 === 0)).toBe(true);
    expect(heard.flatMap(({ query }) => query.edns?.options.map(({ code }) => code))).toEqual([
      12, 12, 12,
    ]);
  });

  test.each<{ reply: (query: Message) => Message; why: string }>([
    { reply: (query) => answerTo(query, { id: query.id ^ 1 }), why: 'another id' },
    { reply: (query) => answerTo(query, { questions: [] }), why: 'no question' },
    { reply: (query) => ({ ...query }), why: 'our own query' },
    {
      reply: (query) =>
        answerTo(query, { questions: [{ name: nameOf('evil.'), type: 1, class: 1 }] }),
      why: 'another question',
    },
  ])('$why is not the answer', async ({ reply }) => {
    await listen((query, connection) => write(connection, reply(query)));
    expect((await ask(sendTo(DOT))).kind).toBe('timeout');
  });

  test('a kept connection that was closed meanwhile costs no answer', async () => {
    await listen((query, connection) => {
      // The second question comes too late for this connection.
      if (connections.length === 1 && heard.length === 2) connection.abort();
      else write(connection, answerTo(query));
    });
    expect((await ask(sendTo(DOT))).kind).toBe('reply');
    expect((await ask(sendTo(DOT))).kind).toBe('reply');
    expect(connections).toHaveLength(2);
  });

  test('one that ends each time is not tried for ever', async () => {
    await listen((_, connection) => connection.abort());
    expect((await ask(sendTo(DOT))).kind).toBe('unreachable');
    expect(connections).toHaveLength(1);
  });

  test('a line that went dead is given up after one silence (unbound #282)', async () => {
    let isDead = false;
    await listen((query, connection) => {
      if (!isDead || connections.length > 1) write(connection, answerTo(query));
    });
    expect((await ask(sendTo(DOT))).kind).toBe('reply');
    isDead = true;
    expect((await ask(sendTo(DOT, 'x.', 500))).kind).toBe('timeout');
    expect((await ask(sendTo(DOT, 'y.', 500))).kind).toBe('reply');
  });
});

test.each([
  {
    thrown: new RuntimeError('untrusted', 'its certificate has expired'),
    event: { kind: 'unreachable', reason: 'forwarder-untrusted' },
    says: 'forwarder-untrusted',
    why: 'somebody else is there',
  },
  {
    thrown: new RuntimeError('refused', 'nobody there'),
    event: { kind: 'unreachable' },
    says: 'forwarder-unreachable',
    why: 'nobody is there',
  },
])('$why: nothing goes in the clear', async ({ thrown, event, says }) => {
  let clear = 0;
  const seams = {
    ...runtime,
    log: (_: string, word: string) => void logged.push(word),
    tls: { ...runtime.tls, connect: () => Promise.reject(thrown) },
    udp: { bind: () => Promise.reject(clear++) },
    tcp: { ...runtime.tcp, connect: () => Promise.reject(clear++) },
  };
  const plain = createUpstream(seams, { sources: [], randomiseCase: true });
  const strict = withEncryption(seams, plain, { sources: [], udpSize: 1232 });
  // Twice at once: one attempt, said once.
  expect(await Promise.all([strict.ask(sendTo(DOT)), strict.ask(sendTo(DOT))])).toEqual([
    event,
    event,
  ]);
  expect([clear, logged]).toEqual([0, [says]]);
});

describe('over HTTPS', () => {
  const serve = async (respond: (query: Message) => Response) => {
    const host = runtime.network.join(DOH.address);
    await host.http.listen(DOH, async (request) => {
      const decoded = decodeMessage(new Uint8Array(await request.arrayBuffer()));
      if (!decoded.ok) throw new Error(decoded.reason);
      const connection = undefined as unknown as Connection;
      heard.push({ query: decoded.message, bytes: 0, connection });
      return respond(decoded.message);
    });
  };
  const headers = { 'content-type': 'application/dns-message' };
  const body = (message: Message) => encodeMessage(message).slice();

  test('a message is posted, and one comes back', async () => {
    await serve((query) => new Response(body(answerTo(query)), { headers }));
    expect((await ask(sendTo(DOH))).kind).toBe('reply');
    expect(heard[0]?.query.id).toBe(0);
  });

  test.each<{ respond: (query: Message) => Response; why: string }>([
    { respond: () => new Response(null, { status: 429 }), why: 'another status' },
    { respond: (query) => new Response(body(answerTo(query))), why: 'no DNS message' },
    { respond: () => new Response(new Uint8Array(70_000), { headers }), why: 'too much' },
    {
      respond: (query) => new Response(body(answerTo(query, { id: 7 })), { headers }),
      why: 'another id than 0',
    },
  ])('unreachable: $why', async ({ respond }) => {
    await serve(respond);
    expect((await ask(sendTo(DOH))).kind).toBe('unreachable');
  });
});

test('who stopped connects to nobody any more', async () => {
  await listen((query, connection) => write(connection, answerTo(query)));
  await upstream[Symbol.asyncDispose]();
  expect((await ask(sendTo(DOT))).kind).toBe('unreachable');
  expect(connections).toHaveLength(0);
});

test('what is not set to be encrypted goes as it always did', async () => {
  const { secure: _, ...open } = DOT;
  await listen((query, connection) => write(connection, answerTo(query)));
  expect((await ask(sendTo(open))).kind).toBe('reply');
  expect(upstream.sends).toBe(1);
});
