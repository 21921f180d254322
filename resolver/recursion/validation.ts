/**
 * Drives the validator: looks a name up, has it judged, fetches what the judge lacks, and asks
 * other servers when what the first one said is bogus.
 *
 *   look up ─► judged before? ──────────────────────────────► verdict
 *                 │ no                                            ▲
 *                 ▼                                               │
 *              judge ◄─► look up DS and DNSKEY,                   │
 *                 │      verify what is costly elsewhere          │
 *                 │ bogus: ask again elsewhere, then judge again  │
 *                 └───────────────────────────────────────────────┘
 *
 * The verdict is remembered with the data. Everything is paid from the question's budget (I6).
 *
 * @see RFC 4035 §4.7 (bad data is remembered shortly), RFC 6840 §5.9 (CD)
 */

import type { Clock, Crypto } from '#runtime';
import type { Cache } from '../cache/cache.ts';
import type { Synthesis } from '../cache/synthesis.ts';
import { COSTLY } from '../dnssec/algorithms.ts';
import { type Anchors, closestAnchor } from '../dnssec/anchors.ts';
import type { Tried } from '../dnssec/attempt.ts';
import { BOGUS_TTL, type ChainMemory, type Supplied, type Wanted } from '../dnssec/chain.ts';
import { type Found, type Trust, type Verdict, validate } from '../dnssec/validate.ts';
import { type Name, parentOf } from '../message/name.ts';
import { CLASS, TYPE } from '../message/type.ts';
import { type Budget, type Exhausted, isAmple, isExhausted, type Purse } from './budget.ts';
import { createFlights } from './flights.ts';
import { insecure, isCurrent, type Judgement } from './judgement.ts';
import { fromCache } from './known.ts';
import { isPoor, type Recursion, type Resolved } from './recursion.ts';
import type { NotVerified, Verifier } from './verifier.ts';

/** DS and DNSKEY sets looked up for one question: two for each label of a long name. */
export const MAX_CHAIN_LOOKUPS = 64;

/** Times that something is asked for again because it was bogus (Unbound `val-max-restart`: 5). */
export const MAX_REPEATS = 4;

/** What was looked up, and what became of it; without a judgement it was not validated. */
export type Judged = Resolved & {
  readonly judgement?: Judgement;
  /** It ended, and nothing newer could be had in time (RFC 8767). */
  readonly isStale?: true;
  /** What was left of a question's budget did not suffice: nothing follows for others. */
  readonly isStarved?: true;
};

export type Validation = {
  /** Looks a name up and judges it, unless `unchecked` (CD). */
  resolve(name: Name, type: number, budget: Budget, unchecked: boolean): Promise<Judged>;
  /** Looks a name up anew, whatever is known of it, and judges it. */
  refresh(name: Name, type: number, budget: Budget): Promise<Judged>;
  /** Forgets the chains of trust. */
  clear(): void;
};

type Parts = {
  readonly clock: Clock;
  readonly crypto: Pick<Crypto, 'hash' | 'verify'>;
  readonly verifier: Pick<Verifier, 'settle'>;
  readonly recursion: Pick<Recursion, 'resolve'>;
  readonly cache: Cache;
  readonly anchors: Anchors;
  readonly memory: ChainMemory;
  /** Makes answers from proofs; absent when that is not wanted. */
  readonly synthesis?: Synthesis;
  /** Whether forwarders are asked in place of the zones' servers. */
  readonly isForwarding: boolean;
  /** Hears each new verdict. */
  readonly count?: (state: Judgement['state']) => void;
};

