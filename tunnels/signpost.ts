/**
 * Tunnels to the user's devices, made when they are asked for.
 *
 * `apply` says which devices there are, `reach` makes one reachable. Where tunnels cannot be (no root,
 * no WireGuard) everything answers 'off' and says why; nothing else of nymote depends on them.
 */

import { type Cancel, type Endpoint, type Runtime, RuntimeError } from '#runtime';
import type { Accept, Reach as Reached } from './ask.ts';
import { type Backend, type OffReason, TunnelError } from './backend.ts';
import type { ControlMessage } from './control.ts';
import { type Driver, openDriver } from './drive.ts';
import { createKnocker, type Knocker } from './knock.ts';
import { type Desired, isAtHome, type PairState, type TunnelDevice } from './plan.ts';
import { type Letter, openPost, type Post } from './post.ts';
import { printKey } from './wg.ts';

type TunnelsRuntime = Pick<
  Runtime,
  'clock' | 'random' | 'crypto' | 'udp' | 'exec' | 'files' | 'log'
>;

export type TunnelsOptions = {
  /** At most 15 characters; ours alone. */
  readonly interface: string;
  /** WireGuard's UDP port. */
  readonly listenPort: number;
  /** The UDP port for knocks. */
  readonly controlPort: number;
  /** The raw WireGuard private key. */
  readonly privateKey: Uint8Array;
  readonly mtu?: number;
  /** Asked each time a device knocks; without it, `mayConnect` alone decides. */
  readonly accept?: Accept;
};

export type Reach = Reached | { readonly state: 'off'; readonly reason: OffReason };

export type PeerStatus = {
  readonly id: string;
  readonly name: string;
  readonly state: PairState;
  /** The state as a sentence. */
  readonly why: string;
  readonly endpoint?: Endpoint;
  readonly lastHandshakeSecondsAgo?: number;
  readonly received: number;
  readonly sent: number;
};

export type TunnelStatus = {
  readonly state: 'up' | 'off';
  readonly reason?: OffReason;
  /** What is wrong, as a sentence; undefined when all is well. */
  readonly problem?: string;
  readonly backend?: Backend['kind'];
  readonly interface: string;
  readonly listenPort: number;
  readonly controlPort: number;
  /** Base64, as `wg` prints it. */
  readonly publicKey: string;
  readonly peers: readonly PeerStatus[];
};

/** Small news between devices: the sender's store has a new head. */
export type TunnelMessage = { readonly kind: 'moved'; readonly head: string };

export type Tunnels = AsyncDisposable & {
  /** Makes the interface and opens the control port; never fails, `status` says how it went. */
  start(): Promise<void>;
  /** Takes over what is wanted. Doing it twice changes nothing (I4). */
  apply(desired: Desired): Promise<void>;
  /** Makes a device reachable; when it is 'up', both ends have each other as peers. */
  reach(deviceId: string, deadlineMs: number): Promise<Reach>;
  status(): Promise<TunnelStatus>;
  /** Tells one device, or all; a few times, because datagrams get lost. */
  notify(message: TunnelMessage, deviceId?: string): void;
  onMessage(listener: (deviceId: string, message: TunnelMessage) => void): Cancel;
};

/** IPv6 over IPv4 over PPPoE still fits: what WireGuard's own tools use. */
const DEFAULT_MTU = 1_420;
const KEEP_DEADLINE_MS = 5_000;
const MAX_PLACES_TO_TELL = 3;
/** What one datagram would lose waits for the next poll, a removed device's end among it (I10). */
const TELL_AGAIN_MS = [500, 5_000];

type Off = { readonly reason: OffReason; readonly problem: string };

type Open = { readonly driver: Driver; readonly post: Post; readonly knocker: Knocker };

type State = {
  readonly runtime: TunnelsRuntime;
  readonly options: TunnelsOptions;
  readonly publicKey: Uint8Array;
  readonly listeners: Set<(deviceId: string, message: TunnelMessage) => void>;
  desired: Desired | undefined;
  open: Open | undefined;
  off: Off;
};

