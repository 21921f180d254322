import { describe, expect, test } from 'vitest';
import { type Endpoint, RuntimeError, type Udp, type UdpSocket } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { answering, LOOK_MILLISECONDS, MAX_MISSED, REFUSED_LOOKS } from './everywhere.ts';

const ONE = '192.0.2.1';
const TWO = '198.51.100.1';
const SIX = '2001:db8::1';
const CLIENT = { address: '203.0.113.9', port: 999 };
const ANY = { address: '0.0.0.0', port: 53 };

/** A host that answers everything, whose addresses can be changed, and somebody who asks. */
async function start(wanted: Endpoint = ANY, here: string[] = [ONE, TWO, SIX]) {
  const runtime = fakeRuntime({ addresses: [ONE, TWO, SIX] });
  const failing = new Map<string, RuntimeError>();
  let links = 0;
  const bound: string[] = [];
  const tried: string[] = [];
  const udp: Udp = {
    addresses: () => here.map((address) => ({ address, link: links })),
    async bind(local, receive) {
      tried.push(local.address);
      const failure = failing.get(local.address);
      if (failure !== undefined) throw failure;
      bound.push(local.address);
      return runtime.udp.bind(local, receive);
    },
  };
  const open = async (): Promise<UdpSocket> => {
    const socket: UdpSocket = await answering({ ...runtime, udp }).bind(wanted, (data, from) =>
      socket.send(data, from),
    );
    return socket;
  };
  const client = runtime.network.join(CLIENT.address);
  /** Which address answers when `address` is asked. */
  const ask = async (address: string, port = wanted.port): Promise<string | undefined> => {
    let answered: string | undefined;
    await using asker = await client.udp.bind(CLIENT, (_data, from) => {
      answered = from.address;
    });
    asker.send(Uint8Array.of(1), { address, port });
    await runtime.clock.settle();
    return answered;
  };
  return { runtime, here, failing, bound, tried, open, ask, renumber: () => links++ };
}

test('an answer leaves from the address that was asked', async () => {
  const { open, ask, bound } = await start();
  await using socket = await open();
  expect(socket.local).toEqual(ANY);
  expect([await ask(ONE), await ask(TWO)]).toEqual([ONE, TWO]);
  expect(bound).toEqual(['0.0.0.0', ONE, TWO]);
});

test('each family has its own', async () => {
  const { open, bound } = await start({ address: '::', port: 53 });
  await using _socket = await open();
  expect(bound).toEqual(['::', SIX]);
});

test('a port that the kernel chooses is the same for all', async () => {
  const { open, ask } = await start({ address: '0.0.0.0', port: 0 });
  await using socket = await open();
  const { port } = socket.local;
  expect(port).toBeGreaterThan(0);
  expect([await ask(ONE, port), await ask(TWO, port)]).toEqual([ONE, TWO]);
});

test.each([
  { wanted: { address: TWO, port: 53 }, addresses: [ONE], why: 'one address is wanted' },
  { wanted: ANY, addresses: undefined, why: 'nobody can tell which there are' },
])('one socket where $why', async ({ wanted, addresses }) => {
  const { udp } = fakeRuntime({ addresses: [ONE, TWO] });
  const bound: Endpoint[] = [];
  const seam: Udp = {
    addresses: () => addresses?.map((address) => ({ address, link: 0 })),
    bind(local, receive) {
      bound.push(local);
      return udp.bind(local, receive);
    },
  };
  await using _socket = await answering({ ...fakeRuntime(), udp: seam }).bind(
    wanted,
    () => undefined,
  );
  expect(bound).toEqual([wanted]);
});

