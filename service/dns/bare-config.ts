/**
 * The settings of `nymote resolver`, one JSON object: what it may say, and a sentence for everything
 * else. What this resolver cannot do is refused, never passed over.
 */

import * as v from 'valibot';
import {
  parseName,
  parseNat64Prefix,
  type ResolverOptions,
  type RouteOption,
  readAnchors,
} from '#resolver';
import type { Endpoint, LogLevel } from '#runtime';
import { type ConfigProblem, isAddress, readEndpoint } from '../config.ts';

export type BareConfig = {
  readonly options: Omit<ResolverOptions, 'before'>;
  readonly logLevel: LogLevel;
  /** Paths of a hosts file and, zone by zone, of zone files. */
  readonly hosts: string | undefined;
  readonly zones: Readonly<Record<string, string>>;
};

export type BareRead =
  | { readonly config: BareConfig }
  | { readonly problems: readonly ConfigProblem[] };

const DNS_PORT = 53;

/** RFC 6891 §6.2.3: less counts as 512; §6.2.5 suggests 4096 and no more. */
const LEAST_UDP = 512;
const MOST_UDP = 4096;

/** The cache keeps nothing longer than a day. */
const MOST_TTL = 86_400;

/** A value that `read` makes something of. */
function reads<T>(read: (value: unknown) => T | undefined, expects: string) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      const value = read(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: `${JSON.stringify(dataset.value)} is not ${expects}` });
      return NEVER;
    }),
  );
}

/** One, or a list of them that is not empty. */
function some<const Item extends v.GenericSchema>(item: Item) {
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

const ADDRESS = reads((value) => (isAddress(text(value)) ? text(value) : undefined), 'an address');

const NAME = reads(
  (value) => (text(value) === '' || !parseName(text(value)) ? undefined : text(value)),
  'a domain name',
);

const ANCHOR = reads(
  (value) => (readAnchors([text(value)]).ok ? text(value) : undefined),
  'a DS or DNSKEY record as in a zone file',
);

const ZONE = v.pipe(
  v.string(),
  v.check((name) => name !== '' && parseName(name) !== undefined, 'not a domain name'),
);

/** An object that is not itself what `key` is a part of. */
const isTable = (value: unknown, key: string): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(key in value);

/** Resolvers for everything, or for each zone. */
const FORWARD = v.pipe(
  v.unknown(),
  v.transform((value) => (isTable(value, 'address') ? value : { '.': value })),
  v.record(ZONE, some(ENDPOINT)),
);

/** Authoritative servers for each zone, with its anchors. */
const STUB = v.record(
  ZONE,
  v.pipe(
    v.unknown(),
    v.transform((value) => (isTable(value, 'address') ? value : { addresses: value })),
    v.strictObject(
      { addresses: some(ENDPOINT), trustAnchors: v.exactOptional(v.array(ANCHOR)) },
      'a zone has {"addresses", "trustAnchors"}',
    ),
  ),
  'an object of zones expected',
);

const PATH = v.pipe(v.string('a path expected'), v.nonEmpty('a path expected'));

const HINT = v.strictObject(
  { name: NAME, addresses: some(ADDRESS) },
  'a root hint is {"name", "addresses"}',
);

const SWITCH = v.boolean('true or false expected');

const TTL = v.pipe(
  v.number('seconds expected'),
  v.integer('whole seconds expected'),
  v.minValue(0, 'seconds, 0 or more'),
  v.maxValue(MOST_TTL, `at most ${MOST_TTL}: nothing is cached for longer than a day`),
);

const UDP = `octets from ${LEAST_UDP} to ${MOST_UDP} expected`;

/** On, off, or on but for some zones. */
const REBIND = v.union(
  [SWITCH, v.strictObject({ except: v.array(NAME) })],
  'true, false or {"except": [names]} expected',
);

/** Something that suites may switch off, since it is never on; to switch it on is refused. */
const notYet = (what: string) => v.literal(false, `${what} cannot be done yet; false or nothing`);

/** Something that is always done. */
const always = (what: string) => v.literal(true, `${what} cannot be switched off`);

const SETTINGS = {
  listen: some(ENDPOINT),
  source: v.exactOptional(some(ADDRESS)),
  rootHints: v.exactOptional(
    v.pipe(
      v.array(HINT, 'a list of {"name", "addresses"} expected'),
      v.nonEmpty('the list is empty: without root servers nothing can be resolved'),
    ),
  ),
  trustAnchors: v.exactOptional(v.array(ANCHOR, 'a list of DS or DNSKEY records expected')),
  negativeTrustAnchors: v.exactOptional(v.array(NAME, 'a list of names expected')),
  forward: v.exactOptional(FORWARD),
  stub: v.exactOptional(STUB),
  qnameMinimisation: v.exactOptional(SWITCH),
  ipv4: v.exactOptional(SWITCH),
  ipv6: v.exactOptional(SWITCH),
  ednsBufferSize: v.exactOptional(
    v.pipe(v.number(UDP), v.integer(UDP), v.minValue(LEAST_UDP, UDP), v.maxValue(MOST_UDP, UDP)),
  ),
  caseRandomisation: v.exactOptional(SWITCH),
  cacheMinTtl: v.exactOptional(TTL),
  cacheMaxTtl: v.exactOptional(TTL),
  localZones: v.exactOptional(SWITCH),
  allowPrivateUpstream: v.exactOptional(SWITCH),
  upstreamPort: v.exactOptional(
    reads((value) => {
      const isPort = Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
      return isPort ? Number(value) : undefined;
    }, 'a port'),
  ),
  hosts: v.exactOptional(PATH),
  zones: v.exactOptional(v.record(ZONE, PATH, 'an object of zones expected')),
  rebindProtection: v.exactOptional(REBIND),
  harden: v.exactOptional(always('hardening against forged and misplaced records')),
  prefetch: v.exactOptional(SWITCH),
  serveStale: v.exactOptional(SWITCH),
  aggressiveNsec: v.exactOptional(SWITCH),
  dns64: v.exactOptional(
    reads((value) => parseNat64Prefix(text(value)), 'a prefix as in RFC 6052, e.g. "64:ff9b::/96"'),
  ),
  priming: v.exactOptional(SWITCH),
  rfc5011: v.exactOptional(notYet('following new trust anchors')),
  logLevel: v.exactOptional(
    v.picklist(['error', 'warn', 'info', 'debug'], 'error, warn, info or debug expected'),
  ),
};

const SCHEMA = v.pipe(
  v.object(SETTINGS, 'is missing'),
  v.check(({ ipv4, ipv6 }) => ipv4 !== false || ipv6 !== false, 'ipv4 and ipv6 cannot both be off'),
  v.check(
    ({ cacheMinTtl = 0, cacheMaxTtl = MOST_TTL }) => cacheMinTtl <= cacheMaxTtl,
    'cacheMinTtl is greater than cacheMaxTtl',
  ),
  v.check(
    ({ stub = {} }) =>
      Object.entries(stub).every(([zone, { trustAnchors = [] }]) => isOfZone(zone, trustAnchors)),
    'stub: an anchor there is for the zone itself; others belong to trustAnchors',
  ),
  v.check(({ stub, forward, zones }) => {
    const all = [stub, forward, zones].flatMap(zonesOf);
    return new Set(all).size === all.length;
  }, 'stub, forward and zones name the same zone twice'),
  v.check(
    ({ source = [] }) =>
      new Set(source.map((address) => address.includes(':'))).size === source.length,
    'source can be one address of each family, no more',
  ),
);

function isOfZone(zone: string, anchors: readonly string[]): boolean {
  const read = readAnchors(anchors);
  const apex = parseName(zone);
  return read.ok && [...read.anchors.positive.keys()].every((key) => key === apex?.key);
}

const zonesOf = (table: object | undefined) =>
  Object.keys(table ?? {}).map((zone) => parseName(zone)?.key);

type Settings = v.InferOutput<typeof SCHEMA>;

/** Reads the settings; `name` is the file's, to blame it with. */
export function readBareConfig(name: string, json: string): BareRead {
  const blame = (message: string) => ({ source: name, message });
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    return { problems: [blame(`not JSON: ${(error as Error).message}`)] };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { problems: [blame('an object of settings expected')] };
  }
  const unknown = Object.keys(parsed).filter((key) => !Object.hasOwn(SETTINGS, key));
  const result = v.safeParse(SCHEMA, parsed);
  const problems = (result.issues ?? []).map((issue) => {
    const path = v.getDotPath(issue);
    return blame(path === null ? issue.message : `${path}: ${issue.message}`);
  });
  const accepted = Object.keys(SETTINGS).join(', ');
  const strangers = unknown.map((key) => blame(`unknown setting '${key}'; accepted: ${accepted}`));
  if (!result.success || strangers.length > 0) return { problems: [...strangers, ...problems] };
  return { config: configOf(result.output) };
}

