/** Two homes on a simulated internet, their tunnels up to the point where somebody asks. */

import type { Endpoint, Runtime } from '#runtime';
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

type Options = {
  readonly delayMs?: number;
  readonly loss?: number;
  readonly seed?: number;
  readonly accept?: NonNullable<TunnelsOptions['accept']>;
  readonly failing?: NonNullable<Parameters<typeof fakeRuntime>[0]>['exec'];
};

export async function startPair(options: Options): Promise<Pair> {
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
export async function rebuild(pair: Pair, house: House): Promise<Tunnels> {
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

export function desiredOf(self: House, ...devices: readonly TunnelDevice[]): Desired {
  return { self: { id: self.id, addresses: self.device.addresses }, prefix: PREFIX, devices };
}

/** Lets time pass until it is done. */
export async function finish<T>({ clock }: Pick<Pair, 'clock'>, work: PromiseLike<T>): Promise<T> {
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
export function knockOf({ heard, a, b }: Pair): Uint8Array {
  const knock = heard.find(({ from, to }) => from === a.address && to.address === b.address);
  return knock?.data ?? new Uint8Array(0);
}

/** Sends B a datagram from an address that nobody knows; returns what B sent in answer. */
export async function replay(pair: Pair, data: Uint8Array, times = 1): Promise<readonly Heard[]> {
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

export function endpointsSet({ runtime }: House): readonly string[] {
  return runtime.exec.calls
    .filter(({ args }) => args.includes('endpoint'))
    .map(({ args }) => args[args.indexOf('endpoint') + 1] ?? '');
}

export function isSetPeer({
  file,
  args,
}: {
  readonly file: string;
  readonly args: readonly string[];
}): boolean {
  return file === 'wg' && args[0] === 'set' && args[2] === 'peer';
}
