/**
 * From a query to its response: who may ask (service's hook), our zones, local names, recursion.
 *
 * Each name on a chain of aliases is a question of its own, so that policy sees every one of them:
 * what is denied is not reachable through a CNAME either (I10).
 *
 * @see RFC 1034 §4.3.2, RFC 6672 §3, RFC 8914
 */

import type { Clock, Endpoint, Log } from '#runtime';
import { answerLocally } from '../local/local-zones.ts';
import { type ExtendedError, extendedError, type Reason } from '../message/ede.ts';
import type { Message, Question } from '../message/message.ts';
import { type Name, nameFromWire } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { recordsOf } from '../message/rrset.ts';
import { CLASS, RCODE, TYPE } from '../message/type.ts';
import { type Budget, fullBudget, spend } from '../recursion/budget.ts';
import type { Validation } from '../recursion/validation.ts';
import { type Origin, type Part, partOf } from './part.ts';
import { ANY_RDATA, bare, canRecurse, checkQuery, respond, type Transport } from './response.ts';

/** What an authority must be able to do for us; `createAuthority` makes one. */
export type ZoneServer = {
  answer(
    query: Message,
    context: {
      readonly now: number;
      readonly clockIsSet: boolean;
      readonly ttlCap?: number;
      readonly followAliases?: boolean;
    },
  ): Message;
};

/** A ruling that may be repeated without asking again: to which askers, and for how many seconds. */
export type Reusable = { readonly view: string; readonly seconds: number };

/** What is to be done with a question, decided outside. */
export type Ruling =
  | {
      readonly kind: 'recurse';
      readonly reuse?: Reusable;
    }
  | {
      readonly kind: 'zone';
      readonly reuse?: Reusable;
      readonly authority: ZoneServer;
      readonly ttlCap?: number;
      /** A DS at the zone's own apex: its parent has it, for who wants recursion (RFC 4035 §3.1.4.1). */
      readonly isOfParent?: boolean;
      /** Said along with the answer, e.g. that the path to the device is not there yet. */
      readonly error?: ExtendedError;
    }
  | {
      readonly kind: 'refuse' | 'nxdomain' | 'servfail';
      /** Extended DNS Error and its text (RFC 8914). */
      readonly ede: number;
      readonly text: string;
    };

/** Rules on a question; may take its time (a tunnel being set up) without holding up others. */
export type Before = (
  question: Question,
  asker: Endpoint,
  transport: Transport,
) => Promise<Ruling> | Ruling;

/** An answer and its origin. */
export type Answered = {
  readonly response: Message;
  readonly from: Origin;
  readonly error: ExtendedError | undefined;
};

export type Answering = {
  /** The response to a decoded query; always one, whatever happens. */
  answer(query: Message, asker: Endpoint, transport: Transport, before: Before): Promise<Answered>;
};

/** Whether a name is looked for among those that mean something only here (RFC 6303, RFC 6761). */
export type IsLocal = (name: Name, type: number) => boolean;

/** Milliseconds a ruling may take; askers have given up long before (glibc: 2 × 5 s). */
export const MAX_RULING_MILLISECONDS = 15_000;

