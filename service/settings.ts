/**
 * What a person may set: one table of settings, with how each is read, what it expects in words, and
 * what holds without it.
 */

import type { Endpoint } from '#runtime';
import { BACKUP_DEFAULTS, BACKUP_SETTINGS, type BackupSettings } from './backup/settings.ts';
import {
  DOH_PORT,
  DOT_PORT,
  type Forwarder,
  isAddress,
  type Nat64,
  type RootHint,
  readEndpoint,
  readForwarder,
  readNat64,
  readPort,
  readRootHint,
} from './endpoint-text.ts';

export type Config = BackupSettings & {
  /** The person whose devices these are; the zone is `<user>.nymote` unless `apex` says otherwise. */
  readonly user: string;
  /** This device's name inside the zone. */
  readonly name: string;
  readonly apex: string;
  readonly data: string;
  readonly dns: readonly Endpoint[];
  /** Where a forwarder on this machine asks for others: they count as guests of the LAN. */
  readonly dnsForwarded: readonly Endpoint[];
  /** DNS over TLS and over HTTPS; none unless told. */
  readonly dot: readonly Endpoint[];
  readonly doh: readonly Endpoint[];
  /** PEM files for DoT and DoH; empty: the device makes its own certificate. */
  readonly tlsCertificate: string;
  readonly tlsKey: string;
  readonly admin: readonly Endpoint[];
  /** Resolvers to forward to, empty: recursion from the root; whether that is the way around them. */
  readonly forward: readonly Forwarder[];
  readonly forwardFallback: 'on' | 'off';
  /** Files that name the LAN's hosts, hosts files and dnsmasq's leases; what the names end in. */
  readonly lanHosts: readonly string[];
  readonly lanLeases: readonly string[];
  readonly lanDomain: string;
  /** The network's NAT64, for which IPv6 addresses are made: its prefix, or who shows it. */
  readonly nat64: 'off' | Nat64;
  /** Root servers instead of IANA's, as `name=address`. */
  readonly rootHints: readonly RootHint[];
  readonly tunnels: 'auto' | 'on' | 'off';
  /** Whether signatures of others are checked. */
  readonly rebindProtection: 'on' | 'off';
  readonly rebindExcept: readonly string[];
  readonly validate: 'on' | 'off';
  /** Threads that repeat answers; auto: where this machine can have them. */
  readonly datapath: 'auto' | 'on' | 'off';
  readonly interface: string;
  readonly wireguardPort: number;
  /** UDP: knocks between devices; TCP: enrolment and replication, every byte sealed. */
  readonly controlPort: number;
  /** Addresses others can reach this device at; empty: the interfaces' own. */
  readonly endpoints: readonly string[];
  readonly zoneAlgorithm: 'ecdsa-p256' | 'ed25519';
  /** The ubus socket to publish the object `nymote` on; empty: none. */
  readonly ubus: string;
  /** The program that takes a change of the router's configuration back; without it none is made. */
  readonly applyGuard: string;
  /** What has to go well before a change is kept: programs; a name that resolves, one that must not. */
  readonly applyChecks: readonly string[];
  readonly applyNames: readonly string[];
  /** Until an unconfirmed change is taken back; 0: by its kind. */
  readonly applySeconds: number;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
};

type Read<T> = (text: string) => T | undefined;
type Setting<T> = { readonly read: Read<T>; readonly expects: string; readonly help: string };
type Settings = { readonly [K in keyof Config]: Setting<Config[K]> };

const MAX_LIST = 32;
/** The socket in it has to fit into the 108 bytes that Linux has for the path of one (unix(7)). */
const MAX_DIRECTORY_BYTES = 90;
/** Any device's name fits in front: 255 octets less a label of 63 with its length, and the root's. */
export const MAX_APEX = 189;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const LABEL_WORDS = 'a name of a–z, 0–9 and -';

const label: Read<string> = (text) => (LABEL.test(text) ? text : undefined);
const oneOf =
  <T extends string>(...values: readonly T[]): Read<T> =>
  (text) =>
    values.find((value) => value === text);
