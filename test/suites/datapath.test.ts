/**
 * The resolver on real sockets, with threads that repeat its answers and without: askers cannot tell,
 * but for the time it takes. And what only threads could get wrong: who may hear what, and when.
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createResolver,
  decodeMessage,
  encodeMessage,
  type Message,
  parseName,
  printName,
  type Resolver,
  type Ruling,
} from '#resolver';
import type { Endpoint } from '#runtime';
import { takePort } from './ports.ts';
import { realRuntime } from './real.ts';
import { PATIENCE_MS, until } from './waiting.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** 127.1.0.0/16 is one view, 127.2.0.0/16 another; everybody else has none. */
const NETWORKS = [
  { address: '127.1.0.0', bits: 16, view: 'one' },
  { address: '127.2.0.0', bits: 16, view: 'two' },
  { address: '::1', bits: 128, view: 'one' },
];
const viewOf = ({ address }: Endpoint): string | undefined =>
  address.startsWith('127.1.') || address === '::1'
    ? 'one'
    : address.startsWith('127.2.')
      ? 'two'
      : undefined;

type World = {
  readonly resolver: Resolver;
  readonly at: readonly Endpoint[];
  /** How often policy was asked. */
  readonly rulings: () => number;
  readonly state: { allowed: (from: Endpoint) => boolean; address: number };
};

/** Answers every name with one address, long.test with many. */
const answerWith =
  (ttl: number, address: number) =>
  (query: Message): Message => {
    const [question] = query.questions;
    if (question === undefined) throw new Error('no question');
    const isLong = printName(question.name).toLowerCase() === 'long.test.';
    const answers = Array.from({ length: isLong ? 60 : 1 }, (_, index) => ({
      ...{ owner: question.name, type: 1, class: 1, ttl },
      rdata: Uint8Array.of(10, 0, index, address),
    }));
    const flags = { response: true, authoritative: true, recursionAvailable: true };
    return { ...query, ...flags, answers, edns: query.edns && { ...query.edns, options: [] } };
  };

/** A resolver for whom `state` rules. */
async function openWorld(
  datapath: 'on' | 'off',
  options: {
    listen?: readonly string[];
    seconds?: number;
    ttl?: number;
    port?: number;
    /** Who answers for the zone instead of itself. */
    parent?: Endpoint;
  } = {},
): Promise<World> {
  const { listen = ['127.0.0.1'], seconds = Number.POSITIVE_INFINITY, ttl = 300 } = options;
  const { port = 0, parent } = options;
  const state = { allowed: (_: Endpoint) => true, address: 1 };
  let rulings = 0;
  const authority = { answer: (query: Message) => answerWith(ttl, state.address)(query) };
  const resolver = createResolver(realRuntime(), {
    listen: listen.map((address) => ({ address, port })),
    datapath,
    ...(parent && { forward: [parent], validate: false, localZones: false }),
    before(_, from): Ruling {
      rulings++;
      if (!state.allowed(from)) return { kind: 'refuse', ede: 18, text: 'not for you' };
      const view = viewOf(from);
      const reuse = view === undefined ? {} : { reuse: { view, seconds } };
      return { kind: 'zone', authority, isOfParent: parent !== undefined, ...reuse };
    },
  });
  opened.push(() => resolver[Symbol.asyncDispose]());
  const at = await resolver.start();
  resolver.setAskers({ exact: [], networks: NETWORKS });
  return { resolver, at, rulings: () => rulings, state };
}

type Client = { readonly socket: Socket; readonly address: string };

async function client(address: string): Promise<Client> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  opened.push(() => socket.close());
  return { socket, address };
}

function queryOf(name: string, more: Partial<Message> = {}): Message {
  const parsed = parseName(name);
  if (parsed === undefined) throw new Error(`${name} is no name`);
  return {
    ...{ id: Math.trunc(performance.now() * 10) & 0xffff, response: false, opcode: 0 },
    ...{ authoritative: false, truncated: false, recursionDesired: true },
    ...{ recursionAvailable: false, authenticData: false, checkingDisabled: false, rcode: 0 },
    questions: [{ name: parsed, type: 1, class: 1 }],
    ...{ answers: [], authorities: [], additionals: [], edns: undefined },
    ...more,
  };
}

