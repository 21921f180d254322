import { describe, expect, test } from 'vitest';
import { type Connection, type Endpoint, RuntimeError } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { replyTo } from '../recursion/reply.fixture.ts';
import { frame } from './framing.ts';
import { bare, respond } from './response.ts';
import { MISSING_MILLISECONDS, startListeners } from './server.ts';
import {
  createTcpService,
  IDLE_MILLISECONDS,
  MAX_CONNECTIONS,
  MAX_CONNECTIONS_PER_CLIENT,
  MAX_IN_FLIGHT_PER_CONNECTION,
  MAX_UNREAD_BYTES,
  WRITE_MILLISECONDS,
} from './tcp-connection.ts';
import { WAITING_PER_CLIENT, WAITING_PER_NETWORK } from './waiting.ts';

const SERVER: Endpoint = { address: '192.0.2.1', port: 53 };

const queryOf = (id: number): Message =>
  replyTo('www.example.', 1, {}, { id, response: false, authoritative: false });

const empty = (query: Message) => respond(query, bare(0));

describe('UDP under load', () => {
  test.each([
    {
      clients: 1,
      each: WAITING_PER_CLIENT + 50,
      served: WAITING_PER_CLIENT,
      why: 'one address has a limit (DNSBomb)',
    },
    { clients: 2, each: 10, served: 20, why: 'others are not held up by it' },
    { clients: 30, each: 100, served: WAITING_PER_NETWORK, why: 'and a network as a whole' },
  ])('$clients × $each: $why', async ({ clients, each, served }) => {
    const runtime = fakeRuntime({ addresses: [SERVER.address] });
    const waiting: (() => void)[] = [];
    const handle = (query: Message) =>
      new Promise<Message>((resolve) => {
        waiting.push(() => resolve(empty(query)));
      });
    await using _listeners = await startListeners(runtime, [SERVER], handle);
    let answers = 0;
    for (let client = 1; client <= clients; client++) {
      const address = `198.51.100.${client}`;
      const socket = await runtime.network
        .join(address)
        .udp.bind({ address, port: 999 }, () => answers++);
      for (let id = 0; id < each; id++) socket.send(encodeMessage(queryOf(id)), SERVER);
    }
    await runtime.clock.settle();
    expect(waiting.length).toBe(served);
    for (const go of waiting) go();
    await runtime.clock.settle();
    expect(answers).toBe(served);
  });
});

test.each([
  { octets: encodeMessage(queryOf(1)), why: 'a question' },
  {
    octets: encodeMessage(queryOf(1)).subarray(0, 14),
    why: 'what is none: FORMERR can be aimed, too',
  },
])('beyond the limit there is silence about $why', async ({ octets }) => {
  const runtime = fakeRuntime({ addresses: [SERVER.address] });
  const rulings = ['serve', 'drop', 'serve'] as const;
  let turn = 0;
  const guard = { gate: () => rulings[turn++] ?? 'drop', proves: () => false };
  const handle = async (query: Message) => empty(query);
  await using _listeners = await startListeners(runtime, [SERVER], handle, guard);
  const client = { address: '198.51.100.1', port: 999 };
  let answers = 0;
  const { udp } = runtime.network.join(client.address);
  const socket = await udp.bind(client, () => answers++);
  for (let index = 0; index < 5; index++) socket.send(octets, SERVER);
  await runtime.clock.settle();
  expect(answers).toBe(2);
});

