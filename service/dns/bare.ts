/**
 * `nymote resolver`: the resolver alone, as conformance suites and packagers drive it. No store, no
 * keys, no signing; everyone who reaches the listeners may ask.
 */

import {
  type Before,
  createResolver,
  type Hosts,
  isWithin,
  type Resolver,
  type ResolverOptions,
  readHosts,
  readPlainZone,
} from '#resolver';
import type { Files, Runtime } from '#runtime';
import { type ConfigProblem, printEndpoint } from '../config.ts';
import { followWithFile, readAnchorFile } from './anchor-file.ts';
import { type BareConfig, readBareConfig } from './bare-config.ts';

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
  const problems: ConfigProblem[] = [];
  const hosts = config.hosts === undefined ? undefined : await readHostsFile(files, config.hosts);
  if (hosts !== undefined && 'source' in hosts) problems.push(hosts);
  const zones: Zone[] = [];
  for (const [apex, file] of Object.entries(config.zones)) {
    const zone = await readZoneFile(files, apex, file);
    if ('source' in zone) problems.push(zone);
    else zones.push(zone);
  }
  const { anchorFile } = config;
  const saved = anchorFile === undefined ? [] : await readAnchorFile(files, anchorFile);
  const anchors = 'source' in saved ? [] : saved;
  if ('source' in saved) problems.push(saved);
  if (problems.length > 0) return { problems };
  const known = hosts === undefined || 'source' in hosts ? undefined : hosts;
  return { bare: { ...config, anchors, before: beforeOf(known, zones) } };
}

/** Starts to listen; says on the log where, and at level `debug` also each answer. */
export async function startBare(runtime: Runtime, bare: Bare): Promise<Resolver> {
  const { options, before, anchorFile, anchors } = bare;
  const { log } = runtime;
  const follow =
    anchorFile === undefined ? {} : { followRoot: followWithFile(runtime, anchorFile, anchors) };
  const resolver = createResolver(runtime, { ...options, ...follow, before });
  resolver.onAnswer(({ asker, transport, name, type, rcode, from, milliseconds, ede }) => {
    const seen = { asker: asker.address, transport, name, type, rcode, from };
    log('debug', 'answered', { ...seen, milliseconds: Math.round(milliseconds), ede: ede?.text });
  });
  for (const endpoint of await resolver.start()) {
    log('info', 'listening', { address: printEndpoint(endpoint) });
  }
  return resolver;
}

type Zone = Extract<ReturnType<typeof readPlainZone>, { ok: true }>['authority'];

/** The hosts file first, then the zone nearest above the name; all else is recursed for. */
function beforeOf(hosts: Hosts | undefined, zones: readonly Zone[]): Before {
  const nearest = zones.toSorted((a, b) => b.apex.wire.length - a.apex.wire.length);
  return (question) => {
    if (hosts?.knows(question)) return { kind: 'zone', authority: hosts };
    const authority = nearest.find(({ apex }) => isWithin(question.name, apex));
    return authority === undefined ? { kind: 'recurse' } : { kind: 'zone', authority };
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