/** Puts the validator to work. */
export function createValidation(parts: Parts): Validation {
  const { clock, recursion, memory, anchors } = parts;
  const flights = createFlights<Judged>();

  async function judge(name: Name, type: number, budget: Budget): Promise<Judged> {
    const purse: Purse = { budget };
    const made = synthesised(parts, name, type, purse);
    if (made !== undefined) return made;
    const began = monotonic(clock);
    const resolved = await recursion.resolve(name, type, purse.budget);
    // Nothing signs signatures (RFC 4035 §2.2): they are passed on, and never with AD.
    if (type === TYPE.RRSIG && resolved.outcome.kind === 'answer') return resolved;
    const known = resolved.outcome.judgement;
    if (known !== undefined && isCurrent(known, clock.isSet())) {
      return { ...resolved, judgement: known };
    }
    return decide(parts, { name, type }, resolved, isAmple(budget, began));
  }

  const resolve: Validation['resolve'] = async (name, type, budget, unchecked) => {
    if (unchecked || anchors.positive.size === 0) return recursion.resolve(name, type, budget);
    const key = `${type} ${name.key}`;
    const flight = flights.find(key);
    if (flight === undefined) return flights.start(key, () => judge(name, type, budget));
    const joined = await flight;
    const isOwn = joined.isStarved === true || isPoor(joined);
    return isOwn ? resolve(name, type, budget, unchecked) : { ...joined, budget };
  };

  return {
    resolve,
    async refresh(name, type, budget) {
      const began = monotonic(clock);
      const resolved = await recursion.resolve(name, type, budget, NOBODY);
      if (anchors.positive.size === 0) return resolved;
      return decide(parts, { name, type }, resolved, isAmple(budget, began));
    },
    clear() {
      memory.clear();
      parts.synthesis?.clear();
    },
  };
}

/** What follows from proofs about a name that nothing is known of by itself. */
function synthesised(
  { anchors, cache, clock, synthesis }: Parts,
  name: Name,
  type: number,
  purse: Purse,
): Judged | undefined {
  const place = type === TYPE.DS ? (parentOf(name) ?? name) : name;
  const anchor = closestAnchor(anchors, place);
  if (typeof anchor === 'string') return undefined;
  const now = monotonic(clock);
  if (synthesis === undefined || fromCache(name, type, now, cache) !== undefined) return undefined;
  const outcome = synthesis.find(name, type, purse, now, anchor.name);
  if (outcome === undefined) return undefined;
  const { judgement } = outcome;
  return { outcome, budget: purse.budget, from: 'cache', ...(judgement && { judgement }) };
}

/** Who is not to be asked again: with it the cache is passed over. */
const NOBODY: ReadonlySet<string> = new Set();

/** One question before the judge: what was looked up for it, and who said what. */
type Case = {
  readonly wanted: Wanted;
  readonly supplied: Map<string, Supplied>;
  readonly witnesses: Map<string, ReadonlySet<string>>;
  readonly tried: Tried[];
  lookups: number;
  repeats: number;
  /** What could not be afforded. */
  exhausted: Exhausted | undefined;
};

/** Judges what was looked up; while it is bogus and others can be asked, judges what they say. */
async function decide(
  parts: Parts,
  wanted: Wanted,
  first: Resolved,
  hadEnough: boolean,
): Promise<Judged> {
  const open: Case = {
    wanted,
    supplied: new Map(),
    witnesses: new Map(),
    tried: [],
    lookups: 0,
    repeats: 0,
    exhausted: undefined,
  };
  note(open, wanted, first);
  let resolved = first;
  for (;;) {
    const found = foundIn(resolved);
    if (found === undefined) return resolved;
    const { verdict, budget } = await hear(parts, open, found, resolved.budget);
    // Nothing is known of the data then, so nothing is kept.
    if (typeof verdict === 'string') return unjudged(resolved, verdict, budget);
    resolved = { ...resolved, budget };
    const culprit = culpritOf(verdict, wanted);
    const again = culprit && (await repeat(parts, open, culprit, budget));
    if (culprit === undefined || again === undefined) {
      return conclude(parts, open, resolved, verdict, hadEnough);
    }
    if (culprit !== wanted) open.supplied.set(keyOf(culprit), again.outcome);
    resolved = culprit === wanted ? again : { ...resolved, budget: again.budget };
  }
}