describe('an address that is not there', () => {
  const LATE: Endpoint = { address: '192.0.2.2', port: 53 };

  /** A machine that has `LATE` once `come` was called. */
  function stand() {
    const runtime = fakeRuntime({ addresses: [SERVER.address, LATE.address] });
    const logged: string[] = [];
    let isThere = false;
    let isTaken = false;
    let attempts = 0;
    const udp: typeof runtime.udp = {
      async bind(local, receive) {
        attempts++;
        if (local.address === LATE.address && !isThere) {
          throw new RuntimeError('unreachable', 'cannot assign requested address');
        }
        if (local.address === LATE.address && isTaken) {
          throw new RuntimeError('address-in-use', 'held by dnsmasq, process 7');
        }
        return runtime.udp.bind(local, receive);
      },
    };
    const log = (_: string, event: string) => void logged.push(event);
    const handle = async (query: Message) => empty(query);
    const start = (endpoints: readonly Endpoint[]) =>
      startListeners({ ...runtime, udp, log }, endpoints, handle);
    const come = () => {
      isThere = true;
    };
    const take = (isIt: boolean) => {
      isTaken = isIt;
    };
    return { runtime, logged, start, come, take, attempts: () => attempts };
  }

  test('is waited for beside one that is, and said once', async () => {
    const { runtime, logged, start, come } = stand();
    await using listeners = await start([SERVER, LATE]);
    expect([listeners.addresses.length, logged]).toEqual([1, ['listen-address-missing']]);
    await runtime.clock.advance(4 * MISSING_MILLISECONDS);
    come();
    await runtime.clock.advance(MISSING_MILLISECONDS + 1);
    expect([listeners.addresses.length, logged]).toEqual([
      2,
      ['listen-address-missing', 'listening'],
    ]);
  });

  test('and that somebody else was there first is said once, too', async () => {
    const { runtime, logged, start, come, take } = stand();
    await using _listeners = await start([SERVER, LATE]);
    come();
    take(true);
    await runtime.clock.advance(4 * MISSING_MILLISECONDS);
    take(false);
    await runtime.clock.advance(MISSING_MILLISECONDS + 1);
    expect(logged).toEqual(['listen-address-missing', 'listen-failed', 'listening']);
  });

  test('alone it is an error, as before', async () => {
    await expect(stand().start([LATE])).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('is not waited for any more when all is closed', async () => {
    const { runtime, start, attempts } = stand();
    await (await start([SERVER, LATE]))[Symbol.asyncDispose]();
    const before = attempts();
    await runtime.clock.advance(10 * MISSING_MILLISECONDS);
    expect(attempts()).toBe(before);
  });
});

/** A connection in the test's hand: what is pushed arrives, writes end when released. */
function handmade(address = '198.51.100.1') {
  const arrived: Uint8Array[] = [];
  const written: Uint8Array[] = [];
  let wake: () => void = () => undefined;
  let isOver = false;
  let isClosed = false;
  let isReading = false;
  const connection: Connection = {
    remote: { address, port: 4000 },
    async *received() {
      while (!isOver) {
        const next = arrived.shift();
        if (next !== undefined) yield next;
        else if (isClosed) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
    write: (data) => {
      written.push(data);
      return isReading ? Promise.resolve() : new Promise(() => undefined);
    },
    abort() {
      isOver = true;
      wake();
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
    },
  };
  return {
    connection,
    written,
    isOver: () => isOver,
    close() {
      isClosed = true;
      wake();
    },
    read: () => {
      isReading = true;
    },
    push(data: Uint8Array) {
      arrived.push(data);
      wake();
    },
  };
}

describe('TCP askers that take and do not give', () => {
  test('who never reads is cut off in time', async () => {
    const { clock } = fakeRuntime();
    await using service = createTcpService(clock, async (query) => empty(query));
    const { connection, push, isOver } = handmade();
    service.accept(connection);
    push(frame(encodeMessage(queryOf(1))));
    await clock.advance(WRITE_MILLISECONDS - 1);
    expect(isOver()).toBe(false);
    await clock.advance(2);
    expect(isOver()).toBe(true);
  });

  test('who asks for more than it reads is cut off at once', async () => {
    const { clock } = fakeRuntime();
    const large = Array.from({ length: 250 }, () => `www.example. TXT "${'x'.repeat(200)}"`);
    const answer = replyTo('www.example.', 16, { answers: large });
    await using service = createTcpService(clock, async ({ id }) => ({ ...answer, id }));
    const { connection, push, isOver, written } = handmade();
    service.accept(connection);
    for (let id = 0; id < 10; id++) push(frame(encodeMessage(queryOf(id))));
    await clock.settle();
    expect(isOver()).toBe(true);
    expect(written.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(
      MAX_UNREAD_BYTES,
    );
  });

  test('no more questions are read than may be under way', async () => {
    const { clock } = fakeRuntime();
    const waiting: (() => void)[] = [];
    await using service = createTcpService(
      clock,
      (query) =>
        new Promise((resolve) => {
          waiting.push(() => resolve(empty(query)));
        }),
    );
    const { connection, push, read, written } = handmade();
    read();
    service.accept(connection);
    for (let id = 0; id < 100; id++) push(frame(encodeMessage(queryOf(id))));
    await clock.settle();
    expect(waiting.length).toBe(MAX_IN_FLIGHT_PER_CONNECTION);
    waiting.shift()?.();
    await clock.settle();
    expect(waiting.length).toBe(MAX_IN_FLIGHT_PER_CONNECTION);
    expect(written.map((data) => decodeMessage(data.slice(2)))).toMatchObject([
      { message: { id: 0 } },
    ]);
  });
});

describe('TCP askers that stay', () => {
  /** A service whose answers the test gives. */
  function stand() {
    const { clock } = fakeRuntime();
    const asked: (() => void)[] = [];
    const service = createTcpService(
      clock,
      (query) =>
        new Promise((resolve) => {
          asked.push(() => resolve(empty(query)));
        }),
    );
    const accept = (address: string) => {
      const made = handmade(address);
      made.read();
      service.accept(made.connection);
      return { ...made, ask: (id = 1) => made.push(frame(encodeMessage(queryOf(id)))) };
    };
    return { clock, asked, service, accept };
  }

  test('who waits for an answer is not idle, however long that takes (RFC 7766 §3)', async () => {
    const { clock, asked, service, accept } = stand();
    await using _service = service;
    const { ask, isOver, written } = accept('198.51.100.1');
    ask();
    await clock.advance(2 * IDLE_MILLISECONDS);
    expect(isOver()).toBe(false);
    asked[0]?.();
    await clock.advance(IDLE_MILLISECONDS - 1);
    expect([isOver(), written.length]).toEqual([false, 1]);
    await clock.advance(2);
    expect(isOver()).toBe(true);
  });

  test('who asks twice gets each answer when it is there (RFC 7766 §6.2.1.1)', async () => {
    const { clock, asked, service, accept } = stand();
    await using _service = service;
    const { ask, written } = accept('198.51.100.1');
    ask(1);
    ask(2);
    await clock.settle();
    const idOf = (data: Uint8Array) => ((data[2] ?? 0) << 8) | (data[3] ?? 0);
    asked[1]?.();
    await clock.settle();
    expect(written.map(idOf)).toEqual([2]);
    asked[0]?.();
    await clock.settle();
    expect(written.map(idOf)).toEqual([2, 1]);
  });

  test('who closes its side still gets its answer', async () => {
    const { clock, asked, service, accept } = stand();
    await using _service = service;
    const { ask, close, isOver, written } = accept('198.51.100.1');
    ask();
    await clock.settle();
    close();
    await clock.advance(2 * IDLE_MILLISECONDS);
    asked[0]?.();
    await clock.settle();
    expect([isOver(), written.length]).toEqual([true, 1]);
  });

  test.each([
    { waits: [], ended: 0, why: 'the one that said nothing for longest' },
    { waits: [0, 1], ended: 2, why: 'not one that waits for its answer' },
    {
      waits: Array.from({ length: MAX_CONNECTIONS }, (_, index) => index),
      ended: 0,
      why: 'the one that asked longest ago, when all of them wait',
    },
  ])('of too many $why makes room', async ({ waits, ended }) => {
    const { clock, service, accept } = stand();
    await using _service = service;
    const all = Array.from({ length: MAX_CONNECTIONS }, (_, index) =>
      accept(`198.51.100.${Math.floor(index / MAX_CONNECTIONS_PER_CLIENT)}`),
    );
    for (const index of waits) all[index]?.ask();
    await clock.settle();
    const late = accept('203.0.113.1');
    await clock.settle();
    expect(all.flatMap(({ isOver }, index) => (isOver() ? [index] : []))).toEqual([ended]);
    expect(late.isOver()).toBe(false);
  });

  test.each([
    { net: (index: number) => `2001:db8:7:${index.toString(16)}::1`, why: 'a /48 of IPv6' },
    { net: (index: number) => `198.51.100.${index}`, why: 'a /24 of IPv4' },
  ])('$why takes from itself, also when all of it waits', async ({ net }) => {
    const { clock, service, accept } = stand();
    await using _service = service;
    const all = Array.from({ length: MAX_CONNECTIONS }, (_, index) => accept(net(index)));
    for (const { ask } of all) ask();
    await clock.settle();
    const honest = [accept('203.0.113.1'), accept('2001:db8:8::1')];
    await clock.settle();
    for (let index = 0; index < 3; index++) {
      accept(net(100 + index)).ask();
      await clock.settle();
    }
    expect(honest.map(({ isOver }) => isOver())).toEqual([false, false]);
    expect(all.filter(({ isOver }) => isOver())).toHaveLength(5);
  });

  test('one address has a limit, and its own are not ended for it', async () => {
    const { clock, service, accept } = stand();
    await using _service = service;
    const all = Array.from({ length: MAX_CONNECTIONS_PER_CLIENT + 1 }, () => accept('192.0.2.7'));
    await clock.settle();
    expect(all.map(({ isOver }) => isOver()).indexOf(true)).toBe(MAX_CONNECTIONS_PER_CLIENT);
  });
});
