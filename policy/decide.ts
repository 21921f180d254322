/**
 * The decision: may this asker do this to that, why, and until when.
 *
 * The first tier in which an active rule matches decides; inside a tier deny overrides allow; where
 * nothing matches the answer is no. Neither the order of rules nor how special they are counts, so
 * rules can be merged without a person looking. While the clock is not set, a scheduled deny counts
 * as on and a scheduled allow as off (I9).
 *
 * Everything is prepared once per policy; a decision is a few looks into maps and reads no clock (I8).
 */

import { describe, EDE, type Ede, type Reason } from './explain.ts';
import { deviceKeys, type Groups, groupProblems, type PolicyDevice, resourceKeys } from './key.ts';
import {
  type Effect,
  normalizeEntry,
  type Rule,
  STRENGTHS,
  type Strength,
  TIERS,
  type Tier,
  type Verb,
} from './rule.ts';
import { createTimetable, type Timetable } from './schedule.ts';
import { zoneOf } from './zone.ts';

/** Who asks. `zone` is the network segment; without it a stranger's is taken from the address. */
export type Asker =
  | {
      readonly kind: 'device';
      readonly id: string;
      readonly strength: Strength;
      readonly zone?: string;
    }
  | { readonly kind: 'stranger'; readonly address: string; readonly zone?: string };

export type DecisionRequest = {
  readonly asker: Asker;
  readonly verb: Verb;
  /** `name:` (any name), `record:` (of our zone), `device:`, `path:` (of the store) or `api:`. */
  readonly resource: string;
  /** Seconds since 1970. */
  readonly now: number;
  readonly clockIsSet: boolean;
};

export type Decision = {
  readonly effect: Effect;
  readonly tier: Tier;
  /** The rule that decided; undefined when none matched. */
  readonly rule: string | undefined;
  /** One English sentence. */
  readonly why: string;
  readonly reason: Reason;
  /** When the decision may be another one, in seconds since 1970; cap TTLs to it. */
  readonly validUntil?: number;
  readonly overridden: readonly RuleOutcome[];
  /** Rules that would match at another time; `until` is when they begin. */
  readonly inactive: readonly { readonly rule: string; readonly until?: number }[];
  /** What a refused question is told (RFC 8914 §4). */
  readonly ede?: Ede;
};

export type RuleOutcome = { readonly rule: string; readonly tier: Tier; readonly effect: Effect };

export type Policy = {
  decide(request: DecisionRequest): Decision;
  /** What a person should mend, in sentences; decisions are safe nevertheless. */
  readonly problems: readonly string[];
};

export type PolicyInput = {
  readonly rules: readonly Rule[];
  readonly devices: readonly PolicyDevice[];
  readonly groups?: Groups;
};

/** Prepares rules and devices for deciding. */
export function createPolicy({ rules, devices, groups = {} }: PolicyInput): Policy {
  const keys = deviceKeys(devices, groups);
  const names = new Map(devices.map(({ id, name }) => [id, name]));
  const index = indexRules(rules);
  const remembered = new Map<string, Decision>();
  return {
    problems: groupProblems(groups),
    decide(request) {
      const key = memoryKey(request);
      const known = remembered.get(key);
      if (known !== undefined) return known;
      const subject = identify(request.asker, keys, names);
      const matched = findMatches(index, subject, request, resourceKeys(request.resource, keys));
      const decision = conclude(matched, subject, request, spoken(request.resource, names));
      // What depends on no time holds for as long as this policy does.
      if (matched.every(({ prepared }) => isTimeless(prepared))) {
        if (remembered.size >= MAX_REMEMBERED) remembered.clear();
        remembered.set(key, decision);
      }
      return decision;
    },
  };
}

/** Decisions kept; some hundred bytes each. Who asks for ever new names only makes us think again. */
const MAX_REMEMBERED = 1_024;

/** All that a decision depends on but time; the resource, which may hold anything, comes last. */
function memoryKey({ asker, verb, resource }: DecisionRequest): string {
  const who = asker.kind === 'device' ? `${asker.strength} ${asker.id}` : asker.address;
  return JSON.stringify([asker.kind, who, asker.zone, verb]) + resource;
}

type PreparedRule = {
  readonly rule: Rule;
  readonly rank: number;
  readonly whoExcept: readonly string[];
  readonly whatExcept: ReadonlySet<string>;
  readonly strength: number;
  readonly timetable: Timetable | undefined;
  readonly until: number | undefined;
};