function configOf(settings: Settings): BareConfig {
  const { listen, source, qnameMinimisation, caseRandomisation, logLevel = 'info' } = settings;
  const { rootHints, serveStale, prefetch, dns64, aggressiveNsec } = settings;
  const { ipv4, ipv6, ednsBufferSize, cacheMinTtl, cacheMaxTtl } = settings;
  const { localZones, allowPrivateUpstream, upstreamPort, priming, hosts, zones = {} } = settings;
  const given = withoutGaps({
    sources: source,
    minimise: qnameMinimisation,
    randomiseCase: caseRandomisation,
    rebindProtection: rebindOf(settings),
    ...{ rootHints, serveStale, prefetch, dns64, aggressiveNsec },
    ...{ ipv4, ipv6, ednsBufferSize, cacheMinTtl, cacheMaxTtl },
    ...{ localZones, allowPrivateUpstream, upstreamPort, priming },
  });
  const made = { routes: routesOf(settings), ...trustOf(settings) };
  return { options: { listen, time: 'wall', ...made, ...given }, logLevel, hosts, zones };
}

function routesOf({ stub = {}, forward = {} }: Settings): RouteOption[] {
  return [
    ...Object.entries(stub).map(
      ([zone, { addresses }]) => ({ zone, kind: 'stub', servers: addresses }) as const,
    ),
    ...Object.entries(forward).map(
      ([zone, servers]) => ({ zone, kind: 'forward', servers }) as const,
    ),
  ];
}

type Trust = Pick<ResolverOptions, 'trustAnchors' | 'negativeTrustAnchors' | 'validate'>;

/** An empty list says that nothing is trusted; then only stubs that have anchors are validated. */
function trustOf({ stub = {}, trustAnchors, negativeTrustAnchors = [] }: Settings): Trust {
  const isNone = trustAnchors?.length === 0;
  const ofStubs = Object.values(stub).flatMap((zone) => zone.trustAnchors ?? []);
  return {
    trustAnchors: [...(trustAnchors ?? []), ...ofStubs],
    negativeTrustAnchors: isNone ? [...negativeTrustAnchors, '.'] : negativeTrustAnchors,
    validate: !isNone || ofStubs.length > 0,
  };
}

function rebindOf({ rebindProtection = false }: Settings): ResolverOptions['rebindProtection'] {
  if (rebindProtection === false) return undefined;
  return rebindProtection === true ? { except: [] } : rebindProtection;
}

type WithoutGaps<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function withoutGaps<T extends object>(values: T): WithoutGaps<T> {
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as WithoutGaps<T>;
}
