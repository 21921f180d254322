import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Endpoint, type Runtime, RuntimeError } from '#runtime';
import {
  type FakeNetwork,
  type FakeRuntime,
  fakeNetwork,
  fakeRuntime,
  manualClock,
  seededRandom,
} from '#runtime/fake';
import type { Desired, TunnelDevice } from './plan.ts';
import { createTunnels, type Tunnels, type TunnelsOptions } from './signpost.ts';
import { printKey } from './wg.ts';
import { type SimulatedHost, type SimulatedWorld, simulateWireguard } from './wireguard.fixture.ts';

const PREFIX = 'fd00:1:2::/48';
const CONTROL_PORT = 51_821;

type House = {
  readonly id: string;
  readonly address: string;
  readonly runtime: FakeRuntime;
  readonly wireguard: SimulatedHost;
  readonly tunnels: Tunnels;
  readonly secret: string;
  readonly device: TunnelDevice;
};

type Pair = {
  readonly clock: FakeRuntime['clock'];
  readonly network: FakeNetwork;
  readonly world: SimulatedWorld;
  readonly heard: readonly Heard[];
  readonly a: House;
  readonly b: House;
};

describe('reaching', () => {
  test('both ends have each other, one of them with an endpoint', async () => {
    const pair = await startPair({ delayMs: 40 });
    const { a, b } = pair;
    const reached = await finish(pair, a.tunnels.reach('b', 3_000));
    expect(reached).toMatchObject({
      state: 'up',
      via: 'asked',
      endpoint: { address: b.address, port: 51_820 },
    });
    // Knock and welcome, then initiation and response.
    expect(reached.state === 'up' && reached.milliseconds).toBeLessThan(200);
    expect(endpointsSet(a)).toEqual([`${b.address}:51820`]);
    expect(endpointsSet(b)).toEqual([]);
    expect(b.wireguard.peers.size).toBe(1);
  });

  test('a tunnel that is there is told at once, on both sides', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    const again = await finish(pair, pair.a.tunnels.reach('b', 1_000));
    const back = await finish(pair, pair.b.tunnels.reach('a', 1_000));
    expect([again, back]).toMatchObject([{ via: 'already-up' }, { via: 'already-up' }]);
  });

  test('a tunnel that was just seen runs no program; on another interface it is looked at', async () => {
    const pair = await startPair({});
    const { a } = pair;
    const index = '/sys/class/net/nya/ifindex';
    const ask = async () => {
      const before = a.runtime.exec.calls.length;
      expect(await finish(pair, a.tunnels.reach('b', 1_000))).toMatchObject({ state: 'up' });
      return a.runtime.exec.calls.length - before;
    };
    await a.runtime.files.makeDirectory('/sys/class/net/nya');
    await a.runtime.files.replace(index, Uint8Array.of(1));
    await ask();
    expect(await ask()).toBe(0);
    await a.runtime.files.replace(index, Uint8Array.of(2));
    expect(await ask()).toBe(1);
    expect(await ask()).toBe(0);
    await a.runtime.files.remove(index);
    expect(await ask()).toBe(1);
  });

  test('all who ask at once share one attempt', async () => {
    const pair = await startPair({ delayMs: 20 });
    const all = Promise.all([1, 2, 3].map(() => pair.a.tunnels.reach('b', 1_000)));
    expect((await finish(pair, all)).map(({ state }) => state)).toEqual(['up', 'up', 'up']);
    expect(pair.a.runtime.exec.calls.filter(isSetPeer)).toHaveLength(1);
  });

  test('who can wait longer is not told no by who cannot', async () => {
    const pair = await startPair({});
    pair.network.setPath('*', '*', { isCut: true });
    const short = pair.a.tunnels.reach('b', 500);
    const long = pair.a.tunnels.reach('b', 5_000);
    expect(await finish(pair, short)).toEqual({ state: 'unreachable', reason: 'no-answer' });
    pair.network.setPath('*', '*', { isCut: false });
    expect(await finish(pair, long)).toMatchObject({ state: 'up' });
  });

  test('two of five datagrams lost', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const pair = await startPair({ delayMs: 30, loss: 0.4, seed });
      expect(await finish(pair, pair.a.tunnels.reach('b', 20_000))).toMatchObject({ state: 'up' });
    }
  });
});

