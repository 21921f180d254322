import { describe, expect, test } from 'vitest';
import { createPolicy } from './decide.ts';
import { DEFAULT_RULES } from './defaults.ts';
import { parseRule, type Rule } from './rule.ts';
import { type Precedence, upstreamRules } from './upstream.ts';

const RULE = {
  ...{ id: 'x', tier: 'rule', effect: 'deny', enabled: true },
  ...{ who: { any: ['*'] }, do: ['resolve'], what: { any: ['name:bad.example'] } },
};
const DEVICES = [
  { id: 'own', name: 'laptop.alice.nymote', user: 'alice', kind: 'signpost' as const },
];

function ruleOf(change: object): Rule {
  const parsed = parseRule({ ...RULE, ...change });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.rule;
}

function decide(
  precedence: Precedence,
  theirs: readonly object[],
  mine: readonly object[],
  asked: { readonly verb?: 'resolve' | 'connect' | 'administer'; readonly resource?: string } = {},
) {
  const records = theirs.map((change, index) => [`t${index}`, { ...RULE, ...change }] as const);
  const { rules } = upstreamRules('mesh', precedence, records);
  const own = mine.map((change, index) => ruleOf({ id: `m${index}`, ...change }));
  const policy = createPolicy({ rules: [...DEFAULT_RULES, ...own, ...rules], devices: DEVICES });
  const { verb = 'resolve', resource = 'name:bad.example' } = asked;
  const asker = { kind: 'device', id: 'own', strength: 'key' } as const;
  return policy.decide({ asker, verb, resource, now: 1_000, clockIsSet: true });
}

describe('precedence', () => {
  const ALLOW = { effect: 'allow' };
  const UNTIL = { tier: 'override', when: { until: 2_000 } };
  test.each<[Precedence, object[], object[], string, string]>([
    ['mine-first', [{}], [], 'deny', 'it is stronger than what nymote is shipped with'],
    ['mine-first', [{}], [ALLOW], 'allow', 'mine decides'],
    ['mine-first', [{}], [{ ...ALLOW, tier: 'list' }], 'allow', 'a list of mine, too'],
    ['theirs-first', [{}], [ALLOW], 'deny', 'theirs decides'],
    ['theirs-first', [{}], [{ ...ALLOW, ...UNTIL }], 'allow', 'a person’s exception for a while'],
    ['theirs-first', [ALLOW], [{}], 'deny', 'they give nothing that mine takes'],
    ['theirs-first', [ALLOW, { tier: 'list' }], [], 'allow', 'their exception to their list'],
    ['theirs-first', [ALLOW, {}], [], 'deny', 'in one tier of theirs deny overrides allow'],
    ['theirs-first', [{ ...ALLOW, tier: 'list' }, {}], [], 'deny', 'their rule over their list'],
  ])('%s, theirs %j, mine %j: %s (%s)', (precedence, theirs, mine, effect) => {
    expect(decide(precedence, theirs, mine).effect).toBe(effect);
  });

  test('it is said whose rule it was', () => {
    const { why, rule, ede, overridden } = decide('theirs-first', [{ note: 'phishing' }], [ALLOW]);
    expect(why).toContain('your upstream mesh forbids it; phishing');
    expect([rule, ede]).toEqual(['upstream.mesh.t0', 17]);
    expect(overridden).toContainEqual({ rule: 'm0', tier: 'rule', effect: 'allow' });
  });
});

describe('what an upstream cannot do', () => {
  const ALL = { what: { any: ['*'] }, do: ['resolve', 'connect', 'administer'] };
  test.each<[object, Parameters<typeof decide>[3], string, string]>([
    [ALL, { resource: 'record:laptop.alice.nymote' }, 'allow', 'hide our own names'],
    [ALL, { verb: 'connect', resource: 'device:own' }, 'allow', 'part our devices'],
    [ALL, {}, 'deny', 'what is about names of the world counts'],
  ])('%j about %j: %s (%s)', (theirs, asked, effect) => {
    expect(decide('theirs-first', [theirs], [], asked).effect).toBe(effect);
  });

  test.each<['resolve' | 'administer', string, string]>([
    ['resolve', 'name:example.org', 'use the resolver'],
    ['administer', 'path:devices/own', 'rule here'],
  ])('let strangers %s %s: %s', (verb, resource) => {
    const { rules } = upstreamRules('mesh', 'theirs-first', [
      ['x', { ...RULE, ...ALL, effect: 'allow' }],
    ]);
    const policy = createPolicy({ rules: [...DEFAULT_RULES, ...rules], devices: DEVICES });
    const asker = { kind: 'stranger', address: '192.0.2.1', zone: 'internet' } as const;
    const asked = { asker, verb, resource, now: 0, clockIsSet: true } as const;
    expect(policy.decide(asked).effect).toBe('deny');
  });

  test.each<[object | string, string]>([
    [{ tier: 'guard' }, 'of nymote itself'],
    [{ tier: 'upstream-first' }, 'what only a household chooses'],
    [{ do: ['connect'] }, 'about connections alone'],
    [{ what: { any: ['device:own'] } }, 'about our devices'],
    [{ when: { moon: 'full' } }, 'a condition that we do not know'],
    ['text', 'no rule'],
  ])('%j is left out: %s', (change) => {
    const record = typeof change === 'string' ? change : { ...RULE, ...change };
    const { rules, problems } = upstreamRules('mesh', 'mine-first', [['x', record]]);
    expect([rules.length, problems.length]).toEqual([0, 1]);
  });
});
