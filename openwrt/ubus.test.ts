import { describe, expect, test } from 'vitest';
import type { Log } from '#runtime';
import { createUbus, type UbusObject } from './ubus.ts';
import { createHandClock, createHub, settle } from './ubus-hub.fixture.ts';
import { UBUS_MESSAGE } from './ubus-message.ts';

function createBench() {
  const hub = createHub();
  const clock = createHandClock();
  const logged: string[] = [];
  const log: Log = (_level, event) => logged.push(event);
  return { hub, clock, logged, connect: () => createUbus({ tcp: hub.tcp, clock, log }) };
}

const echo: UbusObject = {
  path: 'echo',
  methods: {
    say: { args: { text: 'string' }, call: async (args) => ({ ok: true, data: args }) },
    who: { args: {}, call: async (_args, caller) => ({ ok: true, data: caller }) },
    refuse: { args: {}, call: async () => ({ ok: false, status: 'permission-denied' }) },
    missing: { args: {}, call: async () => ({ ok: false, status: 'not-found' }) },
    break: { args: {}, call: () => Promise.reject(new Error('boom')) },
    long: {
      args: {},
      call: async () => ({ ok: true, data: { s: 'x'.repeat(2_000_000) } }),
    },
  },
};

describe('calls', () => {
  test.each([
    {
      path: 'echo',
      method: 'say',
      result: { ok: true, data: [{ text: 'hi' }] },
      why: 'an answer',
    },
    {
      path: 'echo',
      method: 'who',
      result: { ok: true, data: [{ user: 'root', group: 'root' }] },
      why: 'ubusd says who calls',
    },
    {
      path: 'echo',
      method: 'refuse',
      result: { ok: false, status: 'permission-denied' },
      why: 'a status of the method',
    },
    {
      path: 'echo',
      method: 'break',
      result: { ok: false, status: 'unknown-error' },
      why: 'a fault of the method stays ours',
    },
    {
      path: 'echo',
      method: 'long',
      result: { ok: false, status: 'no-memory' },
      why: 'an answer over 1 MiB cannot travel',
    },
    {
      path: 'echo',
      method: 'toString',
      result: { ok: false, status: 'method-not-found' },
      why: 'what every object has is no method',
    },
    {
      path: 'nobody',
      method: 'say',
      result: { ok: false, status: 'not-found' },
      why: 'no such object',
    },
  ])('$path $method: $why', async ({ path, method, result }) => {
    const bench = createBench();
    await using server = bench.connect();
    server.publish(echo);
    await using client = bench.connect();
    await settle();
    expect(await client.call(path, method, { text: 'hi' })).toEqual(result);
  });

  test('fail at once while the bus is down, and when it goes', async () => {
    const { hub, connect } = createBench();
    hub.stop();
    await using early = connect();
    expect(await early.call('echo', 'say')).toEqual({ ok: false, status: 'connection-failed' });
    hub.start();
    hub.deaf = true;
    await using client = connect();
    await settle();
    const pending = client.call('echo', 'say');
    hub.stop();
    expect(await pending).toEqual({ ok: false, status: 'connection-failed' });
  });

  test('time out', async () => {
    const { hub, clock, connect } = createBench();
    await using client = connect();
    await settle();
    hub.deaf = true;
    const pending = client.call('echo', 'say', {}, 1_000);
    await clock.advance(1_000);
    expect(await pending).toEqual({ ok: false, status: 'timeout' });
  });

  test('learn an object once, until its id is not found', async () => {
    const bench = createBench();
    const first = bench.connect();
    first.publish(echo);
    await using client = bench.connect();
    await settle();
    await client.call('echo', 'say');
    await client.call('echo', 'say');
    expect(bench.hub.heard.filter(({ type }) => type === UBUS_MESSAGE.lookup)).toHaveLength(1);
    await first[Symbol.asyncDispose]();
    await using second = bench.connect();
    second.publish(echo);
    await settle();
    expect(await client.call('echo', 'say', { again: true })).toEqual({
      ok: true,
      data: [{ again: true }],
    });
  });

  test("are not repeated when 'not found' is the method's own answer", async () => {
    const bench = createBench();
    let calls = 0;
    const call = async () => {
      calls += 1;
      return { ok: false, status: 'not-found' } as const;
    };
    await using server = bench.connect();
    server.publish({ path: 'session', methods: { access: { args: {}, call } } });
    await using client = bench.connect();
    await settle();
    await client.call('session', 'access');
    await client.call('session', 'access');
    expect(calls).toBe(2);
  });

  test.each([1, 3, 13])('survive reads of %i bytes', async (chunkSize) => {
    const bench = createBench();
    bench.hub.chunkSize = chunkSize;
    await using server = bench.connect();
    server.publish(echo);
    await using client = bench.connect();
    for (let turn = 0; turn < 20; turn += 1) await settle();
    const pending = client.call('echo', 'say', { text: 'in pieces' });
    for (let turn = 0; turn < 20; turn += 1) await settle();
    expect(await pending).toEqual({ ok: true, data: [{ text: 'in pieces' }] });
  });
});

