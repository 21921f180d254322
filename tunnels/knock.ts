/**
 * Knocking: how two devices come to one tunnel, with exactly one of them beginning the handshake.
 *
 * The asker knocks on every place the other may be at; the other adds it as a peer without endpoint
 * and says welcome; the asker adds the other with the address that answered and begins. When both
 * knock at once, the one with the higher key gives way: it welcomes and waits. The lower one stays
 * deaf to the first knock, and gives way to a second one, for then its own cannot get through.
 * Whoever is behind a router begins, whatever its key: a knock on a place where a device was only
 * heard from asks it to knock back.
 */

import type { Endpoint } from '#runtime';
import {
  type Context,
  candidates,
  isStored,
  type KnockerOptions,
  type Reach,
  reach,
  type Seams,
} from './ask.ts';
import type { ControlMessage } from './control.ts';
import type { TunnelDevice } from './plan.ts';

export type Knocker = {
  reach(device: TunnelDevice, deadlineMs: number): Promise<Reach>;
  receive(device: TunnelDevice, message: ControlMessage, from: Endpoint): Promise<void>;
  /** Where a device was last heard from, best first. */
  candidates(device: TunnelDevice): readonly Endpoint[];
  /** The port where a device listens on its overlay addresses. */
  controlPort(device: TunnelDevice): number;
  stop(): void;
};

/** Less than the time between the first two knocks of a device, jitter included. */
const DEAF_MS = 150;
/** After a handshake that was begun in vain, WireGuard tries again; till then we stay with it. */
const BEGIN_MS = 5_000;
const CALL_BACK_MS = 5_000;

/** Makes the knocker of one device. */
export function createKnocker(runtime: Seams, options: KnockerOptions): Knocker {
  const context: Context = { ...options, runtime, attempts: new Map(), heard: new Map() };
  return {
    reach: (device, deadlineMs) => reach(context, device, deadlineMs),
    receive: (device, message, from) => receive(context, device, message, from),
    candidates: (device) => candidates(context, device),
    controlPort: ({ id }) => context.heard.get(id)?.controlPort ?? options.post.port,
    stop() {
      for (const attempt of context.attempts.values()) {
        attempt.phase = 'stopped';
        attempt.wake();
      }
    },
  };
}

async function receive(
  context: Context,
  device: TunnelDevice,
  message: ControlMessage,
  from: Endpoint,
): Promise<void> {
  switch (message.kind) {
    case 'knock':
      return receiveKnock(context, device, message, from);
    case 'welcome':
      return receiveWelcome(context, device, message, from);
    case 'refuse':
      return receiveRefusal(context, device, message);
    case 'bye':
      context.driver.change(device.id, { left: true, role: 'none' });
      return;
    case 'moved':
      return;
  }
}

type MessageOf<K extends ControlMessage['kind']> = Extract<ControlMessage, { kind: K }>;

async function receiveKnock(
  context: Context,
  device: TunnelDevice,
  { stamp: echo, controlPort, callBack }: MessageOf<'knock'>,
  from: Endpoint,
): Promise<void> {
  const { driver, post, accept, listenPort } = context;
  if (!device.mayConnect || !(await accept(device.id))) {
    post.send(device, from, { kind: 'refuse', echo, reason: 'not-allowed', last: 0 });
    return;
  }
  context.heard.set(device.id, { from, controlPort });
  const answer = decideRole(context, device, from, callBack);
  if (answer === 'call-back') {
    void reach(context, device, CALL_BACK_MS);
  }
  if (answer === 'ignore' || answer === 'call-back') {
    return;
  }
  if (answer === 'wait') {
    giveWay(context, device);
    if (!(await driver.reconcile())) {
      post.send(device, from, { kind: 'refuse', echo, reason: 'tunnels-off', last: 0 });
      return;
    }
    context.attempts.get(device.id)?.wake();
  }
  post.send(device, from, {
    kind: 'welcome',
    echo,
    listenPort,
    controlPort: post.port,
    seen: from,
    initiator: answer === 'wait' ? 'asker' : 'answerer',
  });
}

