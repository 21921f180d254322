/**
 * The control sockets: sealed messages to and from devices, replays and floods kept out.
 *
 * One socket per address family on the control port. Whatever is malformed, unknown, forged, replayed
 * or too much is dropped in silence; only an old stamp in a sound knock is answered, because a router
 * whose clock went back would otherwise be locked out (the answer tells it where to go on).
 */

import type { Endpoint, Runtime, UdpSocket } from '#runtime';
import {
  type ControlMessage,
  derivePairKeys,
  nextStamp,
  openMessage,
  type PairKeys,
  readSender,
  sealMessage,
  senderTag,
} from './control.ts';
import type { TunnelDevice } from './plan.ts';
import { createLimiter } from './rate.ts';
import { type KeyText, printKey } from './wg.ts';

type Unstamped<M> = M extends ControlMessage ? Omit<M, 'stamp'> : never;

/** A message before it gets its stamp. */
export type Letter = Unstamped<ControlMessage>;

export type Post = AsyncDisposable & {
  /** The port that was bound, which the caller may have left to the machine. */
  readonly port: number;
  setDevices(selfId: string, devices: readonly TunnelDevice[]): void;
  /** Sends and forgets; returns the stamp, or undefined for a device without a usable key. */
  send(device: TunnelDevice, to: Endpoint, letter: Letter): number | undefined;
  /** Sends one byte that means nothing, so that WireGuard has something to carry. */
  nudge(address: string): void;
};

type PostOptions = {
  readonly controlPort: number;
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
  readonly receive: (device: TunnelDevice, message: ControlMessage, from: Endpoint) => void;
};

type Correspondent = { readonly device: TunnelDevice; readonly keys: PairKeys };

const NONCE_BYTES = 12;

/** Binds the control port on both families. Fails with RuntimeError when neither can be had. */
export async function openPost(
  runtime: Pick<Runtime, 'clock' | 'random' | 'crypto' | 'udp' | 'log'>,
  options: PostOptions,
): Promise<Post> {
  const { clock, random, crypto } = runtime;
  const limiter = createLimiter();
  let own = '';
  let ownStamp = 0;
  let correspondents: ReadonlyMap<string, Correspondent> = new Map();
  // By key, and kept when a device goes: one that comes back is not open to old recordings.
  const stamps = new Map<KeyText, number>();

  const send: Post['send'] = (device, to, letter) => {
    const correspondent = correspondents.get(senderTag(crypto, device.id));
    if (correspondent === undefined) {
      return undefined;
    }
    ownStamp = nextStamp(ownStamp, clock.now());
    const message = { ...letter, stamp: ownStamp } as ControlMessage;
    const datagram = sealMessage(crypto, correspondent.keys, own, random(NONCE_BYTES), message);
    socketFor(to.address)?.send(datagram, to);
    return ownStamp;
  };

  const receive = (datagram: Uint8Array, from: Endpoint) => {
    const correspondent = correspondents.get(readSender(datagram) ?? '');
    if (correspondent === undefined || !limiter.admit(from.address, clock.monotonic())) {
      return;
    }
    const { device, keys } = correspondent;
    const key = printKey(device.publicKey);
    const lastStamp = stamps.get(key) ?? 0;
    const message = openMessage(crypto, keys, datagram);
    if (message === undefined) {
      return;
    }
    if (message.stamp <= lastStamp) {
      if (message.kind === 'knock') {
        send(device, from, {
          kind: 'refuse',
          echo: message.stamp,
          reason: 'old-stamp',
          last: lastStamp,
        });
      }
      return;
    }
    stamps.set(key, message.stamp);
    if (message.kind === 'refuse' && message.reason === 'old-stamp') {
      ownStamp = Math.max(ownStamp, message.last);
    }
    options.receive(device, message, from);
  };

  const sockets = await bindBoth(runtime, options.controlPort, receive);
  const socketFor = (address: string) =>
    sockets.find(({ local }) => local.address.includes(':') === address.includes(':'));
  const port = sockets[0]?.local.port ?? options.controlPort;
  return {
    port,
    send,
    setDevices(selfId, devices) {
      own = senderTag(crypto, selfId);
      correspondents = meet(crypto, options, devices, correspondents);
    },
    nudge(address) {
      socketFor(address)?.send(Uint8Array.of(0), { address, port });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(sockets.map((socket) => socket[Symbol.asyncDispose]()));
    },
  };
}

/** Keys are derived once per device and key. */
function meet(
  crypto: Pick<Runtime['crypto'], 'hash' | 'agree' | 'hkdf'>,
  own: PostOptions,
  devices: readonly TunnelDevice[],
  known: ReadonlyMap<string, Correspondent>,
): ReadonlyMap<string, Correspondent> {
  const met = new Map<string, Correspondent>();
  for (const device of devices.filter(({ kind }) => kind === 'node')) {
    const tag = senderTag(crypto, device.id);
    const before = known.get(tag);
    const isSame = before?.device.publicKey.join() === device.publicKey.join();
    const keys = isSame ? before?.keys : derivePairKeys(crypto, own, device.publicKey);
    if (keys !== undefined) {
      met.set(tag, { device, keys });
    }
  }
  return met;
}

async function bindBoth(
  { udp, log }: Pick<Runtime, 'udp' | 'log'>,
  port: number,
  receive: (datagram: Uint8Array, from: Endpoint) => void,
): Promise<readonly UdpSocket[]> {
  const ipv4 = await udp.bind({ address: '0.0.0.0', port }, receive);
  try {
    return [ipv4, await udp.bind({ address: '::', port: ipv4.local.port }, receive)];
  } catch (thrown) {
    log('info', 'control-without-ipv6', { error: String(thrown) });
    return [ipv4];
  }
}
