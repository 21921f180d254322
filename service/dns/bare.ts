/**
 * `nymote resolver`: the resolver alone, as conformance suites and packagers drive it. No store, no
 * keys, no signing; everyone who reaches the listeners may ask.
 */

import {
  type Askers,
  type Before,
  createResolver,
  type Explanation,
  type Hosts,
  isWithin,
  parseName,
  printRecord,
  queryFor,
  type Resolver,
  type ResolverOptions,
  type ResourceRecord,
  rcodeName,
  readHosts,
  readPlainZone,
  readRootHints,
  TYPE,
  typeNumber,
} from '#resolver';
import type { Files, Runtime } from '#runtime';
import { type ConfigProblem, printEndpoint } from '../config.ts';
import { METRICS_TYPE, printMetrics, resolverMetrics } from '../metrics.ts';
import { followWithFile, readAnchorFile } from './anchor-file.ts';
import { type BareConfig, hasRoot, NO_ROOT, readBareConfig } from './bare-config.ts';

/** The settings with the contents of the files they name. */
export type Bare = BareConfig & {
  readonly before: Before;
  readonly anchors: NonNullable<ResolverOptions['followRoot']>['saved'];
};

/** Reads the settings and what they name; all that is wrong with them otherwise. */
export async function readBareFile(
  files: Pick<Files, 'read'>,
  path: string,
): Promise<{ readonly bare: Bare } | { readonly problems: readonly ConfigProblem[] }> {
  const text = await readText(files, path);
  if (text === undefined) return { problems: [noSuchFile(path)] };
  const read = readBareConfig(path, text);
  if ('problems' in read) return read;
  const { config } = read;
  const { hosts, zones, hintsFile, anchorFile } = config;
  const problems: ConfigProblem[] = [];
  const take = <T extends object>(found: T | ConfigProblem): T | undefined => {
    if (!isProblem(found)) return found;
    problems.push(found);
    return undefined;
  };
  const known = hosts === undefined ? undefined : take(await readHostsFile(files, hosts));
  const own: Zone[] = [];
  for (const [apex, file] of Object.entries(zones)) {
    const zone = take(await readZoneFile(files, apex, file));
    if (zone !== undefined) own.push(zone);
  }
  const root: Pick<ResolverOptions, 'rootHints'> | undefined =
    hintsFile === undefined ? {} : take(await readHintsFile(files, hintsFile));
  if (anchorFile !== undefined && !hasRoot(config.options.trustAnchors, root?.rootHints)) {
    problems.push({ source: path, message: NO_ROOT });
  }
  const anchors = anchorFile === undefined ? [] : take(await readAnchorFile(files, anchorFile));
  if (anchors === undefined || problems.length > 0) return { problems };
  const options = { ...config.options, ...root };
  return { bare: { ...config, options, anchors, before: beforeOf(known, own) } };
}

const isProblem = (found: object): found is ConfigProblem => 'source' in found;

/** Starts to listen; says on the log where, and at level `debug` also each answer. */
export async function startBare(machine: Runtime, bare: Bare): Promise<AsyncDisposable> {
  const runtime = byWallClock(machine);
  const { options, before, anchorFile, anchors, metrics } = bare;
  const { log } = runtime;
  for (const address of options.sources ?? []) {
    // Otherwise each question fails, and nobody says why.
    await using _probe = await runtime.udp.bind({ address, port: 0 }, () => undefined);
  }
  await using opening = new AsyncDisposableStack();
  const follow =
    anchorFile === undefined ? {} : { followRoot: followWithFile(runtime, anchorFile, anchors) };
  const resolver = opening.use(createResolver(runtime, { ...options, ...follow, before }));
  resolver.onAnswer(({ asker, transport, name, type, rcode, from, milliseconds, ede }) => {
    const seen = { asker: asker.address, transport, name, type, rcode, from };
    log('debug', 'answered', { ...seen, milliseconds: Math.round(milliseconds), ede: ede?.text });
  });
  resolver.setAskers(EVERYBODY);
  // What waits for us to listen believes that all is open then.
  for (const endpoint of metrics) {
    const listener = await runtime.http.listen(endpoint, (request) => tell(resolver, request));
    opening.use(listener);
  }
  for (const endpoint of await resolver.start()) {
    log('info', 'listening', { address: printEndpoint(endpoint) });
  }
  return opening.move();
}

/** 2001: suites put the date back by years, and a machine without a battery begins in 1970. */
const EARLIEST = 978_307_200;

/** Every date that somebody may have set is believed, also one before this program was written. */
function byWallClock(runtime: Runtime): Runtime {
  const { clock } = runtime;
  return { ...runtime, clock: { ...clock, isSet: () => clock.now() >= EARLIEST } };
}

/** Numbers only, to everyone who reaches the listener, as with names. */
function tell(resolver: Resolver, { method, url }: Request): Response {
  if (new URL(url).pathname !== '/metrics') return new Response(null, { status: 404 });
  if (method !== 'GET' && method !== 'HEAD') return new Response(null, { status: 405 });
  const text = method === 'HEAD' ? null : printMetrics(resolverMetrics(resolver));
  return new Response(text, { headers: { 'content-type': METRICS_TYPE } });
}