const domain: Read<string> = (text) => {
  const labels = text.replace(/\.$/, '').split('.');
  const isDomain = labels.join('.').length <= MAX_APEX && labels.every((part) => LABEL.test(part));
  return isDomain ? labels.join('.') : undefined;
};
const listOf =
  <T>(read: Read<T>): Read<readonly T[]> =>
  (text) => {
    const items = text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    const values = items.map(read).filter((value) => value !== undefined);
    return items.length <= MAX_LIST && values.length === items.length ? values : undefined;
  };

/** Every setting. */
export const SETTINGS: Settings = {
  user: { read: label, expects: LABEL_WORDS, help: 'whose devices these are' },
  name: { read: label, expects: LABEL_WORDS, help: "this device's name in front of <user>.nymote" },
  apex: {
    read: domain,
    expects: `a domain name in lower case (at most ${MAX_APEX})`,
    help: 'the domain that names end in, instead of <user>.nymote',
  },
  data: {
    read: (text) => {
      const { length } = new TextEncoder().encode(text);
      return length > 0 && length <= MAX_DIRECTORY_BYTES ? text : undefined;
    },
    expects: 'a path of at most 90 characters',
    help: 'data directory',
  },
  dns: {
    read: listOf((text) => readEndpoint(text)),
    expects: 'address:port, several with commas',
    help: 'where to answer DNS (UDP and TCP)',
  },
  dnsForwarded: {
    read: listOf((text) => readEndpoint(text)),
    expects: 'address:port, several with commas',
    help: 'where a forwarder such as dnsmasq asks for the LAN, whose devices it does not name',
  },
  dot: {
    read: listOf((text) => readEndpoint(text, DOT_PORT)),
    expects: 'address[:port], several with commas',
    help: 'where to answer DNS over TLS',
  },
  doh: {
    read: listOf((text) => readEndpoint(text, DOH_PORT)),
    expects: 'address[:port], several with commas',
    help: 'where to answer DNS over HTTPS',
  },
  tlsCertificate: {
    read: (text) => text,
    expects: 'a path',
    help: 'certificate for both (PEM), instead of one that is made here',
  },
  tlsKey: { read: (text) => text, expects: 'a path', help: 'its private key (PEM)' },
  admin: {
    read: listOf((text) => readEndpoint(text)),
    expects: 'address:port, several with commas',
    help: 'where the admin page and the API listen',
  },
  forward: {
    read: listOf(readForwarder),
    expects: 'address[:port], tls://name@address or https://name/path@address, several with commas',
    help: 'ask these resolvers (those of your provider, say) instead of the name servers of the internet',
  },
  forwardFallback: {
    read: oneOf('on', 'off'),
    expects: 'on or off',
    help: 'ask the name servers of the internet when those resolvers fail',
  },
  lanHosts: {
    read: listOf((text) => text),
    expects: 'paths, several with commas',
    help: 'hosts files whose names are answered, such as /etc/hosts',
  },
  lanLeases: {
    read: listOf((text) => text),
    expects: 'paths, several with commas',
    help: "dnsmasq's lease files, whose hosts get names and the way back",
  },
  lanDomain: {
    read: domain,
    expects: 'a domain name in lower case',
    help: "what the names of the LAN's hosts end in",
  },
  nat64: {
    read: readNat64,
    expects: 'off, a prefix such as 64:ff9b::/96, or address[:port], several with commas',
    help: "make IPv6 addresses for the network's NAT64: its prefix, or resolvers of the network that show it",
  },
  rootHints: {
    read: listOf(readRootHint),
    expects: 'name=address, several with commas',
    help: "root servers instead of IANA's, for laboratories",
  },
  tunnels: {
    read: oneOf('auto', 'on', 'off'),
    expects: 'auto, on or off',
    help: 'WireGuard tunnels; auto makes them where it may',
  },
  rebindProtection: {
    read: oneOf('on', 'off'),
    expects: 'on or off',
    help: 'take private addresses out of answers about names of the internet',
  },
  rebindExcept: {
    read: listOf(domain),
    expects: 'domain names, several with commas',
    help: 'domains whose names may have private addresses all the same',
  },
  validate: {
    read: oneOf('on', 'off'),
    expects: 'on or off',
    help: 'check the signatures of others (DNSSEC); off for a forwarder that passes none on',
  },
  datapath: {
    read: oneOf('auto', 'on', 'off'),
    expects: 'auto, on or off',
    help: 'threads that answer repeated questions; auto: where they can be had',
  },
  interface: {
    read: (text) => (/^[a-z][a-z0-9-]{0,14}$/.test(text) ? text : undefined),
    expects: 'an interface name of at most 15 characters',
    help: 'name of the WireGuard interface to make',
  },
  wireguardPort: { read: readPort, expects: 'a port', help: 'WireGuard UDP port' },
  controlPort: {
    read: readPort,
    expects: 'a port',
    help: 'port for other devices of yours (UDP and TCP)',
  },
  endpoints: {
    read: listOf((text) => (isAddress(text) ? text : undefined)),
    expects: 'addresses, several with commas',
    help: 'addresses at which your devices reach this one from outside, if it does not have them itself',
  },
  zoneAlgorithm: {
    read: oneOf('ecdsa-p256', 'ed25519'),
    expects: 'ecdsa-p256 or ed25519',
    help: 'algorithm of the key that signs the names, when it is made',
  },
  ubus: { read: (text) => text, expects: 'a path', help: "ubus socket, for OpenWrt's own pages" },
  applyGuard: {
    read: (text) => (text.startsWith('/') ? text : undefined),
    expects: 'an absolute path',
    help: "the guard that takes changes of the router's configuration back",
  },
  applyChecks: {
    read: listOf((text) => text),
    expects: 'programs with their arguments, several with commas',
    help: 'what has to end with 0 before a change of the configuration is kept',
  },
  applyNames: {
    read: listOf((text) => (/^[A-Za-z0-9_.-]{1,253}$/.test(text) ? text : undefined)),
    expects: 'a name that is signed well, and one that is not',
    help: 'what has to resolve, and what must not, before a change is kept',
  },
  applySeconds: {
    read: (text) =>
      /^\d{1,4}$/.test(text) && (text === '0' || (Number(text) >= 10 && Number(text) <= 3_600))
        ? Number(text)
        : undefined,
    expects: '10 to 3600, or 0',
    help: 'seconds until an unconfirmed change is taken back; 0: 90, or 300 for risky ones',
  },
  ...BACKUP_SETTINGS,
  logLevel: {
    read: oneOf('error', 'warn', 'info', 'debug'),
    expects: 'error, warn, info or debug',
    help: 'how much to log',
  },
};

/** What holds when nobody says anything. */
export const DEFAULTS: Config = {
  user: 'alice',
  name: 'laptop',
  apex: '',
  data: './data',
  dns: [{ address: '127.0.0.1', port: 5300 }],
  dnsForwarded: [],
  dot: [],
  doh: [],
  tlsCertificate: '',
  tlsKey: '',
  admin: [{ address: '127.0.0.1', port: 8053 }],
  forward: [],
  forwardFallback: 'off',
  lanHosts: [],
  lanLeases: [],
  lanDomain: 'lan',
  nat64: 'off',
  rootHints: [],
  tunnels: 'auto',
  rebindProtection: 'on',
  rebindExcept: [],
  validate: 'on',
  datapath: 'auto',
  interface: 'nymote0',
  wireguardPort: 51_820,
  controlPort: 51_821,
  endpoints: [],
  zoneAlgorithm: 'ecdsa-p256',
  ubus: '',
  applyGuard: '/usr/libexec/nymote-guard',
  applyChecks: [],
  applyNames: ['internetsociety.org', 'dnssec-failed.org'],
  applySeconds: 0,
  ...BACKUP_DEFAULTS,
  logLevel: 'info',
};