type RuleIndex = ReadonlyMap<string, readonly PreparedRule[]>;

/** The asker as rules see it. */
export type Subject = {
  readonly label: string;
  readonly name: string | undefined;
  readonly keys: ReadonlySet<string>;
  readonly zone: string;
  readonly strength: number;
};

type Match = {
  readonly prepared: PreparedRule;
  readonly active: boolean;
  readonly until: number | undefined;
  readonly unsure: boolean;
};

const STRANGER: ReadonlySet<string> = new Set(['*', 'stranger']);

function indexRules(rules: readonly Rule[]): RuleIndex {
  const index = new Map<string, PreparedRule[]>();
  for (const rule of rules.filter(({ enabled }) => enabled)) {
    const prepared = prepare(rule);
    for (const verb of new Set(rule.do)) {
      for (const entry of new Set(rule.what.any.map(normalizeEntry))) {
        const key = `${verb} ${entry}`;
        const list = index.get(key);
        if (list === undefined) {
          index.set(key, [prepared]);
        } else {
          list.push(prepared);
        }
      }
    }
  }
  return index;
}

function prepare(rule: Rule): PreparedRule {
  const { windows, tz, until, strength } = rule.when ?? {};
  return {
    rule,
    rank: rankOf(rule),
    whoExcept: rule.who.except ?? [],
    whatExcept: new Set(rule.what.except?.map(normalizeEntry)),
    strength: strength === undefined ? 0 : STRENGTHS.indexOf(strength),
    timetable: windows && tz ? createTimetable({ windows, tz }) : undefined,
    until,
  };
}

/** An upstream's own tiers lie within the one that it is given here. */
function rankOf({ tier, upstream }: Rule): number {
  const within = upstream === undefined ? 0 : TIERS.indexOf(upstream.tier) / TIERS.length;
  return TIERS.indexOf(tier) + within;
}

function identify(
  asker: Asker,
  keys: ReadonlyMap<string, ReadonlySet<string>>,
  names: ReadonlyMap<string, string | undefined>,
): Subject {
  if (asker.kind === 'device') {
    const known = keys.get(asker.id);
    const name = names.get(asker.id);
    return {
      label: name ?? (known ? asker.id : `unknown device ${asker.id}`),
      name,
      // A device that is not in the realm, or no longer, is a stranger whatever it can prove (I10).
      keys: known ?? STRANGER,
      zone: `zone:${asker.zone ?? ''}`,
      strength: known ? STRENGTHS.indexOf(asker.strength) : 0,
    };
  }
  const zone = asker.zone ?? zoneOf(asker.address);
  return {
    label: `${zone === 'home' ? 'guest' : 'stranger'} ${asker.address}`,
    name: undefined,
    keys: STRANGER,
    zone: `zone:${zone}`,
    strength: 0,
  };
}

/** A resource as people call it: devices have names. */
function spoken(resource: string, names: ReadonlyMap<string, string | undefined>): string {
  const name = resource.startsWith('device:') && names.get(resource.slice('device:'.length));
  return name ? `device:${name}` : resource;
}

function findMatches(
  index: RuleIndex,
  subject: Subject,
  request: DecisionRequest,
  keys: Iterable<string>,
): readonly Match[] {
  const found = new Set<PreparedRule>();
  const all = [...keys, ...ownKeys(subject, request.resource)];
  for (const key of all) {
    for (const prepared of index.get(`${request.verb} ${key}`) ?? []) {
      if (applies(prepared, subject, all)) {
        found.add(prepared);
      }
    }
  }
  return [...found].map((prepared) => ({ prepared, ...phase(prepared, request) }));
}

/** `record:self` is what lies at or below the asker's own name. */
function ownKeys(subject: Subject, resource: string): readonly string[] {
  if (subject.name === undefined || !resource.startsWith('record:')) {
    return [];
  }
  const own = normalizeEntry(`record:${subject.name}`).slice('record:'.length);
  const asked = normalizeEntry(resource).slice('record:'.length);
  return asked === own || asked.endsWith(`.${own}`) ? ['record:self'] : [];
}

function applies(
  { rule, whoExcept, whatExcept, strength }: PreparedRule,
  subject: Subject,
  resource: readonly string[],
): boolean {
  const isSubject = (entry: string) => subject.keys.has(entry) || entry === subject.zone;
  return (
    subject.strength >= strength &&
    rule.who.any.some(isSubject) &&
    !whoExcept.some(isSubject) &&
    (whatExcept.size === 0 || !resource.some((key) => whatExcept.has(key)))
  );
}

