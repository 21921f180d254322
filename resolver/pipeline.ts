/**
 * From a question to its answer, without listeners: recursion, cache, validation and what is done
 * to finished answers, put together as the options say.
 */

import type { Runtime } from '#runtime';
import { type Cache, createCache } from './cache/cache.ts';
import { serveStale } from './cache/freshness.ts';
import { wallLifetimes } from './cache/lifetimes.ts';
import { withPrefetch } from './cache/prefetch.ts';
import { createSynthesis, type Synthesis } from './cache/synthesis.ts';
import { withTtlBounds } from './cache/ttl-bounds.ts';
import { affordable, DEFAULT_STALE, MAX_TTL } from './cache/worth.ts';
import { type Anchors, closestAnchor, type TrustAnchor } from './dnssec/anchors.ts';
import { createChainMemory } from './dnssec/chain.ts';
import { createExplain } from './explain.ts';
import { withDns64 } from './local/dns64.ts';
import { type Nat64Watch, watchNat64 } from './local/nat64-watch.ts';
import { withoutRebinding } from './local/rebinding.ts';
import { isWithin, type Name, ROOT } from './message/name.ts';
import { TYPE } from './message/type.ts';
import type { Settings } from './recursion/frame.ts';
import type { Judgement } from './recursion/judgement.ts';
import { createRecursion, type Recursion } from './recursion/recursion.ts';
import { findRoute } from './recursion/route.ts';
import { createValidation, type Validation } from './recursion/validation.ts';
import { createVerifier } from './recursion/verifier.ts';
import type { ResolverOptions } from './resolver.ts';
import { type AnchorWatch, createAnchorWatch } from './roots/anchor-watch.ts';
import { createPriming, primed } from './roots/priming.ts';
import { withKeyTagSignal, withSentinel } from './roots/trust-signals.ts';
import { createRouting } from './routing.ts';
import { type Answering, createAnswering, type IsLocal } from './serving/answering.ts';
import { anchorsOf, nameFor, routeServer, settingsOf } from './settings.ts';
import { withEncryption } from './upstream/encrypted.ts';
import { createUpstream, UDP_SIZE, type Upstream } from './upstream/upstream.ts';

/** What a resolver needs of the world. */
export type Seams = Pick<
  Runtime,
  | 'clock'
  | 'random'
  | 'crypto'
  | 'udp'
  | 'tcp'
  | 'tls'
  | 'http'
  | 'log'
  | 'memoryBytes'
  | 'batchUdp'
>;