async function exchange({ socket }: Client, to: Endpoint, octets: Uint8Array): Promise<Message> {
  const answer = once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
  socket.send(octets, to.port, to.address);
  const [data] = await answer;
  const decoded = decodeMessage(new Uint8Array(data));
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.message;
}

const ask = (from: Client, to: Endpoint | undefined, query: Message): Promise<Message> =>
  exchange(from, to ?? { address: '', port: 0 }, encodeMessage(query));

/** Threads take a moment to start; then this question is one of theirs. */
async function untilHit(world: World, from: Client): Promise<void> {
  const { hits: before } = statsOf(world);
  await until('a thread answers', async () => {
    await ask(from, world.at[0], queryOf('warm.test'));
    return statsOf(world).hits > before;
  });
}

function statsOf({ resolver }: World) {
  const { datapath } = resolver.stats();
  return typeof datapath === 'string' ? { hits: 0, misses: 0, dropped: 0 } : datapath;
}

const EDNS = { udpSize: 1232, version: 0, dnssecOk: false, options: [] };

describe.each(['on', 'off'] as const)('serving with the datapath %s', (datapath) => {
  test.each([
    { query: {}, expected: { rcode: 0, truncated: false }, why: 'a plain question' },
    { query: { edns: EDNS }, expected: { edns: { dnssecOk: false } }, why: 'EDNS' },
    {
      query: { edns: { ...EDNS, dnssecOk: true } },
      expected: { edns: { dnssecOk: true } },
      why: 'DO',
    },
    { query: { checkingDisabled: true }, expected: { checkingDisabled: true }, why: 'CD' },
    { query: { recursionDesired: false }, expected: { recursionDesired: false }, why: 'no RD' },
    { name: 'WwW.tEsT', query: {}, expected: { rcode: 0 }, why: 'letters of both sizes' },
    { name: 'long.test', query: {}, expected: { truncated: true }, why: 'too much for 512' },
    {
      name: 'long.test',
      query: { edns: EDNS },
      expected: { truncated: false },
      why: 'not too much for 1232',
    },
    { query: { opcode: 2 }, expected: { rcode: 4 }, why: 'another opcode' },
    { query: { edns: { ...EDNS, version: 1 } }, expected: { rcode: 16 }, why: 'EDNS version 1' },
  ])('three times the same: $why', async ({ name = 'www.test', query, expected }) => {
    const world = await openWorld(datapath);
    const from = await client('127.1.0.1');
    if (datapath === 'on') await untilHit(world, from);
    for (let turn = 0; turn < 3; turn++) {
      const sent = queryOf(name, { ...query, id: 1_000 + turn });
      const answer = await ask(from, world.at[0], sent);
      expect(answer).toMatchObject({ id: 1_000 + turn, response: true, ...expected });
      expect(answer.questions[0]?.name.wire).toEqual(sent.questions[0]?.name.wire);
    }
  });

  test.each([
    { octets: '123401000001000000000000', rcode: 1, why: 'a question is announced and missing' },
    { octets: '12340100ffffffffffffffff', rcode: 1, why: 'counts of 65535' },
    { octets: `1234010000010000000000003f${'61'.repeat(10)}`, rcode: 1, why: 'a label cut off' },
    { octets: `123401000001000000000000${'00'.repeat(4_000)}`, rcode: 1, why: 'far too long' },
  ])('FORMERR: $why', async ({ octets, rcode }) => {
    const world = await openWorld(datapath);
    const from = await client('127.1.0.1');
    const answer = await exchange(
      from,
      world.at[0] as Endpoint,
      new Uint8Array(Buffer.from(octets, 'hex')),
    );
    expect(answer).toMatchObject({ id: 0x1234, rcode });
  });

  test('responses and scraps get silence', async () => {
    const world = await openWorld(datapath);
    const from = await client('127.1.0.1');
    const [to] = world.at;
    for (const octets of ['', '12', '1234810000010000000000000000010001']) {
      from.socket.send(Buffer.from(octets, 'hex'), to?.port, to?.address);
    }
    const answer = await ask(from, to, queryOf('last.test', { id: 9 }));
    expect(answer.id).toBe(9);
  });

  test('several sockets, both families', async () => {
    const world = await openWorld(datapath, { listen: ['127.0.0.1', '::1', '127.0.0.2'] });
    for (const [index, address] of ['127.1.0.1', '::1', '127.2.0.1'].entries()) {
      const from = await client(address);
      for (let turn = 0; turn < 3; turn++) {
        const answer = await ask(from, world.at[index], queryOf('www.test', { id: turn }));
        expect(answer).toMatchObject({ id: turn, rcode: 0 });
      }
    }
  });
});

