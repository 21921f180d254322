/**
 * Decisions in words, and as DNS says them.
 *
 * One exhaustive table each: a new reason does not compile until it has a sentence and a code.
 *
 * @see RFC 8914 §4.16, §4.18, §4.19: Blocked (15), Filtered (17), Prohibited (18)
 */

import type { Decision } from './decide.ts';
import type { Rule, Verb } from './rule.ts';
import { printInstant } from './schedule.ts';

export type Reason =
  | 'allowed'
  | 'allowed-by-default'
  | 'denied-by-guard'
  | 'denied-by-override'
  | 'denied-by-rule'
  | 'denied-by-list'
  | 'denied-by-upstream'
  | 'denied-by-default'
  | 'not-entitled'
  | 'clock-not-set';

export type Ede = 15 | 17 | 18;

/** 15: the household blocks it. 17: a list or an upstream it subscribed to. 18: this asker is not entitled. */
export const EDE = {
  allowed: undefined,
  'allowed-by-default': undefined,
  'denied-by-guard': 15,
  'denied-by-override': 15,
  'denied-by-rule': 15,
  'denied-by-list': 17,
  'denied-by-upstream': 17,
  'denied-by-default': 18,
  'not-entitled': 18,
  'clock-not-set': 15,
} as const satisfies Record<Reason, Ede | undefined>;

export type Facts = {
  readonly who: string;
  readonly verb: Verb;
  readonly what: string;
  readonly rule: Rule | undefined;
};

/** One sentence for a reason. */
export function describe(reason: Reason, facts: Facts): string {
  return SENTENCES[reason](facts);
}

/** The whole story of a decision, for a person: what, until when, and which rules lost or wait. */
export function explain(decision: Decision, tz = 'UTC'): string {
  const sentences = [decision.why];
  if (decision.validUntil !== undefined) {
    sentences.push(`This can change at ${printInstant(decision.validUntil, tz)}.`);
  }
  for (const { rule, tier, effect } of decision.overridden) {
    sentences.push(`It outweighs ${tier} “${rule}”, which would ${effect} it.`);
  }
  for (const { rule, until } of decision.inactive) {
    const begins = until === undefined ? '' : ` It begins at ${printInstant(until, tz)}.`;
    sentences.push(`Rule “${rule}” does not count at this time.${begins}`);
  }
  return sentences.join(' ');
}

const SENTENCES = {
  allowed: (facts) => `${may(facts)} because ${name(facts)} allows it.`,
  'allowed-by-default': (facts) => `${may(facts)} by default: ${aside(facts)}.`,
  'denied-by-guard': (facts) => `${mayNot(facts)}: nymote itself forbids it; ${aside(facts)}.`,
  'denied-by-override': (facts) => `${mayNot(facts)}: ${name(facts)} forbids it for a while.`,
  'denied-by-rule': (facts) => `${mayNot(facts)} because ${name(facts)} forbids it.`,
  'denied-by-list': (facts) => `${mayNot(facts)}: it is on a list; ${aside(facts)}.`,
  'denied-by-upstream': (facts) =>
    `${mayNot(facts)}: your upstream ${facts.rule?.upstream?.name} forbids it; ${aside(facts)}.`,
  'denied-by-default': (facts) => `${mayNot(facts)} by default: ${aside(facts)}.`,
  'not-entitled': (facts) => `${mayNot(facts)}: no rule allows it.`,
  'clock-not-set': (facts) =>
    `${mayNot(facts)}: the clock is not set, so rules with a schedule deny; ${aside(facts)}.`,
} as const satisfies Record<Reason, (facts: Facts) => string>;

const VERB_WORDS = {
  resolve: 'resolve',
  connect: 'connect to',
  tunnel: 'open a tunnel to',
  publish: 'publish',
  'sign-in': 'sign in to',
  read: 'read',
  write: 'write',
  administer: 'administer',
} as const satisfies Record<Verb, string>;

function may({ who, verb, what }: Facts): string {
  return `${who} may ${VERB_WORDS[verb]} ${thing(what)}`;
}

function mayNot({ who, verb, what }: Facts): string {
  return `${who} may not ${VERB_WORDS[verb]} ${thing(what)}`;
}

function thing(resource: string): string {
  const [kind, ...rest] = resource.split(':');
  const value = rest.join(':');
  return kind === 'name' || kind === 'record' ? value : `${kind} ${value}`;
}

function name({ rule }: Facts): string {
  if (rule === undefined) {
    return 'no rule is certain';
  }
  return rule.note === undefined ? `rule “${rule.id}”` : `rule “${rule.id}” (${rule.note})`;
}

/** The same for people first: the note says more than the id. */
function aside(facts: Facts): string {
  const note = facts.rule?.note;
  return note === undefined ? name(facts) : `${note} (rule “${facts.rule?.id}”)`;
}