/** From a question to its answer, without listeners. */
export function pipelineOf(runtime: Seams, options: ResolverOptions) {
  const { localZones = true, cacheBytes, time } = options;
  const { crypto, random, log, udp, memoryBytes } = runtime;
  const stale = options.serveStale === false ? 0 : (options.maxStale ?? DEFAULT_STALE);
  const cache = createCache(cacheBytes ?? affordable(memoryBytes), stale, random);
  const forget = () => {
    cache.clear();
    validation.clear();
  };
  const clock = time === 'wall' ? wallLifetimes(runtime.clock, forget) : runtime.clock;
  const seen: Seen = { timeouts: 0, verdicts: { secure: 0, insecure: 0, bogus: 0 } };
  const { upstream, bounded } = upstreamOf(runtime, options, seen);
  const configured = anchorsOf(options);
  const positive = new Map(configured.positive);
  const routing = createRouting(options, positive);
  const anchors: Anchors = { ...configured, positive };
  const isJudged = (name: Name) => typeof closestAnchor(anchors, name) === 'object';
  const settings = routing.over({ ...settingsOf(options), isJudged });
  const recursionOver = recursionFor({ clock, random, log, udp }, options, settings, bounded);
  const recursion = recursionOver(cache, bounded);
  const memory = createChainMemory();
  const verifier = createVerifier({ clock, crypto });
  const isForwarding = findRoute(settings.routes, ROOT, TYPE.NS)?.kind === 'forward';
  const isSignalling = options.keyTagSignal === true && !isForwarding;
  const now = () => clock.monotonic() / 1000;
  const telling = isSignalling ? withKeyTagSignal(recursion, anchors, now) : recursion;
  const proving = { clock, crypto, verifier };
  const parts = { ...proving, recursion: telling, cache, anchors, memory, isForwarding };
  // What is set by hand for a zone says more than what is known of names in general.
  const { isRouted } = routing;
  const isLocal: IsLocal = (name, type) => localZones && !isRouted(name, type);
  const proofs = createSynthesis(cache, crypto);
  const find: Synthesis['find'] = (name, type, ...rest) =>
    isRouted(name, type) ? undefined : proofs.find(name, type, ...rest);
  const synthesis = options.aggressiveNsec !== false ? { synthesis: { ...proofs, find } } : {};
  const count = (state: keyof Seen['verdicts']) => {
    seen.verdicts[state]++;
  };
  const validation = createValidation({ ...parts, ...synthesis, count });
  const isValidating = anchors.positive.size > 0;
  // Who has another root and forgot its anchor would not notice.
  if (!isValidating && options.validate !== false) log('warn', 'not-validating', {});
  const routeOf = (name: Name, type: number) => findRoute(settings.routes, name, type);
  const fresh = serveStale({ clock, log, cache, validation, isValidating, routeOf });
  const near = { clock, log, cache, validation, isWanted: options.prefetch ?? true };
  const served = withPrefetch(fresh, near);
  const nat64 = nat64Watch({ clock, log, upstream }, options);
  const answeringOver = (over: Pick<Validation, 'resolve'>) =>
    dressed(plainly({ clock, log }, over, isLocal, anchors), options, isRouted, nat64);
  const answering = answeringOver(served);
  const kept = {
    ...{ clock, crypto },
    get scope() {
      return scopeOf({ ...options, routes: routing.given });
    },
  };
  const root = configured.positive.get(ROOT.key);
  const trust = rootTrust(positive, validation.clear);
  const watch = watchRoot({ ...proving, log, recursion: telling }, options, root, trust);
  const watches = together(watch, nat64, options);
  const explain = createExplain({
    ...{ ...proving, cache, anchors, isForwarding, upstream: bounded },
    ...{ answeringOver, recursionOver, ...synthesis },
  });
  const asking = { cache, upstream, recursion, answering };
  return { ...asking, verifier, forget, kept, routing, watches, explain, seen };
}

/** Asks others, in the clear or not; their TTLs within bounds. */
function upstreamOf(runtime: Seams, options: ResolverOptions, seen: Seen) {
  const { sources = [], randomiseCase = true, cookies = true } = options;
  const { ednsBufferSize: udpSize = UDP_SIZE, cacheMinTtl = 0, cacheMaxTtl = MAX_TTL } = options;
  const open = createUpstream(runtime, { sources, randomiseCase, udpSize, cookies });
  const upstream = withEncryption(runtime, open, { sources, udpSize });
  const counted = countingTimeouts(upstream, seen);
  return { upstream, bounded: withTtlBounds(counted, { least: cacheMinTtl, most: cacheMaxTtl }) };
}

/** What metrics tell of the way to an answer. */
type Seen = { timeouts: number; verdicts: Record<Judgement['state'], number> };

function countingTimeouts({ ask }: Pick<Upstream, 'ask'>, seen: Seen): Pick<Upstream, 'ask'> {
  return {
    async ask(send) {
      const event = await ask(send);
      if (event.kind === 'timeout') seen.timeouts++;
      return event;
    },
  };
}

/** What takes note of the root's keys as they change. */
function rootTrust(positive: Map<string, TrustAnchor>, clear: () => void) {
  return (anchor: TrustAnchor | undefined) => {
    if (anchor === undefined) positive.delete(ROOT.key);
    else positive.set(ROOT.key, anchor);
    clear();
  };
}

