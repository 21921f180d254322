/**
 * The rule: one sentence "who may or may not do what, and when", as the store keeps it.
 *
 * A rule is a record of its own and has no position: what wins is decided by tier and effect
 * (decide.ts), so the store can merge rules without looking inside. The conditions are a closed
 * set; there is no expression language.
 */

import { isKnownZone, type Schedule, WEEKDAYS, type Window } from './schedule.ts';

/**
 * The tiers, strongest first. `guard` is shipped with nymote and cannot be edited; an upstream's rules
 * are in one of its two by the household's choice (upstream.ts), and nobody writes them here.
 */
export const TIERS = [
  'guard',
  'override',
  'upstream-first',
  'rule',
  'list',
  'upstream',
  'default',
] as const;
export type Tier = (typeof TIERS)[number];

const VERBS = [
  'resolve',
  'connect',
  'tunnel',
  'publish',
  'sign-in',
  'read',
  'write',
  'administer',
] as const;
/** What an asker wants to do. Recursion is `resolve name:…`, the realm's own names `resolve record:…`. */
export type Verb = (typeof VERBS)[number];

/** How sure we are who asks, weakest first. */
export const STRENGTHS = ['address', 'lease', 'key', 'local'] as const;
export type Strength = (typeof STRENGTHS)[number];

export type Effect = 'allow' | 'deny';

/** Everything that `any` names, less what `except` names. */
export type Selection = { readonly any: readonly string[]; readonly except?: readonly string[] };

/** When a rule counts; all that is given must hold. `until` is seconds since 1970. */
export type Conditions = Partial<Schedule> & {
  readonly until?: number;
  readonly strength?: Strength;
};

export type Rule = {
  readonly id: string;
  readonly tier: Tier;
  readonly effect: Effect;
  readonly who: Selection;
  readonly do: readonly Verb[];
  readonly what: Selection;
  readonly when?: Conditions;
  readonly note?: string;
  readonly enabled: boolean;
  /** Of an upstream: whose it is, and its tier among theirs. */
  readonly upstream?: { readonly name: string; readonly tier: Tier };
};

/** What is wrong with one key of a rule; `key` is a path such as `when.windows.0.from`. */
export type RuleProblem = { readonly key: string; readonly problem: string };

export type ParsedRule =
  | { readonly ok: true; readonly rule: Rule }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

/** Entries in one list: far above a household, far below what makes a decision slow (I6). */
const MAX_ENTRIES = 1_000;
const MAX_TEXT = 500;
const MAX_WINDOWS = 50;

const SUBJECT_KINDS = ['user', 'device', 'group', 'tag', 'zone'] as const;
const RESOURCE_KINDS = ['name', 'record', 'device', 'path', 'api', 'user', 'group', 'tag'] as const;
const ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
const TIME = /^(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/;

type Fields = Readonly<Record<string, unknown>>;
type Report = (key: string, problem: string) => undefined;

/** Checks a household's rule as it comes from the store, the API or a person's editor. */
export function parseRule(json: unknown): ParsedRule {
  const problems: RuleProblem[] = [];
  const report: Report = (key, problem) => {
    problems.push({ key, problem });
    return undefined;
  };
  const rule = readRule(json, report);
  return rule !== undefined && problems.length === 0 ? { ok: true, rule } : { ok: false, problems };
}

/** Writes one entry of a selection in the form that decisions compare: lower-case names, no final dot. */
export function normalizeEntry(entry: string): string {
  const colon = entry.indexOf(':');
  const kind = entry.slice(0, colon);
  if (kind !== 'name' && kind !== 'record') {
    return entry;
  }
  const name = entry.slice(colon + 1).toLowerCase();
  return `${kind}:${name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name}`;
}

const RULE_KEYS = ['id', 'tier', 'effect', 'who', 'do', 'what', 'when', 'note', 'enabled'];

function readRule(json: unknown, report: Report): Rule | undefined {
  const fields = readFields('', json, RULE_KEYS, report);
  if (fields === undefined) {
    return undefined;
  }
  const id = readId(fields['id'], report);
  const tier = readTier(fields['tier'], report);
  const effect = readOneOf('effect', fields['effect'], ['allow', 'deny'] as const, report);
  const who = readSelection('who', fields['who'], SUBJECT_KINDS, ['*', 'stranger'], report);
  const verbs = readVerbs(fields['do'], report);
  const what = readSelection('what', fields['what'], RESOURCE_KINDS, ['*'], report);
  const when = fields['when'] === undefined ? undefined : readConditions(fields['when'], report);
  const note = fields['note'] === undefined ? undefined : readText('note', fields['note'], report);
  const enabled = readEnabled(fields['enabled'], report);
  if (tier === 'override' && when?.until === undefined) {
    report('when.until', 'is missing: an override must say when it ends');
  }
  if (!id || !tier || !effect || !who || !verbs || !what) {
    return undefined;
  }
  return {
    id,
    tier,
    effect,
    who,
    do: verbs,
    what,
    ...(when === undefined ? {} : { when }),
    ...(note === undefined ? {} : { note }),
    enabled,
  };
}

function readFields(
  key: string,
  json: unknown,
  accepted: readonly string[],
  report: Report,
): Fields | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return report(key, `must be an object with ${accepted.join(', ')}`);
  }
  for (const name of Object.keys(json)) {
    if (!accepted.includes(name)) {
      report(join(key, name), `is not known here; accepted: ${accepted.join(', ')}`);
    }
  }
  return json as Fields;
}

function readId(json: unknown, report: Report): string | undefined {
  return typeof json === 'string' && ID.test(json)
    ? json
    : report('id', 'must be 1 to 63 of a-z, 0-9 and "-", not starting with "-"');
}

