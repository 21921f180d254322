import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Asker, createPolicy, type DecisionRequest } from './decide.ts';
import { DEFAULT_RULES } from './defaults.ts';
import type { PolicyDevice } from './key.ts';
import { type Rule, TIERS } from './rule.ts';

const devices: readonly PolicyDevice[] = [
  { id: 'router', name: 'router.alice.nymote', user: 'alice', kind: 'signpost' },
  { id: 'laptop', name: 'laptop.alice.nymote', user: 'alice', kind: 'node' },
  { id: 'phone', name: 'phone.alice.nymote', user: 'anna', kind: 'plain', tags: ['mobile'] },
];
const device = (id: string, strength: 'key' | 'lease' | 'address' | 'local' = 'key'): Asker => ({
  kind: 'device',
  id,
  strength,
});
const stranger = (address: string): Asker => ({ kind: 'stranger', address });
const NOW = Date.parse('2026-11-20T21:30:00+01:00') / 1_000;
const ask = (asker: Asker, verb: DecisionRequest['verb'], resource: string): DecisionRequest => ({
  asker,
  verb,
  resource,
  now: NOW,
  clockIsSet: true,
});
const rule = (change: Partial<Rule>): Rule => ({
  id: 'r',
  tier: 'rule',
  effect: 'deny',
  who: { any: ['*'] },
  do: ['resolve'],
  what: { any: ['*'] },
  enabled: true,
  ...change,
});

describe('defaults', () => {
  const policy = createPolicy({ rules: DEFAULT_RULES, devices });
  const LAN = stranger('192.168.1.23');
  const WORLD = stranger('203.0.113.9');
  type Row = readonly [Asker, DecisionRequest['verb'], string, 'allow' | 'deny', string];
  test.each<Row>([
    [device('phone'), 'resolve', 'record:laptop.alice.nymote', 'allow', 'own names'],
    [device('phone'), 'resolve', 'name:example.org', 'allow', 'recursion for own devices'],
    [device('phone', 'lease'), 'connect', 'device:laptop', 'allow', 'own connections'],
    [device('phone', 'address'), 'connect', 'device:laptop', 'deny', 'an address is no identity'],
    [device('phone'), 'connect', 'device:gone', 'deny', 'not a device of the realm'],
    [device('gone'), 'resolve', 'record:laptop.alice.nymote', 'deny', 'a revoked asker (I10)'],
    [device('gone', 'local'), 'administer', 'api:dns', 'deny', 'a revoked asker at the machine'],
    [LAN, 'resolve', 'name:example.org', 'allow', 'the home network may recurse'],
    [LAN, 'resolve', 'record:laptop.alice.nymote', 'deny', 'but sees no device'],
    [stranger('::1'), 'resolve', 'name:example.org', 'allow', 'loopback'],
    [WORLD, 'resolve', 'name:example.org', 'deny', 'no open resolver'],
    [WORLD, 'resolve', 'record:laptop.alice.nymote', 'deny', 'strangers see nothing'],
    [device('phone'), 'publish', 'record:phone.alice.nymote', 'allow', 'its own name'],
    [
      device('phone'),
      'publish',
      'record:_http._tcp.PHONE.alice.nymote.',
      'allow',
      'below its name',
    ],
    [device('phone'), 'publish', 'record:laptop.alice.nymote', 'deny', "another's name"],
    [device('phone'), 'publish', 'record:xphone.alice.nymote', 'deny', 'a name that ends alike'],
    [device('laptop'), 'read', 'path:devices/x', 'allow', 'full nodes sync'],
    [device('phone'), 'read', 'path:devices/x', 'deny', 'plain devices hold no store'],
    [device('router'), 'administer', 'api:dns', 'allow', 'own signpost'],
    [device('laptop'), 'administer', 'api:dns', 'deny', 'a node is no signpost'],
    [device('laptop', 'local'), 'administer', 'api:dns', 'allow', 'at the machine'],
  ])('%o %s %s: %s, %s', (asker, verb, resource, effect) => {
    expect(policy.decide(ask(asker, verb, resource)).effect).toBe(effect);
  });

  const LAPTOP = 'laptop.alice.nymote';
  test.each([
    {
      request: ask(WORLD, 'resolve', `record:${LAPTOP}`),
      says: `stranger 203.0.113.9 may not resolve ${LAPTOP}`,
      why: 'from anywhere',
    },
    {
      request: ask(LAN, 'resolve', `record:${LAPTOP}`),
      says: `guest 192.168.1.23 may not resolve ${LAPTOP}`,
      why: 'who is at home without a device is a guest',
    },
    {
      request: ask({ kind: 'stranger', address: '127.0.0.1', zone: 'home' }, 'connect', 'device:x'),
      says: 'guest 127.0.0.1 may not connect to device x',
      why: 'through a forwarder too; a device that is none has no name',
    },
    {
      request: ask(LAN, 'connect', 'device:laptop'),
      says: `guest 192.168.1.23 may not connect to device ${LAPTOP}`,
      why: 'a device is called by its name',
    },
  ])('a refusal says so in words and as EDE: $why', ({ request, says }) => {
    const decision = policy.decide(request);
    expect(decision).toMatchObject({ reason: 'not-entitled', ede: 18, rule: undefined });
    expect(decision.why).toBe(`${says}: no rule allows it.`);
  });
});