/** Puts the pipeline together. */
export function createAnswering(
  runtime: { readonly clock: Clock; readonly log: Log },
  validation: Pick<Validation, 'resolve'>,
  options: {
    readonly isLocal: IsLocal;
    /** Looks up what aliases lead to, where that is another matter than what was asked. */
    readonly targets?: Pick<Validation, 'resolve'>;
  },
): Answering {
  const { clock, log } = runtime;
  const { isLocal, targets = validation } = options;
  const parts = { clock, validation, targets, isLocal };

  async function collect(
    query: Message,
    first: Question,
    rule: (question: Question) => Promise<Ruling> | Ruling,
  ): Promise<Part> {
    let budget = fullBudget(clock.monotonic() / 1000);
    let total: Part | undefined;
    const seen = new Set<string>();
    for (let question = first; ; ) {
      if (seen.has(question.name.key)) return failed('alias-loop');
      seen.add(question.name.key);
      const ruling = await rule(question);
      const answered = await answerName(
        parts,
        query,
        question,
        ruling,
        budget,
        total !== undefined,
      );
      total = total === undefined ? answered.part : extend(total, answered.part);
      const { target } = answered.part;
      if (target === undefined) return total;
      const paid = spend(answered.budget, 'aliases', 1);
      if (!paid.ok) return failed(paid.reason);
      budget = paid.budget;
      question = { ...question, name: target };
    }
  }

  return {
    async answer(query, asker, transport, before) {
      const checked = checkQuery(query);
      if (!checked.ok) return finish(query, { ...checked.content, from: 'local' });
      try {
        const rule = (question: Question) => {
          const ruling = before(question, asker, transport);
          return ruling instanceof Promise ? inTime(clock, ruling) : ruling;
        };
        return finish(query, await collect(query, checked.question, rule));
      } catch (thrown) {
        // The one place where a failing hook or a mistake of ours ends: the asker gets an answer.
        log('error', 'question-failed', { error: String(thrown) });
        return finish(query, failed('internal-error'));
      }
    },
  };
}

type Parts = {
  readonly clock: Clock;
  readonly validation: Pick<Validation, 'resolve'>;
  readonly targets: Pick<Validation, 'resolve'>;
  readonly isLocal: IsLocal;
};

/** One name: the hook's ruling, carried out. */
async function answerName(
  parts: Parts,
  query: Message,
  question: Question,
  ruling: Ruling,
  budget: Budget,
  isTarget: boolean,
): Promise<{ part: Part; budget: Budget }> {
  switch (ruling.kind) {
    case 'zone': {
      const own = { part: fromZone(query, question, ruling, parts.clock), budget };
      if (ruling.isOfParent !== true || !query.recursionDesired) return own;
      const above = await recurse(parts, query, question, budget, isTarget);
      // Here there is such a name, which nobody who hears us may take for gone (RFC 8020).
      return above.part.rcode === RCODE.NXDOMAIN ? own : above;
    }
    case 'refuse':
    case 'nxdomain':
    case 'servfail': {
      const error = { code: ruling.ede, text: ruling.text };
      return { part: { ...bare(RULED[ruling.kind], error), from: 'policy' }, budget };
    }
    case 'recurse':
      return recurse(parts, query, question, budget, isTarget);
  }
}

async function recurse(
  { validation, targets, isLocal }: Parts,
  query: Message,
  question: Question,
  budget: Budget,
  isTarget: boolean,
): Promise<{ part: Part; budget: Budget }> {
  // An alias out of our zones ends here for who wants no recursion (RFC 1034 §4.3.2, 3a).
  if (isTarget && !query.recursionDesired) {
    return { part: { ...bare(RCODE.NOERROR), from: 'zone' }, budget };
  }
  const made = madeHere(query, question, isLocal);
  if (made !== undefined) return { part: made, budget };
  const { name, type } = question;
  const { resolve } = isTarget ? targets : validation;
  const judged = await resolve(name, type, budget, query.checkingDisabled);
  return { part: partOf(query, question, judged), budget: judged.budget };
}

/** A ruling that takes too long becomes a failure, so that an answer always comes. */
function inTime(clock: Clock, ruling: Promise<Ruling>): Promise<Ruling> {
  return new Promise((resolve, reject) => {
    const late: Ruling = { kind: 'servfail', ede: 14, text: 'not ready in time' };
    const cancel = clock.after(MAX_RULING_MILLISECONDS, () => resolve(late));
    ruling.then(resolve, reject).finally(cancel);
  });
}

const RULED = {
  refuse: RCODE.REFUSED,
  nxdomain: RCODE.NXDOMAIN,
  servfail: RCODE.SERVFAIL,
} as const;

function finish(query: Message, part: Part): Answered {
  return { response: respond(query, part), from: part.from, error: part.error };
}

function failed(reason: Reason): Part {
  return { ...bare(RCODE.SERVFAIL, extendedError(reason)), from: 'recursion' };
}

