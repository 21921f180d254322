/** Batched datagrams on real sockets, with threads that do something simple. */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import type { BatchSocket, BatchThreads, BatchUdp, Endpoint } from '#runtime';
import { ORDER, ROUTE_AT } from './batch-serve.ts';
import { takePort } from './ports.ts';
import { realRuntime } from './real.ts';

const MODULE = new URL('./batch-serve.ts', import.meta.url);

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function openBatch(): Promise<BatchUdp> {
  const batch = await realRuntime().batchUdp?.();
  if (batch === undefined || typeof batch === 'string') throw new Error(`no batches: ${batch}`);
  return batch;
}

type Served = {
  readonly sockets: readonly BatchSocket[];
  readonly threads: BatchThreads;
  readonly shared: SharedArrayBuffer;
  readonly heard: [number, number][];
};

async function serve(...locals: Endpoint[]): Promise<Served> {
  const batch = await openBatch();
  const sockets: BatchSocket[] = [];
  for (const local of locals) sockets.push(await batch.bind(local));
  const shared = new SharedArrayBuffer(512);
  const heard: [number, number][] = [];
  const threads = batch.start(sockets, {
    module: MODULE,
    shared,
    hear: (thread, sound) => heard.push([thread, sound]),
  });
  opened.push(async () => {
    await threads.stop();
    for (const socket of sockets) socket.close();
  });
  return { sockets, threads, shared, heard };
}

async function client(address: string): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  opened.push(() => socket.close());
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

/** Sends until the same comes back: threads take a moment to start. */
async function untilEchoed(socket: Socket, to: Endpoint, ...octets: number[]): Promise<void> {
  const sent = Uint8Array.of(ORDER.echo, ...octets);
  const echoed = Promise.withResolvers<void>();
  // Of what was sent before there may be echoes, too.
  const hear = (data: Buffer) => {
    if (data.equals(sent)) echoed.resolve();
  };
  socket.on('message', hear);
  const send = () => socket.send(sent, to.port, to.address);
  const repeat = setInterval(send, 100);
  send();
  try {
    await echoed.promise;
  } finally {
    clearInterval(repeat);
    socket.off('message', hear);
  }
}

test.each([
  { locals: ['127.0.0.1'], why: 'one socket' },
  { locals: ['127.0.0.1', '::1'], why: 'two' },
  { locals: ['0.0.0.0', '::'], why: 'all addresses of both families' },
])('datagrams are answered by threads on $why', async ({ locals }) => {
  const { sockets } = await serve(...locals.map((address) => ({ address, port: 0 })));
  for (const { local } of sockets) {
    const isLong = local.address.includes(':');
    const target = isLong ? '::1' : '127.0.0.1';
    const socket = await client(target);
    await untilEchoed(socket, { ...local, address: target }, 5, 6);
  }
});

test.each(['127.0.0.2', '127.0.0.3'])(
  'a reply leaves from %s when that was asked',
  async (address) => {
    const { sockets } = await serve({ address: '0.0.0.0', port: 0 });
    const port = sockets[0]?.local.port ?? 0;
    const socket = await client('127.0.0.1');
    // A connected socket hears nobody else.
    socket.connect(port, address);
    await once(socket, 'connect');
    const answer = once(socket, 'message');
    const repeat = setInterval(() => socket.send(Uint8Array.of(ORDER.echo, 9)), 100);
    const [data, from] = await answer;
    clearInterval(repeat);
    expect([...data]).toEqual([1, 9]);
    expect(from.address).toBe(address);
  },
);

test('what a thread passes on is answered by the main one, on the same way', async () => {
  const { sockets, heard, shared } = await serve(
    { address: '127.0.0.1', port: 0 },
    { address: '0.0.0.0', port: 0 },
  );
  const port = sockets[1]?.local.port ?? 0;
  const socket = await client('127.0.0.1');
  const answer = once(socket, 'message');
  const repeat = setInterval(
    () => socket.send(Uint8Array.of(ORDER.pass, 1), port, '127.0.0.4'),
    100,
  );
  while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  clearInterval(repeat);
  const bytes = new Uint8Array(shared);
  sockets[bytes[ROUTE_AT] ?? 0]?.send(Uint8Array.of(8, 8), bytes.slice(ROUTE_AT + 1, 200));
  const [data, from] = await answer;
  expect([...data]).toEqual([8, 8]);
  expect(from).toMatchObject({ address: '127.0.0.4', port });
  expect(heard[0]?.[1]).toBe(7);
});

test('a thread that fails is started again', async () => {
  const { sockets, threads } = await serve({ address: '127.0.0.1', port: 0 });
  const to = sockets[0]?.local ?? { address: '', port: 0 };
  const socket = await client('127.0.0.1');
  await untilEchoed(socket, to);
  socket.send(Uint8Array.of(ORDER.fail), to.port, to.address);
  while (threads.restarts === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await untilEchoed(socket, to, 2);
});

test('threads stop when told to, also ones that never heard anything', async () => {
  const { sockets, threads } = await serve(
    { address: '127.0.0.1', port: 0 },
    { address: '::1', port: 0 },
  );
  const socket = await client('127.0.0.1');
  await untilEchoed(socket, sockets[0]?.local ?? { address: '', port: 0 });
  await threads.stop();
  const again = await client('127.0.0.1');
  const heard: unknown[] = [];
  again.on('message', (data) => heard.push(data));
  again.send(Uint8Array.of(ORDER.echo), sockets[0]?.local.port ?? 0, '127.0.0.1');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toEqual([]);
});

test('a port that is taken is address-in-use, and a closed one is free', async () => {
  const batch = await openBatch();
  const socket = await batch.bind({ address: '127.0.0.1', port: await takePort() });
  opened.push(() => socket.close());
  const again = (await openBatch()).bind(socket.local);
  await expect(again).rejects.toMatchObject({ name: 'RuntimeError', code: 'address-in-use' });
  const plain = realRuntime().udp.bind(socket.local, () => undefined);
  await expect(plain).rejects.toMatchObject({ code: 'address-in-use' });
  socket.close();
  socket.close();
  await using free = await realRuntime().udp.bind(socket.local, () => undefined);
  expect(free.local).toEqual(socket.local);
});

test.each([
  { address: '198.51.100.77', code: 'unreachable', why: 'of somebody else' },
  { address: 'nonsense', code: 'unreachable', why: 'that is none' },
])('an address $why fails as $code', async ({ address, code }) => {
  const bound = (await openBatch()).bind({ address, port: 0 });
  await expect(bound).rejects.toMatchObject({ name: 'RuntimeError', code });
});
