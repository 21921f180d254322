/**
 * Sockets on random ports to ask other servers from, some of them used again.
 *
 * Opening one costs as much as asking. While there are fewer than `MAX_KEPT`, each question has a
 * port of its own; beyond that, in times of many questions, it may have one that its server was asked
 * from before. No other server's: who runs a server sees our ports, and would know from which few
 * the next question to somebody else is asked. A socket serves one question at a time and few in
 * all, not for long, and never again after anything about it was odd: no reply, more than one, one
 * that does not fit, or one that nobody waited for. A question that nothing but its port and id protects
 * is asked from a new one, which serves no other.
 *
 * @see RFC 5452 §9.2: who forges a reply must guess the port; and one wrong guess ends the guessing
 * (upstream.ts)
 */

import type { Clock, Endpoint, Random, Udp, UdpSocket } from '#runtime';

/** Sockets that wait for another question. */
export const MAX_KEPT = 64;

/** Questions asked from one port. */
export const MAX_USES = 16;

/** Milliseconds that a port is ours: scanning all of them takes longer (SAD DNS, CVE-2020-25705). */
export const MAX_AGE_MILLISECONDS = 10_000;

/** Ports to draw from: not the well-known ones, nor most that other services hold. */
const FIRST_PORT = 10_240;
const PORTS = 65_536 - FIRST_PORT;
/** Draws until the kernel chooses. */
const PORT_DRAWS = 4;

type Receive = (data: Uint8Array, from: Endpoint) => void;

type Kept = {
  readonly socket: UdpSocket;
  readonly address: string;
  readonly server: Endpoint;
  readonly born: number;
  uses: number;
  received: number;
  receive: Receive | undefined;
};

type Seams = { readonly clock: Clock; readonly random: Random; readonly udp: Udp };

/** A socket for one question. */
export type Port = UdpSocket & {
  /** Something about it was odd: it serves no other question. */
  spoil(): void;
};

export type Ports = AsyncDisposable & {
  /** A socket on a random port of `address` to ask `server` from; dispose it after its question. */
  open(address: string, server: Endpoint, receive: Receive, use?: 'once'): Promise<Port>;
};

/** Makes them; nothing is open before it is needed. */
export function createPorts({ clock, random, udp }: Seams): Ports {
  const taken = new Set<number>();
  const free = createFree(clock, close);

  function close({ socket }: Kept): void {
    taken.delete(socket.local.port);
    void socket[Symbol.asyncDispose]();
  }

  function hear(kept: Kept, data: Uint8Array, from: Endpoint): void {
    kept.received++;
    if (kept.receive === undefined) free.drop(kept);
    else kept.receive(data, from);
  }

  function lend(kept: Kept, receive: Receive): Port {
    kept.uses++;
    kept.received = 0;
    kept.receive = receive;
    return {
      local: kept.socket.local,
      send: kept.socket.send,
      spoil() {
        kept.uses = MAX_USES;
      },
      async [Symbol.asyncDispose]() {
        if (kept.receive !== receive) return;
        kept.receive = undefined;
        free.put(kept);
      },
    };
  }

  async function bind(address: string, port: number, server: Endpoint): Promise<Kept> {
    let opened: Kept | undefined;
    const socket = await udp.bind({ address, port }, (data, from) => {
      if (opened !== undefined) hear(opened, data, from);
    });
    const born = clock.monotonic();
    opened = { socket, address, server, born, uses: 0, received: 0, receive: undefined };
    taken.add(socket.local.port);
    return opened;
  }

  async function bindRandom(address: string, server: Endpoint): Promise<Kept> {
    for (let each = 0; each < PORT_DRAWS; each++) {
      const [first = 0, second = 0, third = 0] = random(3);
      const port = FIRST_PORT + (((first << 16) | (second << 8) | third) % PORTS);
      if (taken.has(port)) continue;
      try {
        return await bind(address, port, server);
      } catch {
        // Taken by somebody; any other trouble shows again below.
      }
    }
    return bind(address, 0, server);
  }

  return {
    async open(address, server, receive, use) {
      const isNew = use === 'once' || taken.size < MAX_KEPT;
      const drawn = isNew ? undefined : free.draw(address, server, random);
      const port = lend(drawn ?? (await bindRandom(address, server)), receive);
      if (use === 'once') port.spoil();
      return port;
    },
    async [Symbol.asyncDispose]() {
      free.close();
    },
  };
}

/** Sockets that wait for another question. */
function createFree(clock: Clock, close: (kept: Kept) => void) {
  const free: Kept[] = [];
  let isClosed = false;
  let isSweeping = false;

  const isOld = ({ born }: Kept, now = clock.monotonic()) => now - born >= MAX_AGE_MILLISECONDS;

  function sweep(): void {
    isSweeping = false;
    for (const kept of free.splice(0)) {
      if (isOld(kept)) close(kept);
      else free.push(kept);
    }
    sweepLater();
  }

  function sweepLater(): void {
    if (isSweeping || free.length === 0) return;
    isSweeping = true;
    clock.after(MAX_AGE_MILLISECONDS, sweep);
  }

  return {
    /** Takes a socket back, or closes it; when there are too many, the one that waits for longest. */
    put(kept: Kept): void {
      const isSound = kept.received === 1 && kept.uses < MAX_USES && !isOld(kept);
      if (isClosed || !isSound) {
        close(kept);
        return;
      }
      free.push(kept);
      const surplus = free.length > MAX_KEPT ? free.shift() : undefined;
      if (surplus !== undefined) close(surplus);
      sweepLater();
    },
    /** Takes one of the server's out at random. */
    draw(address: string, server: Endpoint, random: Random): Kept | undefined {
      const now = clock.monotonic();
      const own = free.filter(
        (kept) =>
          kept.server.address === server.address &&
          kept.server.port === server.port &&
          kept.address === address &&
          !isOld(kept, now),
      );
      const [octet = 0] = own.length > 1 ? random(1) : [];
      const kept = own[octet % own.length];
      if (kept !== undefined) free.splice(free.indexOf(kept), 1);
      return kept;
    },
    /** Closes a socket that got what nobody waited for. */
    drop(kept: Kept): void {
      const index = free.indexOf(kept);
      if (index < 0) return;
      free.splice(index, 1);
      close(kept);
    },
    close(): void {
      isClosed = true;
      for (const kept of free.splice(0)) close(kept);
    },
  };
}
