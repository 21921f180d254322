import { expect, test } from 'vitest';
import type { Endpoint, Udp } from '#runtime';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import { createPorts, MAX_AGE_MILLISECONDS, MAX_KEPT, MAX_USES, type Ports } from './ports.ts';

const HERE = '0.0.0.0';
const SERVER: Endpoint = { address: '198.51.100.1', port: 53 };
const DATA = new Uint8Array(12);

type Opened = { port: number; isOpen: boolean; deliver: () => void };

function start(): { ports: Ports; opened: Opened[]; runtime: FakeRuntime } {
  const runtime = fakeRuntime();
  const opened: Opened[] = [];
  const udp: Udp = {
    async bind(local, receive) {
      const each = { port: local.port, isOpen: true, deliver: () => receive(DATA, SERVER) };
      opened.push(each);
      return {
        local,
        send: () => undefined,
        async [Symbol.asyncDispose]() {
          each.isOpen = false;
        },
      };
    },
  };
  return { ports: createPorts({ ...runtime, udp }), opened, runtime };
}

/** Asks once, with `replies` coming in; the port asked from. */
async function ask(
  ports: Ports,
  opened: Opened[],
  replies = 1,
  server = SERVER,
  use?: 'once',
): Promise<number> {
  let heard = 0;
  const socket = await ports.open(HERE, server, () => heard++, use);
  const mine = opened.find(({ port, isOpen }) => isOpen && port === socket.local.port);
  for (let reply = 0; reply < replies; reply++) mine?.deliver();
  expect(heard).toBe(replies);
  await socket[Symbol.asyncDispose]();
  await socket[Symbol.asyncDispose]();
  return socket.local.port;
}

const isOpen = (opened: Opened[]) => opened.filter((each) => each.isOpen).length;

test('as long as there are few, each question has a port of its own', async () => {
  const { ports, opened } = start();
  const used = new Set<number>();
  for (let i = 0; i < MAX_KEPT; i++) used.add(await ask(ports, opened));
  expect(used.size).toBe(MAX_KEPT);
  expect(opened).toHaveLength(MAX_KEPT);
});

test('for one question only, a port is new and not kept, also among many', async () => {
  const { ports, opened } = start();
  await ask(ports, opened, 1, SERVER, 'once');
  expect(isOpen(opened)).toBe(0);
  for (let i = 0; i < MAX_KEPT; i++) await ask(ports, opened);
  for (let i = 0; i < 20; i++) await ask(ports, opened, 1, SERVER, 'once');
  expect(opened).toHaveLength(1 + MAX_KEPT + 20);
});

test('of many, ports are drawn from those kept, and none is used for long', async () => {
  const { ports, opened } = start();
  const uses = new Map<number, number>();
  for (let i = 0; i < 5_000; i++) {
    const port = await ask(ports, opened);
    const socket = opened.findLastIndex((each) => each.port === port);
    uses.set(socket, (uses.get(socket) ?? 0) + 1);
    expect(isOpen(opened)).toBeLessThanOrEqual(MAX_KEPT + 1);
  }
  expect(Math.max(...uses.values())).toBeLessThanOrEqual(MAX_USES);
  expect(uses.size).toBeGreaterThan(5_000 / MAX_USES);
});

test('a port that one server saw is never another one’s', async () => {
  const { ports, opened } = start();
  const seen = new Map<number, string>();
  for (let i = 0; i < 5_000; i++) {
    const address = `198.51.100.${i % 7}`;
    const port = await ask(ports, opened, 1, { ...SERVER, address });
    expect(seen.get(port) ?? address).toBe(address);
    seen.set(port, address);
    // Ports may be drawn again once they are closed.
    for (const each of opened) if (!each.isOpen) seen.delete(each.port);
  }
  expect(opened.length).toBeLessThan(2_500);
});

test('servers that are asked once do not keep others from using their ports again', async () => {
  const { ports, opened } = start();
  for (let i = 0; i < 2 * MAX_KEPT; i++) {
    await ask(ports, opened, 1, { ...SERVER, address: `192.0.2.${i}` });
  }
  const before = opened.length;
  for (let i = 0; i < 32; i++) await ask(ports, opened);
  expect(opened.length - before).toBeLessThan(8);
});

test.each([
  { replies: 0, why: 'no reply: a late one is not for the next question' },
  { replies: 2, why: 'more than one: somebody guesses' },
])('is not used again after $why', async ({ replies }) => {
  const { ports, opened } = start();
  for (let i = 0; i < 3; i++) await ask(ports, opened, replies);
  expect(isOpen(opened)).toBe(0);
});

test('nor after it got what nobody waited for', async () => {
  const { ports, opened } = start();
  await ask(ports, opened);
  opened[0]?.deliver();
  expect(isOpen(opened)).toBe(0);
});

test('nor after it was spoiled', async () => {
  const { ports, opened } = start();
  const socket = await ports.open(HERE, SERVER, () => undefined);
  opened[0]?.deliver();
  socket.spoil();
  await socket[Symbol.asyncDispose]();
  expect(isOpen(opened)).toBe(0);
});

test('nor when it is old; then it is closed', async () => {
  const { ports, opened, runtime } = start();
  for (let i = 0; i < 10; i++) await ask(ports, opened);
  await runtime.clock.advance(2 * MAX_AGE_MILLISECONDS);
  expect(isOpen(opened)).toBe(0);
});

test('equal questions under way never share a port', async () => {
  const { ports, opened } = start();
  for (let i = 0; i < MAX_KEPT; i++) await ask(ports, opened);
  const sockets = await Promise.all(
    Array.from({ length: 100 }, () => ports.open(HERE, SERVER, () => undefined)),
  );
  expect(new Set(sockets.map(({ local }) => local.port)).size).toBe(100);
});

test('closing leaves nothing open, also of what comes back later', async () => {
  const { ports, opened } = start();
  await ask(ports, opened);
  const late = await ports.open(HERE, SERVER, () => undefined);
  await ports[Symbol.asyncDispose]();
  await late[Symbol.asyncDispose]();
  expect(isOpen(opened)).toBe(0);
});
