/**
 * WireGuard of a test: the programs `ip`, `wg` and `wireguard-go` on several hosts, and handshakes.
 *
 * Who gets an endpoint, or a packet to carry, begins: after the path's delay the other, if it knows the key, answers. Two
 * that begin towards each other within that time cross, and lose five seconds, as real ones do.
 */

import type { Endpoint, Runtime } from '#runtime';
import { hostPrefix } from './ip.ts';
import { parseEndpoint, printEndpoint, printKey } from './wg.ts';

type Call = { readonly args: readonly string[] };
type Answer = { readonly exitCode?: number; readonly stdout?: string; readonly stderr?: string };

type SimulatedPeer = {
  endpoint: Endpoint | undefined;
  allowedIps: string;
  latestHandshake: number;
  begunAt: number | undefined;
};

export type SimulatedHost = {
  readonly addresses: readonly string[];
  readonly peers: Map<string, SimulatedPeer>;
  /** A packet to an overlay address goes into the tunnel, and begins a handshake where one is due. */
  carry(address: string): void;
  /** Rows for a scripted Exec. */
  readonly table: Readonly<Record<string, (call: Call) => Answer | Promise<Answer>>>;
  exists: boolean;
  key: string;
  port: number;
};

export type SimulatedWorld = {
  host(addresses: readonly string[], files: () => Pick<Runtime['files'], 'read'>): SimulatedHost;
  /** How often two handshakes crossed. */
  readonly crossed: () => number;
};

const RETRY_MS = 5_000;
const OK: Answer = {};
const FAILED: Answer = { exitCode: 1, stderr: 'Unable to access interface: No such device\n' };

/** Makes a world without hosts, whose paths all take `delayMs`. */
export function simulateWireguard(
  { clock, crypto }: Pick<Runtime, 'clock' | 'crypto'>,
  delayMs: number,
): SimulatedWorld {
  const hosts: SimulatedHost[] = [];
  let crossings = 0;

  const begin = (from: SimulatedHost, key: string) => {
    const peer = from.peers.get(key);
    if (peer?.endpoint === undefined || peer.begunAt !== undefined) {
      return;
    }
    const { address, port } = peer.endpoint;
    peer.begunAt = clock.monotonic();
    clock.after(2 * delayMs, () => {
      const to = hosts.find((host) => host.addresses.includes(address) && host.port === port);
      const known = to?.key === key ? to.peers.get(from.key) : undefined;
      if (known?.begunAt !== undefined) {
        crossings++;
      }
      const isAnswered =
        to?.exists && from.exists && known !== undefined && known.begunAt === undefined;
      if (isAnswered && from.peers.has(key)) {
        peer.begunAt = undefined;
        peer.latestHandshake = known.latestHandshake = Math.floor(clock.now());
        known.endpoint = { address: from.addresses[0] ?? '', port: from.port };
      } else {
        clock.after(RETRY_MS, () => {
          peer.begunAt = undefined;
          begin(from, key);
        });
      }
    });
  };

  return {
    crossed: () => crossings,
    host(addresses, files) {
      const host = createHost(addresses, files, crypto, begin);
      hosts.push(host);
      return host;
    },
  };
}

function createHost(
  addresses: readonly string[],
  files: () => Pick<Runtime['files'], 'read'>,
  crypto: Pick<Runtime['crypto'], 'agreementPublicKey'>,
  begin: (from: SimulatedHost, key: string) => void,
): SimulatedHost {
  const set = async ({ args }: Call): Promise<Answer> => {
    if (!host.exists) {
      return FAILED;
    }
    if (args[2] === 'peer') {
      setPeer(host, args.slice(3));
      begin(host, args[3] ?? '');
      return OK;
    }
    const secret = await files().read(args[5] ?? '');
    const text = new TextDecoder().decode(secret).trim();
    const raw = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    host.key = printKey(crypto.agreementPublicKey(raw));
    host.port = Number(args[3]);
    return OK;
  };
  const host: SimulatedHost = {
    addresses,
    peers: new Map(),
    carry(address) {
      for (const [key, { allowedIps }] of host.peers) {
        if (allowedIps.split(',').includes(hostPrefix(address))) {
          begin(host, key);
        }
      }
    },
    exists: false,
    key: '',
    port: 0,
    table: {
      'ip link show': () => (host.exists ? OK : FAILED),
      'ip link add': () => ({ exitCode: 2, stderr: 'Error: Unknown device type.\n' }),
      'wireguard-go': () => {
        host.exists = true;
        return OK;
      },
      'ip link set': () => OK,
      'ip link delete': () => {
        host.exists = false;
        host.peers.clear();
        return OK;
      },
      'ip address': () => OK,
      'ip -6 route': () => OK,
      'ip -4 route': () => OK,
      'wg show': ({ args }) => (host.exists ? { stdout: show(host, args[2] ?? '') } : FAILED),
      'wg set': set,
    },
  };
  return host;
}

function setPeer({ peers }: SimulatedHost, [key = '', ...words]: readonly string[]): void {
  if (words[0] === 'remove') {
    peers.delete(key);
    return;
  }
  const peer = peers.get(key) ?? {
    endpoint: undefined,
    allowedIps: '(none)',
    latestHandshake: 0,
    begunAt: undefined,
  };
  const value = (word: string) =>
    words.includes(word) ? words[words.indexOf(word) + 1] : undefined;
  peer.allowedIps = value('allowed-ips') ?? peer.allowedIps;
  peer.endpoint = parseEndpoint(value('endpoint') ?? '') ?? peer.endpoint;
  peers.set(key, peer);
}

function show(host: SimulatedHost, what: string): string {
  const rows = [...host.peers].map(([key, { endpoint, allowedIps, latestHandshake }]) => {
    const where = endpoint === undefined ? '(none)' : printEndpoint(endpoint);
    return what === 'dump'
      ? [key, '(none)', where, allowedIps, latestHandshake, 0, 0, 'off']
      : [key, latestHandshake];
  });
  const head = what === 'dump' ? [['(hidden)', host.key || '(none)', host.port, 'off']] : [];
  return [...head, ...rows].map((row) => `${row.join('\t')}\n`).join('');
}
