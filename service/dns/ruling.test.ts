import { expect, test } from 'vitest';
import { createPolicy, DEFAULT_RULES, type Rule } from '#policy';
import {
  type Authority,
  createDesignation,
  parseName,
  type Ruling,
  readHosts,
  TYPE,
} from '#resolver';
import { manualClock } from '#runtime/fake';
import type { Reach } from '#tunnels';
import type { RealmDevice } from '../project.ts';
import { type Lan, lanHosts } from './lan.ts';
import { createRulings, FORWARDED, identify } from './ruling.ts';

const device = (name: string, more: Partial<RealmDevice> = {}): RealmDevice => ({
  ...{
    id: `id-${name}`,
    name,
    kind: 'node',
    fqdn: `${name}.alice.nymote`,
    wireguardKey: '',
    publicKey: new Uint8Array(32),
  },
  ...{ ipv6: `fd00::${name.length}`, ipv4: `100.64.0.${name.length}`, endpoints: [], addedAt: 0 },
  ...more,
});
const DEVICES = [
  device('nas'),
  device('laptop'),
  device('iphone', { kind: 'plain', home: 'id-laptop' }),
];
const LAPTOP = '127.0.0.1';
const NAS = 'fd00::3';
const PHONE = 'fd00::6';
const NEIGHBOUR = '192.168.1.9';
const STRANGER = '203.0.113.9';

const authority: Authority = {
  apex: parseName('alice.nymote') ?? fail(),
  answer: fail,
  withZone: fail,
};
function fail(): never {
  throw new Error('a ruling answers nothing itself');
}

const designation = createDesignation();

async function rule(
  from: string,
  name: string,
  options: { type?: number; reach?: Reach; rules?: readonly Rule[]; lan?: Lan } = {},
) {
  const reached: string[] = [];
  const policy = createPolicy({
    rules: [...DEFAULT_RULES, ...(options.rules ?? [])],
    devices: DEVICES.map(({ id, fqdn, kind }) => ({ id, name: fqdn, user: 'alice', kind })),
  });
  const household = {
    apex: 'alice.nymote',
    self: 'id-laptop',
    devices: DEVICES,
    policy,
    authority,
  };
  const before = createRulings(
    manualClock(),
    () => household,
    async (id) => {
      reached.push(id);
      return options.reach ?? { state: 'up', milliseconds: 3, via: 'asked' };
    },
    () => designation,
    options.lan,
  );
  const question = { name: parseName(name) ?? fail(), type: options.type ?? TYPE.AAAA, class: 1 };
  const ruling: Ruling = await before(question, { address: from, port: 5 }, 'udp');
  return { ruling, reached };
}

test.each([
  {
    from: LAPTOP,
    name: 'nas.alice.nymote',
    kind: 'zone',
    reached: ['id-nas'],
    why: 'our own question connects',
  },
  {
    from: LAPTOP,
    name: 'NAS.Alice.Nymote',
    kind: 'zone',
    reached: ['id-nas'],
    why: 'in any case of letters',
  },
  {
    from: PHONE,
    name: 'nas.alice.nymote',
    kind: 'zone',
    reached: ['id-nas'],
    why: 'a phone whose tunnel ends here goes through us',
  },
  {
    from: NAS,
    name: 'iphone.alice.nymote',
    kind: 'zone',
    reached: [],
    why: 'another full node has its own nymote for that',
  },
  { from: LAPTOP, name: 'laptop.alice.nymote', kind: 'zone', reached: [], why: 'ourselves' },
  {
    from: LAPTOP,
    name: 'nosuch.alice.nymote',
    kind: 'zone',
    reached: [],
    why: 'no device of that name',
  },
  { from: LAPTOP, name: 'www.example.org', kind: 'recurse', reached: [], why: 'the internet' },
  {
    from: LAPTOP,
    name: 'xalice.nymote',
    kind: 'recurse',
    reached: [],
    why: 'only whole labels are ours',
  },
  {
    from: '192.168.1.9',
    name: 'www.example.org',
    kind: 'recurse',
    reached: [],
    why: 'a guest in the LAN recurses',
  },
  {
    from: '192.168.1.9',
    name: 'nas.alice.nymote',
    kind: 'refuse',
    reached: [],
    why: 'and sees no device',
  },
  {
    from: FORWARDED,
    name: 'www.example.org',
    kind: 'recurse',
    reached: [],
    why: 'the LAN behind dnsmasq recurses',
  },
  {
    from: FORWARDED,
    name: 'nas.alice.nymote',
    kind: 'refuse',
    reached: [],
    why: 'and sees no device either (I10)',
  },
  {
    from: '203.0.113.9',
    name: 'www.example.org',
    kind: 'refuse',
    reached: [],
    why: 'we are no open resolver',
  },
  {
    from: '203.0.113.9',
    name: 'nas.alice.nymote',
    kind: 'refuse',
    reached: [],
    why: 'a stranger, and no tunnel',
  },
])('$from asks $name: $why', async ({ from, name, kind, reached }) => {
  const found = await rule(from, name);
  expect(found).toMatchObject({ ruling: { kind }, reached });
});

