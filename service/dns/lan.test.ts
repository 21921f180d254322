import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readHosts } from '#resolver';
import { fakeRuntime } from '#runtime/fake';
import { LOOK_MS, lanHosts, watchLan } from './lan.ts';

const NOW = 1_000;
const lease = (name: string, address: string, { expires = 2_000, mac = 'aa:bb' } = {}) =>
  `${expires} ${mac} ${address} ${name} 01:${mac}`;

test.each<{ hosts?: string; leases?: string; lines: readonly string[]; why: string }>([
  { hosts: '192.168.1.2 nas', lines: ['192.168.1.2 nas.lan nas'], why: 'a name gets the domain' },
  {
    hosts: '192.168.1.2 nas.example NAS # the box',
    lines: ['192.168.1.2 nas.example nas.lan nas'],
    why: 'what is written down stands as it is',
  },
  { hosts: '127.0.0.1 localhost\n::1 ip6-localhost', lines: [], why: 'loopback is no host' },
  {
    hosts: 'nonsense\nfe80::1%br-lan router\n192.168.1.1 router',
    lines: ['192.168.1.1 router.lan router'],
    why: 'lines that cannot be read are passed over',
  },
  { leases: lease('phone', '192.168.1.7'), lines: ['192.168.1.7 phone.lan'], why: 'a lease' },
  { leases: lease('phone', 'fd00::7'), lines: ['fd00::7 phone.lan'], why: 'of DHCPv6' },
  { leases: lease('phone', '192.168.1.7', { expires: 900 }), lines: [], why: 'that has ended' },
  {
    leases: lease('phone', '192.168.1.7', { expires: 0 }),
    lines: ['192.168.1.7 phone.lan'],
    why: 'that never ends',
  },
  { leases: lease('*', '192.168.1.7'), lines: [], why: 'without a name' },
  { leases: lease('wpad', '192.168.1.7'), lines: [], why: 'that wants to be everybody’s proxy' },
  { leases: lease('www.bank.example', '192.168.1.7'), lines: [], why: 'with a name of others' },
  { leases: 'duid 00:01:00:01', lines: [], why: 'a line about something else' },
  {
    hosts: '192.168.1.2 nas',
    leases: lease('nas', '192.168.1.66'),
    lines: ['192.168.1.2 nas.lan nas'],
    why: 'nobody takes a name that is written down',
  },
  {
    leases: [
      lease('phone', '192.168.1.7'),
      lease('phone', '192.168.1.66', { mac: 'ee:ee' }),
      lease('phone', 'fd00::7'),
    ].join('\n'),
    lines: ['192.168.1.7 phone.lan', 'fd00::7 phone.lan'],
    why: 'nor one that another host has',
  },
])('$why', ({ hosts = '', leases = '', lines }) => {
  expect(lanHosts([hosts], [leases], 'lan', NOW).split('\n').filter(Boolean)).toEqual(lines);
});

test('whatever the files say, a hosts file comes of it', () => {
  const words = fc.constantFrom(
    '192.168.1.1',
    '::1',
    'nas',
    '*',
    'x.y',
    '#',
    '9',
    'aa:bb',
    '\t',
    'ü',
  );
  const text = fc.array(fc.array(fc.oneof(words, fc.string())).map((all) => all.join(' ')));
  fc.assert(
    fc.property(text, text, (hosts, leases) => {
      expect(readHosts(lanHosts([hosts.join('\n')], [leases.join('\n')], 'lan', NOW)).ok).toBe(
        true,
      );
    }),
  );
});

test('files are read again as they change, and one that is missing says nothing', async () => {
  const runtime = fakeRuntime();
  await runtime.files.makeDirectory('/tmp');
  const write = (text: string) =>
    runtime.files.replace('/tmp/dhcp.leases', new TextEncoder().encode(text));
  using lan = await watchLan(runtime, {
    hosts: ['/etc/hosts'],
    leases: ['/tmp/dhcp.leases'],
    domain: 'lan',
  });
  const before = lan.hosts();
  await write(lease('phone', '192.168.1.7', { expires: 0 }));
  await runtime.clock.advance(LOOK_MS + 1);
  const after = lan.hosts();
  expect(after).not.toBe(before);
  await runtime.clock.advance(LOOK_MS + 1);
  expect(lan.hosts()).toBe(after);
});