/** What asks others by itself, from the start to the end. */
function together(
  watch: AnchorWatch | undefined,
  nat64: Nat64Watch | undefined,
  { followRoot }: ResolverOptions,
) {
  return {
    start() {
      watch?.start(followRoot?.delay ?? 0);
      nat64?.start();
    },
    stop() {
      watch?.[Symbol.dispose]();
      nat64?.[Symbol.dispose]();
    },
  };
}

/** Asks the network for the prefix of its NAT64, where none is given. */
function nat64Watch(
  seams: Parameters<typeof watchNat64>[0],
  { dns64 = {} }: ResolverOptions,
): Nat64Watch | undefined {
  const { prefix, discover = [] } = dns64;
  const isAsked = prefix === undefined && discover.length > 0;
  return isAsked ? watchNat64(seams, discover.map(routeServer)) : undefined;
}

/** Follows the root's keys, where that is wanted and there is an anchor to begin with. */
function watchRoot(
  parts: Omit<Parameters<typeof createAnchorWatch>[0], 'anchor' | 'saved' | 'save' | 'apply'>,
  { followRoot }: ResolverOptions,
  anchor: TrustAnchor | undefined,
  apply: (anchor: TrustAnchor | undefined) => void,
): AnchorWatch | undefined {
  if (followRoot === undefined || anchor === undefined) return undefined;
  const { saved, save } = followRoot;
  return createAnchorWatch({ ...parts, anchor, saved, save, apply });
}

/** Makes recursions, with the root's servers as hinted, or as they say themselves. */
function recursionFor(
  runtime: Pick<Seams, 'clock' | 'random' | 'log' | 'udp'>,
  { priming: isPriming = false }: ResolverOptions,
  settings: Settings,
  upstream: Pick<Upstream, 'ask'>,
): (cache: Cache, upstream: Pick<Upstream, 'ask'>) => Recursion {
  const isForwarding = findRoute(settings.routes, ROOT, TYPE.NS) !== undefined;
  if (!isPriming || isForwarding) {
    return (cache, asking) => createRecursion(runtime, settings, cache, asking);
  }
  const priming = createPriming({ ...runtime, upstream }, settings);
  const current: Settings = {
    ...settings,
    get root() {
      return priming.root;
    },
    get routes() {
      return settings.routes;
    },
  };
  return (cache, asking) => primed(createRecursion(runtime, current, cache, asking), priming);
}

/** Answers as they are found; only the name that was asked is a sentinel (RFC 8509 §3.1). */
function plainly(
  runtime: Pick<Seams, 'clock' | 'log'>,
  targets: Pick<Validation, 'resolve'>,
  isLocal: IsLocal,
  anchors: Anchors,
): Answering {
  return createAnswering(runtime, withSentinel(targets, anchors), { isLocal, targets });
}

/** With what is done to finished answers; private addresses go before anything is made of them. */
function dressed(
  plain: Answering,
  { rebindProtection, dns64 }: ResolverOptions,
  isOwn: (name: Name) => boolean,
  nat64: Nat64Watch | undefined,
): Answering {
  const except = (rebindProtection?.except ?? []).map(nameFor);
  const isExcept = (name: Name) => isOwn(name) || except.some((zone) => isWithin(name, zone));
  const prefix = () => dns64?.prefix ?? nat64?.prefix;
  const guarded =
    rebindProtection === undefined ? plain : withoutRebinding(plain, isExcept, prefix);
  return dns64 === undefined
    ? guarded
    : withDns64(guarded, { prefix, excluded: dns64.excluded ?? [] });
}

/** Whom we ask and whom we trust: what others said is not for us. */
function scopeOf(options: ResolverOptions): string {
  const { forward, routes, rootHints, trustAnchors, negativeTrustAnchors, validate } = options;
  return JSON.stringify([
    ...[forward, routes, rootHints],
    ...[trustAnchors, negativeTrustAnchors, validate],
  ]);
}
