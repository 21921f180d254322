/**
 * The listeners: UDP and TCP on every endpoint, one pipeline behind them.
 *
 * What does not parse gets FORMERR with its own id and opcode, or silence when there is nobody to
 * answer; responses (QR=1) are dropped, lest two servers talk forever. UDP answers never exceed
 * what the asker accepts nor what no link fragments.
 *
 * @see RFC 1035 §4.2, RFC 6891 §6.2.5, RFC 8906 §3
 * TCP connections are tcp-connection.ts's, TLS and HTTP secure-listeners.ts's.
 */

import {
  type Cancel,
  type Endpoint,
  type Listener,
  type Runtime,
  RuntimeError,
  type UdpSocket,
} from '#runtime';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { UDP_SIZE } from '../upstream/upstream.ts';
import type { Courtesy } from './courtesy.ts';
import { answering } from './everywhere.ts';
import { type Handle, refusalOf } from './response.ts';
import { createTcpService } from './tcp-connection.ts';
import { createWaiting, type Waiting } from './waiting.ts';

/** What a UDP message may hold without EDNS (RFC 1035 §4.2.1). */
const PLAIN_UDP_SIZE = 512;

/** Draws of a free port when none is given: UDP and TCP need the same one. */
const PORT_DRAWS = 8;

type Guard = Pick<Courtesy, 'gate' | 'proves'>;

const UNGUARDED: Guard = { gate: () => 'serve', proves: () => false };

export type Listeners = AsyncDisposable & { readonly addresses: readonly Endpoint[] };

/** Milliseconds between two attempts to listen on an address that this machine does not have. */
export const MISSING_MILLISECONDS = 5_000;

type Seams = Pick<Runtime, 'clock' | 'udp' | 'tcp'> & {
  readonly log?: Runtime['log'];
  /** For addresses that come later, when `udp` takes no more. */
  readonly lateUdp?: Runtime['udp'];
};

/**
 * Listens on all endpoints or on none; fails as the seams' `bind` and `listen` do. An address that
 * this machine does not have yet is waited for, as long as there is another. `guard` rules on
 * datagrams, whose senders may be forged.
 */
export async function startListeners(
  runtime: Seams,
  endpoints: readonly Endpoint[],
  handle: Handle,
  guard: Guard = UNGUARDED,
): Promise<Listeners> {
  const addresses: Endpoint[] = [];
  const waiting = createWaiting(runtime.clock);
  const receive = createUdpService(handle, guard, waiting);
  const tcpService = createTcpService(runtime.clock, handle, 'tcp', waiting);
  const opened: AsyncDisposable[] = [tcpService];
  let isClosed = false;
  const close = async () => {
    isClosed = true;
    await Promise.all(opened.map((each) => each[Symbol.asyncDispose]()));
  };
  const open = async (udp: Runtime['udp'], endpoint: Endpoint) => {
    const seams = { udp: answering({ ...runtime, udp }), tcp: runtime.tcp };
    const { socket, listener } = await openBoth(seams, endpoint, receive, tcpService.accept);
    opened.push(socket, listener);
    if (isClosed) await close();
    else addresses.push(socket.local);
  };
  const missing: { readonly endpoint: Endpoint; readonly thrown: RuntimeError }[] = [];
  try {
    for (const endpoint of endpoints) {
      await open(runtime.udp, endpoint).catch((thrown: unknown) => {
        if (!isMissing(thrown)) throw thrown;
        missing.push({ endpoint, thrown });
      });
    }
    const [first] = missing;
    if (addresses.length === 0 && first !== undefined) throw first.thrown;
  } catch (thrown) {
    await close();
    throw thrown;
  }
  const { udp, lateUdp = udp } = runtime;
  for (const { endpoint } of missing) {
    opened.push(awaitAddress(runtime, endpoint, () => open(lateUdp, endpoint)));
  }
  return { addresses, [Symbol.asyncDispose]: close };
}