/** What is bogus only because too little was left is that for nobody else. */
function conclude(
  parts: Parts,
  { wanted, exhausted }: Case,
  resolved: Resolved,
  verdict: Verdict,
  hadEnough: boolean,
): Judged {
  const isStarved = verdict.state === 'bogus' && exhausted !== undefined && !hadEnough;
  return isStarved
    ? { ...resolved, judgement: judged(parts, verdict), isStarved }
    : remember(parts, wanted, resolved, verdict);
}

function unjudged(resolved: Resolved, reason: NotVerified, budget: Budget): Judged {
  return { ...resolved, outcome: { kind: 'failure', reason }, budget };
}

/** Judges once, fetching what is missing. */
async function hear(
  parts: Parts,
  open: Case,
  found: Found,
  budget: Budget,
): Promise<{ verdict: Verdict | NotVerified; budget: Budget }> {
  const purse: Purse = { budget, ...(open.exhausted && { exhausted: open.exhausted }) };
  for (;;) {
    const trust = trustOf(parts, open, purse);
    const step = validate({ ...open.wanted, class: CLASS.IN }, found, trust);
    if (step.kind === 'verdict') {
      open.exhausted = purse.exhausted;
      return { verdict: step.verdict, budget: purse.budget };
    }
    if (step.kind === 'unverified') {
      const problem = await parts.verifier.settle(step, trust.check);
      if (problem !== undefined) return { verdict: problem, budget: purse.budget };
      continue;
    }
    for (const what of step.ask) {
      open.supplied.set(keyOf(what), await supply(parts, open, what, purse));
    }
  }
}

/** A DS or DNSKEY set: as the referral had it, or looked up. */
async function supply(parts: Parts, open: Case, what: Wanted, purse: Purse): Promise<Supplied> {
  const referred = referredNoDs(parts, what);
  if (referred !== undefined) return referred;
  if (open.lookups++ >= MAX_CHAIN_LOOKUPS) return { kind: 'failure', reason: 'too-many-sends' };
  const resolved = await parts.recursion.resolve(what.name, what.type, purse.budget);
  note(open, what, resolved);
  purse.budget = resolved.budget;
  const { outcome } = resolved;
  if (outcome.kind === 'failure' && isExhausted(outcome.reason)) {
    purse.exhausted ??= outcome.reason;
  }
  return outcome;
}

/** Asks for what is to blame again; undefined when nobody else has anything to say. */
async function repeat(
  { recursion, memory }: Parts,
  open: Case,
  culprit: Wanted,
  budget: Budget,
): Promise<Resolved | undefined> {
  if (open.repeats++ >= MAX_REPEATS) return undefined;
  const heard = open.witnesses.get(keyOf(culprit)) ?? new Set<string>();
  const again = await recursion.resolve(culprit.name, culprit.type, budget, heard);
  const isNew = again.server !== undefined && !heard.has(again.server);
  if (!isNew || again.outcome.kind === 'failure') return undefined;
  note(open, culprit, again);
  memory.forget(culprit.name);
  return again;
}

function note({ witnesses }: Case, what: Wanted, { server }: Resolved): void {
  if (server === undefined) return;
  witnesses.set(keyOf(what), new Set(witnesses.get(keyOf(what))).add(server));
}

/** What could be better from another server. */
function culpritOf(verdict: Verdict, wanted: Wanted): Wanted | undefined {
  if (verdict.state !== 'bogus' || HOPELESS.has(verdict.reason)) return undefined;
  return verdict.culprit ?? wanted;
}

/** Asking again would only cost more. */
const HOPELESS: ReadonlySet<string> = new Set([
  'too-many-signatures',
  'too-many-failed-signatures',
  'too-many-hashes',
]);

const keyOf = ({ name, type }: Wanted) => `${type} ${name.key}`;

const monotonic = (clock: Clock) => clock.monotonic() / 1000;

function trustOf(
  { clock, crypto, cache, anchors, memory, synthesis }: Parts,
  { supplied, tried }: Case,
  purse: Purse,
): Trust {
  const now = monotonic(clock);
  const time = { now: clock.now(), clockIsSet: clock.isSet() };
  memory.noteDate(time.clockIsSet);
  return {
    anchors,
    memory,
    supplied: (name, type) => supplied.get(keyOf({ name, type })),
    witness: (proof, ttl) => {
      // As in `remember`: what was believed without a date is no ground for more.
      if (clock.isSet()) synthesis?.learn({ kind: 'no-data', denial: undefined, proof }, ttl, now);
    },
    isCut: (name) => cache.findCut(name, monotonic(clock)) !== undefined,
    check: { crypto, purse, tried, time, costly: COSTLY },
    now,
  };
}

