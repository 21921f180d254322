/**
 * Addresses, and where and who a resolver is, as people write them.
 */

import { parseNat64Prefix, type ResolverOptions } from '#resolver';
import type { Endpoint } from '#runtime';

/** A resolver to ask; with `tls` or `https` only under TLS, and only who it should be. */
export type Forwarder = Endpoint & {
  readonly tls?: { readonly name?: string; readonly pins?: readonly string[] };
  readonly https?: string;
};

/** A root server of a laboratory. */
export type RootHint = { readonly name: string; readonly address: string };

/** A NAT64's prefix, or who shows it. */
export type Nat64 = NonNullable<ResolverOptions['dns64']>;

/** RFC 7858 §3.1. */
export const DOT_PORT = 853;
/** RFC 8484 leaves HTTPS its own. */
export const DOH_PORT = 443;

const DNS_PORT = 53;
/** Each is asked until one knows. */
const MAX_NAT64_RESOLVERS = 4;

/** A port as digits. */
export function readPort(text: string): number | undefined {
  const isPort = /^[0-9]{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536;
  return isPort ? Number(text) : undefined;
}

/** Reads `127.0.0.1:53`, `[::1]:53`, or with a default port also the bare address. */
export function readEndpoint(text: string, defaultPort?: number): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?$/.exec(text);
  const address = match?.[1] ?? match?.[2];
  if (address === undefined) {
    const isBare = defaultPort !== undefined && isAddress(text);
    return isBare ? { address: text, port: defaultPort } : undefined;
  }
  const number = match?.[3] === undefined ? defaultPort : readPort(match[3]);
  return number === undefined || !isAddress(address) ? undefined : { address, port: number };
}

/** Writes an endpoint as people do: `127.0.0.1:53`, `[::1]:53`. */
export function printEndpoint({ address, port: number }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`;
}

/** Nothing that could end the brackets of a URL's host. */
const IPV6_LETTERS = /^[0-9a-fA-F:.]+$/;

/** Tells whether `text` is an IPv4 or IPv6 literal. */
export function isAddress(text: string): boolean {
  if (text.includes(':')) return IPV6_LETTERS.test(text) && URL.canParse(`http://[${text}]/`);
  const parts = text.split('.');
  return (
    parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) < 256)
  );
}

const PIN = /^sha256=([A-Za-z0-9+/]{43}=)$/;
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

/**
 * Reads `9.9.9.9`, `tls://dns.quad9.net@9.9.9.9`, `tls://sha256=<pin>@9.9.9.9` or
 * `https://dns.quad9.net/dns-query@9.9.9.9`: who it must be, and where it is. Without a name the
 * certificate must be for the address.
 */
export function readForwarder(text: string): Forwarder | undefined {
  const match = /^(tls|https):\/\/(.+)$/.exec(text);
  if (match === null) return readEndpoint(text, DNS_PORT);
  const [, scheme, rest = ''] = match;
  const at = rest.lastIndexOf('@');
  const who = rest.slice(0, Math.max(at, 0));
  const where = readEndpoint(rest.slice(at + 1), scheme === 'tls' ? DOT_PORT : DOH_PORT);
  if (where === undefined) return undefined;
  if (scheme === 'https') {
    const url = `https://${who}`;
    const isUrl = at > 0 && URL.canParse(url) && HOST_NAME.test(new URL(url).hostname);
    return isUrl ? { ...where, https: url } : undefined;
  }
  if (at < 0) return { ...where, tls: {} };
  const pin = PIN.exec(who)?.[1];
  if (pin !== undefined) return { ...where, tls: { pins: [pin] } };
  return HOST_NAME.test(who) ? { ...where, tls: { name: who } } : undefined;
}

/** Reads `off`, `64:ff9b::/96`, or the addresses of resolvers that know the prefix (RFC 7050). */
export function readNat64(text: string): 'off' | Nat64 | undefined {
  if (text === 'off') return text;
  const prefix = parseNat64Prefix(text);
  if (prefix !== undefined) return { prefix };
  const discover = text.split(',').map((each) => readEndpoint(each.trim(), DNS_PORT));
  const known = discover.filter((each) => each !== undefined);
  return known.length === discover.length && known.length <= MAX_NAT64_RESOLVERS
    ? { discover: known }
    : undefined;
}

/** Reads `name=address`. */
export function readRootHint(text: string): RootHint | undefined {
  const [name, address, ...rest] = text.split('=');
  const isHint = name && address && rest.length === 0 && isAddress(address);
  return isHint ? { name, address } : undefined;
}