/** Whether listening failed because this machine does not have the address. */
export function isMissing(thrown: unknown): thrown is RuntimeError {
  return thrown instanceof RuntimeError && thrown.code === 'unreachable';
}

/**
 * Tries again and again; says once that the address is missing, once what else is in the way, and
 * once that it came.
 */
export function awaitAddress(
  { clock, log }: Pick<Seams, 'clock' | 'log'>,
  { address, port }: Endpoint,
  open: () => Promise<void>,
): AsyncDisposable {
  log?.('warn', 'listen-address-missing', { address, port });
  let cancel: Cancel = () => {};
  let isOver = false;
  let isTold = false;
  const fail = (thrown: unknown) => {
    if (isOver) return;
    if (!isMissing(thrown) && !isTold) {
      log?.('warn', 'listen-failed', { address, port, error: String(thrown) });
      isTold = true;
    }
    again();
  };
  const again = () => {
    cancel = clock.after(MISSING_MILLISECONDS, () => {
      open().then(() => log?.('info', 'listening', { address, port }), fail);
    });
  };
  again();
  return {
    async [Symbol.asyncDispose]() {
      isOver = true;
      cancel();
    },
  };
}

async function openBoth(
  { udp, tcp }: Pick<Runtime, 'udp' | 'tcp'>,
  endpoint: Endpoint,
  receive: (socket: UdpSocket, data: Uint8Array, from: Endpoint) => void,
  accept: Parameters<Runtime['tcp']['listen']>[1],
): Promise<{ socket: UdpSocket; listener: Listener }> {
  for (let draw = 1; ; draw++) {
    let open: UdpSocket | undefined;
    // What arrives before `bind` returns is lost, as a moment earlier.
    const socket = await udp.bind(endpoint, (data, from) => {
      if (open !== undefined) receive(open, data, from);
    });
    open = socket;
    try {
      return { socket, listener: await tcp.listen(socket.local, accept) };
    } catch (thrown) {
      await socket[Symbol.asyncDispose]();
      // A port the kernel chose for UDP may be taken for TCP.
      if (endpoint.port !== 0 || draw === PORT_DRAWS) throw thrown;
    }
  }
}

function createUdpService(
  handle: Handle,
  { gate, proves }: Guard,
  waiting: Waiting,
): (socket: UdpSocket, data: Uint8Array, from: Endpoint) => void {
  async function take(socket: UdpSocket, query: Message, from: Endpoint): Promise<void> {
    const isProven = () => isThisMachine(from) || proves(query, from);
    const ticket = waiting.enter(from.address, isProven);
    if (ticket === undefined) return;
    let response: Message | undefined;
    try {
      response = await handle(query, from, 'udp');
    } finally {
      const isWanted = ticket.leave();
      if (isWanted && response !== undefined) {
        socket.send(encodeMessage(response, { limit: udpLimit(query) }), from);
      }
    }
  }

  return (socket, data, from) => {
    if (from.port === 0) return;
    const decoded = decodeMessage(data);
    if (!decoded.ok) {
      const refusal = refusalOf(decoded);
      const isServed = refusal !== undefined && gate(refusal, from) === 'serve';
      if (isServed) socket.send(encodeMessage(refusal), from);
      return;
    }
    if (decoded.message.response) return;
    const ruled = gate(decoded.message, from);
    if (ruled === 'serve') void take(socket, decoded.message, from);
    else if (ruled !== 'drop') socket.send(encodeMessage(ruled), from);
  };
}

/** A forwarder here asks for many, and nobody outside can send from these (RFC 1122 §3.2.1.3). */
function isThisMachine({ address }: Endpoint): boolean {
  return address === '127.0.0.1' || address === '::1';
}

/** The lesser of what the asker takes and what is not fragmented (RFC 9715 §3.1). */
function udpLimit({ edns }: Message): number {
  if (edns === undefined) return PLAIN_UDP_SIZE;
  return Math.min(Math.max(edns.udpSize, PLAIN_UDP_SIZE), UDP_SIZE);
}
