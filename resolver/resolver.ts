/**
 * The resolver as service/ knows it: listeners, pipeline, recursion and cache put together.
 */

import type { Endpoint } from '#runtime';
import { type Restored, restoreSnapshot, takeSnapshot } from './cache/snapshot.ts';
import type { Askers } from './datapath/askers.ts';
import type { DatapathStats } from './datapath/datapath.ts';
import type { TrackedKey } from './dnssec/rollover.ts';
import type { Explain } from './explain.ts';
import type { Ipv6Range, Nat64Prefix } from './local/nat64.ts';
import type { ExtendedError } from './message/ede.ts';
import type { Message } from './message/message.ts';
import { type Name, printName } from './message/name.ts';
import { rcodeName, typeName } from './message/type.ts';
import { pipelineOf, type Seams } from './pipeline.ts';
import type { RootHint } from './roots/root-hints.ts';
import { createRerouting } from './routing.ts';
import type { Answered, Answering, Before } from './serving/answering.ts';
import { type CourtesyOptions, createCourtesy } from './serving/courtesy.ts';
import { createFastLane, type LaneHit } from './serving/fast-lane.ts';
import type { Origin } from './serving/part.ts';
import { type Handle, queryFor, type Transport } from './serving/response.ts';
import { type Listeners, startListeners } from './serving/server.ts';
import { createTally, type TallyView } from './serving/tally.ts';

export type ResolverOptions = {
  /** Where to listen, UDP and TCP. Port 0 means any. */
  readonly listen: readonly Endpoint[];
  /** Rules on every question, also on each name a CNAME leads to. */
  readonly before: Before;
  /** The root's servers; IANA's unless given. */
  readonly rootHints?: readonly RootHint[];
  /** Asks the root's servers who they are before all else (RFC 9609); off unless told. */
  readonly priming?: boolean;
  /** When given and not empty, these resolvers are asked instead of the tree. */
  readonly forward?: readonly UpstreamServer[];
  /** Asks the tree when they fail; off unless told. */
  readonly forwardFallback?: boolean;
  /** Takes private addresses out of answers about public names, but for these and below. */
  readonly rebindProtection?: { readonly except: readonly string[] };
  /** Makes AAAA records of A records for a NAT64 (RFC 6147). */
  readonly dns64?: Dns64Options;
  /** Zones whose servers are set by hand; of several that fit, the longest counts. */
  readonly routes?: readonly RouteOption[];
  readonly cacheBytes?: number;
  /** Which address families reach other servers; both unless told. */
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  /** Addresses to ask from, at most one for each family. */
  readonly sources?: readonly string[];
  /** Lets public delegations lead to private and loopback addresses; for laboratories. */
  readonly allowPrivateUpstream?: boolean;
  /** Port of authoritative servers; for laboratories. */
  readonly upstreamPort?: number;
  /** Answers names that mean something only locally (RFC 6303, RFC 6761); on unless told. */
  readonly localZones?: boolean;
  /** Asks servers only as much of a name as they need (RFC 9156); on unless told. */
  readonly minimise?: boolean;
  /** Sends names in random case against forgery; on unless told. */
  readonly randomiseCase?: boolean;
  /** Sends cookies to other servers (RFC 7873); on unless told. */
  readonly cookies?: boolean;
  /**
   * Trust anchors: DS or DNSKEY records as zone-file text, for any name. With IANA's root servers
   * the root's anchors are added unless one for the root is among these.
   */
  readonly trustAnchors?: readonly string[];
  /** Names below which nothing is validated (RFC 7646). */
  readonly negativeTrustAnchors?: readonly string[];
  /**
   * Follows the root's keys (RFC 5011): what an earlier run saved, where to save what the next must
   * know, and how many milliseconds after the start the keys are first asked for.
   */
  readonly followRoot?: {
    readonly saved: readonly TrackedKey[];
    readonly save: (keys: readonly TrackedKey[]) => void;
    readonly delay: number;
  };
  /** Tells the root's servers which of its keys are trusted (RFC 8145); off unless told. */
  readonly keyTagSignal?: boolean;
  /** Validates where there is an anchor (RFC 4035); on unless told. */
  readonly validate?: boolean;
  /** What is accepted in one datagram from other servers; 1232 octets unless told. */
  readonly ednsBufferSize?: number;
  /** Seconds that a TTL is raised or lowered to when it is outside. */
  readonly cacheMinTtl?: number;
  readonly cacheMaxTtl?: number;
  /** The clock that TTLs are counted by; monotonic unless told. Signatures go by the date anyway. */
  readonly time?: 'monotonic' | 'wall';
  /** Serves what ended when nothing newer can be had (RFC 8767); on unless told. */
  readonly serveStale?: boolean;
  /** Seconds that it is served past its end: a day unless told, three at most. */
  readonly maxStale?: number;
  /** Refreshes what is asked for again and again before it ends; on unless told. */
  readonly prefetch?: boolean;
  /** Answers from validated NSEC and NSEC3 what they prove (RFC 8198); on unless told. */
  readonly aggressiveNsec?: boolean;
  /** What this server calls itself (NSID), and whose datagrams it counts; nobody's unless told. */
  readonly courtesy?: CourtesyOptions;
  /** Answers repeated questions on threads of their own; without them where they cannot be had. */
  readonly datapath?: 'auto' | 'on' | 'off';
};

