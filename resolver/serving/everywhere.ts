/**
 * Datagrams to any address of this machine, answered from the address that was asked.
 *
 * A socket on 0.0.0.0 or :: does not tell where a datagram was sent to, and its answer leaves from the
 * address that the kernel likes best: of a router with several of them often another one, whose answer
 * nobody waits for. So each address has a socket of its own, as with BIND and NSD. Addresses come and
 * go and are looked for again and again; one that is gone keeps its socket for a while, because it may
 * be only the cable.
 *
 * @see RFC 1123 §6.1.3.2 and RFC 2181 §4.1: the source of an answer
 * Sockets of the datapath tell the address by themselves, and their Udp knows no `addresses`.
 */

import {
  type Cancel,
  type Endpoint,
  type LocalAddress,
  type Runtime,
  RuntimeError,
  type Udp,
  type UdpSocket,
} from '#runtime';

/** Milliseconds between two looks at the addresses; it costs a system call. */
export const LOOK_MILLISECONDS = 5_000;
/** Looks in which an address may be missing before its socket is closed. */
export const MAX_MISSED = 12;
/** Looks until an address that somebody else holds is tried again: who that is costs more to find out. */
export const REFUSED_LOOKS = 12;

const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

type Seams = Pick<Runtime, 'clock' | 'udp'> & { readonly log?: Runtime['log'] };
type Receive = Parameters<Udp['bind']>[1];
type Opened = { readonly socket: UdpSocket; missed: number };

/** Sockets that answer from where they were asked; answers must go to the senders they were given. */
export function answering(seams: Seams): Pick<Udp, 'bind'> {
  const { udp } = seams;
  return {
    bind(local, receive) {
      const isEverywhere = WILDCARDS.includes(local.address) && udp.addresses?.() !== undefined;
      return isEverywhere ? bindEach(seams, local, receive) : udp.bind(local, receive);
    },
  };
}

async function bindEach(seams: Seams, wanted: Endpoint, receive: Receive): Promise<UdpSocket> {
  const local = await probe(seams.udp, wanted);
  const origins = new WeakMap<Endpoint, UdpSocket>();
  const open = new Map<string, Opened>();
  const refusals = createRefusals(seams);
  let isClosed = false;
  let cancel: Cancel = () => undefined;

  async function openOne(key: string, address: string): Promise<void> {
    let opened: UdpSocket | undefined;
    const socket = await seams.udp.bind({ address, port: local.port }, (data, from) => {
      if (opened === undefined) return;
      origins.set(from, opened);
      receive(data, from);
    });
    opened = socket;
    if (isClosed) await socket[Symbol.asyncDispose]();
    else open.set(key, { socket, missed: 0 });
  }

  async function closeGone(isHere: (key: string) => boolean): Promise<void> {
    for (const [key, each] of open) {
      each.missed = isHere(key) ? 0 : each.missed + 1;
      if (each.missed <= MAX_MISSED) continue;
      open.delete(key);
      await each.socket[Symbol.asyncDispose]();
    }
  }

  /** Opens what came and closes what has long been gone; why something could not be opened. */
  async function look(): Promise<readonly unknown[]> {
    const found = seams.udp.addresses?.();
    if (found === undefined) return [];
    const here = new Map(found.filter(isLike(local)).map((each) => [keyOf(each), each.address]));
    await closeGone((key) => here.has(key));
    const failures: unknown[] = [];
    for (const [key, address] of here) {
      if (isClosed || open.has(key) || refusals.isToWait(key)) continue;
      await openOne(key, address).catch((thrown: unknown) => {
        failures.push(thrown);
        refusals.note(key, { address, port: local.port }, thrown);
      });
    }
    return failures;
  }

  function lookLater(): void {
    cancel = seams.clock.after(LOOK_MILLISECONDS, () => {
      void look().then(() => {
        if (!isClosed) lookLater();
      });
    });
  }

  const [failure] = await look();
  if (open.size === 0 && failure !== undefined) throw failure;
  lookLater();
  return {
    local,
    send: (data, to) => origins.get(to)?.send(data, to),
    async [Symbol.asyncDispose]() {
      isClosed = true;
      cancel();
      await Promise.all([...open.values()].map(({ socket }) => socket[Symbol.asyncDispose]()));
    },
  };
}

/** Addresses that could not be opened, each told once, and how many looks to wait for. */
function createRefusals({ log }: Pick<Seams, 'log'>) {
  const looks = new Map<string, number>();
  return {
    isToWait(key: string): boolean {
      const left = looks.get(key) ?? 0;
      if (left > 0) looks.set(key, left - 1);
      return left > 0;
    },
    /** That an address is not there after all, or not yet (RFC 4862 §5.4), is nothing to tell. */
    note(key: string, { address, port }: Endpoint, thrown: unknown): void {
      if (!(thrown instanceof RuntimeError)) throw thrown;
      if (thrown.code === 'unreachable') return;
      if (!looks.has(key)) log?.('warn', 'listen-failed', { address, port, error: String(thrown) });
      looks.set(key, REFUSED_LOOKS - 1);
    },
  };
}

/** Fails as long as somebody has the port at any address; a free port where none is wanted. */
async function probe(udp: Udp, wanted: Endpoint): Promise<Endpoint> {
  await using socket = await udp.bind(wanted, () => undefined);
  return socket.local;
}

const isLike =
  (local: Endpoint) =>
  ({ address }: LocalAddress): boolean =>
    address.includes(':') === local.address.includes(':');

/** An interface that is made anew may have the same link-local address, but not the same number. */
const keyOf = ({ address, link }: LocalAddress): string => `${address} ${link}`;