describe('both knock at once', () => {
  test('one gives way, no handshake crosses', async () => {
    const pair = await startPair({ delayMs: 40 });
    const begun = pair.clock.monotonic();
    const both = Promise.all([pair.a.tunnels.reach('b', 3_000), pair.b.tunnels.reach('a', 3_000)]);
    expect(
      (await finish(pair, both)).map((reach) => reach.state === 'up' && reach.via).toSorted(),
    ).toEqual(['answered', 'asked']);
    expect(pair.world.crossed()).toBe(0);
    expect(pair.clock.monotonic() - begun).toBeLessThan(1_000);
  });

  test('whatever the delay, the loss and who is first', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          delayMs: fc.integer({ min: 0, max: 300 }),
          loss: fc.constantFrom(0, 0.3),
          seed: fc.nat({ max: 1_000 }),
          lag: fc.integer({ min: 0, max: 700 }),
        }),
        async ({ lag, ...options }) => {
          const pair = await startPair(options);
          const first = pair.a.tunnels.reach('b', 20_000);
          await pair.clock.advance(lag);
          const both = Promise.all([first, pair.b.tunnels.reach('a', 20_000)]);
          expect((await finish(pair, both)).map(({ state }) => state)).toEqual(['up', 'up']);
          expect(pair.world.crossed()).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('no', () => {
  test.each([
    { ask: 'a', reach: { state: 'up', via: 'self' }, change: {}, why: 'this device itself' },
    {
      ask: 'x',
      reach: { state: 'unreachable', reason: 'unknown-device' },
      change: {},
      why: 'nobody',
    },
    {
      ask: 'b',
      reach: { state: 'refused', reason: 'not-allowed-here' },
      change: { mayConnect: false },
      why: 'denied here',
    },
    {
      ask: 'b',
      reach: { state: 'unreachable', reason: 'no-endpoint' },
      change: { endpoints: [] },
      why: 'nowhere to knock',
    },
    {
      ask: 'b',
      reach: { state: 'unreachable', reason: 'asleep' },
      change: { kind: 'plain' },
      why: 'a phone',
    },
  ] as const)('$why', async ({ ask, reach, change }) => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.apply(desiredOf(pair.a, { ...pair.b.device, ...change })));
    expect(await finish(pair, pair.a.tunnels.reach(ask, 1_000))).toMatchObject(reach);
  });

  test('the other says no: no peer on either side', async () => {
    const pair = await startPair({ accept: () => false });
    expect(await finish(pair, pair.a.tunnels.reach('b', 1_000))).toEqual({
      state: 'refused',
      reason: 'not-allowed-there',
    });
    expect([pair.a.wireguard.peers.size, pair.b.wireguard.peers.size]).toEqual([0, 0]);
  });

  test('a stranger hears nothing at all', async () => {
    const pair = await startPair({});
    await finish(pair, pair.b.tunnels.apply(desiredOf(pair.b)));
    expect(await finish(pair, pair.a.tunnels.reach('b', 2_000))).toEqual({
      state: 'unreachable',
      reason: 'no-answer',
    });
    expect(pair.heard.filter(({ from }) => from === pair.b.address)).toEqual([]);
    expect(pair.b.wireguard.peers.size).toBe(0);
  });

  test.each([
    [
      'ip link add',
      { exitCode: 2, stderr: 'RTNETLINK answers: Operation not permitted\n' },
      'not-root',
    ],
    ['ip', 'not-found', 'no-ip'],
    ['wireguard-go', 'not-found', 'no-wireguard'],
    [
      'wireguard-go',
      { exitCode: 1, stderr: 'ERROR: Failed to create TUN device: /dev/net/tun does not exist\n' },
      'no-tun',
    ],
    ['wg', 'not-found', 'no-wg'],
  ] as const)('where %s says %o tunnels are off: %s', async (command, answer, reason) => {
    const pair = await startPair({ failing: { [command]: answer } });
    expect(await pair.a.tunnels.reach('b', 1_000)).toEqual({ state: 'off', reason });
    expect(await pair.a.tunnels.status()).toMatchObject({ state: 'off', reason, peers: [] });
  });
});

