/**
 * The planner: what is wanted and what was seen → what to do next, in order, and when to look again.
 *
 * Each pair of devices is a small machine; its state follows from the pair's record and the peer
 * that WireGuard shows, so nothing can get out of step:
 *
 *                     knocked on                       handshake
 *      idle ─────────────────────────► waiting ────────────────────────► up
 *       │  asked for, or kept             ▲  both knock:                 │ 180 s without
 *       ▼                                 │  the higher key waits        ▼ handshake, or bye
 *     knocking ───── welcome ───────► connecting ──── handshake ──► up  quiet ── as idle, but
 *       │ no answer: idle, later again    │ 30 s without                      the peer stays
 *       ▼                                 ▼ handshake: idle
 *      idle                              idle
 *
 *     any state ── not allowed any more ──► gone: the peer is removed at once (I10)
 *
 * `waiting` has the peer without an endpoint and only listens; `connecting` has the endpoint and begins
 * the handshake. Never both sides begin: crossed handshakes reject each other for five seconds.
 * A peer that replaces another (a new key under the same address) is added before the old one goes.
 * Peers of others on the same interface are never touched.
 *
 * Pure: planning what was just done gives nothing to do (I4). How a path is found is not decided here:
 * a tactic ends in a pair's record, which says who begins and at which endpoint.
 */

import type { Endpoint } from '#runtime';
import { hostPrefix, isInPrefix, normalizePrefix, sortPrefixes } from './ip.ts';
import { type KeyText, type Peer, printEndpoint, printKey } from './wg.ts';

export type TunnelDevice = {
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** The raw WireGuard public key. */
  readonly publicKey: Uint8Array;
  /** Overlay addresses. */
  readonly addresses: readonly string[];
  /** Where it listens for knocks. */
  readonly endpoints: readonly Endpoint[];
  /** A plain device runs WireGuard and nothing else: it is never knocked on. */
  readonly kind: 'node' | 'plain';
  readonly mayConnect: boolean;
  /** Keep the tunnel up without being asked, so that we can be reached behind a router. */
  readonly keep?: boolean;
  /** A plain device's signpost: only there it is a peer, others reach it through that one. */
  readonly home?: string;
};

export type Desired = {
  readonly self: { readonly id: string; readonly addresses: readonly string[] };
  /** The realm's overlay /48. */
  readonly prefix: string;
  readonly devices: readonly TunnelDevice[];
};

/** What is known of us and one device beyond what WireGuard shows. */
export type Pair = {
  /** Who begins the handshake, once that is agreed. */
  readonly role: 'none' | 'initiator' | 'passive';
  readonly endpoint?: Endpoint;
  /** When the role was agreed, in monotonic milliseconds. */
  readonly joinedAt: number;
  /** The latest handshake when the role was agreed; a later one proves the path. */
  readonly handshakeBefore: number;
  readonly isKnocking: boolean;
  /** Knocks in a row that failed, and when the last ended. */
  readonly failures: number;
  readonly lastKnock: number;
  /** 0 to 1, so that devices that lost each other together do not come back together. */
  readonly jitter: number;
  /** It said that it goes. */
  readonly left: boolean;
};

export type Observed = {
  readonly peers: readonly Peer[];
  /** Keys of peers that we added since we started. */
  readonly added: ReadonlySet<KeyText>;
  readonly pairs: ReadonlyMap<string, Pair>;
  /** Seconds since 1970, of the clock that dates handshakes. */
  readonly now: number;
  /** Milliseconds. */
  readonly monotonic: number;
};

export type Action =
  | {
      readonly kind: 'add-peer';
      readonly key: KeyText;
      readonly allowedIps: readonly string[];
      readonly endpoint?: Endpoint;
      readonly why: string;
    }
  | {
      readonly kind: 'set-allowed-ips';
      readonly key: KeyText;
      readonly allowedIps: readonly string[];
      readonly why: string;
    }
  | {
      readonly kind: 'set-endpoint';
      readonly key: KeyText;
      readonly endpoint: Endpoint;
      readonly why: string;
    }
  | { readonly kind: 'remove-peer'; readonly key: KeyText; readonly why: string }
  | { readonly kind: 'knock'; readonly device: string; readonly why: string };

export type Wake = { readonly at: number; readonly why: string };

export type Plan = { readonly actions: readonly Action[]; readonly wake: Wake };

export type PairState =
  | 'not-allowed'
  | 'idle'
  | 'knocking'
  | 'waiting'
  | 'connecting'
  | 'up'
  | 'quiet';

/** A session's keys die after this (WireGuard's REJECT_AFTER_TIME); no handshake, no tunnel. */
const SESSION_SECONDS = 180;
/** How long an agreed handshake may take; WireGuard itself tries every 5 s. */
const JOIN_MS = 30_000;
const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 300_000;
const LOOK_MS = 30_000;

/** The record of a pair that nothing is known of. */
export const NEW_PAIR: Pair = {
  role: 'none',
  joinedAt: 0,
  handshakeBefore: 0,
  isKnocking: false,
  failures: 0,
  lastKnock: Number.NEGATIVE_INFINITY,
  jitter: 0.5,
  left: false,
};