/** The NAT64: a prefix that is given, or else the one that the network's resolvers show. */
export type Dns64Options = {
  readonly prefix?: Nat64Prefix;
  /** Resolvers to ask for the prefix (RFC 7050); those of the network, no others know it. */
  readonly discover?: readonly UpstreamServer[];
  /** IPv6 addresses that count as none (RFC 6147 §5.1.4). */
  readonly excluded?: readonly Ipv6Range[];
};

/** Authoritative servers (`stub`) or resolvers (`forward`) to ask about a zone. */
export type RouteOption = {
  readonly zone: string;
  readonly kind: 'stub' | 'forward';
  readonly servers: readonly UpstreamServer[];
  /** Asks the tree when the resolvers of a `forward` fail; off unless told. */
  readonly fallback?: boolean;
  /** DS or DNSKEY records of the zone as zone-file text: it is believed by them alone. */
  readonly trustAnchors?: readonly string[];
};

/**
 * A server to ask. With `tls` or `https` only under TLS, and only if it is who it should be: with
 * the name in its certificate (otherwise the URL's, or its address), or with a key that is pinned.
 */
export type UpstreamServer = Endpoint & {
  readonly tls?: { readonly name?: string; readonly pins?: readonly string[] };
  /** The URL of DNS over HTTPS. */
  readonly https?: string;
};

/** One answered question, for the live log. */
export type AnswerEvent = {
  /** Seconds since 1970. */
  readonly at: number;
  readonly asker: Endpoint;
  readonly transport: Transport;
  readonly name: string;
  readonly type: string;
  readonly rcode: string;
  readonly from: Origin;
  readonly milliseconds: number;
  readonly ede?: ExtendedError;
};

export type ResolverStats = {
  readonly questions: number;
  readonly cacheHits: number;
  readonly cacheBytes: number;
  readonly cacheEntries: number;
  /** Different questions waiting for other servers. */
  readonly inFlight: number;
  readonly upstreamSends: number;
  /** The threads that repeat answers; a string says why there are none. */
  readonly datapath: DatapathStats | string;
};

/** Counts since the start; what threads repeat is only in `stats().datapath`. */
export type ResolverMetrics = TallyView & {
  readonly verdicts: Readonly<Record<'secure' | 'insecure' | 'bogus', number>>;
  readonly upstreamTimeouts: number;
};

export type Resolver = AsyncDisposable & {
  /** Listens; the addresses bound. Fails with RuntimeError when a port is taken or denied. */
  start(): Promise<readonly Endpoint[]>;
  /** The addresses bound; empty before `start`. */
  readonly addresses: readonly Endpoint[];
  /** The pipeline behind all listeners, for those that stand elsewhere. */
  readonly handle: Handle;
  /** Asks for a name in this process: recursion without the hook, aliases followed. */
  resolve(name: Name, type: number): Promise<Message>;
  /** Tells how an answer comes about, as far as recursion and validation make it. */
  readonly explain: Explain;
  /** Calls `listener` after each answer to the network, until cancelled. */
  onAnswer(listener: (event: AnswerEvent) => void): () => void;
  /** Says which askers get the same answers; what was answered before is not repeated any more. */
  setAskers(askers: Askers): void;
  /**
   * Sets the servers of zones, and their anchors, in place of those before; throws what is none.
   * When anything is different, all that is cached is forgotten: any of it may follow from them.
   */
  setRoutes(routes: readonly RouteOption[]): void;
  /** What is cached, as bytes for the next run; undefined while the clock is not set. */
  saveCache(): Uint8Array | undefined;
  /** Puts back what `saveCache` gave, as far as it still holds. */
  restoreCache(bytes: Uint8Array): Restored;
  /** Forgets everything cached. */
  flush(): void;
  stats(): ResolverStats;
  /** More numbers, for who watches them over time. */
  metrics(): ResolverMetrics;
};

