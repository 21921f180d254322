/**
 * The settings of `nymote resolver`, one JSON object: what it may say, and a sentence for everything
 * else. What this resolver cannot do is refused, never passed over.
 */

import * as v from 'valibot';
import {
  isWorldsRoot,
  parseName,
  type ResolverOptions,
  type RouteOption,
  readAnchors,
} from '#resolver';
import type { Endpoint, LogLevel } from '#runtime';
import { type ConfigProblem, printEndpoint } from '../config.ts';
import {
  ADDRESS,
  ANCHORS,
  DNS64,
  FORWARD,
  LISTEN,
  NAME,
  PATH,
  PORT,
  STUB,
  some,
  ZONES,
} from './bare-values.ts';
import { readJsonLines } from './json-lines.ts';

export type BareConfig = {
  readonly options: Omit<ResolverOptions, 'before'>;
  readonly logLevel: LogLevel;
  /** Paths of a hosts file and, zone by zone, of zone files. */
  readonly hosts: string | undefined;
  readonly zones: Readonly<Record<string, string>>;
  /** Path of a file that names the root's servers. */
  readonly hintsFile: string | undefined;
  /** Where the state of the root's keys is kept; undefined: they are not followed. */
  readonly anchorFile: string | undefined;
  /** Where `/metrics` is served. */
  readonly metrics: readonly Endpoint[];
};

export type BareRead =
  | { readonly config: BareConfig }
  | { readonly problems: readonly ConfigProblem[] };

/** RFC 6891 §6.2.3: less counts as 512; §6.2.5 suggests 4096 and no more. */
const LEAST_UDP = 512;
const MOST_UDP = 4096;

/** The cache keeps nothing longer than a day. */
const MOST_TTL = 86_400;

const HINT = v.strictObject(
  { name: NAME, addresses: some(ADDRESS) },
  'a root hint is {"name", "addresses"}',
);

const HINTS = v.pipe(
  v.array(HINT, 'a file of root servers, or a list of {"name", "addresses"} expected'),
  v.nonEmpty('the list is empty: without root servers nothing can be resolved'),
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

/**
 * What Unbound's `harden-*` are about, none of which can be undone: glue from outside the zone
 * (RFC 5452 §6), signatures that are missing where they must be (RFC 4035 §5), names below one that
 * does not exist (RFC 8020), additional records that nobody asked for (RFC 2181 §5.4.1). Any one
 * algorithm that fits is enough (RFC 6840 §5.11), as with `harden-algo-downgrade: no`.
 */
const HARDEN =
  'hardening against forged and misplaced records cannot be switched off; ' +
  'a zone whose signatures are broken can be named in negativeTrustAnchors';

const METRICS = 'metrics is {"listen": where Prometheus asks for /metrics}';

const SETTINGS = {
  listen: some(LISTEN),
  source: v.exactOptional(some(ADDRESS)),
  rootHints: v.exactOptional(v.lazy((value) => (typeof value === 'string' ? PATH : HINTS))),
  trustAnchors: v.exactOptional(ANCHORS),
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
  cookies: v.exactOptional(SWITCH),
  cacheMinTtl: v.exactOptional(TTL),
  cacheMaxTtl: v.exactOptional(TTL),
  localZones: v.exactOptional(SWITCH),
  allowPrivateUpstream: v.exactOptional(SWITCH),
  upstreamPort: v.exactOptional(PORT),
  hosts: v.exactOptional(PATH),
  zones: v.exactOptional(ZONES),
  rebindProtection: v.exactOptional(REBIND),
  harden: v.exactOptional(v.literal(true, HARDEN)),
  prefetch: v.exactOptional(SWITCH),
  serveStale: v.exactOptional(SWITCH),
  aggressiveNsec: v.exactOptional(SWITCH),
  dns64: v.exactOptional(DNS64),
  priming: v.exactOptional(SWITCH),
  rfc5011: v.exactOptional(SWITCH),
  anchorFile: v.exactOptional(PATH),
  keyTagSignal: v.exactOptional(SWITCH),
  datapath: v.exactOptional(v.picklist(['auto', 'on', 'off'], 'auto, on or off expected')),
  metrics: v.exactOptional(v.strictObject({ listen: some(LISTEN) }, METRICS)),
  logLevel: v.exactOptional(
    v.picklist(['error', 'warn', 'info', 'debug'], 'error, warn, info or debug expected'),
  ),
};

/** What is wrong with following a root that there is no anchor of. */
export const NO_ROOT = 'rfc5011: trustAnchors has no anchor of the root to begin with';

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
    ({ listen }) => new Set(chosenIn(listen)).size === chosenIn(listen).length,
    'listen names the same address and port twice',
  ),
  v.check(
    ({ source = [] }) =>
      new Set(source.map((address) => address.includes(':'))).size === source.length,
    'source can be one address of each family, no more',
  ),
  v.check(
    ({ rfc5011 = false, trustAnchors, rootHints }) =>
      !rfc5011 ||
      (trustAnchors?.length !== 0 &&
        hasRoot(trustAnchors, typeof rootHints === 'string' ? undefined : rootHints)),
    NO_ROOT,
  ),
  v.check(
    ({ rfc5011 = false, anchorFile }) => rfc5011 || anchorFile === undefined,
    'anchorFile is for rfc5011, which is off',
  ),
);

