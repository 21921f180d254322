import { beforeEach, describe, expect, test } from 'vitest';
import { type Endpoint, RuntimeError, type Udp } from '#runtime';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import { OPTION } from '../message/edns-option.ts';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { printName } from '../message/name.ts';
import type { Event, Send } from '../recursion/frame.ts';
import { nameOf, recordOf } from '../recursion/reply.fixture.ts';
import { MAX_KEPT } from './ports.ts';
import { createUpstream, type Upstream } from './upstream.ts';

const SERVER: Endpoint = { address: '198.51.100.1', port: 53 };

const SEND: Send = {
  server: SERVER,
  transport: 'udp',
  name: nameOf('www.long-enough-for-chance.example.'),
  type: 1,
  edns: true,
  recursionDesired: false,
  timeout: 500,
};

let runtime: FakeRuntime;
let sent: {
  query: Message;
  local: Endpoint;
  deliver: (data: Uint8Array, from?: Endpoint) => void;
}[];
let upstream: Upstream;

beforeEach(() => {
  runtime = fakeRuntime();
  sent = [];
  const udp: Udp = {
    async bind(local, receive) {
      return {
        local,
        send(data) {
          const decoded = decodeMessage(data);
          if (!decoded.ok) throw new Error(decoded.reason);
          sent.push({
            query: decoded.message,
            local,
            deliver: (reply, from = SERVER) => receive(reply, from),
          });
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
  upstream = createUpstream({ ...runtime, udp }, { sources: [], randomiseCase: true });
});

const right = (query: Message): Message => ({
  ...query,
  response: true,
  authoritative: true,
  answers: query.questions.map(({ name }) => ({ ...recordOf('x. A 192.0.2.1'), owner: name })),
});

/** Asks, lets `reply` answer, waits; what came of it within the timeout. */
async function ask(
  reply: (query: Message) => [Message | Uint8Array, Endpoint?][],
  send: Send = SEND,
): Promise<Event> {
  const event = upstream.ask(send);
  await runtime.clock.settle();
  const [last] = sent.slice(-1);
  if (last === undefined) throw new Error('nothing was sent');
  for (const [data, from] of reply(last.query)) {
    last.deliver(data instanceof Uint8Array ? data : encodeMessage(data), from);
  }
  await runtime.clock.advance(1000);
  return event;
}

const otherQuestion = (query: Message) => ({
  ...right(query),
  questions: [{ name: nameOf('evil.'), type: 1, class: 1 }],
});
const lowered = (query: Message) => ({
  ...right(query),
  questions: [{ name: SEND.name, type: 1, class: 1 }],
});

const withCookie = (query: Message, data: Uint8Array): Message => ({
  ...right(query),
  edns: { udpSize: 1232, version: 0, dnssecOk: true, options: [{ code: OPTION.COOKIE, data }] },
});
const cookieIn = ({ edns }: Message) => edns?.options[0]?.data ?? new Uint8Array(0);

test.each<{
  reply: (query: Message) => [Message | Uint8Array, Endpoint?][];
  is: Event['kind'];
  why: string;
}>([
  { reply: (query) => [[right(query)]], is: 'reply', why: 'the right one' },
  { reply: () => [], is: 'timeout', why: 'nothing' },
  {
    reply: (query) => [[right(query), { address: '203.0.113.66', port: 53 }]],
    is: 'timeout',
    why: 'from another address',
  },
  {
    reply: (query) => [[right(query), { address: SERVER.address, port: 5353 }]],
    is: 'timeout',
    why: 'from another port',
  },
  { reply: (query) => [[{ ...right(query), id: query.id ^ 1 }]], is: 'forged', why: 'another id' },
  { reply: (query) => [[otherQuestion(query)]], is: 'forged', why: 'another question' },
  { reply: (query) => [[lowered(query)]], is: 'forged', why: 'the name in other letters (0x20)' },
  { reply: (query) => [[{ ...right(query), questions: [] }]], is: 'forged', why: 'no question' },
  {
    reply: (query) => [[{ ...query, response: false }]],
    is: 'timeout',
    why: 'our own query comes back',
  },
  { reply: (query) => [[{ ...right(query), opcode: 5 }]], is: 'timeout', why: 'another opcode' },
  {
    reply: (query) => [[encodeMessage(right(query)).slice(0, -3)]],
    is: 'timeout',
    why: 'cut short',
  },
  {
    reply: (query) => [
      [new Uint8Array(3)],
      [encodeMessage(right(query)).slice(0, -3)],
      [right(query)],
    ],
    is: 'reply',
    why: 'the valid one is awaited (TuDoor)',
  },
  {
    reply: (query) => [[withCookie(query, new Uint8Array(24))]],
    is: 'forged',
    why: 'another cookie than ours (RFC 7873 §5.3)',
  },
  {
    reply: (query) => [[{ ...right(query), rcode: 1, questions: [], answers: [] }]],
    is: 'reply',
    why: 'FORMERR of a server older than EDNS',
  },
])('$is: $why', async ({ reply, is }) => {
  expect((await ask(reply)).kind).toBe(is);
});

test('a cookie is shown again, and then every datagram must have it', async () => {
  const server = new Uint8Array(16).fill(5);
  const give = (query: Message): [Message][] => [
    [withCookie(query, Uint8Array.of(...cookieIn(query).subarray(0, 8), ...server))],
  ];
  expect((await ask(give)).kind).toBe('reply');
  expect((await ask(give)).kind).toBe('reply');
  const [first, second] = sent.map(({ query }) => cookieIn(query));
  expect(first).toHaveLength(8);
  expect(second).toEqual(Uint8Array.of(...(first ?? []), ...server));
  const bare = (query: Message): [Message][] => [
    [{ ...right(query), edns: { udpSize: 1232, version: 0, dnssecOk: true, options: [] } }],
  ];
  expect((await ask(bare)).kind).toBe('forged');
});

test('ids, ports and letters are random for each question', async () => {
  for (let i = 0; i < 20; i++) await ask((query) => [[right(query)]]);
  for (const view of [
    sent.map(({ query }) => query.id),
    sent.map(({ local }) => local.port),
    sent.map(({ query }) => printName(query.questions[0]?.name ?? SEND.name)),
  ]) {
    expect(new Set<number | string>(view).size).toBeGreaterThan(15);
  }
});

test('the random letters do not reach the answer', async () => {
  const event = await ask((query) => [[right(query)]]);
  const names =
    event.kind === 'reply' ? event.message.answers.map(({ owner }) => printName(owner)) : [];
  expect(names).toEqual([printName(SEND.name)]);
});

describe('a server that changes letters', () => {
  test('is known after its answer over TCP, and not tried again', async () => {
    const host = runtime.network.join(SERVER.address);
    await host.tcp.listen(SERVER, (connection) => {
      void (async () => {
        for await (const data of connection.received()) {
          const decoded = decodeMessage(data.slice(2));
          if (!decoded.ok) return;
          const reply = encodeMessage(lowered(decoded.message));
          await connection.write(new Uint8Array([0, reply.length, ...reply]));
        }
      })();
    });
    expect((await ask((query) => [[lowered(query)]])).kind).toBe('forged');
    const overTcp = upstream.ask({ ...SEND, transport: 'tcp' });
    await runtime.clock.advance(1000);
    expect((await overTcp).kind).toBe('reply');
    // Nor for who asks us in letters of both sizes.
    const mixed = { ...SEND, name: nameOf(printName(SEND.name).toUpperCase()) };
    expect((await ask((query) => [[lowered(query)]], mixed)).kind).toBe('reply');
    expect(sent.at(-1)?.query.questions[0]?.name.wire).toEqual(SEND.name.wire);
  });
});

describe('a server that may change letters and has no TCP', () => {
  const PLAIN: Send = { ...SEND, name: nameOf('WwW.Example.'), agreement: { asks: 1 } };
  const inLetters = (text: string) => (query: Message) => ({
    ...right(query),
    questions: [{ name: nameOf(text), type: 1, class: 1 }],
  });

  test('is told from one whose replies do not fit otherwise', async () => {
    expect(await ask((query) => [[lowered(query)]])).toEqual({ kind: 'forged', isOnlyCase: true });
    expect(await ask((query) => [[{ ...lowered(query), id: query.id ^ 1 }]])).toEqual({
      kind: 'forged',
    });
    expect(await ask((query) => [[otherQuestion(query)]])).toEqual({ kind: 'forged' });
  });

  test.each<{ reply: (query: Message) => Message; is: Event['kind']; why: string }>([
    { reply: inLetters('www.example.'), is: 'reply', why: 'as it was asked' },
    { reply: inLetters('WWW.EXAMPLE.'), is: 'reply', why: 'in its own letters' },
    { reply: inLetters('www.evil.'), is: 'forged', why: 'another name' },
    { reply: (query) => ({ ...right(query), id: query.id ^ 1 }), is: 'forged', why: 'another id' },
    {
      reply: (query) => withCookie(query, new Uint8Array(24)),
      is: 'forged',
      why: 'another cookie than ours',
    },
  ])('$is, asked in plain letters: $why', async ({ reply, is }) => {
    expect((await ask((query) => [[reply(query)]], PLAIN)).kind).toBe(is);
    expect(sent.at(-1)?.query.questions[0]?.name.wire).toEqual(nameOf('www.example.').wire);
  });

  test('ids and ports are fresh for each question, also among many', async () => {
    const count = MAX_KEPT + 40;
    for (let i = 0; i < count; i++) {
      // Without a pause, after which old ports would be given up anyway.
      const event = upstream.ask(i < MAX_KEPT ? SEND : PLAIN);
      await runtime.clock.settle();
      const last = sent.at(-1);
      if (last !== undefined) last.deliver(encodeMessage(right(last.query)));
      expect((await event).kind).toBe('reply');
    }
    expect(new Set(sent.map(({ local }) => local.port)).size).toBe(count);
    expect(new Set(sent.slice(MAX_KEPT).map(({ query }) => query.id)).size).toBeGreaterThan(35);
  });
});

test('what cannot be reached says so at once', async () => {
  const udp: Udp = { bind: () => Promise.reject(new RuntimeError('unreachable', 'no IPv6')) };
  const cut = createUpstream({ ...runtime, udp }, { sources: [], randomiseCase: true });
  const answers = Promise.all([cut.ask(SEND), cut.ask({ ...SEND, transport: 'tcp' })]);
  await runtime.clock.settle();
  expect(await answers).toEqual([{ kind: 'unreachable' }, { kind: 'unreachable' }]);
});

test('what waited in the socket while we were busy counts', async () => {
  const event = upstream.ask(SEND);
  await runtime.clock.settle();
  const [last] = sent.slice(-1);
  if (last === undefined) throw new Error('nothing was sent');
  // At the moment the time is over, but after its timer: so Node reads sockets.
  runtime.clock.after(SEND.timeout, () => last.deliver(encodeMessage(right(last.query))));
  await runtime.clock.advance(1000);
  expect((await event).kind).toBe('reply');
});

test('closing ends what is under way', async () => {
  const event = upstream.ask(SEND);
  await runtime.clock.settle();
  await upstream[Symbol.asyncDispose]();
  expect(await event).toEqual({ kind: 'unreachable' });
  expect(await upstream.ask(SEND)).toEqual({ kind: 'unreachable' });
});