/** The tunnels of this device. Nothing happens before `start`. */
export function createTunnels(runtime: TunnelsRuntime, options: TunnelsOptions): Tunnels {
  const state: State = {
    runtime,
    options,
    publicKey: runtime.crypto.agreementPublicKey(options.privateKey),
    listeners: new Set(),
    desired: undefined,
    open: undefined,
    off: { reason: 'not-started', problem: 'tunnels were not started' },
  };
  return {
    start: () => start(state),
    apply: (desired) => apply(state, desired),
    reach: (deviceId, deadlineMs) => reach(state, deviceId, deadlineMs),
    status: () => status(state),
    notify(message, deviceId) {
      tell(state, message, deviceId);
      for (const milliseconds of TELL_AGAIN_MS) {
        runtime.clock.after(milliseconds, () => tell(state, message, deviceId));
      }
    },
    onMessage(listener) {
      state.listeners.add(listener);
      return () => state.listeners.delete(listener);
    },
    [Symbol.asyncDispose]: () => stop(state),
  };
}

async function start(state: State): Promise<void> {
  const { runtime, options, publicKey } = state;
  if (state.open !== undefined) {
    return;
  }
  try {
    state.open = await openAll(state);
    runtime.log('info', 'tunnels-up', {
      interface: options.interface,
      publicKey: printKey(publicKey),
    });
  } catch (thrown) {
    state.off = whyOff(thrown, options);
    runtime.log('warn', 'tunnels-off', state.off);
    return;
  }
  if (state.desired !== undefined) {
    await apply(state, state.desired);
  }
}

async function openAll(state: State): Promise<Open> {
  const { runtime, options, publicKey } = state;
  const keys = { publicKey, privateKey: options.privateKey };
  const post = await openPost(runtime, {
    controlPort: options.controlPort,
    ...keys,
    receive: (device, message, from) => receive(state, device, message, from),
  });
  try {
    const driver = await openDriver(runtime, {
      ...keys,
      interface: options.interface,
      listenPort: options.listenPort,
      mtu: options.mtu ?? DEFAULT_MTU,
      knock: (deviceId) => void reach(state, deviceId, KEEP_DEADLINE_MS),
      forgot: () => tell(state, { kind: 'bye' }),
    });
    const knocker = createKnocker(runtime, {
      publicKey,
      listenPort: options.listenPort,
      driver,
      post,
      desired: () => state.desired,
      accept: options.accept ?? (() => true),
    });
    return { driver, post, knocker };
  } catch (thrown) {
    await post[Symbol.asyncDispose]();
    throw thrown;
  }
}

function whyOff(thrown: unknown, { controlPort }: TunnelsOptions): Off {
  if (thrown instanceof TunnelError) {
    return { reason: thrown.code, problem: thrown.message };
  }
  if (thrown instanceof RuntimeError) {
    const reason = thrown.code === 'address-in-use' ? 'port-taken' : 'failed';
    return { reason, problem: `the control port ${controlPort} cannot be had: ${thrown.message}` };
  }
  throw thrown;
}

async function apply(state: State, desired: Desired): Promise<void> {
  state.desired = desired;
  const { open } = state;
  if (open !== undefined) {
    // A device that is gone is deaf to us and dumb from here on (I10), before programs run.
    open.post.setDevices(desired.self.id, others(desired));
    await open.driver.apply(desired);
  }
}

async function reach(state: State, deviceId: string, deadlineMs: number): Promise<Reach> {
  const { desired, open } = state;
  if (deviceId === desired?.self.id) {
    return { state: 'up', milliseconds: 0, via: 'self' };
  }
  const device = desired?.devices.find(({ id }) => id === deviceId);
  if (device === undefined || desired === undefined) {
    return { state: 'unreachable', reason: 'unknown-device' };
  }
  if (!device.mayConnect) {
    return { state: 'refused', reason: 'not-allowed-here' };
  }
  if (open === undefined) {
    return { state: 'off', reason: state.off.reason };
  }
  if (device.kind === 'node') {
    return open.knocker.reach(device, deadlineMs);
  }
  return isAtHome(device, desired) || device.home === undefined
    ? reachPlain(open, device)
    : reach(state, device.home, deadlineMs);
}

