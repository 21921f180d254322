/**
 * Questions over TCP, also under TLS: many on one connection, answered as they are ready.
 *
 * Slow and greedy askers hurt only themselves: a connection has a limit of questions under way
 * (then it is not read on), of bytes waiting to be read by the asker, and of time; an address and
 * the whole service have a limit of connections. When all are taken, the one that has been idle for
 * longest makes room, of the site that holds most where one holds more than the newcomer's: many
 * addresses that only hold connections keep nobody out, and those of one attacker end none of others.
 *
 * @see RFC 7766 §6.2: persistent, pipelined, out of order  @see RFC 7766 §6.2.3: idle timeouts
 * @see RFC 7858 §3.3: the same under TLS
 * @see CVE-2024-0760, CVE-2024-12705: askers that never read
 */

import type { Cancel, Clock, Connection } from '#runtime';
import { addressOctets } from '../message/address.ts';
import { extendedError } from '../message/ede.ts';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { RCODE } from '../message/type.ts';
import { frame, unframe } from './framing.ts';
import { bare, type Handle, refusalOf, respond, type Transport } from './response.ts';
import { createWaiting, type Waiting } from './waiting.ts';

/** Connections open at once, in all and for one address (BIND `tcp-clients`: 150). */
export const MAX_CONNECTIONS = 256;
export const MAX_CONNECTIONS_PER_CLIENT = 32;
/** Questions under way on one connection; then it is not read until one is answered (BIND: 23). */
export const MAX_IN_FLIGHT_PER_CONNECTION = 64;
/** Bytes of answers an asker may leave unread: a few of the largest messages. */
export const MAX_UNREAD_BYTES = 4 * 65_537;
/** Milliseconds in which nothing is asked and nothing due, then it is closed (RFC 7766 §6.2.3). */
export const IDLE_MILLISECONDS = 10_000;
/** Milliseconds one answer may take to leave. */
export const WRITE_MILLISECONDS = 5_000;

export type TcpService = AsyncDisposable & { readonly accept: (connection: Connection) => void };

/** Who is at the other end, and how many of its questions are under way. */
type Client = { readonly address: string; readonly site: string; underWay: number };

/** Makes what accepts connections. */
export function createTcpService(
  clock: Clock,
  handle: Handle,
  transport: Transport = 'tcp',
  waiting: Waiting = createWaiting(clock),
): TcpService {
  /** Those that asked longest ago first. */
  const open = new Map<Connection, Client>();

  function makeRoom(site: string): void {
    const crowd = crowdAmong([...open], site);
    const [idle] = crowd.find(([, { underWay }]) => underWay === 0) ?? crowd[0] ?? [];
    if (idle === undefined) return;
    open.delete(idle);
    idle.abort();
  }

  function accept(connection: Connection): void {
    const { remote } = connection;
    const address = 'address' in remote ? remote.address : undefined;
    const mine = [...open.values()].filter((other) => other.address === address).length;
    if (!('address' in remote) || mine >= MAX_CONNECTIONS_PER_CLIENT) {
      connection.abort();
      return;
    }
    const client = { address: remote.address, site: siteOf(remote.address), underWay: 0 };
    if (open.size >= MAX_CONNECTIONS) makeRoom(client.site);
    open.set(connection, client);
    const answer = async (query: Message) => {
      if (open.delete(connection)) open.set(connection, client);
      // Nobody forges the sender of a stream; but who holds most still loses first.
      const ticket = waiting.enter(remote.address, () => true);
      if (ticket === undefined) return overloaded(query);
      client.underWay++;
      try {
        return await handle(query, remote, transport);
      } finally {
        client.underWay--;
        ticket.leave();
      }
    };
    void serve(connection, clock, answer).finally(() => open.delete(connection));
  }

  return {
    accept,
    async [Symbol.asyncDispose]() {
      for (const connection of open.keys()) connection.abort();
    },
  };
}

type Open = readonly [Connection, Client];

/** Those of the site that holds most, or of `mine` if none holds more with one more; all, if none holds any. */
function crowdAmong(open: readonly Open[], mine: string): readonly Open[] {
  const sites = Map.groupBy(open, ([, { site }]) => site);
  const own = sites.get(mine) ?? [];
  let most = own;
  for (const site of sites.values()) {
    if (site.length > Math.max(most.length, own.length + 1)) most = site;
  }
  return most.length === 0 ? open : most;
}

/** What a provider gives to one customer at most: a /24 of IPv4, a /48 of IPv6 (RFC 6177 §2). */
function siteOf(address: string): string {
  const octets = addressOctets(address);
  return octets?.subarray(0, octets.length === 4 ? 3 : 6).join('.') ?? '';
}

const overloaded = (query: Message): Message =>
  respond(query, bare(RCODE.SERVFAIL, extendedError('overloaded')));

async function serve(
  connection: Connection,
  clock: Clock,
  answer: (query: Message) => Promise<Message>,
): Promise<void> {
  const writer = createWriter(connection, clock);
  const slots = createSlots(MAX_IN_FLIGHT_PER_CONNECTION);
  let cancelIdle: Cancel = () => undefined;

  /** Who waits for an answer is not idle. */
  function watchIdle(): void {
    cancelIdle();
    if (slots.areFree()) cancelIdle = clock.after(IDLE_MILLISECONDS, () => connection.abort());
  }

  async function reply(query: Message): Promise<void> {
    writer.write(frame(encodeMessage(await answer(query))));
    slots.free();
    watchIdle();
  }

  try {
    watchIdle();
    for await (const data of unframe(connection.received())) {
      const decoded = decodeMessage(data);
      const refusal = decoded.ok ? undefined : refusalOf(decoded);
      if (refusal !== undefined) writer.write(frame(encodeMessage(refusal)));
      // Octets without an id, or a response: no DNS client.
      else if (!decoded.ok || decoded.message.response) break;
      else {
        await slots.take();
        void reply(decoded.message);
      }
      watchIdle();
    }
    // The asker may have closed its side and still wait for answers.
    await slots.idle();
    await writer.drained();
  } finally {
    cancelIdle();
    await connection[Symbol.asyncDispose]();
  }
}

/** Writes in order; gives the connection up when the asker does not read. */
function createWriter(
  connection: Connection,
  clock: Clock,
): { write(data: Uint8Array): void; drained(): Promise<void> } {
  let unread = 0;
  let last: Promise<void> = Promise.resolve();

  async function send(data: Uint8Array, before: Promise<void>): Promise<void> {
    await before;
    const cancel = clock.after(WRITE_MILLISECONDS, () => connection.abort());
    try {
      await connection.write(data);
    } catch {
      connection.abort();
    }
    cancel();
    unread -= data.length;
  }

  return {
    write(data) {
      unread += data.length;
      if (unread > MAX_UNREAD_BYTES) connection.abort();
      else last = send(data, last);
    },
    drained: () => last,
  };
}

/** Counts questions under way: `take` waits for a free slot, `idle` until all are free. */
function createSlots(limit: number): {
  take(): Promise<void>;
  free(): void;
  areFree(): boolean;
  idle(): Promise<void>;
} {
  let taken = 0;
  let wake: (() => void) | undefined;

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  return {
    async take() {
      await until(() => taken < limit);
      taken++;
    },
    free() {
      taken--;
      wake?.();
    },
    areFree: () => taken === 0,
    idle: () => until(() => taken === 0),
  };
}