/** What the parent's referral said about a DS, which spares a question. */
function referredNoDs({ cache, clock }: Parts, { name, type }: Wanted): Supplied | undefined {
  const now = monotonic(clock);
  if (type !== TYPE.DS || cache.find(name, type, now) !== undefined) return undefined;
  const proof = cache.findCut(name, now)?.noDs;
  return proof && { kind: 'no-ds', proof };
}

/** What can be judged: also the DNAME that a failure is because of. */
function foundIn({ outcome }: Resolved): Found | undefined {
  if (outcome.kind !== 'failure') return outcome;
  const { dname } = outcome;
  return dname && { kind: 'answer', rrset: dname, proof: [] };
}

function remember(
  parts: Parts,
  { name, type }: Wanted,
  resolved: Resolved,
  verdict: Verdict,
): Judged {
  const { cache, clock, synthesis } = parts;
  const judgement = judged(parts, verdict);
  const { outcome } = resolved;
  if (outcome.kind === 'failure') return { ...resolved, judgement };
  const found = verdict.state === 'secure' ? verdict.found : outcome;
  // What only this question could not afford says nothing about the data.
  if (verdict.state === 'bogus' && HOPELESS.has(verdict.reason)) return { ...resolved, judgement };
  const now = monotonic(clock);
  store(cache, { name, type }, found, judgement, ttlOf(verdict), now);
  // What was believed without a date is no ground for more.
  if (verdict.state === 'secure' && clock.isSet()) synthesis?.learn(found, verdict.ttl, now);
  return { ...resolved, outcome: found, judgement };
}

function ttlOf(verdict: Verdict): number {
  if (verdict.state === 'secure') return verdict.ttl;
  return verdict.state === 'bogus' ? BOGUS_TTL : Number.POSITIVE_INFINITY;
}

function store(
  cache: Cache,
  { name, type }: Wanted,
  found: Found,
  judgement: Judgement,
  ttl: number,
  now: number,
): void {
  switch (found.kind) {
    case 'answer':
    case 'alias': {
      const rrset = found.kind === 'answer' ? found.rrset : found.rrsets[0];
      if (rrset === undefined) return;
      const known = { kind: 'records', rrset, proof: found.proof, judgement } as const;
      cache.putJudged(rrset.owner, rrset.type, known, ttl, now);
      // A DS may be needed for other names, and a parent's server knows better (known.ts).
      const isOwn = found.kind === 'answer' || type === TYPE.DS;
      const made = isOwn ? undefined : found.rrsets.at(-1);
      if (made !== undefined && judgement.state === 'bogus') {
        cache.putBogusAlias(name, type, { ...known, rrset: made }, ttl, now);
      }
      return;
    }
    case 'no-data':
    case 'no-name': {
      const { kind, denial } = found;
      if (denial !== undefined) cache.putJudged(name, type, { kind, denial, judgement }, ttl, now);
    }
  }
}

function judged({ clock, isForwarding, count }: Parts, verdict: Verdict): Judgement {
  const judgement = judgementOf(verdict, clock.isSet(), isForwarding);
  count?.(judgement.state);
  return judgement;
}

function judgementOf(verdict: Verdict, isTimed: boolean, isForwarding: boolean): Judgement {
  const { state } = verdict;
  if (state === 'secure') return { state, isDenial: verdict.isDenial, isTimed };
  if (state === 'insecure') return insecure(verdict.reason, isTimed);
  // Home routers often pass no signatures on; that is to be told from an attack.
  const isStripped = isForwarding && verdict.reason === 'signatures-missing';
  return { state, reason: isStripped ? 'forwarder-unsigned' : verdict.reason };
}