function isTimeless({ timetable, until }: PreparedRule): boolean {
  return timetable === undefined && until === undefined;
}

function phase(
  prepared: PreparedRule,
  { now, clockIsSet }: DecisionRequest,
): Omit<Match, 'prepared'> {
  const { rule, timetable, until } = prepared;
  if (isTimeless(prepared)) {
    return { active: true, until: undefined, unsure: false };
  }
  if (!clockIsSet) {
    return { active: rule.effect === 'deny', until: undefined, unsure: true };
  }
  if (until !== undefined && now >= until) {
    return { active: false, until: undefined, unsure: false };
  }
  const window = timetable?.at(now) ?? { active: true, until: undefined };
  if (!window.active && until !== undefined && (window.until ?? until) >= until) {
    // It ends before its next window begins.
    return { active: false, until: undefined, unsure: false };
  }
  const next = window.active ? earliest([window.until, until]) : window.until;
  return { active: window.active, until: next, unsure: false };
}

function conclude(
  matched: readonly Match[],
  subject: Subject,
  { verb }: DecisionRequest,
  what: string,
): Decision {
  const active = heed(matched.filter((match) => match.active).sort(byPrecedence));
  const inactive = matched.filter((match) => !match.active).sort(byPrecedence);
  const [winner, ...losers] = active;
  const rule = winner?.prepared.rule;
  const effect = rule?.effect ?? 'deny';
  const reason = reasonFor(winner, inactive);
  const rank = winner?.prepared.rank ?? TIERS.length;
  const validUntil = earliest(
    matched.filter(({ prepared }) => prepared.rank <= rank).map(({ until }) => until),
  );
  const ede = EDE[reason];
  return {
    effect,
    tier: rule?.tier ?? 'default',
    rule: rule?.id,
    why: describe(reason, { who: subject.label, verb, what, rule }),
    reason,
    ...(validUntil === undefined ? {} : { validUntil }),
    overridden: losers.map(({ prepared: { rule: loser } }) => ({
      rule: loser.id,
      tier: loser.tier,
      effect: loser.effect,
    })),
    inactive: inactive.map(({ prepared, until }) =>
      until === undefined ? { rule: prepared.rule.id } : { rule: prepared.rule.id, until },
    ),
    ...(ede === undefined ? {} : { ede }),
  };
}

/**
 * An upstream only takes away: what it allows is an exception to what it denies itself, and gives
 * nobody what the household does not give. `active` has the strongest first.
 */
function heed(active: readonly Match[]): readonly Match[] {
  const effects = new Map<string, Effect>();
  for (const { prepared } of active) {
    const { upstream, effect } = prepared.rule;
    if (upstream !== undefined && !effects.has(upstream.name)) effects.set(upstream.name, effect);
  }
  return active.filter(({ prepared: { rule } }) => {
    return rule.upstream === undefined || effects.get(rule.upstream.name) === 'deny';
  });
}

function reasonFor(winner: Match | undefined, inactive: readonly Match[]): Reason {
  const rule = winner?.prepared.rule;
  if (rule === undefined) {
    return inactive.some(({ unsure }) => unsure) ? 'clock-not-set' : 'not-entitled';
  }
  if (rule.effect === 'allow') {
    return rule.tier === 'default' ? 'allowed-by-default' : 'allowed';
  }
  return winner?.unsure ? 'clock-not-set' : DENIED_BY[rule.tier];
}

const DENIED_BY = {
  guard: 'denied-by-guard',
  override: 'denied-by-override',
  'upstream-first': 'denied-by-upstream',
  rule: 'denied-by-rule',
  list: 'denied-by-list',
  upstream: 'denied-by-upstream',
  default: 'denied-by-default',
} as const satisfies Record<Tier, Reason>;

/** Tier, then deny before allow; the id only settles which of equals is named. */
function byPrecedence(a: Match, b: Match): number {
  return (
    a.prepared.rank - b.prepared.rank ||
    Number(b.prepared.rule.effect === 'deny') - Number(a.prepared.rule.effect === 'deny') ||
    (a.prepared.rule.id < b.prepared.rule.id ? -1 : 1)
  );
}

function earliest(instants: readonly (number | undefined)[]): number | undefined {
  return instants.reduce(
    (least, instant) =>
      least === undefined || (instant !== undefined && instant < least) ? instant : least,
    undefined,
  );
}
