/**
 * The main thread's end of the datapath: hears what the threads could not answer, files what may be
 * answered again, and passes on what they did.
 *
 * To the listeners it is a `Udp`: a question arrives with its sender, and a reply to this very sender
 * goes back where it came from. An answer is filed only under the view the ruling named, if that is
 * also the view the threads see the asker in, and only if nothing changed since the question came:
 * what was ruled before a change is never answered after it (I10).
 */

import type { BatchSocket, BatchThreads, BatchUdp, Clock, Endpoint, Runtime, Udp } from '#runtime';
import { affordable } from '../cache/worth.ts';
import { printIpv4, printIpv6 } from '../message/wire/address-text.ts';
import { type Askers, viewOf } from './askers.ts';
import { createFiler, type Pending, type Reuse } from './filer.ts';
import {
  type Arena,
  createArena,
  DATAPATH_BYTES,
  HEAD,
  headWord,
  mapArena,
  THREAD,
  threadWord,
} from './layout.ts';
import { EVENT_HEAD, MISS_HEAD, ringsOf, SENDER_BYTES, SOUND } from './loop.ts';
import { take } from './ring.ts';

/** A question that a thread answered. */
export type Hit = {
  readonly asker: Endpoint;
  /** The question's octets. */
  readonly question: Uint8Array;
  readonly rcode: number;
  readonly isFromZone: boolean;
};

export type DatapathStats = {
  readonly threads: number;
  readonly hits: number;
  readonly misses: number;
  readonly dropped: number;
  /** Answers that the live log was not told of. */
  readonly unseen: number;
  readonly entries: number;
  readonly bytes: number;
  readonly restarts: number;
};

export type Datapath = AsyncDisposable & {
  /** Sockets whose datagrams the threads see first; a reply must go to the sender it was given. */
  readonly udp: Udp;
  /** Starts the threads, when all sockets are bound. */
  start(): void;
  /** Says who is who; everything filed until now is dead. */
  setAskers(askers: Askers): void;
  /** Lets the answer to this very asker, which is about to be sent, be given again. */
  allow(asker: Endpoint, reuse: Reuse): void;
  stats(): DatapathStats;
};

/** What the threads run. */
const LOOP = new URL('./loop.ts', import.meta.url);

/** Milliseconds between two looks at what the threads answered. */
const EVENT_PAUSE_MS = 250;
/** A question on its way, and how to answer it. */
type Ticket = Pending & { readonly socket: BatchSocket; readonly route: Uint8Array };

type Seams = Pick<Runtime, 'clock' | 'random' | 'memoryBytes'>;

/** Opens the datapath over batched datagrams; `hear` is told what the threads answered. */
export function createDatapath(
  { clock, random, memoryBytes }: Seams,
  batch: BatchUdp,
  hear: (hit: Hit) => void,
): Datapath {
  const bytes = affordable(memoryBytes, DATAPATH_BYTES);
  const [seed = 0] = new Int32Array(random(4).slice().buffer);
  const shared = createArena(batch.threads, bytes, seed);
  const arena = mapArena(shared);
  const epochOf = (): number => Atomics.load(arena.words, headWord(HEAD.epoch));
  const filer = createFiler(clock, batch, arena, epochOf);
  const tickets = new WeakMap<Endpoint, Ticket>();
  const sockets: Listening[] = [];
  let threads: BatchThreads | undefined;

  function receive(record: Uint8Array): void {
    const listening = sockets[record[SENDER_BYTES] as number];
    if (listening === undefined) return;
    const from = printSender(record);
    const query = record.subarray(MISS_HEAD + batch.routeBytes);
    const route = record.subarray(MISS_HEAD, MISS_HEAD + batch.routeBytes);
    const view = viewOf(arena, new Uint32Array(record.buffer, 0, SENDER_BYTES / 4), 0);
    const { socket } = listening;
    tickets.set(from, { socket, route, query, view, epoch: epochOf(), reuse: undefined });
    listening.receive(query, from);
  }

  function send(data: Uint8Array, to: Endpoint): void {
    const ticket = tickets.get(to);
    if (ticket === undefined) return;
    filer.file(ticket, data);
    ticket.socket.send(data, ticket.route);
  }

  return {
    udp: udpOf(batch, sockets, send, () => threads !== undefined),
    start() {
      arena.words[headWord(HEAD.wantsEvents)] = 1;
      const drain = createDrain(clock, arena, receive, hear);
      const open = sockets.map(({ socket }) => socket);
      threads = batch.start(open, { module: LOOP, shared, hear: drain });
    },
    setAskers: filer.setAskers,
    allow(asker, reuse) {
      const ticket = tickets.get(asker);
      if (ticket !== undefined) ticket.reuse = reuse;
    },
    stats: () => ({ ...countsOf(arena), ...filer.size(), restarts: threads?.restarts ?? 0 }),
    async [Symbol.asyncDispose]() {
      filer.stop();
      await threads?.stop();
      for (const { socket } of sockets.splice(0)) socket.close();
    },
  };
}