describe('conflicts', () => {
  const bedtime = rule({
    id: 'bedtime',
    who: { any: ['group:kids'] },
    what: { any: ['name:tiktok.com'] },
  });
  const groups = { kids: ['group:small'], small: ['user:anna'] };
  const decide = (...rules: Rule[]) =>
    createPolicy({ rules: [...DEFAULT_RULES, ...rules], devices, groups }).decide(
      ask(device('phone'), 'resolve', 'name:www.tiktok.com'),
    );

  test('a rule beats a default, through nested groups and name suffixes', () => {
    expect(decide(bedtime)).toMatchObject({
      effect: 'deny',
      rule: 'bedtime',
      tier: 'rule',
      ede: 15,
      overridden: [{ rule: 'own-recursion', tier: 'default', effect: 'allow' }],
    });
  });
  test('a temporary allow beats the rule until it ends', () => {
    const reward = rule({
      id: 'reward',
      tier: 'override',
      effect: 'allow',
      when: { until: NOW + 60 },
    });
    expect(decide(bedtime, reward)).toMatchObject({ effect: 'allow', validUntil: NOW + 60 });
    expect(decide(bedtime, { ...reward, when: { until: NOW } })).toMatchObject({
      effect: 'deny',
      inactive: [{ rule: 'reward' }],
    });
  });
  test('deny overrides allow inside a tier, however special the allow', () => {
    const allow = rule({ id: 'a', effect: 'allow', what: { any: ['name:www.tiktok.com'] } });
    expect(decide(bedtime, allow)).toMatchObject({ effect: 'deny', rule: 'bedtime' });
  });
  test('exceptions', () => {
    const spared = { ...bedtime, who: { any: ['group:kids'], except: ['tag:mobile'] } };
    expect(decide(spared).effect).toBe('allow');
    expect(decide({ ...bedtime, what: { any: ['*'], except: ['name:tiktok.com'] } }).effect).toBe(
      'allow',
    );
  });
  test('a disabled rule is none', () => {
    expect(decide({ ...bedtime, enabled: false }).effect).toBe('allow');
  });
  test('a list is what was asked for', () => {
    expect(decide({ ...bedtime, tier: 'list' })).toMatchObject({
      reason: 'denied-by-list',
      ede: 17,
    });
  });
});