describe('addresses come and go', () => {
  test('one that comes is served soon, also when there was none before', async () => {
    const { runtime, here, open, ask } = await start(ANY, []);
    await using _socket = await open();
    for (const address of [ONE, TWO]) {
      here.push(address);
      await runtime.clock.advance(LOOK_MILLISECONDS);
      expect(await ask(address)).toBe(address);
    }
  });

  test('one that is gone for a moment is served all the time, else it is given up', async () => {
    const { runtime, here, open, ask, bound } = await start();
    await using _socket = await open();
    const [gone = ''] = here.splice(0, 1);
    await runtime.clock.advance(MAX_MISSED * LOOK_MILLISECONDS);
    expect(await ask(gone)).toBe(gone);
    here.push(gone);
    await runtime.clock.advance(LOOK_MILLISECONDS);
    here.pop();
    await runtime.clock.advance(MAX_MISSED * LOOK_MILLISECONDS);
    expect(await ask(gone)).toBe(gone);
    await runtime.clock.advance(LOOK_MILLISECONDS);
    expect(await ask(gone)).toBeUndefined();
    here.push(gone);
    await runtime.clock.advance(LOOK_MILLISECONDS);
    expect(await ask(gone)).toBe(gone);
    expect(bound.filter((address) => address === gone)).toHaveLength(2);
  });

  test('what an interface made anew has is another one', async () => {
    const { runtime, open, bound, renumber } = await start(ANY, [ONE]);
    await using _socket = await open();
    renumber();
    await runtime.clock.advance(LOOK_MILLISECONDS);
    // In this network the old one is still in the way.
    expect(bound).toEqual(['0.0.0.0', ONE, ONE]);
  });

  test('nothing is opened any more when it is closed', async () => {
    const { runtime, here, open, ask, bound } = await start(ANY, [ONE]);
    const socket = await open();
    await socket[Symbol.asyncDispose]();
    here.push(TWO);
    await runtime.clock.advance(3 * LOOK_MILLISECONDS);
    expect([await ask(ONE), await ask(TWO)]).toEqual([undefined, undefined]);
    expect(bound).toEqual(['0.0.0.0', ONE]);
  });
});

describe('what cannot be opened', () => {
  test('somebody has the port at one address: nobody serves a part', async () => {
    const { runtime, open } = await start();
    await using _other = await runtime.udp.bind({ address: TWO, port: 53 }, () => undefined);
    await expect(open()).rejects.toMatchObject({ code: 'address-in-use' });
  });

  test.each([
    { code: 'unreachable', looks: 1, tells: 0, why: 'it may still be checked (RFC 4862 §5.4)' },
    { code: 'address-in-use', looks: REFUSED_LOOKS, tells: 1, why: 'somebody was quicker' },
  ] as const)('the others are served meanwhile: $why', async ({ code, looks, tells }) => {
    const { runtime, failing, open, ask, tried } = await start();
    failing.set(TWO, new RuntimeError(code, 'not now'));
    await using _socket = await open();
    expect([await ask(ONE), await ask(TWO)]).toEqual([ONE, undefined]);
    await runtime.clock.advance(3 * looks * LOOK_MILLISECONDS);
    expect(tried.filter((address) => address === TWO)).toHaveLength(4);
    expect(runtime.log.lines.filter(({ event }) => event === 'listen-failed')).toHaveLength(tells);
    failing.clear();
    await runtime.clock.advance(looks * LOOK_MILLISECONDS);
    expect(await ask(TWO)).toBe(TWO);
  });

  test('that somebody took it meanwhile is told, once', async () => {
    const { runtime, failing, open } = await start();
    failing.set(TWO, new RuntimeError('unreachable', 'not yet'));
    await using _socket = await open();
    failing.set(TWO, new RuntimeError('address-in-use', 'somebody was quicker'));
    await runtime.clock.advance(3 * LOOK_MILLISECONDS);
    expect(runtime.log.lines.filter(({ event }) => event === 'listen-failed')).toHaveLength(1);
  });

  test('none can: that is told', async () => {
    const { failing, open } = await start();
    for (const address of [ONE, TWO]) failing.set(address, new RuntimeError('denied', 'no'));
    await expect(open()).rejects.toMatchObject({ code: 'denied' });
  });
});