/** How an answer comes about with these settings; undefined for what is no name or no type. */
export async function explainBare(
  runtime: Runtime,
  { options, before }: Bare,
  asked: { readonly name: string; readonly type: string },
): Promise<(Explanation & { readonly own: boolean }) | undefined> {
  const name = parseName(asked.name);
  const type = typeNumber(asked.type.toUpperCase());
  if (name === undefined || type === undefined) return undefined;
  await using resolver = createResolver(byWallClock(runtime), { ...options, before });
  const query = queryFor(name, type);
  const [question] = query.questions;
  const ruling = question && (await before(question, HERE, 'udp'));
  if (ruling?.kind !== 'zone' || ruling.isOfParent === true) {
    const found = await resolver.explain(name, type, false);
    const isOwn = ruling?.kind === 'zone' && found.rcode === 'NXDOMAIN';
    if (!isOwn) return { ...found, own: false };
  }
  const { rcode, answers } = await resolver.handle(query, HERE, 'udp');
  return ownAnswer(asked, rcodeName(rcode), answers);
}

/** From a hosts or a zone file: nobody is asked. */
function ownAnswer(
  { name, type }: { readonly name: string; readonly type: string },
  rcode: string,
  answers: readonly ResourceRecord[],
): Explanation & { readonly own: true } {
  const records = answers.map((record) => printRecord(record));
  const what = records.length > 0 ? 'answer' : 'no-data';
  const result = { from: 'zone', what, records, signatures: [] };
  const names = [{ name, type, result, verdict: { state: 'unchecked' } as const }];
  return {
    name,
    type,
    rcode,
    answers: records,
    names,
    chain: [],
    steps: [],
    isCut: false,
    own: true,
  };
}

const HERE = { address: '::1', port: 0 };

/** Nobody is told anything that others are not. */
const EVERYBODY: Askers = {
  exact: [],
  networks: [
    { address: '0.0.0.0', bits: 0, view: 'everybody' },
    { address: '::', bits: 0, view: 'everybody' },
  ],
};

/**
 * What was recursed for may be repeated, where `datapath` asks for it. Its threads count by the
 * monotonic clock; an end, a day at most as in the cache, has the wall clock watched for jumps.
 */
const REPEATABLE = { view: 'everybody', seconds: 86_400 } as const;

type Zone = Extract<ReturnType<typeof readPlainZone>, { ok: true }>['authority'];

/** The hosts file first, then the zone nearest above the name; all else is recursed for. */
function beforeOf(hosts: Hosts | undefined, zones: readonly Zone[]): Before {
  const nearest = zones.toSorted((a, b) => b.apex.wire.length - a.apex.wire.length);
  return (question) => {
    // Elsewhere the name may not exist, or have a way past its address (RFC 9460 §2.4.3).
    const isHost = hosts?.knows({ ...question, type: TYPE.A });
    if (hosts !== undefined && (isHost || hosts.knows(question))) {
      return { kind: 'zone', authority: hosts };
    }
    const [authority, above] = nearest.filter(({ apex }) => isWithin(question.name, apex));
    if (authority !== undefined) {
      const isOfApex = question.type === TYPE.DS && question.name.key === authority.apex.key;
      // Outside nobody knows a zone below one of ours, nor need hear of it.
      return { kind: 'zone', authority, isOfParent: isOfApex && above === undefined };
    }
    return { kind: 'recurse', reuse: REPEATABLE };
  };
}

async function readText(files: Pick<Files, 'read'>, path: string): Promise<string | undefined> {
  const bytes = await files.read(path);
  return bytes && new TextDecoder().decode(bytes);
}

const noSuchFile = (path: string): ConfigProblem => ({
  source: path,
  message: 'there is no such file',
});

async function readHostsFile(
  files: Pick<Files, 'read'>,
  path: string,
): Promise<Hosts | ConfigProblem> {
  const text = await readText(files, path);
  if (text === undefined) return noSuchFile(path);
  const read = readHosts(text);
  return read.ok ? read.hosts : { source: path, message: read.problem };
}

async function readHintsFile(
  files: Pick<Files, 'read'>,
  path: string,
): Promise<Required<Pick<ResolverOptions, 'rootHints'>> | ConfigProblem> {
  const text = await readText(files, path);
  if (text === undefined) return noSuchFile(path);
  const read = readRootHints(text);
  return read.ok ? { rootHints: read.hints } : { source: path, message: read.problem };
}

async function readZoneFile(
  files: Pick<Files, 'read'>,
  apex: string,
  path: string,
): Promise<Zone | ConfigProblem> {
  const text = await readText(files, path);
  if (text === undefined) return noSuchFile(path);
  const read = readPlainZone(apex, text);
  return read.ok ? read.authority : { source: path, message: read.problem };
}