/** The answer so far with what its alias led to; AA speaks of the first name (RFC 1035 §4.1.1). */
function extend(total: Part, part: Part): Part {
  // Nothing of a chain with a bogus link leaves (I1).
  if (part.isBogus === true) return part;
  return {
    ...part,
    authoritative: total.authoritative,
    answers: [...total.answers, ...part.answers],
    authorities: [...total.authorities, ...part.authorities],
    additionals: [...total.additionals, ...part.additionals],
    options: [...total.options, ...part.options],
    error: part.error ?? total.error,
    isSecure: total.isSecure === true && part.isSecure === true,
  };
}

function fromZone(
  query: Message,
  question: Question,
  ruling: Extract<Ruling, { kind: 'zone' }>,
  clock: Clock,
): Part {
  const { authority, ttlCap, error } = ruling;
  const context = {
    now: clock.now(),
    clockIsSet: clock.isSet(),
    // Each name of a chain is ruled on by itself, also where the chain stays in the zone (I10).
    followAliases: false,
    ...(ttlCap === undefined ? {} : { ttlCap }),
  };
  const reply = authority.answer({ ...query, questions: [question] }, context);
  const { rcode, authoritative, answers, authorities, additionals } = reply;
  const target = openTarget(reply, question);
  return {
    rcode,
    authoritative,
    answers,
    // Of an alias only the proof that a wildcard made it stays (RFC 4035 §3.1.3.3).
    authorities: target === undefined ? authorities : authorities.filter(isProof),
    additionals,
    error,
    options: reply.edns?.options ?? [],
    from: 'zone',
    ...(target === undefined ? {} : { target }),
  };
}

function isProof({ type }: ResourceRecord): boolean {
  return type === TYPE.NSEC || type === TYPE.RRSIG;
}

/** Where the zone's answer ends in an alias. */
function openTarget(reply: Message, question: Question): Name | undefined {
  if (reply.rcode !== RCODE.NOERROR || question.type === TYPE.CNAME) return undefined;
  // A denial of the target: it lies in the same zone.
  if (reply.authorities.some(({ type }) => type === TYPE.SOA)) return undefined;
  const aliases = new Map(
    reply.answers
      .filter(({ type }) => type === TYPE.CNAME)
      .map((record) => [record.owner.key, record]),
  );
  let name = question.name;
  for (let steps = 0; steps < aliases.size; steps++) {
    const rdata = aliases.get(name.key)?.rdata;
    const next = rdata && nameFromWire(rdata);
    if (next === undefined) break;
    name = next;
  }
  const isAnswered = reply.answers.some(
    ({ type, owner }) => type === question.type && owner.key === name.key,
  );
  return name.key === question.name.key || isAnswered ? undefined : name;
}

/** Answers that need nobody else: refusals, local names, ANY. */
function madeHere(query: Message, { name, type }: Question, isLocal: IsLocal): Part | undefined {
  const local = isLocal(name, type) ? answerLocally(name, type) : undefined;
  if (local !== undefined) {
    const answers = local.rrset === undefined ? [] : recordsOf(local.rrset, false);
    const authorities = local.soa === undefined ? [] : [local.soa];
    const error = answers.length === 0 ? extendedError(local.reason) : undefined;
    return { ...bare(local.rcode, error), answers, authorities, from: 'local' };
  }
  if (!query.recursionDesired)
    return { ...bare(RCODE.REFUSED, extendedError('recursion-not-desired')), from: 'local' };
  if (!canRecurse(type))
    return { ...bare(RCODE.REFUSED, extendedError('unsupported-type')), from: 'local' };
  if (type !== TYPE.ANY) return undefined;
  const answers = [
    { owner: name, type: TYPE.HINFO, class: CLASS.IN, ttl: ANY_TTL, rdata: ANY_RDATA },
  ];
  return { ...bare(RCODE.NOERROR), answers, from: 'local' };
}

/** Seconds; RFC 8482 §4.2 leaves it to us. */
const ANY_TTL = 3600;