/** Plans the next steps. */
export function makePlan(desired: Desired, observed: Observed): Plan {
  const devices = desired.devices.filter(({ id }) => id !== desired.self.id);
  const wanted = new Map(
    devices
      .filter((device) => isPeer(device, desired, observed))
      .map((device) => [printKey(device.publicKey), device]),
  );
  const removals = planRemovals(desired, observed, wanted);
  const isTakenOver = (key: KeyText) => {
    const old = observed.peers.find(({ publicKey }) => publicKey === key)?.allowedIps ?? [];
    return [...wanted.values()].some((device) =>
      allowedIps(device, desired).some((prefix) => old.includes(prefix)),
    );
  };
  const actions: Action[] = [
    ...removals.filter(({ key }) => !isTakenOver(key)),
    ...[...wanted].flatMap(([key, device]) => planPeer(key, device, desired, observed)),
    ...removals.filter(({ key }) => isTakenOver(key)),
    ...devices.flatMap((device) => planKnock(device, observed)),
  ];
  return { actions, wake: nextWake(devices, observed) };
}

/** What an action makes of the peers; what WireGuard will show, as far as it is up to us. */
export function applyAction(peers: readonly Peer[], action: Action): readonly Peer[] {
  switch (action.kind) {
    case 'remove-peer':
      return peers.filter(({ publicKey }) => publicKey !== action.key);
    case 'add-peer':
    case 'set-allowed-ips': {
      const old = peers.find(({ publicKey }) => publicKey === action.key);
      // A prefix belongs to one peer: giving it to another takes it away.
      const others = peers
        .filter(({ publicKey }) => publicKey !== action.key)
        .map((peer) => ({
          ...peer,
          allowedIps: peer.allowedIps.filter((prefix) => !action.allowedIps.includes(prefix)),
        }));
      const fresh = { publicKey: action.key, latestHandshake: 0, received: 0, sent: 0 };
      const endpoint = action.kind === 'add-peer' ? action.endpoint : undefined;
      return [
        ...others,
        {
          ...fresh,
          ...old,
          ...(endpoint === undefined ? {} : { endpoint }),
          allowedIps: action.allowedIps,
        },
      ];
    }
    case 'set-endpoint':
      return peers.map((peer) =>
        peer.publicKey === action.key ? { ...peer, endpoint: action.endpoint } : peer,
      );
    case 'knock':
      return peers;
  }
}

/** The state of a pair, from its record and the peer as WireGuard shows it. */
export function pairState(
  device: TunnelDevice,
  pair: Pair,
  peer: Peer | undefined,
  { now, monotonic }: Pick<Observed, 'now' | 'monotonic'>,
): PairState {
  if (!device.mayConnect) {
    return 'not-allowed';
  }
  // An agreement counts more than an old handshake: the other side may have lost that session.
  if (isJoining(pair, peer, monotonic)) {
    return pair.role === 'initiator' ? 'connecting' : 'waiting';
  }
  if (isFresh(peer, now) && !pair.left) {
    return 'up';
  }
  if (pair.isKnocking) {
    return 'knocking';
  }
  return peer === undefined || peer.latestHandshake === 0 ? 'idle' : 'quiet';
}

/** The prefixes that belong to a device's peer: its own, and of plain devices that live behind it. */
export function allowedIps(device: TunnelDevice, desired: Desired): readonly string[] {
  const behind = desired.devices.filter(
    ({ kind, home, mayConnect }) => kind === 'plain' && home === device.id && mayConnect,
  );
  const prefixes = [device, ...behind]
    .flatMap(({ addresses }) => addresses)
    .map((address) => normalizePrefix(hostPrefix(address)));
  return sortPrefixes(prefixes.filter((prefix) => prefix !== undefined));
}

/** Tells whether a plain device is a peer of ours, or lives behind another node. */
export function isAtHome(device: TunnelDevice, desired: Desired): boolean {
  return device.kind === 'plain' && (device.home === undefined || device.home === desired.self.id);
}

function isPeer(device: TunnelDevice, desired: Desired, observed: Observed): boolean {
  if (!device.mayConnect || device.id === desired.self.id) {
    return false;
  }
  if (device.kind === 'plain') {
    return isAtHome(device, desired);
  }
  const peer = peerOf(device, observed);
  const pair = pairOf(device, observed);
  // One that had a handshake stays: after a restart the tunnel goes on.
  return isJoining(pair, peer, observed.monotonic) || (peer?.latestHandshake ?? 0) > 0;
}

type Removal = Extract<Action, { kind: 'remove-peer' }>;

function planRemovals(
  desired: Desired,
  observed: Observed,
  wanted: ReadonlyMap<KeyText, TunnelDevice>,
): readonly Removal[] {
  const known = new Map(desired.devices.map((device) => [printKey(device.publicKey), device]));
  return observed.peers
    .filter(({ publicKey }) => !wanted.has(publicKey))
    .filter((peer) => isOurs(peer, desired, observed) || known.has(peer.publicKey))
    .map(({ publicKey: key }) => ({ kind: 'remove-peer', key, why: whyRemoved(known.get(key)) }));
}

