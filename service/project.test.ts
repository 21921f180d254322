import { expect, test } from 'vitest';
import { DEFAULT_RULES } from '#policy';
import { printRecord } from '#resolver';
import { fakeRuntime } from '#runtime/fake';
import type { State } from '#storage';
import { MAX_APEX } from './config.ts';
import { checkState, project, projectTunnels } from './project.ts';

const { crypto } = fakeRuntime();
const KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const KEY_2 = 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const SETTINGS = { user: 'alice', apex: 'alice.nymote', zoneAlgorithm: 'ecdsa-p256' };
const LAPTOP = {
  name: 'laptop',
  kind: 'signpost',
  wireguardKey: KEY,
  ipv4: '100.64.0.2',
  endpoints: ['203.0.113.1:51821'],
  addedAt: 1,
};
const PHONE = {
  name: 'phone',
  kind: 'plain',
  wireguardKey: KEY_2,
  ipv4: '100.64.0.3',
  endpoints: [],
  addedAt: 2,
  home: 'l',
};

type Records = Record<string, Record<string, unknown>>;

function stateOf({
  realm = { settings: SETTINGS },
  devices = { l: LAPTOP, p: PHONE },
  names = {},
  rules = {},
}: Record<string, Records> = {}): State {
  const collections = Object.entries({ realm, devices, names, rules }).filter(
    ([, records]) => Object.keys(records).length > 0,
  );
  return new Map(
    collections.map(([name, records]) => [name, new Map(Object.entries(records))]),
  ) as State;
}

const context = { crypto, realm: 'ab'.repeat(32), seq: 7 };
const linesOf = (state: State) =>
  project(state, context).zone.records.map((record) => printRecord(record));

test('each device has both addresses, the IPv6 one from realm and key alone', () => {
  const lines = linesOf(stateOf());
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(/^laptop\.alice\.nymote\. 30 IN AAAA fd/);
  expect(linesOf(stateOf())).toEqual(lines);
  const elsewhere = project(stateOf(), { ...context, realm: 'cd'.repeat(32) });
  expect(elsewhere.devices[0]?.ipv6).not.toBe(project(stateOf(), context).devices[0]?.ipv6);
});

test('name servers are the full nodes, the serial counts commits', () => {
  const { zone } = project(stateOf(), context);
  expect(zone.nameServers).toHaveLength(1);
  expect(zone.serial).toBe(7);
});

test('further names, at the apex, below it and as wildcards', () => {
  const txt = { records: [{ type: 'TXT', ttl: 60, data: '"hello world"' }] };
  const lines = linesOf(stateOf({ names: { '@': txt, www: txt, '*.laptop': txt } }));
  expect(lines.slice(4)).toEqual([
    'alice.nymote. 60 IN TXT "hello world"',
    'www.alice.nymote. 60 IN TXT "hello world"',
    '*.laptop.alice.nymote. 60 IN TXT "hello world"',
  ]);
});

test('one bad record is left out and named; the others keep their names', () => {
  const { devices, problems } = project(
    stateOf({ devices: { l: LAPTOP, x: { name: 'X!' } } }),
    context,
  );
  expect(devices.map(({ name }) => name)).toEqual(['laptop']);
  expect(problems.join()).toMatch(/devices\/x/);
});

test('tunnels are told of the others, and who may connect', () => {
  const { devices } = project(stateOf(), context);
  const desired = projectTunnels(devices, 'l', context, ({ name }) => name !== 'phone');
  expect(desired.self.addresses).toHaveLength(2);
  expect(desired.devices).toMatchObject([{ id: 'p', kind: 'plain', home: 'l', mayConnect: false }]);
});

test.each([
  { endpoints: ['203.0.113.1:51821'], keep: false, why: 'others can come to us' },
  { endpoints: ['192.168.1.7:51821'], keep: true, why: 'behind a router' },
  {
    endpoints: ['192.168.1.7:51821', '[2001:db8::7]:51821'],
    keep: false,
    why: 'one public address is enough',
  },
  { endpoints: ['100.64.3.4:51821'], keep: true, why: 'behind a carrier that translates' },
  { endpoints: [], keep: true, why: 'nobody knows where we are' },
])('a hidden device holds its way to signposts open: $why', ({ endpoints, keep }) => {
  const node = { ...LAPTOP, name: 'desk', kind: 'node', ipv4: '100.64.0.4', endpoints };
  const { devices } = project(stateOf({ devices: { l: LAPTOP, n: node } }), context);
  const desired = projectTunnels(devices, 'n', context, () => true);
  expect(desired.devices).toMatchObject([{ id: 'l', keep }]);
});

