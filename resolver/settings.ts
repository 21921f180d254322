/**
 * The options of a resolver, read: what cannot be read is a mistake of whoever made them.
 */

import { type Anchors, IANA_ANCHORS, readAnchors } from './dnssec/anchors.ts';
import { canonicalAddress } from './message/address.ts';
import { type Name, parseName, ROOT } from './message/name.ts';
import { rootCut } from './recursion/delegation.ts';
import type { Settings } from './recursion/frame.ts';
import type { Route, RouteServer, Secured } from './recursion/route.ts';
import type { ResolverOptions, RouteOption, UpstreamServer } from './resolver.ts';
import { isWorldsRoot, ROOT_HINTS } from './roots/root-hints.ts';

const DNS_PORT = 53;

/** What the recursor is to know. */
export function settingsOf(options: ResolverOptions): Settings {
  const hints = (options.rootHints ?? ROOT_HINTS).map(({ name, addresses }) => ({
    name,
    addresses: addresses.map(canonicalAddress),
  }));
  return {
    root: rootCut(hints),
    routes: routesOf(options),
    port: options.upstreamPort ?? DNS_PORT,
    ipv4: options.ipv4 ?? true,
    ipv6: options.ipv6 ?? true,
    minimise: options.minimise ?? true,
    allowsSpecial: options.allowPrivateUpstream ?? false,
    cookies: options.cookies ?? true,
  };
}

/** The routes of the options, read. */
export function routesOf({
  forward = [],
  forwardFallback: fallback = false,
  routes = [],
}: Pick<ResolverOptions, 'forward' | 'forwardFallback' | 'routes'>): Route[] {
  const world: RouteOption = { zone: '.', kind: 'forward', servers: forward, fallback };
  return [...(forward.length > 0 ? [world] : []), ...routes].map(
    ({ zone, kind, servers, fallback = false }) => ({
      ...{ zone: nameFor(zone), kind, servers: servers.map(routeServer) },
      ...(fallback && kind === 'forward' ? { fallback } : {}),
    }),
  );
}

/** Whose name is not given must have its address in the certificate, or a key that is. */
export function routeServer({ address: text, port, tls, https }: UpstreamServer): RouteServer {
  const address = canonicalAddress(text);
  if (tls === undefined && https === undefined) return { address, port };
  const { name, pins } = tls ?? {};
  const inUrl = https === undefined ? address : new URL(https).hostname.replace(/^\[|\]$/g, '');
  const isNamed = name !== undefined || pins === undefined;
  const secure: Secured = {
    ...(isNamed ? { name: name ?? inUrl } : {}),
    ...(pins === undefined ? {} : { pins }),
    ...(https === undefined ? {} : { url: https }),
  };
  return { address, port, secure };
}

/**
 * Without any anchor all is insecure, which is what switches validation off. The world's root has the
 * world's anchors, wherever its servers are listed.
 */
export function anchorsOf({
  rootHints,
  trustAnchors = [],
  negativeTrustAnchors = [],
  validate = true,
}: ResolverOptions): Anchors {
  const read = readAnchors(validate ? trustAnchors : [], negativeTrustAnchors);
  if (!read.ok) throw new Error(`trust anchor is none: ${read.line}`);
  const { anchors } = read;
  const isWorld = rootHints === undefined || isWorldsRoot(rootHints);
  if (!validate || !isWorld || anchors.positive.has(ROOT.key)) return anchors;
  const world = readAnchors([...trustAnchors, ...IANA_ANCHORS], negativeTrustAnchors);
  if (!world.ok) throw new Error(`trust anchor is none: ${world.line}`);
  return world.anchors;
}

/** A name from the options. */
export function nameFor(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`not a name: ${text}`);
  return name;
}