/** Makes a resolver; it asks nobody and listens nowhere before it is started or used. */
export function createResolver(runtime: Seams, options: ResolverOptions): Resolver {
  const pipeline = pipelineOf(runtime, options);
  const { cache, upstream, recursion, answering, forget, kept, watches, seen } = pipeline;
  const events = createEvents(runtime.clock);
  const lane = createFastLane(runtime, options.datapath ?? 'off', events.reportHit);
  let listeners: Listeners | undefined;
  const flush = () => {
    forget();
    lane.flush();
  };
  const rerouting = createRerouting(runtime.clock, pipeline.routing, flush);

  const courteous = options.courtesy ?? { isLimited: () => false };
  const courtesy = createCourtesy(runtime, courteous);
  const handle = courtesy.attend(async (query, asker, transport) => {
    const began = runtime.clock.monotonic();
    const watched = lane.watch(options.before);
    const answered = await answering.answer(query, asker, transport, watched.before);
    events.report(answered, asker, transport, began);
    // Threads do not count, so whom we count they must not serve.
    if (!courteous.isLimited(asker.address)) watched.allow(answered, asker);
    return answered.response;
  });

  return {
    handle,
    async start() {
      if (listeners !== undefined) throw new Error('the resolver was started already');
      const udp = await lane.open();
      const seams = { ...runtime, udp, lateUdp: runtime.udp };
      listeners = await startListeners(seams, options.listen, handle, courtesy);
      lane.start();
      watches.start();
      return listeners.addresses;
    },
    get addresses() {
      return listeners?.addresses ?? [];
    },
    resolve: (name, type) => askHere(answering, name, type),
    explain: pipeline.explain,
    onAnswer: events.listen,
    setAskers: lane.setAskers,
    setRoutes: rerouting.setRoutes,
    saveCache: () => takeSnapshot(cache, kept),
    restoreCache: (bytes) => restoreSnapshot(cache, bytes, kept),
    flush,
    stats: () => ({
      ...countsWith(events.counts(), lane.stats()),
      datapath: lane.stats(),
      cacheBytes: cache.bytes,
      cacheEntries: cache.entries,
      inFlight: recursion.inFlight,
      upstreamSends: upstream.sends,
    }),
    metrics: () => ({
      ...events.tally(),
      verdicts: { ...seen.verdicts },
      upstreamTimeouts: seen.timeouts,
    }),
    async [Symbol.asyncDispose]() {
      watches.stop();
      rerouting.stop();
      // The threads first: they sleep on the listeners' sockets.
      await lane[Symbol.asyncDispose]();
      await listeners?.[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      pipeline.verifier[Symbol.dispose]();
    },
  };
}

/** The asker of in-process questions. */
const HERE: Endpoint = { address: '::1', port: 0 };

/** Threads do not report each answer, but they count. */
function countsWith(
  { questions, cacheHits }: { questions: number; cacheHits: number },
  datapath: DatapathStats | string,
): { questions: number; cacheHits: number } {
  const hits = typeof datapath === 'string' ? 0 : datapath.hits;
  return { questions: questions + hits, cacheHits: cacheHits + hits };
}

type Events = {
  report(answered: Answered, asker: Endpoint, transport: Transport, began: number): void;
  reportHit(hit: LaneHit): void;
  listen(listener: (event: AnswerEvent) => void): () => void;
  counts(): { questions: number; cacheHits: number };
  tally(): TallyView;
};

function createEvents(clock: Seams['clock']): Events {
  const heard = new Set<(event: AnswerEvent) => void>();
  let questions = 0;
  let cacheHits = 0;
  const tally = createTally();
  return {
    report({ response, from, error }, asker, transport, began) {
      questions++;
      if (from === 'cache') cacheHits++;
      const isAsked = from === 'recursion' || from === 'forward';
      tally.count(transport, from, response.rcode, isAsked ? clock.monotonic() - began : 0);
      const [question] = response.questions;
      if (question === undefined || heard.size === 0) return;
      const event: AnswerEvent = {
        at: clock.now(),
        asker,
        transport,
        name: printName(question.name),
        type: typeName(question.type),
        rcode: rcodeName(response.rcode),
        from,
        milliseconds: clock.monotonic() - began,
        ...(error === undefined ? {} : { ede: error }),
      };
      for (const listener of heard) listener(event);
    },
    reportHit({ asker, name, type, rcode, isFromZone }) {
      const event: AnswerEvent = {
        at: clock.now(),
        asker,
        transport: 'udp',
        name: printName(name),
        type: typeName(type),
        rcode: rcodeName(rcode),
        from: isFromZone ? 'zone' : 'cache',
        milliseconds: 0,
      };
      for (const listener of heard) listener(event);
    },
    listen(listener) {
      heard.add(listener);
      return () => heard.delete(listener);
    },
    counts: () => ({ questions, cacheHits }),
    tally: tally.view,
  };
}

async function askHere({ answer }: Answering, name: Name, type: number): Promise<Message> {
  const answered = await answer(queryFor(name, type), HERE, 'udp', () => ({ kind: 'recurse' }));
  return answered.response;
}