describe('replays', () => {
  test('a recorded knock opens nothing, even after its device was away', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.b.tunnels.apply(desiredOf(pair.b)));
    expect(await replay(pair, knockOf(pair))).toEqual([]);
    await finish(pair, pair.b.tunnels.apply(desiredOf(pair.b, pair.a.device)));
    const answers = await replay(pair, knockOf(pair));
    expect(pair.b.wireguard.peers.size).toBe(0);
    // The one answer says that the stamp is old, sealed for A, and is no larger than the question.
    expect(answers.map(({ data }) => data.length)).toEqual([knockOf(pair).length]);
  });

  test('a clock that went back to 1970 does not lock a router out', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.a.tunnels[Symbol.asyncDispose]());
    pair.clock.set(100);
    const reborn = await rebuild(pair, pair.a);
    expect(await finish(pair, reborn.reach('b', 2_000))).toMatchObject({ state: 'up' });
  });

  test('a flood is mostly not looked at', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    expect((await replay(pair, knockOf(pair), 500)).length).toBeLessThanOrEqual(40);
  });
});

describe('afterwards', () => {
  test('a device that is removed is no peer any more (I10), others stay', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.a.tunnels.apply(desiredOf(pair.a)));
    expect(pair.a.wireguard.peers.size).toBe(0);
    expect(pair.b.wireguard.peers.size).toBe(1);
  });

  test('applying the same again runs nothing that changes (I4)', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    const calls = pair.a.runtime.exec.calls.length;
    await finish(pair, pair.a.tunnels.apply(desiredOf(pair.a, pair.b.device)));
    const made = pair.a.runtime.exec.calls
      .slice(calls)
      .map(({ file, args }) => `${file} ${args[0]}`);
    expect(new Set(made)).toEqual(new Set(['wg show']));
  });

  test('a device that says bye is asked again before it counts as up', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.b.tunnels[Symbol.asyncDispose]());
    await pair.clock.advance(10);
    const status = await finish(pair, pair.a.tunnels.status());
    expect(status.peers).toMatchObject([{ id: 'b', state: 'quiet' }]);
    expect(pair.b.wireguard.exists).toBe(false);
  });

  test('a device that restarts from nothing says so, and is asked again', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await pair.clock.advance(5_000);
    pair.b.wireguard.exists = false;
    pair.b.wireguard.peers.clear();
    await finish(pair, pair.b.tunnels.status());
    expect(await finish(pair, pair.a.tunnels.reach('b', 8_000))).toMatchObject({
      state: 'up',
      via: 'asked',
    });
    expect(pair.b.wireguard.peers.size).toBe(1);
  });

  test('a kept tunnel comes by itself, and comes back after the path was cut', async () => {
    const pair = await startPair({});
    pair.network.setPath('*', '*', { isCut: true });
    await finish(pair, pair.a.tunnels.apply(desiredOf(pair.a, { ...pair.b.device, keep: true })));
    await pair.clock.advance(20_000);
    expect(pair.a.wireguard.peers.size).toBe(0);
    pair.network.setPath('*', '*', { isCut: false });
    await pair.clock.advance(60_000);
    const status = await finish(pair, pair.a.tunnels.status());
    expect(status.peers).toMatchObject([{ state: 'up', why: 'b is connected directly.' }]);
  });

  test('peers stay when it is quiet; asking again proves the path again', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await pair.clock.advance(600_000);
    expect([pair.a.wireguard.peers.size, pair.b.wireguard.peers.size]).toEqual([1, 1]);
    expect((await finish(pair, pair.a.tunnels.status())).peers).toMatchObject([
      { state: 'quiet', lastHandshakeSecondsAgo: 600 },
    ]);
    const again = pair.b.tunnels.reach('a', 2_000);
    expect(await finish(pair, again)).toMatchObject({ state: 'up', via: 'asked' });
  });

  test('who was only heard from is asked to begin: its router lets nothing else in', async () => {
    const pair = await startPair({ delayMs: 20 });
    await finish(
      pair,
      pair.b.tunnels.apply(desiredOf(pair.b, { ...pair.a.device, endpoints: [] })),
    );
    expect(await finish(pair, pair.b.tunnels.reach('a', 1_000))).toMatchObject({
      reason: 'no-endpoint',
    });
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await pair.clock.advance(600_000);
    expect(await finish(pair, pair.b.tunnels.reach('a', 2_000))).toMatchObject({
      state: 'up',
      via: 'answered',
    });
    expect(endpointsSet(pair.b)).toEqual([]);
  });

  test('an interface that vanished is made anew', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    pair.a.wireguard.exists = false;
    pair.a.wireguard.peers.clear();
    expect(await finish(pair, pair.a.tunnels.reach('b', 6_000))).toMatchObject({ state: 'up' });
  });

  test('where wg cannot be given its key again, status says so, and it is tried on', async () => {
    const pair = await startPair({});
    const { a } = pair;
    await finish(pair, a.tunnels.reach('b', 1_000));
    const { files } = a.runtime;
    const { withSecretFile } = files;
    const full = () => Promise.reject(new RuntimeError('no-space', 'no space left on device'));
    Object.assign(files, { withSecretFile: full });
    a.wireguard.exists = false;
    a.wireguard.peers.clear();
    expect(await finish(pair, a.tunnels.status())).toMatchObject({
      problem: expect.stringContaining('no space left'),
    });
    await pair.clock.advance(60_000);
    Object.assign(files, { withSecretFile });
    expect(await finish(pair, a.tunnels.reach('b', 6_000))).toMatchObject({ state: 'up' });
  });

  test('news reaches who listens, and only news', async () => {
    const pair = await startPair({});
    const news: string[] = [];
    pair.b.tunnels.onMessage((device, { head }) => news.push(`${device} ${head}`));
    pair.a.tunnels.notify({ kind: 'moved', head: 'abc' });
    await pair.clock.advance(10);
    expect(news).toEqual(['a abc']);
  });

  test('news that a datagram lost come with the next', async () => {
    const pair = await startPair({});
    const news: string[] = [];
    pair.b.tunnels.onMessage((_, { head }) => news.push(head));
    pair.network.setPath('*', '*', { isCut: true });
    pair.a.tunnels.notify({ kind: 'moved', head: 'abc' });
    await pair.clock.advance(10);
    pair.network.setPath('*', '*', { isCut: false });
    await pair.clock.advance(1_000);
    expect(news).toEqual(['abc']);
  });

  test('no private key in arguments or in the log (I2)', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.a.tunnels[Symbol.asyncDispose]());
    const said = JSON.stringify([pair.a.runtime.exec.calls, pair.a.runtime.log.lines]);
    expect(said).toContain(pair.a.wireguard.key);
    expect(said).not.toContain(pair.a.secret);
  });
});