const OWN_TIERS = ['override', 'rule', 'list', 'default'] as const satisfies readonly Tier[];

function readTier(json: unknown, report: Report): Tier | undefined {
  if (json === 'guard') {
    return report(
      'tier',
      'guard rules are part of nymote; accepted: override, rule, list, default',
    );
  }
  return readOneOf('tier', json, OWN_TIERS, report);
}

function readOneOf<T extends string>(
  key: string,
  json: unknown,
  accepted: readonly T[],
  report: Report,
): T | undefined {
  return (
    accepted.find((value) => value === json) ?? report(key, `must be one of ${accepted.join(', ')}`)
  );
}

function readVerbs(json: unknown, report: Report): readonly Verb[] | undefined {
  const list = readList('do', json, VERBS.length, report);
  const verbs = list?.map((value, index) => readOneOf(`do.${index}`, value, VERBS, report));
  return verbs?.every((verb) => verb !== undefined) ? verbs : undefined;
}

function readSelection(
  key: string,
  json: unknown,
  kinds: readonly string[],
  words: readonly string[],
  report: Report,
): Selection | undefined {
  const fields = readFields(key, json, ['any', 'except'], report);
  if (fields === undefined) {
    return undefined;
  }
  const any = readEntries(`${key}.any`, fields['any'], kinds, words, report);
  if (fields['except'] === undefined) {
    return any && { any };
  }
  const except = readEntries(`${key}.except`, fields['except'], kinds, words, report);
  return any && except && { any, except };
}

function readEntries(
  key: string,
  json: unknown,
  kinds: readonly string[],
  words: readonly string[],
  report: Report,
): readonly string[] | undefined {
  const accepted = [...words, ...kinds.map((kind) => `${kind}:…`)].join(', ');
  const list = readList(key, json, MAX_ENTRIES, report);
  const entries = list?.map((value, index) =>
    isEntry(value, kinds, words)
      ? normalizeEntry(value)
      : report(`${key}.${index}`, `must be one of ${accepted}`),
  );
  return entries?.every((entry) => entry !== undefined) ? entries : undefined;
}

function isEntry(
  value: unknown,
  kinds: readonly string[],
  words: readonly string[],
): value is string {
  if (typeof value !== 'string' || value.length > MAX_TEXT) {
    return false;
  }
  const colon = value.indexOf(':');
  return (
    words.includes(value) || (kinds.includes(value.slice(0, colon)) && value.length > colon + 1)
  );
}

function readConditions(json: unknown, report: Report): Conditions | undefined {
  const accepted = ['windows', 'tz', 'until', 'strength'];
  const fields = readFields('when', json, accepted, report);
  if (fields === undefined) {
    return undefined;
  }
  const { windows, tz, until, strength } = fields;
  if ((windows === undefined) !== (tz === undefined)) {
    report(tz === undefined ? 'when.tz' : 'when.windows', 'is missing: windows and tz go together');
  }
  return {
    ...(windows === undefined ? {} : { windows: readWindows(windows, report) }),
    ...(tz === undefined ? {} : { tz: readTimeZone(tz, report) }),
    ...(until === undefined ? {} : { until: readInstant('when.until', until, report) }),
    ...(strength === undefined
      ? {}
      : { strength: readOneOf('when.strength', strength, STRENGTHS, report) ?? 'local' }),
  };
}

function readWindows(json: unknown, report: Report): readonly Window[] {
  const list = readList('when.windows', json, MAX_WINDOWS, report) ?? [];
  return list.map((value, index) => readWindow(`when.windows.${index}`, value, report));
}

function readWindow(key: string, json: unknown, report: Report): Window {
  const fields = readFields(key, json, ['days', 'from', 'to'], report) ?? {};
  const days = readList(`${key}.days`, fields['days'], WEEKDAYS.length, report) ?? [];
  const from = readTime(`${key}.from`, fields['from'], report);
  const to = readTime(`${key}.to`, fields['to'], report);
  if (from === to || from === '24:00') {
    report(key, 'must not begin where it ends; a whole day is from 00:00 to 24:00');
  }
  return {
    days: days.map(
      (day, index) => readOneOf(`${key}.days.${index}`, day, WEEKDAYS, report) ?? 'sun',
    ),
    from,
    to,
  };
}

function readTime(key: string, json: unknown, report: Report): string {
  if (typeof json === 'string' && TIME.test(json)) {
    return json;
  }
  report(key, 'must be a time of day such as 06:30 or 24:00');
  return '';
}

function readTimeZone(json: unknown, report: Report): string {
  if (typeof json === 'string' && isKnownZone(json)) {
    return json;
  }
  report('when.tz', 'must be a time zone such as Europe/Berlin');
  return 'UTC';
}

function readInstant(key: string, json: unknown, report: Report): number {
  if (typeof json === 'number' && Number.isFinite(json) && json >= 0 && json < 1e11) {
    return json;
  }
  report(key, 'must be seconds since 1970');
  return 0;
}

function readEnabled(json: unknown, report: Report): boolean {
  if (json !== undefined && typeof json !== 'boolean') {
    report('enabled', 'must be true or false');
  }
  return json !== false;
}

function readText(key: string, json: unknown, report: Report): string | undefined {
  return typeof json === 'string' && json.length <= MAX_TEXT
    ? json
    : report(key, `must be a text of at most ${MAX_TEXT} characters`);
}

function readList(
  key: string,
  json: unknown,
  limit: number,
  report: Report,
): readonly unknown[] | undefined {
  return Array.isArray(json) && json.length > 0 && json.length <= limit
    ? json
    : report(key, `must be a list of 1 to ${limit}`);
}

function join(key: string, name: string): string {
  return key === '' ? name : `${key}.${name}`;
}
