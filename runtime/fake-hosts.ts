/**
 * Hosts, their addresses and what listens on them: what the protocols of the fake network share.
 */

import type { ManualClock } from './fake-clock.ts';
import { type Endpoint, type Path, type Random, RuntimeError } from './index.ts';

/** What happens to what is sent over a path. */
export type Quality = {
  readonly delayMs: number;
  /** The share of datagrams that are lost, 0 to 1. Streams lose nothing. */
  readonly loss: number;
  readonly isCut: boolean;
};

/** One host, as the protocols see it. */
export type Host = {
  readonly addresses: readonly string[];
  /** What listens here, by `udp 53 192.0.2.1`, `tcp 53 ::` or `path /run/x`. */
  readonly bound: Map<string, unknown>;
  nextPort: number;
};

/** The network, as the protocols see it. */
export type Wire = {
  readonly clock: ManualClock;
  readonly random: Random;
  readonly hosts: readonly Host[];
  quality(from: string, to: string): Quality;
};

/** Runs `arrive` after the delay; in this very instant, but not in this call, without one. */
export function deliver(clock: ManualClock, delayMs: number, arrive: () => void): void {
  if (delayMs > 0) clock.after(delayMs, arrive);
  else queueMicrotask(arrive);
}

/** Takes an address and port (0: the next free one) for `holder`. */
export function claim(
  host: Host,
  kind: 'udp' | 'tcp',
  local: Endpoint,
  holder: unknown,
): { readonly endpoint: Endpoint; readonly release: () => void } {
  const { address } = local;
  if (!isAny(address) && !isLoopback(address) && !host.addresses.includes(address)) {
    throw new RuntimeError('unreachable', `${address} is not an address of this host`);
  }
  let port = local.port;
  if (port === 0) {
    port = host.nextPort;
    host.nextPort += 1;
  }
  const key = `${kind} ${port} ${address}`;
  const anyKey = `${kind} ${port} ${anyOf(address)}`;
  const isTaken = isAny(address)
    ? [...host.bound.keys()].some((held) => isClash(held, kind, port, address))
    : host.bound.has(key) || host.bound.has(anyKey);
  if (isTaken) throw new RuntimeError('address-in-use', `${kind} ${address} port ${port} is held`);
  host.bound.set(key, holder);
  return { endpoint: { address, port }, release: () => host.bound.delete(key) };
}

function isClash(held: string, kind: string, port: number, address: string): boolean {
  const prefix = `${kind} ${port} `;
  return held.startsWith(prefix) && isSameFamily(held.slice(prefix.length), address);
}

/** What listens at `to`, there or on the wildcard address. */
export function findBound(
  host: Host | undefined,
  kind: 'udp' | 'tcp',
  to: Endpoint,
): unknown | undefined {
  if (host === undefined) return undefined;
  const exact = host.bound.get(`${kind} ${to.port} ${to.address}`);
  return exact ?? host.bound.get(`${kind} ${to.port} ${anyOf(to.address)}`);
}

/** The host that has `address`; loopback is always one's own. */
export function findHost(wire: Wire, own: Host, address: string): Host | undefined {
  if (isLoopback(address)) return own;
  return wire.hosts.find((host) => host.addresses.includes(address));
}

/** The address that others see: the bound one, or for the wildcard the one a kernel would take. */
export function sourceFor(host: Host, local: string, to: string): string {
  if (!isAny(local)) return local;
  if (isLoopback(to) || host.addresses.includes(to)) return to;
  return host.addresses.find((address) => isSameFamily(address, to)) ?? local;
}

/** Tells whether both are IPv6 or both IPv4. */
export function isSameFamily(one: string, other: string): boolean {
  return one.includes(':') === other.includes(':');
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function isAny(address: string): boolean {
  return address === '::' || address === '0.0.0.0';
}

function anyOf(address: string): string {
  return address.includes(':') ? '::' : '0.0.0.0';
}

/** Takes the unix socket `local` for `holder`. */
export function claimPath(host: Host, local: Path, holder: unknown) {
  const key = `path ${local.path}`;
  if (host.bound.has(key)) throw new RuntimeError('address-in-use', `${local.path} is held`);
  host.bound.set(key, holder);
  return { endpoint: local, release: () => host.bound.delete(key) };
}

/** Waits as long as a handshake takes; fails where it would not come back. */
export async function assertReachable(
  wire: Wire,
  host: Host,
  local: Endpoint,
  remote: Endpoint,
  timeoutMs: number,
): Promise<void> {
  const isKnown = findHost(wire, host, remote.address) !== undefined;
  if (!isKnown || !isSameFamily(local.address, remote.address)) {
    throw new RuntimeError('unreachable', `no route to ${remote.address}`);
  }
  const { delayMs, isCut } = wire.quality(local.address, remote.address);
  if (isCut || 2 * delayMs > timeoutMs) {
    await wire.clock.sleep(timeoutMs);
    throw new RuntimeError('timeout', `no answer from ${remote.address}`);
  }
  if (delayMs > 0) await wire.clock.sleep(2 * delayMs);
}