type Options = {
  readonly delayMs?: number;
  readonly loss?: number;
  readonly seed?: number;
  readonly accept?: NonNullable<TunnelsOptions['accept']>;
  readonly failing?: NonNullable<Parameters<typeof fakeRuntime>[0]>['exec'];
};

async function startPair(options: Options): Promise<Pair> {
  const { delayMs = 0, loss = 0, seed = 1 } = options;
  const clock = manualClock();
  const network = fakeNetwork(clock, seededRandom(seed));
  network.setPath('*', '*', { delayMs, loss });
  const world = simulateWireguard({ clock, crypto: fakeRuntime({ seed }).crypto }, delayMs);
  const heard: Heard[] = [];
  const common = { clock, network, world, seed, heard, accept: options.accept };
  const a = await build({ ...common, id: 'a', number: 1, failing: options.failing ?? {} });
  const b = await build({ ...common, id: 'b', number: 2, failing: {} });
  const pair = { clock, network, world, heard, a, b };
  await finish(pair, a.tunnels.apply(desiredOf(a, b.device)));
  await finish(pair, b.tunnels.apply(desiredOf(b, a.device)));
  // What they said on being started is of no interest.
  heard.length = 0;
  return pair;
}

async function build(parts: {
  readonly clock: FakeRuntime['clock'];
  readonly network: FakeNetwork;
  readonly world: SimulatedWorld;
  readonly seed: number;
  readonly heard: Heard[];
  readonly accept: TunnelsOptions['accept'] | undefined;
  readonly id: string;
  readonly number: number;
  readonly failing: NonNullable<Options['failing']>;
}): Promise<House> {
  const { clock, network, world, seed, heard, accept, id, number, failing } = parts;
  const address = `203.0.113.${number}`;
  const overlay = `fd00:1:2::${number}`;
  const addresses = [address, overlay];
  const wireguard = world.host(addresses, () => runtime.files);
  const runtime: FakeRuntime = fakeRuntime({
    seed: `${seed} ${id}`,
    clock,
    network,
    addresses,
    exec: { ...without(wireguard.table, failing), ...failing },
  });
  const { privateKey, publicKey } = runtime.crypto.generateAgreementKey();
  const device: TunnelDevice = {
    id,
    name: id,
    publicKey,
    addresses: [overlay],
    endpoints: [{ address, port: CONTROL_PORT }],
    kind: 'node',
    mayConnect: true,
  };
  const udp = recording(runtime.udp, address, heard, wireguard);
  const tunnels = createTunnels(
    { ...runtime, udp },
    {
      interface: `ny${id}`,
      listenPort: 51_820,
      controlPort: CONTROL_PORT,
      privateKey,
      ...(accept === undefined ? {} : { accept }),
    },
  );
  await tunnels.start();
  const secret = printKey(privateKey);
  secrets.set(tunnels, privateKey);
  return { id, address, runtime, wireguard, tunnels, secret, device };
}