describe('publications', () => {
  test('are back after ubusd restarts', async () => {
    const { hub, clock, connect } = createBench();
    await using ubus = connect();
    const publication = ubus.publish(echo);
    await settle();
    expect(publication.isPublished()).toBe(true);
    hub.stop();
    await settle();
    expect(publication.isPublished()).toBe(false);
    await clock.advance(5_000);
    expect(ubus.isUp()).toBe(false);
    hub.start();
    await clock.advance(30_000);
    expect(publication.isPublished()).toBe(true);
    expect(hub.paths()).toEqual(['echo']);
  });

  test('wait for a path that a predecessor still holds', async () => {
    const { clock, connect } = createBench();
    const old = connect();
    old.publish(echo);
    await settle();
    await using ubus = connect();
    const publication = ubus.publish(echo);
    await settle();
    expect(publication.isPublished()).toBe(false);
    await old[Symbol.asyncDispose]();
    await clock.advance(3_000);
    expect(publication.isPublished()).toBe(true);
  });

  test('go when disposed, also before they were granted', async () => {
    const { hub, connect } = createBench();
    await using ubus = connect();
    const early = ubus.publish(echo);
    await early[Symbol.asyncDispose]();
    const late = ubus.publish({ path: 'late', methods: {} });
    await settle();
    expect(hub.paths()).toEqual(['late']);
    await late[Symbol.asyncDispose]();
    expect(hub.paths()).toEqual([]);
  });
});

describe('subscriptions', () => {
  test('hear notifications, and again after the other side came back', async () => {
    const { clock, connect } = createBench();
    await using listener = connect();
    const heard: unknown[] = [];
    listener.subscribe('echo', (type, data) => heard.push([type, { ...data }]));
    await settle();
    const first = connect();
    const early = first.publish(echo);
    await clock.advance(3_000);
    early.notify('changed', { n: 1 });
    await settle();
    expect(heard).toEqual([['changed', { n: 1 }]]);
    await first[Symbol.asyncDispose]();
    await using second = connect();
    const late = second.publish(echo);
    await clock.advance(3_000);
    late.notify('changed', { n: 2 });
    await settle();
    expect(heard).toHaveLength(2);
  });

  test('survive a listener that fails', async () => {
    const { logged, connect } = createBench();
    await using server = connect();
    const publication = server.publish(echo);
    await settle();
    await using client = connect();
    client.subscribe('echo', () => {
      throw new Error('boom');
    });
    await settle();
    publication.notify('changed', {});
    await settle();
    expect(logged).toContain('ubus-method-failed');
    expect(client.isUp()).toBe(true);
  });
});

describe('a bus that misbehaves', () => {
  test('is left when it speaks no ubus, and tried again', async () => {
    const { hub, clock, connect } = createBench();
    await using ubus = connect();
    await settle();
    hub.shout(new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await settle();
    expect(ubus.isUp()).toBe(false);
    await clock.advance(1_000);
    expect(ubus.isUp()).toBe(true);
  });

  test('is tried ever more rarely while it is away', async () => {
    const { hub, clock, logged, connect } = createBench();
    hub.stop();
    await using ubus = connect();
    await clock.advance(600_000);
    const tries = logged.filter((event) => event === 'ubus-unreachable').length;
    expect(tries).toBeGreaterThan(15);
    expect(tries).toBeLessThan(30);
    expect(ubus.isUp()).toBe(false);
  });
});
