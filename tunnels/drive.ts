/**
 * The driver: keeps the interface as the planner says.
 *
 * One loop at a time plans, acts and looks again; whoever changes something calls `reconcile` and
 * waits until a plan that knows of the change was carried out. An interface that vanished (somebody
 * deleted it, wireguard-go was killed) is made anew with all its peers.
 */

import type { Cancel, Runtime } from '#runtime';
import { type Backend, openBackend, TunnelError } from './backend.ts';
import {
  type Action,
  applyAction,
  type Desired,
  isNewHandshake,
  makePlan,
  NEW_PAIR,
  type Observed,
  type Pair,
  type PairState,
  pairState,
  type TunnelDevice,
  type Wake,
} from './plan.ts';
import { type Peer, printKey } from './wg.ts';

type DriverRuntime = Pick<Runtime, 'clock' | 'exec' | 'files' | 'log' | 'random'>;

export type DriverOptions = {
  readonly interface: string;
  readonly listenPort: number;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly mtu: number;
  /** The planner wants a device to be knocked on. */
  readonly knock: (deviceId: string) => void;
  /** The interface is new: others may believe in tunnels that we know nothing of. */
  readonly forgot: () => void;
};

export type Driver = AsyncDisposable & {
  readonly kind: Backend['kind'];
  /** What went wrong last, as a sentence; undefined when all is well. */
  problem(): string | undefined;
  apply(desired: Desired): Promise<void>;
  /** Carries out a plan made now or later; false when a program failed. */
  reconcile(): Promise<boolean>;
  /** Looks at the interface; false when that failed. */
  refresh(): Promise<boolean>;
  change(deviceId: string, change: Partial<Pair>): void;
  pair(deviceId: string): Pair;
  peer(device: TunnelDevice): Peer | undefined;
  state(device: TunnelDevice): PairState;
  /** True for a tunnel that was up when last looked at, on the same interface; runs no program. */
  wasSeenUp(device: TunnelDevice): Promise<boolean>;
  /** True as soon as a handshake later than the pair's agreement is seen; false at the deadline. */
  waitForHandshake(device: TunnelDevice, deadline: () => number): Promise<boolean>;
};

/** WireGuard on the side that begins keeps the other's router from forgetting it. */
const KEEPALIVE_SECONDS = 25;
const RETRY_MS = 5_000;
/** Twice the time between two looks of the planner. What others do to our peers meanwhile shows later. */
const BELIEVED_MS = 60_000;
const FIRST_POLL_MS = 5;
const LAST_POLL_MS = 40;

type State = {
  readonly runtime: DriverRuntime;
  readonly options: DriverOptions;
  readonly added: Set<string>;
  readonly pairs: Map<string, Pair>;
  readonly stop: AbortController;
  backend: Backend;
  desired: Desired | undefined;
  peers: readonly Peer[];
  /** When `peers` were last looked at, and on which interface. */
  seen: { readonly at: number; readonly index: string | undefined } | undefined;
  problem: string | undefined;
  cancelWake: Cancel;
  isStale: boolean;
  turn: Promise<unknown>;
  isGood: boolean;
};

/** Opens the interface and drives it. Fails with TunnelError. */
export async function openDriver(runtime: DriverRuntime, options: DriverOptions): Promise<Driver> {
  const backend = await openBackend(runtime, options);
  const state: State = {
    runtime,
    options,
    backend,
    added: new Set(),
    pairs: new Map(),
    stop: new AbortController(),
    desired: undefined,
    peers: [],
    seen: undefined,
    problem: undefined,
    cancelWake: () => undefined,
    isStale: false,
    turn: Promise.resolve(),
    isGood: true,
  };
  const peer = (device: TunnelDevice) => findPeer(state, device);
  const pair = (deviceId: string) => state.pairs.get(deviceId) ?? NEW_PAIR;
  const stateOf = (device: TunnelDevice) =>
    pairState(device, pair(device.id), peer(device), times(state));
  return {
    kind: backend.kind,
    problem: () => state.problem,
    apply: (desired) => applyDesired(state, desired),
    reconcile: () => reconcile(state),
    refresh: () => inTurn(state, () => refresh(state)),
    change: (deviceId, change) => state.pairs.set(deviceId, { ...pair(deviceId), ...change }),
    pair,
    peer,
    state: stateOf,
    wasSeenUp: async (device) => stateOf(device) === 'up' && (await isSeenValid(state)),
    waitForHandshake: (device, deadline) => waitForHandshake(state, device, deadline),
    [Symbol.asyncDispose]: () => close(state),
  };
}