type Role = 'wait' | 'begin' | 'call-back' | 'ignore';

/** Whether we wait for the asker's handshake, have begun one, knock ourselves, or do nothing. */
function decideRole(
  { runtime, attempts, driver, publicKey }: Context,
  device: TunnelDevice,
  from: Endpoint,
  callBack: boolean,
): Role {
  const now = runtime.clock.monotonic();
  const attempt = attempts.get(device.id);
  const state = driver.state(device);
  const isStarting = state === 'connecting' && now - driver.pair(device.id).joinedAt < BEGIN_MS;
  if (attempt?.phase === 'connecting' || isStarting) {
    return 'begin';
  }
  if (callBack && (state === 'idle' || state === 'quiet' || state === 'knocking')) {
    return attempt === undefined ? 'call-back' : 'ignore';
  }
  if (attempt?.phase === 'knocking' && state === 'knocking') {
    attempt.foreignSince ??= now;
    // From behind a router only the other can begin, whoever has the lower key.
    const isDeaf = isLower(publicKey, device.publicKey) && isStored(device, from);
    return isDeaf && now - attempt.foreignSince < DEAF_MS ? 'ignore' : 'wait';
  }
  return 'wait';
}

/** We are to wait for the other's handshake; with the peer known, but without its endpoint. */
function giveWay({ driver, attempts, runtime }: Context, device: TunnelDevice): void {
  const attempt = attempts.get(device.id);
  if (attempt?.phase === 'knocking') {
    attempt.phase = 'waiting';
  }
  const state = driver.state(device);
  if (state === 'up' || (driver.pair(device.id).role === 'passive' && state === 'waiting')) {
    return;
  }
  driver.change(device.id, {
    role: 'passive',
    joinedAt: runtime.clock.monotonic(),
    handshakeBefore: driver.peer(device)?.latestHandshake ?? 0,
    left: false,
  });
}

async function receiveWelcome(
  context: Context,
  device: TunnelDevice,
  message: MessageOf<'welcome'>,
  from: Endpoint,
): Promise<void> {
  const { driver, post, heard, attempts, publicKey, runtime } = context;
  const attempt = attempts.get(device.id);
  if (attempt === undefined || !attempt.stamps.has(message.echo)) {
    return;
  }
  heard.set(device.id, { from, controlPort: message.controlPort });
  const isLate = attempt.phase === 'waiting' && !isLower(publicKey, device.publicKey);
  if ((attempt.phase !== 'knocking' && attempt.phase !== 'waiting') || isLate) {
    return;
  }
  if (message.initiator === 'answerer') {
    giveWay(context, device);
    await driver.reconcile();
    attempt.wake();
    return;
  }
  attempt.phase = 'connecting';
  driver.change(device.id, {
    role: 'initiator',
    endpoint: { address: from.address, port: message.listenPort },
    joinedAt: runtime.clock.monotonic(),
    handshakeBefore: driver.peer(device)?.latestHandshake ?? 0,
    left: false,
  });
  await driver.reconcile();
  // WireGuard begins when there is something to send.
  for (const address of device.addresses) {
    post.nudge(address);
  }
  attempt.wake();
}

function receiveRefusal(
  { attempts }: Context,
  device: TunnelDevice,
  { echo, reason }: MessageOf<'refuse'>,
): void {
  const attempt = attempts.get(device.id);
  if (attempt?.phase !== 'knocking' || !attempt.stamps.has(echo)) {
    return;
  }
  if (reason !== 'old-stamp') {
    attempt.phase = 'refused';
    attempt.refusal = reason;
  }
  // After an old stamp the next knock goes out at once, with a stamp that grew.
  attempt.wake();
}

function isLower(a: Uint8Array, b: Uint8Array): boolean {
  const index = a.findIndex((byte, at) => byte !== b[at]);
  return index !== -1 && (a[index] ?? 0) < (b[index] ?? 0);
}