test.each([
  { from: LAPTOP, type: TYPE.DS, isOfParent: true, why: 'who validates has it from the parent' },
  {
    from: NEIGHBOUR,
    type: TYPE.DS,
    isOfParent: true,
    why: 'so has the LAN, where it sees the zone',
  },
  { from: STRANGER, type: TYPE.DS, isOfParent: false, why: 'we do not resolve for the world' },
  { from: LAPTOP, type: TYPE.SOA, isOfParent: undefined, why: 'all else is the zone’s' },
])('type $type of the apex for $from: $why', async ({ from, type, isOfParent }) => {
  const open = allow('open', 'record:*');
  const { ruling } = await rule(from, 'Alice.nymote', { type, rules: [open] });
  expect(ruling.kind).toBe('zone');
  expect('isOfParent' in ruling ? ruling.isOfParent : undefined).toBe(isOfParent);
});

test('only a question for an address connects', async () => {
  expect((await rule(LAPTOP, 'nas.alice.nymote', { type: TYPE.TXT })).reached).toEqual([]);
});

test('a device answer is short-lived; a path that is not there is said and not kept', async () => {
  expect((await rule(LAPTOP, 'nas.alice.nymote')).ruling).toMatchObject({ ttlCap: 30 });
  const reach: Reach = { state: 'unreachable', reason: 'no-answer' };
  expect((await rule(LAPTOP, 'nas.alice.nymote', { reach })).ruling).toMatchObject({
    kind: 'zone',
    ttlCap: 0,
    error: { code: 0, text: 'no tunnel yet: no-answer' },
  });
});

test('without tunnels on this machine names are answered all the same', async () => {
  const reach: Reach = { state: 'off', reason: 'not-root' };
  expect((await rule(LAPTOP, 'nas.alice.nymote', { reach })).ruling).not.toHaveProperty('error');
});

const deny = (id: string, verb: 'resolve' | 'connect', what: string): Rule => ({
  ...{
    id,
    tier: 'rule',
    effect: 'deny',
    who: { any: ['*'] },
    do: [verb],
    what: { any: [what] },
    enabled: true,
  },
});

const allow = (id: string, what: string): Rule => ({
  ...deny(id, 'resolve', what),
  effect: 'allow',
});

test.each([
  { type: TYPE.AAAA, why: 'its address' },
  { type: TYPE.ANY, why: 'its address by another door' },
  { type: TYPE.TXT, why: 'whether there is such a device' },
])(
  'who may not connect does not get the name either, and no tunnel (I10): $why',
  async ({ type }) => {
    const rules = [deny('no-nas', 'connect', 'device:id-nas')];
    const { ruling, reached } = await rule(LAPTOP, 'nas.alice.nymote', { rules, type });
    expect(ruling).toMatchObject({
      kind: 'nxdomain',
      ede: 15,
      text: expect.stringContaining('no-nas'),
    });
    expect(reached).toEqual([]);
  },
);

test('a blocked name of the internet does not exist, with the reason', async () => {
  const rules = [deny('no-games', 'resolve', 'name:games.example')];
  expect((await rule(LAPTOP, 'www.games.example', { rules })).ruling).toMatchObject({
    kind: 'nxdomain',
    ede: 15,
  });
});

test.each([
  {
    address: '127.0.0.53',
    asker: { kind: 'device', id: 'id-laptop', strength: 'local' },
    why: 'any loopback address is us',
  },
  {
    address: '::1',
    asker: { kind: 'device', id: 'id-laptop', strength: 'local' },
    why: 'IPv6 too',
  },
  {
    address: 'fd00::3',
    asker: { kind: 'device', id: 'id-nas', strength: 'key' },
    why: 'overlay IPv6',
  },
  {
    address: '100.64.0.3',
    asker: { kind: 'device', id: 'id-nas', strength: 'key' },
    why: 'overlay IPv4',
  },
  {
    address: '::ffff:100.64.0.3',
    asker: { kind: 'device', id: 'id-nas', strength: 'key' },
    why: 'mapped IPv4',
  },
  { address: 'fd00::99', asker: { kind: 'stranger' }, why: 'nobody has that address' },
])('$address: $why', ({ address, asker }) => {
  expect(identify({ devices: DEVICES, self: 'id-laptop' }, { address })).toMatchObject(asker);
});