test('a repeated question is not ruled on again, and the live log hears of it', async () => {
  const world = await openWorld('on');
  const heard: string[] = [];
  world.resolver.onAnswer(({ name, from, asker, rcode }) =>
    heard.push(`${name} ${rcode} ${from} ${asker.address}`),
  );
  const from = await client('127.1.0.1');
  await untilHit(world, from);
  await ask(from, world.at[0], queryOf('www.test'));
  const before = world.rulings();
  heard.length = 0;
  for (let turn = 0; turn < 20; turn++) await ask(from, world.at[0], queryOf('www.test'));
  expect(world.rulings()).toBe(before);
  const isWww = (line: string) => line === 'www.test. NOERROR zone 127.1.0.1';
  await until('all of it is told', () => heard.filter(isWww).length >= 20);
  expect(heard.filter(isWww)).toHaveLength(20);
  expect(world.resolver.stats().questions).toBeGreaterThan(20);
});

test('each view has its own answers, and who has none is ruled on each time', async () => {
  const world = await openWorld('on');
  const one = await client('127.1.0.1');
  const two = await client('127.2.0.1');
  const none = await client('127.3.0.1');
  await untilHit(world, one);
  world.state.allowed = ({ address }) => address.startsWith('127.1.');
  for (let turn = 0; turn < 3; turn++) {
    expect(await ask(one, world.at[0], queryOf('www.test'))).toMatchObject({ rcode: 0 });
    expect(await ask(two, world.at[0], queryOf('www.test'))).toMatchObject({ rcode: 5 });
    expect(await ask(none, world.at[0], queryOf('www.test'))).toMatchObject({ rcode: 5 });
  }
});

test('questions with options are for the main thread', async () => {
  const world = await openWorld('on');
  const from = await client('127.1.0.1');
  await untilHit(world, from);
  const before = world.rulings();
  const edns = { ...EDNS, options: [{ code: 8, data: Uint8Array.of(0, 1, 0, 0) }] };
  for (let turn = 0; turn < 3; turn++) await ask(from, world.at[0], queryOf('www.test', { edns }));
  expect(world.rulings()).toBe(before + 3);
});

const ttlOf = async (world: World, from: Client) =>
  (await ask(from, world.at[0], queryOf('www.test'))).answers[0]?.ttl;

test('TTLs count down while a ruling has an end', async () => {
  const world = await openWorld('on', { seconds: 3_600, ttl: 300 });
  const from = await client('127.1.0.1');
  await untilHit(world, from);
  expect(await ttlOf(world, from)).toBe(300);
  const rulings = world.rulings();
  await until('a second has passed', async () => ((await ttlOf(world, from)) ?? 300) < 300, 100);
  expect(world.rulings()).toBe(rulings);
});

test('TTLs count down of what is our zone’s parent’s', async () => {
  const { socket } = await client('127.0.0.1');
  socket.on('message', (data, { address, port }) => {
    const query = decodeMessage(new Uint8Array(data));
    if (query.ok) socket.send(encodeMessage(answerWith(300, 2)(query.message)), port, address);
  });
  const { address, port } = socket.address();
  const world = await openWorld('on', { parent: { address, port } });
  const from = await client('127.1.0.1');
  await untilHit(world, from);
  expect(await ttlOf(world, from)).toBe(300);
  const rulings = world.rulings();
  await until('a second has passed', async () => ((await ttlOf(world, from)) ?? 300) < 300, 100);
  expect(world.rulings()).toBe(rulings);
});

test('an answer ends with the ruling that it rests on', async () => {
  const world = await openWorld('on', { seconds: 2, ttl: 300 });
  const from = await client('127.1.0.1');
  await untilHit(world, from);
  await ttlOf(world, from);
  const rulings = world.rulings();
  await until('it is ruled on again', async () => {
    await ttlOf(world, from);
    return world.rulings() > rulings;
  });
  expect(await ttlOf(world, from)).toBeGreaterThan(290);
});