async function applyDesired(state: State, desired: Desired): Promise<void> {
  const isFirst = state.desired === undefined;
  state.desired = desired;
  const isKnown = new Set(desired.devices.map(({ id }) => id));
  for (const id of state.pairs.keys()) {
    if (!isKnown.has(id)) {
      state.pairs.delete(id);
    }
  }
  await inTurn(state, async () => {
    await attempt(state, () => addressInterface(state));
    await refresh(state);
  });
  await reconcile(state);
  if (isFirst && state.backend.isNew) {
    state.options.forgot();
  }
}

/** Plans and acts in turn; a change that an earlier turn has seen already needs no turn of its own. */
function reconcile(state: State): Promise<boolean> {
  state.isStale = true;
  return inTurn(state, async () => {
    if (state.isStale && !state.stop.signal.aborted) {
      state.isStale = false;
      state.isGood = await attempt(state, () => carryOut(state));
    }
    return state.isGood;
  });
}

async function carryOut(state: State): Promise<void> {
  if (state.desired === undefined) {
    return;
  }
  let { actions } = makePlan(state.desired, observe(state));
  if (actions.some(({ kind }) => kind === 'remove-peer')) {
    // A handshake may have come since we last looked.
    state.peers = (await state.backend.observe()).peers;
    actions = makePlan(state.desired, observe(state)).actions;
  }
  const failures: unknown[] = [];
  for (const action of actions) {
    try {
      await perform(state, action);
      state.peers = applyAction(state.peers, action);
    } catch (thrown) {
      // One peer that WireGuard refuses must not keep another from being removed (I10).
      failures.push(thrown);
    }
  }
  if (failures.length > 0) {
    throw failures[0];
  }
  scheduleWake(state, makePlan(state.desired, observe(state)).wake);
}

async function perform(state: State, action: Action): Promise<void> {
  const { backend, runtime, options } = state;
  runtime.log('debug', 'tunnel-action', { kind: action.kind, why: action.why });
  switch (action.kind) {
    case 'add-peer': {
      const { key: publicKey, allowedIps, endpoint } = action;
      const where = endpoint === undefined ? {} : { endpoint, keepalive: KEEPALIVE_SECONDS };
      await backend.setPeer({ publicKey, allowedIps, ...where });
      state.added.add(publicKey);
      return;
    }
    case 'set-allowed-ips':
      return backend.setPeer({ publicKey: action.key, allowedIps: action.allowedIps });
    case 'set-endpoint':
      return backend.setPeer({
        publicKey: action.key,
        endpoint: action.endpoint,
        keepalive: KEEPALIVE_SECONDS,
      });
    case 'remove-peer':
      await backend.removePeer(action.key);
      state.added.delete(action.key);
      return;
    case 'knock': {
      const pair = state.pairs.get(action.device) ?? NEW_PAIR;
      const jitter = (runtime.random(1)[0] ?? 0) / 256;
      state.pairs.set(action.device, { ...pair, isKnocking: true, jitter });
      options.knock(action.device);
    }
  }
}