test.each([
  { from: LAPTOP, name: '_dns.resolver.arpa', kind: 'zone', why: 'RFC 9462 §4' },
  { from: NAS, name: 'Resolver.ARPA', kind: 'zone', why: 'the special name itself' },
  { from: LAPTOP, name: 'notresolver.arpa', kind: 'recurse', why: 'another name' },
  { from: '203.0.113.5', name: '_dns.resolver.arpa', kind: 'refuse', why: 'not for the world' },
])('$name from $from: $why', async ({ from, name, kind }) => {
  const { ruling } = await rule(from, name, { type: TYPE.SVCB });
  expect(ruling.kind).toBe(kind);
  if (ruling.kind === 'zone') expect(ruling.authority).toBe(designation);
});

const REVERSE_NAS = `3.${'0.'.repeat(29)}d.f.ip6.arpa`;

test.each([
  { from: LAPTOP, name: REVERSE_NAS, kind: 'zone', why: 'a device of the household' },
  { from: PHONE, name: '3.0.64.100.in-addr.arpa', kind: 'zone', why: 'and by its IPv4 address' },
  { from: LAPTOP, name: `8${REVERSE_NAS.slice(1)}`, kind: 'recurse', why: 'nobody has that one' },
  {
    from: NEIGHBOUR,
    name: REVERSE_NAS,
    kind: 'recurse',
    why: 'who may not know the name learns as much as of nobody’s (I10)',
  },
  { from: NEIGHBOUR, name: `8${REVERSE_NAS.slice(1)}`, kind: 'recurse', why: 'namely this' },
])('$name for $from is $kind: $why', async ({ from, name, kind }) => {
  const { ruling, reached } = await rule(from, name, { type: TYPE.PTR });
  expect(ruling.kind).toBe(kind);
  // The way back wakes no tunnel.
  expect(reached).toEqual([]);
});

function lanOf(file: string): Lan {
  const read = readHosts(lanHosts([file], [], 'lan', 0));
  if (!read.ok) throw new Error(read.problem);
  return { domain: 'lan', hosts: () => read.hosts, [Symbol.dispose]() {} };
}

test.each([
  { name: 'camera.lan', type: TYPE.A, kind: 'nxdomain', why: 'the name itself' },
  { name: 'camera', type: TYPE.A, kind: 'nxdomain', why: 'its first label alone' },
  { name: '5.1.168.192.in-addr.arpa', type: TYPE.PTR, kind: 'recurse', why: 'as of no host' },
  { name: '6.1.168.192.in-addr.arpa', type: TYPE.PTR, kind: 'zone', why: 'another host' },
  { name: 'printer', type: TYPE.A, kind: 'zone', why: 'and its name' },
])('a host of the LAN that is denied is found by no way (I10): $name, $why', async (each) => {
  const { name, type, kind } = each;
  const camera: Rule = {
    ...{ id: 'no-camera', tier: 'rule', effect: 'deny', who: { any: ['*'] }, do: ['resolve'] },
    ...{ what: { any: ['name:camera.lan'] }, when: {}, note: '', enabled: true },
  };
  const lan = lanOf('192.168.1.5 camera\n192.168.1.6 printer');
  expect((await rule(NEIGHBOUR, name, { type, lan, rules: [camera] })).ruling.kind).toBe(kind);
});

test.each([
  { name: 'printer.lan', type: TYPE.A, kind: 'zone', why: 'a host of the LAN' },
  { name: 'printer.lan', type: TYPE.TXT, kind: 'zone', why: 'that has nothing else' },
  { name: '5.1.168.192.in-addr.arpa', type: TYPE.PTR, kind: 'zone', why: 'the way back' },
  { name: '6.1.168.192.in-addr.arpa', type: TYPE.PTR, kind: 'recurse', why: 'a local zone’s' },
  { name: 'scanner.lan', type: TYPE.A, kind: 'nxdomain', why: 'no host of the LAN' },
  { name: 'lan.example', type: TYPE.A, kind: 'recurse', why: 'another name' },
])('with a LAN $name is $kind: $why', async ({ name, type, kind }) => {
  const lan = lanOf('192.168.1.5 printer');
  expect((await rule(NEIGHBOUR, name, { type, lan })).ruling.kind).toBe(kind);
  // Who may not ask for names at all gets these no more than others.
  expect((await rule('198.51.100.9', name, { type, lan })).ruling.kind).toBe('refuse');
});
