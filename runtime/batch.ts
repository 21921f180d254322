/**
 * The main thread's end of batched datagrams: binds the sockets, starts the threads and starts them
 * again when they fail, and sends what took longer than a batch.
 *
 * All threads share one address by SO_REUSEPORT. The first socket is bound without it, so that a port
 * somebody else has is taken for us too.
 */

import { isIPv6 } from 'node:net';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { createNow, LOADED, type ThreadData } from './batch-io.ts';
import {
  AF_INET,
  AF_INET6,
  allocate,
  CONTROL_BYTES,
  EAGAIN,
  ERRNO,
  HEADER,
  MSG_DONTWAIT,
  makeSlots,
  NAME_BYTES,
  type Native,
  OPTION,
  ROUTE,
  ROUTE_BYTES,
  SHUT_RDWR,
  SOCK_DGRAM_CLOEXEC,
  STRIDE,
} from './batch-native.ts';
import {
  type BatchSocket,
  type BatchThreads,
  type BatchUdp,
  type Endpoint,
  type Log,
  RuntimeError,
} from './index.ts';
import { memoryBytes } from './memory.ts';
import { bindError } from './node-udp.ts';
import { parseAddress, printName } from './socket-address.ts';

/** Room for bursts; the kernel cuts it to net.core.rmem_max without an error. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** More threads than this have nothing to do on a household's machine. */
const MAX_THREADS = 8;
/** A thread takes 5 to 15 MB; a router with little has one of them, whatever its processors. */
const MEMORY_FOR_THREAD = 256 * 1024 * 1024;
/** A thread that fails comes back this soon, later each time; its datagrams wait in the kernel. */
const RESTART_MS = 50;
const MAX_RESTART_MS = 5_000;
/** Threads end by themselves within a batch; one that does not is ended. */
const STOP_MS = 700;
/** Ended while it loads the native calls, a thread takes the whole process with it: it has this long. */
const LOAD_MS = 30_000;

type Opened = BatchSocket & { readonly tellsAddress: boolean };

/** Batched datagrams over `native`; `entry` is the script that a thread runs. */
export function createBatchUdp(
  native: Native,
  entry: URL | string,
  log: Log,
  threads: number = countThreads(),
): BatchUdp {
  const send = createSend(native);
  const opened = new WeakMap<BatchSocket, Opened>();
  return {
    threads,
    routeBytes: ROUTE_BYTES,
    now: createNow(native),
    async bind(local) {
      const socket = await bindAll(native, local, threads, send);
      opened.set(socket, socket);
      return socket;
    },
    start(sockets, serving) {
      const ours = sockets.map((socket) => opened.get(socket));
      const known = ours.filter((socket) => socket !== undefined);
      if (known.length !== sockets.length) throw new Error('a socket of somebody else');
      return startThreads({ native, entry, log, threads, sockets: known }, serving);
    },
  };
}

/** One for each processor that is ours, as far as memory goes. */
function countThreads(): number {
  const affordable = Math.floor(memoryBytes() / MEMORY_FOR_THREAD);
  return Math.max(1, Math.min(availableParallelism(), affordable, MAX_THREADS));
}

async function bindAll(
  native: Native,
  local: Endpoint,
  threads: number,
  send: (socket: number, data: Uint8Array, route: Uint8Array) => void,
): Promise<Opened> {
  const bytes = parseAddress(local);
  if (bytes === undefined) throw new RuntimeError('unreachable', `${local.address} is no address`);
  const tellsAddress = ['0.0.0.0', '::'].includes(local.address);
  const handles: number[] = [];
  const close = (): void => {
    for (const handle of handles.splice(0)) native.close(handle);
  };
  try {
    let address = local;
    for (let thread = 0; thread < threads; thread++) {
      const { handle, name } = openOne(native, address, thread > 0, tellsAddress);
      handles.push(handle);
      address = { ...local, port: printName(name).port };
      // Only now may others, which are ours, have it too.
      if (thread === 0 && threads > 1) setOption(native, handle, OPTION.reusePort, 1);
    }
    return {
      local: address,
      handles,
      tellsAddress,
      send: (data, route) => {
        const [first] = handles;
        if (first !== undefined) send(first, data, route);
      },
      close,
    };
  } catch (thrown) {
    close();
    throw await bindError('udp', local, thrown);
  }
}

function openOne(
  native: Native,
  local: Endpoint,
  isShared: boolean,
  tellsAddress: boolean,
): { readonly handle: number; readonly name: Uint8Array } {
  const is6 = isIPv6(local.address);
  const handle = check(
    native,
    native.socket(is6 ? AF_INET6 : AF_INET, SOCK_DGRAM_CLOEXEC, 0),
    'socket',
  );
  try {
    if (isShared) setOption(native, handle, OPTION.reusePort, 1);
    if (is6) setOption(native, handle, OPTION.only6, 1);
    if (tellsAddress) setOption(native, handle, is6 ? OPTION.packetInfo6 : OPTION.packetInfo4, 1);
    setOption(native, handle, OPTION.receiveBuffer, RECEIVE_BUFFER_BYTES);
    const wanted = parseAddress(local) as Uint8Array;
    check(native, native.bind(handle, wanted, wanted.length), 'bind');
    const name = allocate(NAME_BYTES);
    const length = new Uint8Array(Uint32Array.of(NAME_BYTES).buffer);
    check(native, native.getsockname(handle, name, length), 'getsockname');
    return { handle, name };
  } catch (thrown) {
    native.close(handle);
    throw thrown;
  }
}