async function refresh(state: State): Promise<boolean> {
  return attempt(state, async () => {
    try {
      await look(state);
    } catch (thrown) {
      if (state.stop.signal.aborted) {
        throw thrown;
      }
      state.runtime.log('warn', 'tunnel-interface-lost', { error: String(thrown) });
      state.backend = await openBackend(state.runtime, state.options);
      await addressInterface(state);
      await look(state);
      state.options.forgot();
    }
  });
}

async function look(state: State): Promise<void> {
  const at = state.runtime.clock.monotonic();
  const index = await state.backend.index();
  state.peers = (await state.backend.observe()).peers;
  state.seen = { at, index };
}

async function isSeenValid({ seen, problem, runtime, backend }: State): Promise<boolean> {
  const isLate = runtime.clock.monotonic() - (seen?.at ?? 0) > BELIEVED_MS;
  if (seen?.index === undefined || isLate || problem !== undefined) {
    return false;
  }
  return (await backend.index()) === seen.index;
}

async function addressInterface({ backend, desired }: State): Promise<void> {
  if (desired !== undefined) {
    await backend.setAddresses(desired.self.addresses, desired.prefix);
  }
}

/** Failures of programs are kept for `status`, and tried again a little later. */
async function attempt(state: State, action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    state.problem = undefined;
    return true;
  } catch (thrown) {
    if (!(thrown instanceof TunnelError)) {
      throw thrown;
    }
    state.problem = thrown.message;
    state.runtime.log('warn', 'tunnel-program-failed', {
      code: thrown.code,
      error: thrown.message,
    });
    const at = state.runtime.clock.monotonic() + RETRY_MS;
    scheduleWake(state, { at, why: 'to try again what failed' });
    return false;
  }
}

function scheduleWake(state: State, { at, why }: Wake): void {
  const { clock, log } = state.runtime;
  state.cancelWake();
  if (state.stop.signal.aborted) {
    return;
  }
  state.cancelWake = clock.after(Math.max(0, at - clock.monotonic()), () => {
    log('debug', 'tunnels-wake', { why });
    void inTurn(state, () => refresh(state)).then(() => reconcile(state));
  });
}

/** Whatever runs programs runs alone, in the order of calls. */
function inTurn<T>(state: State, action: () => Promise<T>): Promise<T> {
  const result = state.turn.then(action);
  state.turn = result.catch(() => undefined);
  return result;
}

async function waitForHandshake(
  state: State,
  device: TunnelDevice,
  deadline: () => number,
): Promise<boolean> {
  const { clock } = state.runtime;
  for (let pause = FIRST_POLL_MS; ; pause = Math.min(LAST_POLL_MS, pause * 2)) {
    await lookAtHandshakes(state);
    const before = state.pairs.get(device.id)?.handshakeBefore ?? 0;
    if (isNewHandshake(findPeer(state, device), before)) {
      return true;
    }
    const remaining = deadline() - clock.monotonic();
    if (remaining <= 0 || state.stop.signal.aborted) {
      return false;
    }
    await clock.sleep(Math.min(pause, remaining), state.stop.signal).catch(() => undefined);
  }
}

async function lookAtHandshakes(state: State): Promise<void> {
  await attempt(state, async () => {
    const handshakes = await state.backend.handshakes();
    state.peers = state.peers.map((peer) => ({
      ...peer,
      latestHandshake: handshakes.get(peer.publicKey) ?? peer.latestHandshake,
    }));
  });
}

async function close(state: State): Promise<void> {
  state.stop.abort();
  state.cancelWake();
  await state.turn;
  await state.backend[Symbol.asyncDispose]();
}

function findPeer({ peers }: State, device: TunnelDevice): Peer | undefined {
  const key = printKey(device.publicKey);
  return peers.find(({ publicKey }) => publicKey === key);
}

function observe(state: State): Observed {
  return { peers: state.peers, added: state.added, pairs: state.pairs, ...times(state) };
}

function times({ runtime: { clock } }: State): Pick<Observed, 'now' | 'monotonic'> {
  return { now: clock.now(), monotonic: clock.monotonic() };
}