test('what policy denies is denied at once, while two clients hammer', async () => {
  const world = await openWorld('on');
  const clients = await Promise.all([client('127.1.0.1'), client('127.1.0.2')]);
  for (const each of clients) await untilHit(world, each);
  const late: string[] = [];
  const asked = [0, 0];
  const CHANGES = 16;
  let changes = 0;
  let isAllowed = true;
  async function hammer(from: Client, index: number): Promise<void> {
    while (changes < CHANGES) {
      const askedAt = changes;
      const name = `name${(asked[index] ?? 0) % 5}.test`;
      const { rcode } = await ask(from, world.at[0], queryOf(name));
      asked[index] = (asked[index] ?? 0) + 1;
      // Asked after the decision that still holds: no grace at all.
      if (!isAllowed && askedAt === changes && rcode === 0) late.push(`${name} after ${changes}`);
    }
  }
  async function flip(): Promise<void> {
    while (changes < CHANGES) {
      // Both have asked, and threads have answered, since the last decision.
      const before = [...asked];
      const { hits } = statsOf(world);
      const isUsed = () =>
        asked.every((count, index) => count > (before[index] ?? 0) + 20) &&
        (!isAllowed || statsOf(world).hits > hits + 10);
      await until('it is asked and answered', isUsed, 5);
      isAllowed = !isAllowed;
      const next = isAllowed;
      world.state.allowed = () => next;
      world.resolver.setAskers({ exact: [], networks: NETWORKS });
      changes++;
    }
  }
  await Promise.all([flip(), ...clients.map(hammer)]);
  expect(late).toEqual([]);
});

test('an answer on its way while policy changes is not kept', async () => {
  const runtime = realRuntime();
  const gate = Promise.withResolvers<Ruling>();
  let rulings = 0;
  const authority = { answer: answerWith(300, 1) };
  const resolver = createResolver(runtime, {
    listen: [{ address: '127.0.0.1', port: 0 }],
    datapath: 'on',
    before: () => {
      rulings++;
      return rulings === 1 ? gate.promise : { kind: 'refuse', ede: 18, text: 'no more' };
    },
  });
  opened.push(() => resolver[Symbol.asyncDispose]());
  const [to] = await resolver.start();
  resolver.setAskers({ exact: [], networks: NETWORKS });
  const from = await client('127.1.0.1');
  const first = ask(from, to, queryOf('www.test'));
  while (rulings === 0) await pause(10);
  resolver.setAskers({ exact: [], networks: NETWORKS });
  gate.resolve({ kind: 'zone', authority, reuse: { view: 'one', seconds: 100 } });
  expect(await first).toMatchObject({ rcode: 0 });
  for (let turn = 0; turn < 3; turn++) {
    expect(await ask(from, to, queryOf('www.test'))).toMatchObject({ rcode: 5 });
  }
});

test('it stops, and the port is free', async () => {
  const world = await openWorld('on', { listen: ['127.0.0.1', '::1'], port: await takePort() });
  const from = await client('127.1.0.1');
  await untilHit(world, from);
  await world.resolver[Symbol.asyncDispose]();
  await using again = await realRuntime().udp.bind(world.at[0] as Endpoint, () => undefined);
  expect(again.local).toEqual(world.at[0]);
});

test('where it cannot be had, auto does without and says so once, and on fails', async () => {
  const { batchUdp: _, ...runtime } = realRuntime();
  const said: unknown[][] = [];
  const listen = [{ address: '127.0.0.1', port: 0 }];
  const before = (): Ruling => ({ kind: 'refuse', ede: 18, text: 'no' });
  const seams = { ...runtime, log: (...words: unknown[]) => said.push(words) };
  const auto = createResolver(seams, { listen, before, datapath: 'auto' });
  opened.push(() => auto[Symbol.asyncDispose]());
  const [to] = await auto.start();
  const from = await client('127.1.0.1');
  expect(await ask(from, to, queryOf('www.test'))).toMatchObject({ rcode: 5 });
  expect(said).toEqual([['info', 'datapath-absent', { reason: 'not on this runtime' }]]);
  expect(auto.stats().datapath).toBe('not on this runtime');
  const on = createResolver(seams, { listen, before, datapath: 'on' });
  await expect(on.start()).rejects.toMatchObject({ name: 'RuntimeError', code: 'not-found' });
});
