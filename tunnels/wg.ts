/**
 * WireGuard's texts: what `wg show` prints, the arguments of `wg set`, the file for a stock app.
 *
 * A dump begins with the interface's private key and may hold preshared keys; the reader drops
 * them, so that nothing built from its result can leak one (I2). The raw text must never be logged.
 *
 * @see wg(8), wg-quick(8)
 */

import type { Endpoint } from '#runtime';
import { normalizePrefix, parseAddress, sortPrefixes } from './ip.ts';

/** A WireGuard key as `wg` prints it: base64 of 32 bytes. */
export type KeyText = string;

export type Peer = {
  readonly publicKey: KeyText;
  readonly endpoint?: Endpoint;
  /** Prefixes in canonical text, sorted. */
  readonly allowedIps: readonly string[];
  /** Seconds since 1970; 0 when there was none. */
  readonly latestHandshake: number;
  readonly received: number;
  readonly sent: number;
};

export type WireguardInterface = {
  /** Undefined before a key was set. */
  readonly publicKey: KeyText | undefined;
  readonly listenPort: number;
  readonly peers: readonly Peer[];
};

const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
/** What `wg` says where there is nothing to show. */
const NOTHING = '(none)';

/** Base64 of a raw 32-byte key. */
export function printKey(key: Uint8Array): KeyText {
  return btoa(String.fromCharCode(...key));
}

/** Tells whether a text is a key in the one form that has no second spelling. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** `192.0.2.1:51820` or `[2001:db8::1]:51820`. */
export function printEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Reads an endpoint whose address is a literal; `wg` would look up a name for a minute. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\d.]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2];
  const endpoint = { address: address ?? '', port: Number(match?.[3]) };
  return address !== undefined && isEndpoint(endpoint) ? endpoint : undefined;
}

/** Tells whether an endpoint can be written to: a literal that is one host, and a port. */
export function isEndpoint({ address, port }: Endpoint): boolean {
  const bytes = parseAddress(address);
  const isPort = Number.isInteger(port) && port > 0 && port < 65_536;
  return isPort && bytes?.some((byte) => byte !== 0) === true;
}

/** Reads `wg show <interface> dump`; undefined when it is no dump. */
export function parseDump(text: string): WireguardInterface | undefined {
  const [first, ...lines] = text.split('\n').filter((line) => line !== '');
  const fields = first?.split('\t') ?? [];
  const [, publicKey = NOTHING, listenPort = ''] = fields;
  if (fields.length !== 4 || !/^\d{1,5}$/.test(listenPort)) {
    return undefined;
  }
  const peers = lines.map(parsePeer);
  return peers.every((peer) => peer !== undefined)
    ? {
        publicKey: isKey(publicKey) ? publicKey : undefined,
        listenPort: Number(listenPort),
        peers,
      }
    : undefined;
}

/** Reads `wg show <interface> latest-handshakes`: key to seconds since 1970. */
export function parseHandshakes(text: string): ReadonlyMap<KeyText, number> {
  const pairs = text.split('\n').map((line) => line.split('\t'));
  return new Map(
    pairs.flatMap(([key = '', seconds = '']) =>
      isKey(key) && /^\d+$/.test(seconds) ? [[key, Number(seconds)] as const] : [],
    ),
  );
}

/** The arguments after `wg set <interface>` that make a peer so; one peer per call. */
export function peerArguments(peer: {
  readonly publicKey: KeyText;
  readonly allowedIps?: readonly string[];
  readonly endpoint?: Endpoint;
  readonly keepalive?: number;
}): readonly string[] {
  return [
    'peer',
    peer.publicKey,
    ...(peer.allowedIps === undefined ? [] : ['allowed-ips', peer.allowedIps.join(',')]),
    ...(peer.endpoint === undefined ? [] : ['endpoint', printEndpoint(peer.endpoint)]),
    ...(peer.keepalive === undefined ? [] : ['persistent-keepalive', String(peer.keepalive)]),
  ];
}

export type PlainConfig = {
  readonly privateKey: Uint8Array;
  /** The phone's overlay addresses. */
  readonly addresses: readonly string[];
  readonly dns: readonly string[];
  readonly mtu?: number;
  readonly peer: {
    readonly publicKey: Uint8Array;
    /** A host name or an address literal, and WireGuard's port. */
    readonly endpoint: { readonly host: string; readonly port: number };
    /** Prefixes the phone sends into the tunnel. */
    readonly allowedIps: readonly string[];
  };
};

/** Routers forget a quiet phone's mapping after 30 s or more. */
const PHONE_KEEPALIVE_SECONDS = 25;
const HOST_NAME = /^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/;

/**
 * The file that a phone's stock WireGuard app scans as a QR code; undefined when a value is not what
 * it says it is. It holds the phone's private key: show it once, keep it nowhere (I2).
 */
export function plainConfig(config: PlainConfig): string | undefined {
  const { privateKey, addresses, dns, mtu, peer } = config;
  const { host, port } = peer.endpoint;
  const isSound =
    addresses.length > 0 &&
    [...addresses, ...peer.allowedIps].every((text) => normalizePrefix(text) !== undefined) &&
    dns.every((text) => parseAddress(text) !== undefined) &&
    (parseAddress(host) !== undefined || HOST_NAME.test(host)) &&
    [privateKey, peer.publicKey].every((key) => key.length === 32);
  if (!isSound) {
    return undefined;
  }
  return [
    '[Interface]',
    `PrivateKey = ${printKey(privateKey)}`,
    `Address = ${addresses.map((address) => normalizePrefix(address)).join(', ')}`,
    ...(dns.length === 0 ? [] : [`DNS = ${dns.join(', ')}`]),
    ...(mtu === undefined ? [] : [`MTU = ${mtu}`]),
    '',
    '[Peer]',
    `PublicKey = ${printKey(peer.publicKey)}`,
    `AllowedIPs = ${peer.allowedIps.map((prefix) => normalizePrefix(prefix)).join(', ')}`,
    `Endpoint = ${printEndpoint({ address: host, port })}`,
    `PersistentKeepalive = ${PHONE_KEEPALIVE_SECONDS}`,
    '',
  ].join('\n');
}

function parsePeer(line: string): Peer | undefined {
  const [key = '', , endpointText = '', allowed = '', handshake = '', received = '', sent = ''] =
    line.split('\t');
  const endpoint = parseEndpoint(endpointText);
  const allowedIps = allowed === NOTHING ? [] : allowed.split(',').map(normalizePrefix);
  const numbers = [handshake, received, sent].map((text) =>
    /^\d+$/.test(text) ? Number(text) : -1,
  );
  const [latestHandshake = -1, rx = -1, tx = -1] = numbers;
  if (
    !isKey(key) ||
    Math.min(...numbers) < 0 ||
    !allowedIps.every((prefix) => prefix !== undefined)
  ) {
    return undefined;
  }
  return {
    publicKey: key,
    ...(endpoint === undefined ? {} : { endpoint }),
    allowedIps: sortPrefixes(allowedIps),
    latestHandshake,
    received: rx,
    sent: tx,
  };
}