function setOption(
  native: Native,
  handle: number,
  [level, name]: readonly [number, number],
  value: number,
): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer);
  check(native, native.setsockopt(handle, level, name, bytes, bytes.length), 'setsockopt');
}

function check(native: Native, result: number, call: string): number {
  if (result >= 0) return result;
  const code = ERRNO[native.errno()] ?? 'EIO';
  throw Object.assign(new Error(`${call} ${code}`), { code, syscall: call });
}

/** Sends one datagram from memory of its own; what cannot be sent is lost. */
function createSend(native: Native): (socket: number, data: Uint8Array, route: Uint8Array) => void {
  const slots = makeSlots(native, 1);
  return (socket, data, route) => {
    if (data.length > STRIDE) return;
    slots.data.set(data);
    slots.vectorWords[2] = data.length;
    slots.names.set(route.subarray(ROUTE.name, ROUTE.name + NAME_BYTES));
    slots.control.set(route.subarray(ROUTE.control, ROUTE.control + CONTROL_BYTES));
    slots.words[HEADER.nameLength] = route[ROUTE.nameLength] as number;
    slots.words[HEADER.controlLength] = route[ROUTE.controlLength] as number;
    native.sendmmsg(socket, slots.headers, 1, MSG_DONTWAIT);
  };
}

type Crew = {
  readonly native: Native;
  readonly entry: URL | string;
  readonly log: Log;
  readonly threads: number;
  readonly sockets: readonly Opened[];
};

/** Why a C library's calls cannot be had, in one line: Node tells who required what in several. */
export function absenceOf(binding: string, thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return `${binding}: ${text.replace(/\s+/g, ' ')}`;
}

/**
 * Why batches cannot be had although there is a C library: a thread whose calls are refused, as
 * sandboxes do, would go round and round and hear nothing.
 */
export function refusalOf(native: Native): string | undefined {
  const handle = native.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if (handle < 0) return `socket is refused (${native.errno()})`;
  try {
    const { headers } = makeSlots(native, 1);
    const isRefused = (result: number) => result < 0 && native.errno() !== EAGAIN;
    if (isRefused(native.recvmmsg(handle, headers, 1, MSG_DONTWAIT))) {
      return `recvmmsg is refused (${native.errno()})`;
    }
    if (isRefused(native.sendmmsg(handle, headers, 0, MSG_DONTWAIT))) {
      return `sendmmsg is refused (${native.errno()})`;
    }
    return undefined;
  } finally {
    native.close(handle);
  }
}

function startThreads(
  { native, entry, log, threads, sockets }: Crew,
  { module, shared, hear }: Parameters<BatchUdp['start']>[1],
): BatchThreads {
  const ending = new SharedArrayBuffer(4);
  const flag = new Int32Array(ending);
  const running = new Map<number, Running>();
  let restarts = 0;

  function run(thread: number): void {
    if (Atomics.load(flag, 0) !== 0) return;
    const workerData: ThreadData = {
      ...{ thread, shared, ending, module: module.href },
      sockets: sockets.map(({ handles, tellsAddress }) => ({
        handle: handles[thread] as number,
        tellsAddress,
      })),
    };
    const worker = new Worker(entry, { workerData, execArgv: [] });
    let reason = 'ended';
    const loaded = Promise.withResolvers<void>();
    worker.on('message', (sound: number) => {
      if (sound === LOADED) loaded.resolve();
      else hear(thread, sound);
    });
    worker.on('error', (error) => {
      reason = String(error);
    });
    const gone = new Promise<void>((resolve) => {
      worker.on('exit', () => {
        resolve();
        if (Atomics.load(flag, 0) !== 0) return;
        restarts++;
        log('error', 'datapath-thread-failed', { thread, reason });
        const wait = Math.min(RESTART_MS * 2 ** (restarts - 1), MAX_RESTART_MS);
        setTimeout(() => run(thread), wait).unref();
      });
    });
    running.set(thread, { worker, gone, loaded: loaded.promise });
  }

  for (let thread = 0; thread < threads; thread++) run(thread);
  return {
    get restarts() {
      return restarts;
    },
    async stop() {
      Atomics.store(flag, 0, 1);
      // It says ENOTCONN and wakes whoever sleeps on the socket all the same.
      for (const { handles } of sockets)
        for (const handle of handles) native.shutdown(handle, SHUT_RDWR);
      await Promise.all([...running.values()].map(endWithin));
    },
  };
}

type Running = {
  readonly worker: Worker;
  readonly loaded: Promise<void>;
  readonly gone: Promise<void>;
};

async function endWithin({ worker, loaded, gone }: Running): Promise<void> {
  let patience = setTimeout(() => void worker.terminate(), LOAD_MS);
  await Promise.race([loaded, gone]);
  clearTimeout(patience);
  patience = setTimeout(() => void worker.terminate(), STOP_MS);
  await gone;
  clearTimeout(patience);
}
