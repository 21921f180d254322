import { expect, test } from 'vitest';
import { createPolicy } from './decide.ts';
import { DEFAULT_RULES } from './defaults.ts';
import { explain } from './explain.ts';
import { zoneOf } from './zone.ts';

test('a decision tells its whole story', () => {
  const policy = createPolicy({
    rules: [
      ...DEFAULT_RULES,
      {
        id: 'bedtime',
        tier: 'rule',
        effect: 'deny',
        who: { any: ['user:anna'] },
        do: ['resolve'],
        what: { any: ['name:tiktok.com'] },
        when: {
          windows: [{ days: ['fri'], from: '20:00', to: '06:30' }],
          tz: 'Europe/Berlin',
        },
        note: 'agreed with Anna',
        enabled: true,
      },
    ],
    devices: [{ id: 'a', name: 'anna-tablet.alice.nymote', user: 'anna', kind: 'plain' }],
  });
  const decision = policy.decide({
    asker: { kind: 'device', id: 'a', strength: 'key' },
    verb: 'resolve',
    resource: 'name:tiktok.com',
    now: Date.parse('2026-11-20T21:30:00+01:00') / 1_000,
    clockIsSet: true,
  });
  expect(explain(decision, 'Europe/Berlin')).toBe(
    'anna-tablet.alice.nymote may not resolve tiktok.com because rule “bedtime” (agreed with Anna) forbids it. ' +
      'This can change at Sat 06:30. It outweighs default “own-recursion”, which would allow it.',
  );
});

test('a default says first what it is about', () => {
  const policy = createPolicy({
    rules: DEFAULT_RULES,
    devices: [{ id: 'l', name: 'laptop.alice.nymote', user: 'alice', kind: 'node' }],
  });
  const decision = policy.decide({
    asker: { kind: 'device', id: 'l', strength: 'key' },
    verb: 'resolve',
    resource: 'name:example.org',
    now: 1_795_000_000,
    clockIsSet: true,
  });
  expect(decision.why).toBe(
    'laptop.alice.nymote may resolve example.org by default: own devices use the resolver (rule “own-recursion”).',
  );
});

test.each([
  ['127.0.0.1', 'loopback', 'RFC 1122'],
  ['::1', 'loopback', 'RFC 4291'],
  ['::ffff:192.168.1.2', 'home', 'an IPv4 asker on a socket for both'],
  ['172.31.0.1', 'home', 'the last of 172.16/12'],
  ['172.32.0.1', 'internet', 'just outside'],
  ['fd12:3456::1', 'home', 'unique local'],
  ['fe80::1%eth0', 'home', 'link-local with its zone'],
  ['2001:db8::1', 'internet', 'global'],
  ['100.64.0.1', 'internet', "a carrier's network is not a home"],
  ['10.evil.example', 'internet', 'no address at all'],
])('%s is %s: %s', (address, zone) => {
  expect(zoneOf(address)).toBe(zone);
});