describe('schedules', () => {
  const night = {
    windows: [{ days: ['fri'], from: '20:00', to: '06:30' }],
    tz: 'Europe/Berlin',
  } as const;
  const decide = (effect: 'allow' | 'deny', now: number, clockIsSet = true) =>
    createPolicy({ rules: [...DEFAULT_RULES, rule({ effect, when: night })], devices }).decide({
      ...ask(device('phone'), 'resolve', 'name:example.org'),
      now,
      clockIsSet,
    });
  const morning = Date.parse('2026-11-21T06:30:00+01:00') / 1_000;

  test('valid until the next boundary', () => {
    expect(decide('deny', NOW)).toMatchObject({ effect: 'deny', validUntil: morning });
    expect(decide('deny', morning)).toMatchObject({ effect: 'allow', inactive: [{ rule: 'r' }] });
    expect(decide('deny', morning).validUntil).toBe(
      Date.parse('2026-11-27T20:00:00+01:00') / 1_000,
    );
  });
  test('without a clock a scheduled deny holds and a scheduled allow does not (I9)', () => {
    expect(decide('deny', 0, false)).toMatchObject({ effect: 'deny', reason: 'clock-not-set' });
    expect(decide('allow', 0, false)).toMatchObject({
      rule: 'own-recursion',
      inactive: [{ rule: 'r' }],
    });
  });
  test('a rule that ends before its next window does not claim to begin', () => {
    const ending = rule({ when: { ...night, until: morning + 60 } });
    const { inactive, validUntil } = createPolicy({ rules: [ending], devices }).decide({
      ...ask(device('phone'), 'resolve', 'name:example.org'),
      now: morning,
    });
    expect({ inactive, validUntil }).toEqual({ inactive: [{ rule: 'r' }], validUntil: undefined });
  });
});

test('groups that contain each other are named, and harmless', () => {
  const policy = createPolicy({
    rules: [rule({ who: { any: ['group:a'] }, effect: 'allow' })],
    devices,
    groups: { a: ['group:b', 'user:anna'], b: ['group:a', 'group:none'], own: ['*'] },
  });
  expect(policy.decide(ask(device('phone'), 'resolve', 'name:x')).effect).toBe('allow');
  expect(policy.decide(ask(device('laptop'), 'resolve', 'name:x')).effect).toBe('deny');
  expect(policy.problems).toEqual([
    'group a: contains itself',
    'group b: there is no group none',
    'group b: contains itself',
    'group own: the name belongs to nymote',
  ]);
});

const SUBJECTS = [
  '*',
  'stranger',
  'user:anna',
  'device:laptop',
  'group:kids',
  'tag:mobile',
  'zone:home',
];
const RESOURCES = [
  '*',
  'name:*',
  'name:com',
  'name:tiktok.com',
  'record:*',
  'device:laptop',
  'tag:mobile',
  'path:a',
];
const rules = fc
  .record({
    tier: fc.constantFrom(...TIERS),
    effect: fc.constantFrom('allow' as const, 'deny' as const),
    any: fc.subarray(SUBJECTS, { minLength: 1 }),
    except: fc.subarray(SUBJECTS, { maxLength: 1 }),
    do: fc.subarray(['resolve' as const, 'connect' as const, 'read' as const], { minLength: 1 }),
    what: fc.subarray(RESOURCES, { minLength: 1 }),
    whatExcept: fc.subarray(RESOURCES, { maxLength: 1 }),
    until: fc.constantFrom(undefined, NOW - 1, NOW + 1),
    enabled: fc.boolean(),
  })
  .map(
    ({ tier, effect, any, except, what, whatExcept, until, enabled, ...rest }): Rule => ({
      id: 'x',
      tier,
      effect,
      who: { any, except },
      do: rest.do,
      what: { any: what, except: whatExcept },
      ...(until === undefined ? {} : { when: { until } }),
      enabled,
    }),
  );
const ruleSets = fc
  .array(rules, { maxLength: 8 })
  .map((list) => list.map((item, index) => ({ ...item, id: `r${index}` })));
const requests = fc
  .record({
    asker: fc.constantFrom(
      device('phone'),
      device('laptop'),
      device('gone'),
      stranger('10.0.0.1'),
      stranger('8.8.8.8'),
    ),
    verb: fc.constantFrom('resolve' as const, 'connect' as const, 'read' as const),
    resource: fc.constantFrom(
      'name:www.tiktok.com',
      'name:org',
      'record:com',
      'device:laptop',
      'device:phone',
      'path:a/b',
    ),
    clockIsSet: fc.boolean(),
  })
  .map((request) => ({ ...request, now: NOW }));
const groups = { kids: ['user:anna'] };