/** Ours is what we added, and what lies in our overlay: an earlier life of ours added that. */
function isOurs(peer: Peer, { prefix }: Desired, { added }: Observed): boolean {
  return (
    added.has(peer.publicKey) || peer.allowedIps.some((allowed) => isInPrefix(allowed, prefix))
  );
}

function whyRemoved(device: TunnelDevice | undefined): string {
  if (device === undefined) {
    return 'no device of the realm has this key';
  }
  return device.mayConnect
    ? `${device.name} never answered`
    : `${device.name} may not connect to this device`;
}

function planPeer(
  key: KeyText,
  device: TunnelDevice,
  desired: Desired,
  observed: Observed,
): readonly Action[] {
  const peer = peerOf(device, observed);
  const prefixes = allowedIps(device, desired);
  const endpoint = agreedEndpoint(pairOf(device, observed), peer);
  if (peer === undefined) {
    const isPlain = device.kind === 'plain';
    const why = `${device.name} ${isPlain ? 'lives behind this device' : 'agreed to a tunnel'}`;
    const where = endpoint === undefined ? {} : { endpoint };
    return [{ kind: 'add-peer', key, allowedIps: prefixes, ...where, why }];
  }
  const actions: Action[] = [];
  if (sortPrefixes(peer.allowedIps).join() !== prefixes.join()) {
    const why = `${device.name} has other addresses`;
    actions.push({ kind: 'set-allowed-ips', key, allowedIps: prefixes, why });
  }
  const isSet = peer.endpoint !== undefined && endpoint !== undefined;
  if (endpoint !== undefined && !(isSet && isSameEndpoint(peer.endpoint, endpoint))) {
    actions.push({
      kind: 'set-endpoint',
      key,
      endpoint,
      why: `${device.name} answered from there`,
    });
  }
  return actions;
}

/** Where to begin a handshake; an endpoint that WireGuard learnt in one is better than what we were told. */
function agreedEndpoint(pair: Pair, peer: Peer | undefined): Endpoint | undefined {
  const isProven = isNewHandshake(peer, pair.handshakeBefore);
  return pair.role === 'initiator' && !isProven ? pair.endpoint : undefined;
}

function planKnock(device: TunnelDevice, observed: Observed): readonly Action[] {
  const due = knockDue(device, observed);
  return due !== undefined && due <= observed.monotonic
    ? [{ kind: 'knock', device: device.id, why: `the tunnel to ${device.name} is kept up` }]
    : [];
}

/** When a kept device is to be knocked on; undefined while there is no need. */
function knockDue(device: TunnelDevice, observed: Observed): number | undefined {
  const pair = pairOf(device, observed);
  const state = pairState(device, pair, peerOf(device, observed), observed);
  if (device.keep !== true || device.kind === 'plain' || (state !== 'idle' && state !== 'quiet')) {
    return undefined;
  }
  const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(pair.failures, 20));
  return pair.lastKnock + wait * (0.75 + pair.jitter / 2);
}

function nextWake(devices: readonly TunnelDevice[], observed: Observed): Wake {
  const wakes: Wake[] = [{ at: observed.monotonic + LOOK_MS, why: 'to see how the tunnels are' }];
  for (const device of devices) {
    const pair = pairOf(device, observed);
    const due = knockDue(device, observed);
    if (due !== undefined && due > observed.monotonic) {
      wakes.push({ at: due, why: `to knock on ${device.name} again` });
    }
    if (isJoining(pair, peerOf(device, observed), observed.monotonic)) {
      wakes.push({ at: pair.joinedAt + JOIN_MS, why: `${device.name} must have joined by then` });
    }
  }
  return wakes.reduce((first, wake) => (wake.at < first.at ? wake : first));
}

function isJoining(pair: Pair, peer: Peer | undefined, monotonic: number): boolean {
  const isProven = isNewHandshake(peer, pair.handshakeBefore);
  return pair.role !== 'none' && !isProven && monotonic < pair.joinedAt + JOIN_MS;
}

function isFresh(peer: Peer | undefined, now: number): boolean {
  // One that lies ahead of a clock that was set back says nothing.
  const age = Math.abs(now - (peer?.latestHandshake ?? 0));
  return peer !== undefined && peer.latestHandshake > 0 && age < SESSION_SECONDS;
}

/** Tells whether there was another handshake than `before`; an earlier one, when the clock went back. */
export function isNewHandshake(peer: Peer | undefined, before: number): boolean {
  const latest = peer?.latestHandshake ?? 0;
  return latest !== 0 && latest !== before;
}

function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return printEndpoint(a) === printEndpoint(b);
}

function peerOf(device: TunnelDevice, { peers }: Observed): Peer | undefined {
  const key = printKey(device.publicKey);
  return peers.find(({ publicKey }) => publicKey === key);
}

function pairOf(device: TunnelDevice, { pairs }: Observed): Pair {
  return pairs.get(device.id) ?? NEW_PAIR;
}
