/**
 * How an answer comes about: who was asked, what they said, whose keys were believed, and what the
 * cache knew before and after. For people, as values that go into JSON as they are.
 *
 * It is the same recursor and validator, with an ear at what goes in and out of them; nobody else
 * pays for that. What was heard is bounded.
 *
 * Does not say who may ask: that is decided outside.
 */

import type { Clock, Crypto, Endpoint } from '#runtime';
import { printRecord } from './authority/zone-file.ts';
import { type Cache, createCache } from './cache/cache.ts';
import type { Synthesis } from './cache/synthesis.ts';
import type { Anchors } from './dnssec/anchors.ts';
import { type ChainMemory, createChainMemory } from './dnssec/chain.ts';
import {
  type Asked,
  askedOf,
  type CacheView,
  type ChainStep,
  type ExplainedName,
  type Explanation,
  type FoundOut,
  foundIn,
  labels,
  linkView,
  verdictOf,
  viewOfCache,
} from './explanation.ts';
import { type Name, printName } from './message/name.ts';
import { rcodeName } from './message/type.ts';
import type { Budget } from './recursion/budget.ts';
import { fromCache } from './recursion/known.ts';
import type { Recursion } from './recursion/recursion.ts';
import { createValidation, type Judged, type Validation } from './recursion/validation.ts';
import type { Verifier } from './recursion/verifier.ts';
import type { Answering } from './serving/answering.ts';
import { queryFor } from './serving/response.ts';
import type { Upstream } from './upstream/upstream.ts';

/** Steps that are told; a question that takes more is told to its middle. */
const MAX_STEPS = 400;

/** Records of an answer that are told. */
const MAX_ANSWERS = 64;

/** Bytes of the cache that a walk from the beginning has for itself. */
const FRESH_BYTES = 1024 * 1024;

/** Explains a name; `isFresh` passes over everything cached, and leaves nothing behind. */
export type Explain = (name: Name, type: number, isFresh: boolean) => Promise<Explanation>;

type Parts = {
  readonly clock: Clock;
  readonly crypto: Pick<Crypto, 'hash' | 'verify'>;
  readonly verifier: Pick<Verifier, 'settle'>;
  readonly cache: Cache;
  readonly anchors: Anchors;
  readonly isForwarding: boolean;
  /** Answers as askers get them, with all that is done to finished ones. */
  readonly answeringOver: (validation: Pick<Validation, 'resolve'>) => Answering;
  readonly upstream: Pick<Upstream, 'ask'>;
  /** A recursion of its own over a cache and whoever carries its questions. */
  readonly recursionOver: (cache: Cache, upstream: Pick<Upstream, 'ask'>) => Recursion;
  /** Absent where answers are not made from proofs. */
  readonly synthesis?: Synthesis;
};

/** Makes it. */
export function createExplain(parts: Parts): Explain {
  return async (name, type, isFresh) => {
    const walk = openWalk(parts, isFresh);
    const followed: Followed[] = [];
    const answering = parts.answeringOver({ resolve: following(parts, walk, followed) });
    const { response, error } = await answering.answer(queryFor(name, type), HERE, 'udp', RECURSE);
    const { steps, isCut } = walk.heard;
    return {
      ...labels(name, type),
      rcode: rcodeName(response.rcode),
      ...(error && { ede: error }),
      answers: response.answers.slice(0, MAX_ANSWERS).map(printRecord),
      ...{ names: followed.map(view), chain: walk.chain(), steps, isCut },
    };
  };
}

/** The asker of what is only explained; who may ask is decided elsewhere. */
const HERE: Endpoint = { address: '::1', port: 0 };
const RECURSE = () => ({ kind: 'recurse' }) as const;

/* Listening */

type Heard = { readonly steps: (Asked | FoundOut)[]; isCut: boolean };

function note(heard: Heard, step: Asked | FoundOut): void {
  if (heard.steps.length < MAX_STEPS) heard.steps.push(step);
  else heard.isCut = true;
}

type Walk = {
  readonly cache: Cache;
  readonly heard: Heard;
  readonly chain: () => readonly ChainStep[];
  readonly resolve: (name: Name, type: number, budget: Budget) => Promise<Judged>;
};

function openWalk(parts: Parts, isFresh: boolean): Walk {
  const { clock, crypto, verifier, anchors, isForwarding, synthesis } = parts;
  const cache = isFresh ? createCache(FRESH_BYTES, 0) : parts.cache;
  const heard: Heard = { steps: [], isCut: false };
  const ask: Upstream['ask'] = async (send) => {
    const event = await parts.upstream.ask(send);
    note(heard, askedOf(send, event));
    return event;
  };
  const quiet = parts.recursionOver(cache, { ask });
  const recursion: Pick<Recursion, 'resolve'> = {
    async resolve(name, type, budget, avoid) {
      const asked = heard.steps.length;
      const resolved = await quiet.resolve(name, type, budget, avoid);
      // Whether others know better was the question, and there are no others.
      const isAlone = avoid !== undefined && heard.steps.length === asked;
      if (resolved.outcome.kind === 'failure' && isAlone) return resolved;
      note(heard, { kind: 'found', ...labels(name, type), ...foundIn(resolved) });
      return resolved;
    },
  };
  const { memory, chain } = listenToChain();
  const made = synthesis === undefined || isFresh ? {} : { synthesis };
  const { resolve } = createValidation({
    ...{ clock, crypto, verifier, recursion, cache, anchors, memory, isForwarding },
    ...made,
  });
  return {
    cache,
    heard,
    chain,
    resolve: (name, type, budget) => resolve(name, type, budget, false),
  };
}

/** Chains are walked anew, so that each link is told. */
function listenToChain(): { memory: ChainMemory; chain: () => ChainStep[] } {
  const memory = createChainMemory();
  const links = new Map<string, ChainStep>();
  const put: ChainMemory['put'] = (name, link, ttl, now) => {
    if (links.size < MAX_STEPS) links.set(name.key, { name: printName(name), ...linkView(link) });
    memory.put(name, link, ttl, now);
  };
  return { memory: { ...memory, put }, chain: () => [...links.values()] };
}

/* The names */

type Followed = {
  readonly name: Name;
  readonly type: number;
  readonly judged: Judged;
  readonly before: CacheView | undefined;
  readonly after: CacheView | undefined;
};

/** Each alias is a name of its own, as for who asks, and so is what others are made of (RFC 6147). */
function following(parts: Parts, walk: Walk, followed: Followed[]): Validation['resolve'] {
  const now = () => parts.clock.monotonic() / 1000;
  return async (name, type, budget) => {
    const known = () => viewOfCache(fromCache(name, type, now(), parts.cache));
    const before = known();
    const judged = await walk.resolve(name, type, budget);
    followed.push({ name, type, judged, before, after: known() });
    return judged;
  };
}

function view({ name, type, judged, before, after }: Followed): ExplainedName {
  return {
    ...labels(name, type),
    result: foundIn(judged),
    verdict: verdictOf(judged.judgement),
    ...(before && { cachedBefore: before }),
    ...(after && { cachedAfter: after }),
  };
}