type Listening = {
  readonly socket: BatchSocket;
  readonly receive: (data: Uint8Array, from: Endpoint) => void;
};

/** Sockets that are told of misses; what threads listen on is closed with the threads. */
function udpOf(
  batch: BatchUdp,
  sockets: Listening[],
  send: (data: Uint8Array, to: Endpoint) => void,
  isRunning: () => boolean,
): Udp {
  return {
    async bind(local, receive) {
      const socket = await batch.bind(local);
      const listening = { socket, receive };
      sockets.push(listening);
      return {
        local: socket.local,
        send,
        async [Symbol.asyncDispose]() {
          if (isRunning()) return;
          socket.close();
          const index = sockets.indexOf(listening);
          if (index >= 0) sockets.splice(index, 1);
        },
      };
    },
  };
}

/** Empties the rings when a thread rings: misses at once, the others when it suits. */
function createDrain(
  clock: Clock,
  arena: Arena,
  receive: (record: Uint8Array) => void,
  hear: (hit: Hit) => void,
): (thread: number, sound: number) => void {
  const { words } = arena;
  const drainHits = (thread: number): void => {
    Atomics.store(words, threadWord(thread, THREAD.eventRung), 0);
    const { event } = ringsOf(arena, thread);
    for (let record = take(arena, event); record; record = take(arena, event)) {
      hear({
        asker: printSender(record),
        rcode: record[SENDER_BYTES] as number,
        isFromZone: record[SENDER_BYTES + 4] === 1,
        question: record.subarray(EVENT_HEAD),
      });
    }
  };
  return (thread, sound) => {
    if (sound === SOUND.event) {
      clock.after(EVENT_PAUSE_MS, () => drainHits(thread));
      return;
    }
    // First: what comes from now on rings again.
    Atomics.store(words, threadWord(thread, THREAD.missRung), 0);
    const { miss } = ringsOf(arena, thread);
    for (let record = take(arena, miss); record; record = take(arena, miss)) receive(record);
  };
}

function countsOf({
  words,
  threads,
}: Arena): Pick<DatapathStats, 'threads' | 'hits' | 'misses' | 'dropped' | 'unseen'> {
  const sum = (field: number): number => {
    let total = 0;
    for (let thread = 0; thread < threads; thread++) {
      total += (words[threadWord(thread, field)] as number) >>> 0;
    }
    return total;
  };
  return {
    threads,
    hits: sum(THREAD.hits),
    misses: sum(THREAD.misses),
    dropped: sum(THREAD.dropped),
    unseen: sum(THREAD.unseen),
  };
}

const AF_INET = 2;

/** sockaddr_in and sockaddr_in6: family, port, then the address. */
function printSender(bytes: Uint8Array): Endpoint {
  const port = ((bytes[2] as number) << 8) | (bytes[3] as number);
  const is4 = bytes[0] === AF_INET;
  const address = is4 ? printIpv4(bytes.subarray(4, 8)) : printIpv6(bytes.subarray(8, 24));
  return { address, port };
}
