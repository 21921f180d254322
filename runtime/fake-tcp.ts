/**
 * Streams over the network in memory: ordered, delayed, stalled while a path is cut.
 */

import {
  assertReachable,
  claim,
  claimPath,
  deliver,
  findBound,
  findHost,
  type Host,
  sourceFor,
  type Wire,
} from './fake-hosts.ts';
import {
  type Connection,
  type Endpoint,
  type Listener,
  type Path,
  RuntimeError,
  type Tcp,
} from './index.ts';

type Accept = (connection: Connection) => void;
type Listening = { readonly accept: Accept; readonly open: Set<Connection> };

const CONNECT_TIMEOUT_MS = 10_000;
const RETRANSMIT_MS = 200;

/** The streams of one host. */
export function fakeTcp(wire: Wire, host: Host): Tcp {
  return {
    listen: async (local, accept) => listen(host, local, accept),
    connect: (remote, options = {}) => connect(wire, host, remote, options),
  };
}

function listen(host: Host, local: Endpoint | Path, accept: Accept): Listener {
  const listening: Listening = { accept, open: new Set() };
  const { endpoint, release } =
    'path' in local ? claimPath(host, local, listening) : claim(host, 'tcp', local, listening);
  return {
    local: endpoint,
    async [Symbol.asyncDispose]() {
      release();
      for (const connection of listening.open) connection.abort();
    },
  };
}

async function connect(
  wire: Wire,
  host: Host,
  remote: Endpoint | Path,
  options: { readonly timeoutMs?: number; readonly localAddress?: string },
): Promise<Connection> {
  if ('path' in remote) {
    const listening = host.bound.get(`path ${remote.path}`) as Listening | undefined;
    if (listening === undefined) throw new RuntimeError('not-found', `no ${remote.path}`);
    return openPair(wire, remote, remote, listening);
  }
  const any = remote.address.includes(':') ? '::' : '0.0.0.0';
  const local = {
    address: sourceFor(host, options.localAddress ?? any, remote.address),
    port: host.nextPort,
  };
  host.nextPort += 1;
  await assertReachable(wire, host, local, remote, options.timeoutMs ?? CONNECT_TIMEOUT_MS);
  const listening = findBound(findHost(wire, host, remote.address), 'tcp', remote);
  if (listening === undefined) throw new RuntimeError('refused', 'nobody listens there');
  return openPair(wire, local, remote, listening as Listening);
}

function openPair(
  wire: Wire,
  local: Endpoint | Path,
  remote: Endpoint | Path,
  listening: Listening,
): Connection {
  const here = inbox();
  const there = inbox();
  const client = connectionOf(here, courier(wire, local, remote, there), remote);
  const server = connectionOf(there, courier(wire, remote, local, here), local);
  listening.open.add(server);
  listening.accept(server);
  return client;
}

type Inbox = {
  readonly chunks: Uint8Array[];
  isEnded: boolean;
  isBroken: boolean;
  wake: () => void;
};

function inbox(): Inbox {
  return { chunks: [], isEnded: false, isBroken: false, wake: () => undefined };
}

type Parcel = Uint8Array | 'end' | 'reset';

/** Carries parcels to `inbox` in order, after the delay; while the path is cut, again and again. */
function courier(wire: Wire, from: Endpoint | Path, to: Endpoint | Path, target: Inbox) {
  const waiting: Parcel[] = [];
  let busyUntil = 0;
  const quality = () =>
    'path' in from || 'path' in to
      ? { delayMs: 0, isCut: false }
      : wire.quality(from.address, to.address);
  const arrive = () => {
    if (quality().isCut) {
      wire.clock.after(RETRANSMIT_MS, arrive);
      return;
    }
    for (const parcel of waiting.splice(0, 1)) put(target, parcel);
  };
  return (parcel: Parcel) => {
    waiting.push(parcel);
    const now = wire.clock.monotonic();
    busyUntil = Math.max(busyUntil, now + quality().delayMs);
    deliver(wire.clock, busyUntil - now, arrive);
  };
}

function put(target: Inbox, parcel: Parcel): void {
  if (parcel === 'end' || parcel === 'reset') {
    target.isEnded = true;
    if (parcel === 'reset') target.isBroken = true;
  } else if (!target.isEnded) target.chunks.push(parcel);
  target.wake();
}

function connectionOf(
  own: Inbox,
  send: (parcel: Parcel) => void,
  remote: Endpoint | Path,
): Connection {
  let isOpen = true;
  const close = (parcel: Parcel) => {
    if (isOpen) send(parcel);
    isOpen = false;
    own.isEnded = true;
    own.wake();
  };
  return {
    remote,
    received: () => receivedIn(own),
    async write(data) {
      if (!isOpen || own.isBroken) throw new RuntimeError('io', 'the connection is closed');
      send(data.slice());
    },
    abort() {
      own.chunks.length = 0;
      close('reset');
    },
    [Symbol.asyncDispose]: async () => close('end'),
  };
}

async function* receivedIn(own: Inbox): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = own.chunks.shift();
    if (chunk !== undefined) yield chunk;
    else if (own.isEnded) return;
    else {
      await new Promise<void>((resolve) => {
        own.wake = resolve;
      });
    }
  }
}