/** Nobody can knock on a phone: it is there or it is not. */
async function reachPlain({ driver }: Open, device: TunnelDevice): Promise<Reach> {
  await driver.refresh();
  const endpoint = driver.peer(device)?.endpoint;
  return driver.state(device) === 'up'
    ? {
        state: 'up',
        milliseconds: 0,
        via: 'already-up',
        ...(endpoint === undefined ? {} : { endpoint }),
      }
    : { state: 'unreachable', reason: 'asleep' };
}

function receive(
  state: State,
  device: TunnelDevice,
  message: ControlMessage,
  from: Endpoint,
): void {
  if (message.kind === 'moved') {
    for (const listener of state.listeners) {
      listener(device.id, { kind: 'moved', head: message.head });
    }
    return;
  }
  void state.open?.knocker.receive(device, message, from);
}

/** Says something to one device, or to all that may connect. */
function tell(state: State, letter: Letter, deviceId?: string): void {
  const { desired, open } = state;
  if (desired === undefined || open === undefined) {
    return;
  }
  const nodes = others(desired).filter(({ kind, mayConnect }) => kind === 'node' && mayConnect);
  for (const device of nodes.filter(({ id }) => deviceId === undefined || id === deviceId)) {
    for (const place of placesToTell(open, device)) {
      open.post.send(device, place, letter);
    }
  }
}

/** Through the tunnel when there is one; else where it may be met. */
function placesToTell({ driver, knocker }: Open, device: TunnelDevice): readonly Endpoint[] {
  const [address] = device.addresses;
  return driver.state(device) === 'up' && address !== undefined
    ? [{ address, port: knocker.controlPort(device) }]
    : knocker.candidates(device).slice(0, MAX_PLACES_TO_TELL);
}

async function status(state: State): Promise<TunnelStatus> {
  const { options, publicKey, open, desired } = state;
  const common = {
    interface: options.interface,
    listenPort: options.listenPort,
    controlPort: open?.post.port ?? options.controlPort,
    publicKey: printKey(publicKey),
  };
  if (open === undefined) {
    return { state: 'off', ...state.off, ...common, peers: [] };
  }
  await open.driver.refresh();
  const problem = open.driver.problem();
  return {
    state: 'up',
    ...(problem === undefined ? {} : { problem }),
    backend: open.driver.kind,
    ...common,
    peers:
      desired === undefined ? [] : others(desired).map((device) => peerStatus(state, open, device)),
  };
}

function peerStatus({ runtime }: State, { driver }: Open, device: TunnelDevice): PeerStatus {
  const peer = driver.peer(device);
  const pairState = driver.state(device);
  const handshake = peer?.latestHandshake ?? 0;
  return {
    id: device.id,
    name: device.name,
    state: pairState,
    why: WHY[pairState](device),
    ...(peer?.endpoint === undefined ? {} : { endpoint: peer.endpoint }),
    ...(handshake === 0
      ? {}
      : { lastHandshakeSecondsAgo: Math.max(0, Math.round(runtime.clock.now() - handshake)) }),
    received: peer?.received ?? 0,
    sent: peer?.sent ?? 0,
  };
}

const WHY = {
  'not-allowed': ({ name }) => `${name} may not connect to this device.`,
  idle: ({ name, kind }) =>
    kind === 'plain'
      ? `${name} has not connected yet; only it can begin.`
      : `Nobody has asked for ${name} yet, or it did not answer.`,
  knocking: ({ name }) => `Asking ${name} for a tunnel.`,
  waiting: ({ name }) => `${name} asked for a tunnel and is about to connect.`,
  connecting: ({ name }) => `${name} agreed; the handshake is under way.`,
  up: ({ name }) => `${name} is connected directly.`,
  quiet: ({ name }) => `${name} has not been heard from for a while; asking for it connects again.`,
} as const satisfies Record<PairState, (device: TunnelDevice) => string>;

function others({ self, devices }: Desired): readonly TunnelDevice[] {
  return devices.filter(({ id }) => id !== self.id);
}

async function stop(state: State): Promise<void> {
  const { open } = state;
  if (open !== undefined) {
    open.knocker.stop();
    await open.driver.refresh();
    tell(state, { kind: 'bye' });
  }
  state.open = undefined;
  state.off = { reason: 'not-started', problem: 'tunnels were stopped' };
  await open?.driver[Symbol.asyncDispose]();
  await open?.post[Symbol.asyncDispose]();
}