test.each([
  { state: {}, problem: undefined, why: 'all is well' },
  {
    state: { devices: { l: { ...LAPTOP, wireguardKey: 'x' } } },
    problem: /devices\/l\/wireguardKey: 32 bytes in base64/,
    why: 'a key that is none',
  },
  {
    state: { devices: { l: { ...LAPTOP, colour: 'red' } } },
    problem: /devices\/l\/colour/,
    why: 'a field nobody knows',
  },
  {
    state: { devices: { l: LAPTOP, m: { ...PHONE, name: 'laptop' } } },
    problem: /two devices are called laptop/,
    why: 'a name twice',
  },
  {
    state: { devices: { l: LAPTOP, m: { ...PHONE, wireguardKey: KEY } } },
    problem: /two devices have the key AAAA/,
    why: 'a WireGuard key twice',
  },
  {
    state: { devices: { l: LAPTOP, m: { ...PHONE, ipv4: LAPTOP.ipv4 } } },
    problem: /two devices have the address 100\.64\.0\.2/,
    why: 'an address twice',
  },
  {
    state: {
      rules: {
        r: {
          id: 'other',
          tier: 'rule',
          effect: 'deny',
          who: { any: ['*'] },
          do: ['resolve'],
          what: { any: ['*'] },
          enabled: true,
        },
      },
    },
    problem: /id is other, not r/,
    why: 'a rule under another id',
  },
  { state: { rules: { r: { id: 'r' } } }, problem: /tier/, why: 'half a rule' },
  {
    state: { names: { www: { records: [{ type: 'A', ttl: 60, data: 'not an address' }] } } },
    problem: /not an address/,
    why: 'data that is none',
  },
  {
    state: {
      names: { laptop: { records: [{ type: 'CNAME', ttl: 60, data: 'www.example.org.' }] } },
    },
    problem: /laptop\.alice\.nymote\. cname-beside-other-data/,
    why: 'records that contradict each other',
  },
])('a commit is refused, or not: $why', ({ state, problem }) => {
  const problems = checkState(stateOf(state as Record<string, Records>), crypto).map(
    ({ message }) => message,
  );
  if (problem === undefined) expect(problems).toEqual([]);
  else expect(problems.join('\n')).toMatch(problem);
});

test('a collection nobody knows is refused', () => {
  const state = new Map([...stateOf(), ['fish', new Map([['a', {}]])]]) as State;
  expect(checkState(state, crypto)).toEqual([
    { path: 'fish/a', message: 'there is no such record' },
  ]);
});

test('the longest device name fits in front of the longest apex', () => {
  const apex = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(61)}`;
  expect(apex).toHaveLength(MAX_APEX);
  const state = stateOf({
    realm: { settings: { ...SETTINGS, apex } },
    devices: { l: { ...LAPTOP, name: 'd'.repeat(63) } },
  });
  expect(checkState(state, crypto)).toEqual([]);
});

test('a field of a later version takes no device away, and no realm', () => {
  const state = stateOf({
    realm: { settings: { ...SETTINGS, theme: 'dark' } },
    devices: { l: { ...LAPTOP, colour: 'red' } },
  });
  const { settings, devices, problems } = project(state, context);
  expect(settings).toEqual(SETTINGS);
  expect(devices.map(({ name }) => name)).toEqual(['laptop']);
  expect(problems).toEqual([]);
});

test.each([
  { history: { days: 90, commits: 50, megabytes: 4, years: 1 }, kept: 4, why: 'a field of later' },
  { history: { days: 'many', megabytes: 4 }, kept: undefined, why: 'what no one can understand' },
  { history: 'all', kept: undefined, why: 'a word of later' },
])('of $why about the history nothing is dropped that was not to be', ({ history, kept }) => {
  const state = stateOf({ realm: { settings: { ...SETTINGS, history } } });
  expect(project(state, context).settings.history?.megabytes).toBe(kept);
  expect(project(state, context).settings.history?.days).toBeGreaterThan(0);
});

const RULE = {
  ...{ id: 'night', tier: 'rule', who: { any: ['*'] }, do: ['connect'], what: { any: ['*'] } },
  when: { moon: 'full' },
};

test.each([
  { rule: { ...RULE, effect: 'deny' }, rules: ['night'], why: 'a deny holds at all times' },
  { rule: { ...RULE, effect: 'deny', tier: 'override' }, rules: ['night'], why: 'an override too' },
  { rule: { ...RULE, effect: 'allow' }, rules: [], why: 'an allow never' },
  { rule: { ...RULE, effect: 'deny', who: 7 }, rules: [], why: 'nobody knows for whom' },
])(
  'of a rule with a condition that we do not understand, $why, and it is said',
  ({ rule, rules }) => {
    const { policy, problems } = project(stateOf({ rules: { night: rule } }), context);
    const own = policy.rules.slice(DEFAULT_RULES.length);
    expect(own.map(({ id }) => id)).toEqual(rules);
    expect(problems).not.toEqual([]);
  },
);
