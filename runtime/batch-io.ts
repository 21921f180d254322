/**
 * A thread's end of batched datagrams: waits for a batch on its sockets, sends a batch of replies.
 *
 * With one socket the thread sleeps in recvmmsg, with several in poll. Replies leave from the address
 * that was asked, also where the socket is bound to all of them: the control message that says so on
 * receipt is used again for sending (ip(7) IP_PKTINFO, ipv6(7) IPV6_RECVPKTINFO).
 */

import {
  AF_INET6,
  allocate,
  CLOCK_MONOTONIC,
  CONTROL_BYTES,
  HEADER,
  HEADER_WORDS,
  MSG_DONTWAIT,
  MSG_WAITFORONE,
  makeSlots,
  NAME_BYTES,
  type Native,
  POLLIN,
  ROUTE,
  ROUTE_BYTES,
  type Slots,
  STRIDE,
} from './batch-native.ts';
import type { BatchIo } from './index.ts';

/** Datagrams in one call of the kernel. */
const BATCH = 64;

/** Rung when the native calls are loaded; before that a thread must not be ended from outside. */
export const LOADED = -1;

/** What a thread is started with. */
export type ThreadData = {
  readonly thread: number;
  readonly module: string;
  readonly shared: SharedArrayBuffer;
  /** One word; not zero when the thread is to end. */
  readonly ending: SharedArrayBuffer;
  /** A socket for each address, and whether it tells where datagrams were sent to. */
  readonly sockets: readonly { readonly handle: number; readonly tellsAddress: boolean }[];
};

/** Opens a thread's sockets, which the main thread has bound. */
export function openBatchIo(
  native: Native,
  data: ThreadData,
  ring: (sound: number) => void,
): BatchIo {
  const incoming = makeSlots(native, BATCH);
  const outgoing = makeSlots(native, BATCH);
  const receiver = createReceiver(native, data, incoming);
  const sender = createSender(native, incoming, outgoing, receiver);
  ring(LOADED);
  return {
    thread: data.thread,
    shared: data.shared,
    stride: STRIDE,
    received: incoming.data,
    senders: new Uint32Array(incoming.names.buffer),
    replies: outgoing.data,
    replyWords: new Int32Array(outgoing.data.buffer),
    receive: receiver.receive,
    lengthOf: (datagram) => incoming.words[datagram * HEADER_WORDS + HEADER.length] as number,
    ...sender,
    socket: () => receiver.current().index,
    routeBytes: ROUTE_BYTES,
    copyRoute: (datagram, into, at) => copyRoute(incoming, datagram, into, at),
    now: createNow(native),
    ring,
  };
}

type Current = { readonly index: number; readonly handle: number; readonly tellsAddress: boolean };

type Receiver = { receive(): number; current(): Current };

function createReceiver(native: Native, data: ThreadData, slots: Slots): Receiver {
  const sockets = data.sockets.map((socket, index) => ({ ...socket, index }));
  const [first] = sockets;
  if (first === undefined) throw new Error('a thread without sockets');
  const ending = new Int32Array(data.ending);
  const isAlone = sockets.length === 1;
  const polled = allocate(sockets.length * 8);
  const pollWords = new Int32Array(polled.buffer);
  sockets.forEach(({ handle }, index) => {
    pollWords[index * 2] = handle;
  });
  let current: Current = first;
  let next = sockets.length;
  let used = BATCH;

  const take = (flags: number): number => {
    reset(slots, used, current.tellsAddress);
    const count = native.recvmmsg(current.handle, slots.headers, BATCH, flags);
    used = Math.max(count, 0);
    return used;
  };

  function poll(): number {
    for (; next < sockets.length; next++) {
      // The upper half of the word is what happened (struct pollfd).
      if ((pollWords[next * 2 + 1] as number) >>> 16 === 0) continue;
      if (sockets[next] !== current) used = BATCH;
      current = sockets[next] as Current;
      const count = take(MSG_DONTWAIT);
      // A full batch may have more behind it; the others have their turn first.
      if (count > 0) {
        next++;
        return count;
      }
    }
    for (let index = 0; index < sockets.length; index++) pollWords[index * 2 + 1] = POLLIN;
    if (native.poll(polled, sockets.length, -1) > 0) next = 0;
    return 0;
  }

  return {
    receive() {
      const count = isAlone ? take(MSG_WAITFORONE) : poll();
      return Atomics.load(ending, 0) === 0 ? count : -1;
    },
    current: () => current,
  };
}

