/**
 * How an answer comes about: who was asked, what they said, whose keys were believed, and what the
 * cache knew before and after. For people, as values that go into JSON as they are.
 *
 * It is the same recursor and validator, with an ear at what goes in and out of them; nobody else
 * pays for that. What was heard is bounded.
 *
 * Does not say who may ask: that is decided outside.
 */

import type { Clock, Crypto } from '#runtime';
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
import { extendedError, isReason } from './message/ede.ts';
import { type Name, printName } from './message/name.ts';
import { RCODE, rcodeName, TYPE, typeName } from './message/type.ts';
import { type Budget, fullBudget, MAX_ALIASES } from './recursion/budget.ts';
import { fromCache } from './recursion/known.ts';
import { answerLocally } from './recursion/local-zones.ts';
import type { Recursion } from './recursion/recursion.ts';
import type { Upstream } from './recursion/upstream.ts';
import { createValidation, type Judged } from './recursion/validation.ts';
import type { Verifier } from './recursion/verifier.ts';
import type { IsLocal } from './serving/answering.ts';
import { canRecurse } from './serving/response.ts';

/** Steps that are told; a question that takes more is told to its middle. */
const MAX_STEPS = 400;

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
  readonly isLocal: IsLocal;
  readonly upstream: Pick<Upstream, 'ask'>;
  /** A recursion of its own over a cache and whoever carries its questions. */
  readonly recursionOver: (cache: Cache, upstream: Pick<Upstream, 'ask'>) => Recursion;
  /** Absent where answers are not made from proofs. */
  readonly synthesis?: Synthesis;
};

/** Makes it. */
export function createExplain(parts: Parts): Explain {
  return async (name, type, isFresh) => {
    const told = { name: printName(name), type: typeName(type) };
    const empty = { names: [], chain: [], steps: [], isCut: false };
    const local = parts.isLocal(name, type) ? answerLocally(name, type) : undefined;
    if (local !== undefined) {
      const ede = extendedError(local.reason);
      return { ...told, ...empty, rcode: rcodeName(local.rcode), ede };
    }
    if (!canRecurse(type) || type === TYPE.ANY) {
      return { ...told, ...empty, rcode: 'REFUSED', ede: extendedError('unsupported-type') };
    }
    const walk = openWalk(parts, isFresh);
    const names = await follow(parts, walk, name, type);
    const { steps, isCut } = walk.heard;
    return { ...told, ...endOf(names), names: names.map(view), chain: walk.chain(), steps, isCut };
  };
}

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
      const resolved = await quiet.resolve(name, type, budget, avoid);
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

/** Each alias is a name of its own, as for who asks. */
async function follow(parts: Parts, walk: Walk, first: Name, type: number): Promise<Followed[]> {
  const now = () => parts.clock.monotonic() / 1000;
  const known = (name: Name) => viewOfCache(fromCache(name, type, now(), parts.cache));
  const followed: Followed[] = [];
  const seen = new Set<string>();
  let budget = fullBudget(now());
  for (let name: Name | undefined = first; name !== undefined && !seen.has(name.key); ) {
    seen.add(name.key);
    const before = known(name);
    const judged = await walk.resolve(name, type, budget);
    followed.push({ name, type, judged, before, after: known(name) });
    budget = judged.budget;
    const { outcome } = judged;
    const isAlias = outcome.kind === 'alias' && type !== TYPE.CNAME;
    name = isAlias && seen.size <= MAX_ALIASES ? outcome.target : undefined;
  }
  return followed;
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

/** What who asks would be told. */
function endOf(names: readonly Followed[]): Pick<Explanation, 'rcode' | 'ede'> {
  const bogus = names.find(({ judged }) => judged.judgement?.state === 'bogus')?.judged.judgement;
  if (bogus?.state === 'bogus') return { rcode: 'SERVFAIL', ede: extendedError(bogus.reason) };
  const last = names.at(-1)?.judged;
  if (last === undefined) throw new Error('unreachable: the first name is always followed');
  const { outcome, judgement } = last;
  if (outcome.kind === 'failure') return { rcode: 'SERVFAIL', ede: extendedError(outcome.reason) };
  const isGone =
    outcome.kind === 'no-name' || (judgement?.state === 'secure' && judgement.isDenial);
  const rcode = rcodeName(isGone ? RCODE.NXDOMAIN : RCODE.NOERROR);
  const reason = judgement?.state === 'insecure' ? judgement.reason : '';
  return isReason(reason) ? { rcode, ede: extendedError(reason) } : { rcode };
}