const chosenIn = (listen: readonly Endpoint[]) =>
  listen.filter(({ port }) => port !== 0).map(printEndpoint);

/** With the world's root servers the world's anchors are known. */
export function hasRoot(
  trustAnchors: readonly string[] = [],
  rootHints: ResolverOptions['rootHints'],
): boolean {
  const read = readAnchors(trustAnchors);
  if (!read.ok) return false;
  const isWorld = rootHints === undefined || isWorldsRoot(rootHints);
  return isWorld || read.anchors.positive.has(parseName('.')?.key ?? '');
}

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
  const { twice, lineOf } = readJsonLines(json);
  const isLong = json.trim().includes('\n');
  const place = (path: readonly (string | number)[]) => (isLong ? ` (line ${lineOf(path)})` : '');
  const doubled = twice.map((path) => blame(`${printPath(path)}: given twice${place(path)}`));
  const unknown = Object.keys(parsed).filter((key) => !Object.hasOwn(SETTINGS, key));
  const result = v.safeParse(SCHEMA, parsed);
  const problems = (result.issues ?? []).map(({ path, message }) => {
    if (path === undefined) return blame(message);
    const keys = path.map(({ key }) => key as string | number);
    return blame(`${printPath(keys)}: ${message}${place(keys)}`);
  });
  const accepted = Object.keys(SETTINGS).join(', ');
  const strangers = unknown.map((key) =>
    blame(`unknown setting '${key}'${place([key])}; accepted: ${accepted}`),
  );
  const all = [...doubled, ...strangers, ...problems];
  if (!result.success || all.length > 0) return { problems: all };
  return { config: configOf(result.output, name) };
}

/** Zones are keys with dots. */
function printPath(path: readonly (string | number)[]): string {
  const keys = path.map((key) =>
    /^\w+$/.test(String(key)) ? `.${key}` : `[${JSON.stringify(key)}]`,
  );
  return keys.join('').slice(1);
}

function configOf(settings: Settings, name: string): BareConfig {
  const { listen, source, qnameMinimisation, caseRandomisation, logLevel = 'info' } = settings;
  const { rootHints, serveStale, prefetch, dns64, aggressiveNsec, cookies } = settings;
  const { ipv4, ipv6, ednsBufferSize, cacheMinTtl, cacheMaxTtl } = settings;
  const { localZones, allowPrivateUpstream, upstreamPort, priming, hosts, zones = {} } = settings;
  const { rfc5011 = false, keyTagSignal, datapath } = settings;
  const given = withoutGaps({
    sources: source,
    minimise: qnameMinimisation,
    randomiseCase: caseRandomisation,
    rebindProtection: rebindOf(settings),
    rootHints: typeof rootHints === 'string' ? undefined : rootHints,
    ...{ serveStale, prefetch, dns64, aggressiveNsec, cookies },
    ...{ ipv4, ipv6, ednsBufferSize, cacheMinTtl, cacheMaxTtl },
    ...{ localZones, allowPrivateUpstream, upstreamPort, priming, keyTagSignal, datapath },
  });
  const made = { routes: routesOf(settings), ...trustOf(settings) };
  const anchorFile = rfc5011 ? (settings.anchorFile ?? `${name}.anchors`) : undefined;
  const options = { listen, time: 'wall', ...made, ...given } as const;
  const metrics = settings.metrics?.listen ?? [];
  const hintsFile = typeof rootHints === 'string' ? rootHints : undefined;
  return { options, logLevel, hosts, zones, hintsFile, anchorFile, metrics };
}

function routesOf({ stub = {}, forward = {} }: Settings): RouteOption[] {
  return [
    ...Object.entries(stub).map(
      ([zone, { addresses }]) => ({ zone, kind: 'stub', servers: addresses }) as const,
    ),
    ...Object.entries(forward).map(
      ([zone, { addresses, fallback = false }]) =>
        ({ zone, kind: 'forward', servers: addresses, fallback }) as const,
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
