/**
 * Values of bare-config.ts's table: endpoints, names, anchors, and the servers set by hand for a
 * zone.
 */

import * as v from 'valibot';
import { parseIpv6Range, parseName, parseNat64Prefix, readAnchors } from '#resolver';
import type { Endpoint } from '#runtime';
import { isAddress, readEndpoint } from '../config.ts';

const DNS_PORT = 53;
/** RFC 7858 §3.1, RFC 8484. */
const DOT_PORT = 853;
const DOH_PORT = 443;

/** A value that `read` makes something of. */
function reads<T>(read: (value: unknown) => T | undefined, expects: string) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      const value = read(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: `${printed(dataset.value)} is not ${expects}` });
      return NEVER;
    }),
  );
}

/** Of what may be as long and as deep as its writer likes, the beginning. */
const PRINTED = 100;

function printed(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  const inside = (each: unknown) => (typeof each === 'object' && each !== null ? '…' : each);
  const flat =
    typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inside(each)]))
      : value;
  const text = String(JSON.stringify(flat));
  return text.length > PRINTED ? `${text.slice(0, PRINTED)}…` : text;
}

/** An object by zones; a list is none. */
function byZone<const Of extends v.GenericSchema>(of: Of) {
  const isObject = (value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return v.pipe(v.custom<object>(isObject, 'an object of zones expected'), v.record(ZONE, of));
}

/** One, or a list of them that is not empty. */
export function some<const Item extends v.GenericSchema>(item: Item) {
  const listed = v.transform((value: unknown) => (Array.isArray(value) ? value : [value]));
  return v.pipe(v.unknown(), listed, v.array(item), v.nonEmpty('the list is empty'));
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const ENDPOINT = reads((value) => {
  if (typeof value !== 'object' || value === null) return readEndpoint(text(value), DNS_PORT);
  const { address, port = DNS_PORT, ...rest } = value as Readonly<Record<string, unknown>>;
  const isPort = Number.isInteger(port) && Number(port) >= 0 && Number(port) < 65_536;
  const isEndpoint = isAddress(text(address)) && isPort && Object.keys(rest).length === 0;
  return isEndpoint ? ({ address: text(address), port: Number(port) } as Endpoint) : undefined;
}, '"address:port" or {"address", "port"}');

/** Where to listen; at port 0 the system chooses one, and the log says which. */
export const LISTEN = v.lazy((value) => {
  const [, address] = /^(\[[^\]]*\]|[0-9.]+):0$/.exec(text(value)) ?? [];
  const chosen = address === undefined ? undefined : readEndpoint(address, 0);
  return chosen === undefined
    ? ENDPOINT
    : v.pipe(
        v.unknown(),
        v.transform(() => chosen),
      );
});

/** Where somebody is asked. */
const SERVER = v.pipe(
  ENDPOINT,
  v.check(({ port }) => port !== 0, 'nobody can be asked at port 0'),
);

export const PORT = reads((value) => {
  const isPort = Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
  return isPort ? Number(value) : undefined;
}, 'a port');

export const ADDRESS = reads(
  (value) => (isAddress(text(value)) ? text(value) : undefined),
  'an address',
);

export const NAME = reads(
  (value) => (text(value) === '' || !parseName(text(value)) ? undefined : text(value)),
  'a domain name',
);

const ANCHOR = reads(
  (value) => (readAnchors([text(value)]).ok ? text(value) : undefined),
  'a DS or DNSKEY record as in a zone file',
);

export const ANCHORS = v.array(ANCHOR, 'a list of DS or DNSKEY records expected');

export const PATH = v.pipe(v.string('a path expected'), v.nonEmpty('a path expected'));

const ZONE = v.pipe(
  v.string(),
  v.check((name) => name !== '' && parseName(name) !== undefined, 'not a domain name'),
);

/** SHA-256 in base64. */
const PIN = reads(
  (value) => (/^[A-Za-z0-9+/]{43}=$/.test(text(value)) ? text(value) : undefined),
  'a SHA-256 of a public key in base64',
);

const TLS = v.strictObject(
  {
    name: v.exactOptional(NAME),
    pins: v.exactOptional(v.pipe(v.array(PIN), v.nonEmpty('the list is empty: no key would fit'))),
  },
  'how to know the resolver is {"name", "pins"}',
);

const HTTPS = reads((value) => {
  const isUrl = URL.canParse(text(value)) && new URL(text(value)).protocol === 'https:';
  return isUrl ? text(value) : undefined;
}, 'an https URL');

const SECURE = v.pipe(
  v.strictObject(
    {
      address: ADDRESS,
      port: v.exactOptional(PORT),
      tls: v.exactOptional(TLS),
      https: v.exactOptional(HTTPS),
    },
    'a resolver is {"address", "port", "tls", "https"}',
  ),
  v.transform(({ port, ...rest }) => ({
    ...rest,
    port: port ?? (rest.https === undefined ? DOT_PORT : DOH_PORT),
  })),
);

/** An object that is not itself what `key` is a part of. */
const isTable = (value: unknown, key: string): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(key in value);

const isSecure = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ('tls' in value || 'https' in value);

/** In the clear, or under TLS and then never otherwise. */
const RESOLVER = v.lazy((value) => (isSecure(value) ? SECURE : SERVER));

const RESOLVERS = v.pipe(
  v.unknown(),
  v.transform((value) => (isTable(value, 'address') ? value : { addresses: value })),
  v.strictObject(
    { addresses: some(RESOLVER), fallback: v.exactOptional(v.boolean('true or false expected')) },
    'a zone has {"addresses", "fallback"}',
  ),
);

const isZones = (value: unknown): boolean =>
  isTable(value, 'address') && isTable(value, 'addresses');

/** Resolvers for everything, or for each zone. */
export const FORWARD = v.pipe(
  v.unknown(),
  v.transform((value) => (isZones(value) ? value : { '.': value })),
  byZone(RESOLVERS),
);

/** Authoritative servers for each zone, with its anchors. */
export const STUB = byZone(
  v.pipe(
    v.unknown(),
    v.transform((value) => (isTable(value, 'address') ? value : { addresses: value })),
    v.strictObject(
      { addresses: some(SERVER), trustAnchors: v.exactOptional(ANCHORS) },
      'a zone has {"addresses", "trustAnchors"}',
    ),
  ),
);

/** Files for each zone. */
export const ZONES = byZone(PATH);

const PREFIX = reads(
  (value) => parseNat64Prefix(text(value)),
  'a prefix as in RFC 6052, e.g. "64:ff9b::/96"',
);

const RANGE = reads((value) => parseIpv6Range(text(value)), 'a range of IPv6 addresses');

/** A prefix, or where to learn it (RFC 7050), and which addresses count as none. */
const NAT64 = v.pipe(
  v.strictObject(
    {
      prefix: v.exactOptional(PREFIX),
      discover: v.exactOptional(some(RESOLVER)),
      excluded: v.exactOptional(some(RANGE)),
    },
    'a NAT64 is {"prefix", "discover", "excluded"}',
  ),
  v.check(
    ({ prefix, discover }) => (prefix === undefined) !== (discover === undefined),
    'either "prefix" or "discover"',
  ),
);

export const DNS64 = v.lazy((value) =>
  typeof value === 'object'
    ? NAT64
    : v.pipe(
        PREFIX,
        v.transform((prefix) => ({ prefix })),
      ),
);