/** The kernel writes lengths back: they are what there is room for again. */
function reset({ words }: Slots, count: number, tellsAddress: boolean): void {
  const room = tellsAddress ? CONTROL_BYTES : 0;
  for (let index = 0; index < count; index++) {
    const at = index * HEADER_WORDS;
    words[at + HEADER.nameLength] = NAME_BYTES;
    words[at + HEADER.controlLength] = room;
  }
}

function createSender(
  native: Native,
  incoming: Slots,
  { words, vectorWords, headers }: Slots,
  receiver: Receiver,
): Pick<BatchIo, 'put' | 'flush'> {
  const { nameAddresses, controlAddresses } = incoming;
  return {
    put(reply, datagram, length) {
      const to = reply * HEADER_WORDS;
      const from = datagram * HEADER_WORDS;
      vectorWords[reply * 4 + 2] = length;
      words[to + HEADER.name] = nameAddresses[datagram * 2] as number;
      words[to + HEADER.name + 1] = nameAddresses[datagram * 2 + 1] as number;
      words[to + HEADER.nameLength] = incoming.words[from + HEADER.nameLength] as number;
      const controlLength = incoming.words[from + HEADER.controlLength] as number;
      words[to + HEADER.controlLength] = controlLength;
      if (controlLength === 0) return;
      words[to + HEADER.control] = controlAddresses[datagram * 2] as number;
      words[to + HEADER.control + 1] = controlAddresses[datagram * 2 + 1] as number;
      leaveByAnyInterface(incoming, datagram);
    },
    flush(count) {
      sendAll(native, receiver.current().handle, headers, count);
    },
  };
}

/** Sends what can be sent: one that the kernel refuses is lost, as on the wire. */
function sendAll(native: Native, socket: number, headers: Uint8Array, count: number): void {
  let done = 0;
  while (done < count) {
    const rest = done === 0 ? headers : headers.subarray(done * HEADER_WORDS * 4);
    const sent = native.sendmmsg(socket, rest, count - done, MSG_DONTWAIT);
    done += sent > 0 ? sent : 1;
  }
}

/**
 * The routing table says by which interface a reply leaves, not the one the question came in by;
 * link-local addresses mean nothing without theirs.
 */
function leaveByAnyInterface({ control, names }: Slots, datagram: number): void {
  const at = datagram * CONTROL_BYTES;
  const is6 = names[datagram * NAME_BYTES] === AF_INET6;
  if (is6 && control[at + 16] === 0xfe && ((control[at + 17] as number) & 0xc0) === 0x80) return;
  // After the header of 16: in_pktinfo begins with the interface, in6_pktinfo ends with it.
  control.fill(0, at + (is6 ? 32 : 16), at + (is6 ? 36 : 20));
}

function copyRoute(slots: Slots, datagram: number, into: Uint8Array, at: number): void {
  const { words, names, control } = slots;
  const from = datagram * HEADER_WORDS;
  const controlLength = words[from + HEADER.controlLength] as number;
  if (controlLength > 0) leaveByAnyInterface(slots, datagram);
  into[at + ROUTE.nameLength] = words[from + HEADER.nameLength] as number;
  into[at + ROUTE.controlLength] = controlLength;
  const name = datagram * NAME_BYTES;
  into.set(names.subarray(name, name + NAME_BYTES), at + ROUTE.name);
  const message = datagram * CONTROL_BYTES;
  into.set(control.subarray(message, message + CONTROL_BYTES), at + ROUTE.control);
}

/** The kernel's clock once; from there on this thread's own, which costs less to read. */
export function createNow(native: Pick<Native, 'clock'>): () => number {
  const time = allocate(16);
  const wide = new BigInt64Array(time.buffer);
  native.clock(CLOCK_MONOTONIC, time);
  const start = Number(wide[0]) + Number(wide[1]) / 1e9 - performance.now() / 1_000;
  return () => start + performance.now() / 1_000;
}