/** The rows that no failing command begins. */
function without(table: SimulatedHost['table'], failing: object): SimulatedHost['table'] {
  const isKept = (row: string) => !Object.keys(failing).some((command) => row.startsWith(command));
  return Object.fromEntries(Object.entries(table).filter(([row]) => isKept(row)));
}

const secrets = new WeakMap<Tunnels, Uint8Array>();

/** The same device again, with nothing remembered. */
async function rebuild(pair: Pair, house: House): Promise<Tunnels> {
  const tunnels = createTunnels(house.runtime, {
    interface: `ny${house.id}`,
    listenPort: 51_820,
    controlPort: CONTROL_PORT,
    privateKey: secrets.get(house.tunnels) ?? new Uint8Array(32),
  });
  await tunnels.start();
  await finish(pair, tunnels.apply(desiredOf(house, pair.b.device)));
  return tunnels;
}

function desiredOf(self: House, ...devices: readonly TunnelDevice[]): Desired {
  return { self: { id: self.id, addresses: self.device.addresses }, prefix: PREFIX, devices };
}

/** Lets time pass until it is done. */
async function finish<T>({ clock }: Pick<Pair, 'clock'>, work: PromiseLike<T>): Promise<T> {
  let isDone = false;
  const end = Promise.resolve(work).finally(() => {
    isDone = true;
  });
  end.catch(() => undefined);
  for (let step = 0; step < 20_000 && !isDone; step++) {
    await clock.advance(step < 5 ? 0 : 5);
  }
  return end;
}

type Heard = { readonly data: Uint8Array; readonly from: string; readonly to: Endpoint };

/** The same sockets, with all that they send written down. */
function recording(
  udp: Runtime['udp'],
  from: string,
  heard: Heard[],
  wireguard: SimulatedHost,
): Runtime['udp'] {
  return {
    async bind(local, receive) {
      const socket = await udp.bind(local, receive);
      return {
        ...socket,
        send(data, to) {
          heard.push({ data, from, to });
          wireguard.carry(to.address);
          socket.send(data, to);
        },
      };
    },
  };
}

/** The first knock of A on B, as an eavesdropper has it. */
function knockOf({ heard, a, b }: Pair): Uint8Array {
  const knock = heard.find(({ from, to }) => from === a.address && to.address === b.address);
  return knock?.data ?? new Uint8Array(0);
}

/** Sends B a datagram from an address that nobody knows; returns what B sent in answer. */
async function replay(pair: Pair, data: Uint8Array, times = 1): Promise<readonly Heard[]> {
  const before = pair.heard.length;
  await using socket = await pair.network
    .join(EVE)
    .udp.bind({ address: EVE, port: 0 }, () => undefined);
  for (let count = 0; count < times; count++) {
    socket.send(data, { address: pair.b.address, port: CONTROL_PORT });
  }
  await pair.clock.advance(1);
  return pair.heard.slice(before).filter(({ to }) => to.address === EVE);
}

const EVE = '198.51.100.66';

function endpointsSet({ runtime }: House): readonly string[] {
  return runtime.exec.calls
    .filter(({ args }) => args.includes('endpoint'))
    .map(({ args }) => args[args.indexOf('endpoint') + 1] ?? '');
}

function isSetPeer({
  file,
  args,
}: {
  readonly file: string;
  readonly args: readonly string[];
}): boolean {
  return file === 'wg' && args[0] === 'set' && args[2] === 'peer';
}