test('agrees with the definition written out naively', () => {
  fc.assert(
    fc.property(ruleSets, requests, (set, request) => {
      const { effect } = createPolicy({ rules: set, devices, groups }).decide(request);
      expect(effect).toBe(naive(set, request));
    }),
    { numRuns: 400 },
  );
});

test('what was asked before changes no decision', () => {
  const shifts = fc.constantFrom(-2, 0, 2);
  fc.assert(
    fc.property(ruleSets, fc.array(fc.tuple(requests, shifts), { minLength: 2 }), (set, asked) => {
      const used = createPolicy({ rules: set, devices, groups });
      for (const [request, shift] of asked) {
        const later = { ...request, now: request.now + shift };
        const fresh = createPolicy({ rules: set, devices, groups });
        expect(used.decide(later)).toEqual(fresh.decide(later));
      }
    }),
  );
});

test('ever new names do not push out what is right', () => {
  const policy = createPolicy({ rules: DEFAULT_RULES, devices });
  const own = ask(device('phone'), 'resolve', 'record:laptop.alice.nymote');
  const first = policy.decide(own);
  for (let count = 0; count < 3_000; count++) {
    policy.decide(ask(stranger('203.0.113.9'), 'resolve', `name:n${count}.example.org`));
  }
  expect(policy.decide(own)).toEqual(first);
});

test('the order of rules never matters', () => {
  fc.assert(
    fc.property(ruleSets, requests, fc.infiniteStream(fc.nat()), (set, request, order) => {
      const shuffled = set
        .map((item) => ({ item, at: order.next().value ?? 0 }))
        .sort((a, b) => a.at - b.at)
        .map(({ item }) => item);
      const decide = (list: readonly Rule[]) =>
        createPolicy({ rules: list, devices, groups }).decide(request);
      expect(decide(shuffled)).toEqual(decide(set));
    }),
  );
});

test('a rule about somebody or something else changes nothing', () => {
  fc.assert(
    fc.property(ruleSets, requests, rules, fc.boolean(), (set, request, extra, other) => {
      const unrelated: Rule = other
        ? { ...extra, id: 'extra', who: { any: ['user:bob'] } }
        : { ...extra, id: 'extra', what: { any: ['name:elsewhere.example', 'device:tv'] } };
      const decide = (list: readonly Rule[]) =>
        createPolicy({ rules: list, devices, groups }).decide(request);
      expect(decide([...set, unrelated])).toEqual(decide(set));
    }),
  );
});

function naive(set: readonly Rule[], request: DecisionRequest): 'allow' | 'deny' {
  const { asker } = request;
  const own: Record<string, string[]> = {
    phone: ['user:anna', 'device:phone', 'group:kids', 'tag:mobile', '*'],
    laptop: ['user:alice', 'device:laptop', '*'],
  };
  const who =
    asker.kind === 'device'
      ? (own[asker.id] ?? ['stranger', '*'])
      : ['stranger', '*', asker.address.startsWith('10.') ? 'zone:home' : 'zone:internet'];
  const what: Record<string, string[]> = {
    'name:www.tiktok.com': ['*', 'name:*', 'name:com', 'name:tiktok.com'],
    'name:org': ['*', 'name:*'],
    'record:com': ['*', 'record:*'],
    'device:laptop': ['*', 'device:laptop'],
    'device:phone': ['*', 'tag:mobile'],
    'path:a/b': ['*', 'path:a'],
  };
  const hits = (list: readonly string[] = [], keys: readonly string[] = []) =>
    list.some((entry) => keys.includes(entry));
  const isOn = ({ when, effect }: Rule) =>
    when?.until === undefined ||
    (request.clockIsSet ? request.now < when.until : effect === 'deny');
  for (const tier of TIERS) {
    const effects = set
      .filter((item) => item.enabled && item.tier === tier && item.do.includes(request.verb))
      .filter((item) => hits(item.who.any, who) && !hits(item.who.except, who))
      .filter((item) => hits(item.what.any, what[request.resource]))
      .filter((item) => !hits(item.what.except, what[request.resource]))
      .filter(isOn)
      .map(({ effect }) => effect);
    if (effects.length > 0) {
      return effects.includes('deny') ? 'deny' : 'allow';
    }
  }
  return 'deny';
}
