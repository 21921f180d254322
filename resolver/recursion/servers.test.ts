import { describe, expect, test } from 'vitest';
import {
  createServers,
  FAMILY_LOSSES,
  FAMILY_SECONDS,
  FIRST_TIMEOUT,
  LAME_SECONDS,
  MAX_LAME_ZONES,
  MAX_TIMEOUT,
  MIN_TIMEOUT,
  PLAIN_EVIDENCE,
  PLAIN_SECONDS,
  waysOut,
} from './servers.ts';

const ONE = { address: '192.0.2.1', port: 53 };
const TWO = { address: '192.0.2.2', port: 53 };

describe('waiting', () => {
  test.each([
    { history: [], timeout: FIRST_TIMEOUT, why: 'nothing is known' },
    {
      history: [10, 10, 10, 10, 10, 10],
      timeout: MIN_TIMEOUT,
      why: 'a fast server, but never less than the least',
    },
    { history: [200], timeout: 600, why: 'one measurement: three times as long (RFC 6298 §2.2)' },
    { history: ['lost'], timeout: 2 * FIRST_TIMEOUT, why: 'a loss doubles' },
    {
      history: ['lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost'],
      timeout: MAX_TIMEOUT,
      why: 'to a limit',
    },
    { history: ['lost', 'lost', 200], timeout: 600, why: 'an answer makes good' },
  ])('$history: $why', ({ history, timeout }) => {
    const servers = createServers();
    for (const event of history) {
      if (typeof event === 'number') servers.answered(ONE, event);
      else servers.lost(ONE, 100);
    }
    expect(servers.timeout(ONE, 100)).toBe(timeout);
  });

  test('losses of a minute ago are forgiven', () => {
    const servers = createServers();
    for (let i = 0; i < 5; i++) servers.lost(ONE, 100);
    expect(servers.score(ONE, 100)).toBeGreaterThan(servers.score(TWO, 100));
    expect(servers.score(ONE, 161)).toBe(servers.score(TWO, 161));
  });
});

test('a family without a way out is asked last from the beginning, until there is one', () => {
  const six = { address: '2001:db8::1', port: 53 };
  let ways = { ipv4: true, ipv6: false };
  const servers = createServers(10, () => ways);
  const isLast = (now: number) => servers.score(six, now) > servers.score(TWO, now) + 1000;
  expect(isLast(100)).toBe(true);
  expect(isLast(100 + FAMILY_SECONDS)).toBe(true);
  ways = { ipv4: true, ipv6: true };
  expect(isLast(100 + 2 * FAMILY_SECONDS)).toBe(false);
});

test('a family that is answered in all the same is asked as ever', () => {
  const six = { address: 'fd00::1', port: 53 };
  const servers = createServers(10, () => ({ ipv4: true, ipv6: false }));
  servers.score(six, 100);
  servers.answered(six, 10);
  expect(servers.score(six, 101)).toBeLessThan(servers.score(TWO, 101));
});

test.each([
  { own: ['127.0.0.1', '::1', '192.168.1.2'], ipv4: true, ipv6: false, why: 'behind a NAT' },
  { own: ['192.168.1.2', 'fe80::1%eth0', 'fd00::2'], ipv4: true, ipv6: false, why: 'of the site' },
  { own: ['192.168.1.2', '2001:db8::2'], ipv4: true, ipv6: true, why: 'both' },
  { own: ['127.0.0.1', '169.254.1.1', '2001:db8::2'], ipv4: false, ipv6: true, why: 'IPv6 alone' },
  { own: ['127.0.0.1', '::1'], ipv4: true, ipv6: true, why: 'a laboratory on one machine' },
  { own: [], ipv4: true, ipv6: true, why: 'nobody can tell' },
])('from $own there is IPv4 $ipv4 and IPv6 $ipv6: $why', ({ own, ipv4, ipv6 }) => {
  expect(waysOut(own)).toEqual({ ipv4, ipv6 });
});

test('a family nobody answers in is asked last, for a time', () => {
  const servers = createServers();
  const six = (host: number) => ({ address: `2001:db8::${host}`, port: 53 });
  for (let host = 1; host <= FAMILY_LOSSES; host++) servers.lost(six(host), 100);
  expect(servers.score(six(99), 101)).toBeGreaterThan(servers.score(TWO, 101) + 1000);
  expect(servers.score(six(99), 100 + FAMILY_SECONDS)).toBe(servers.score(TWO, 101));
  servers.answered(six(1), 10);
  expect(servers.score(six(99), 101)).toBe(servers.score(TWO, 101));
});

test('lameness is for one zone, and for a time', () => {
  const servers = createServers();
  servers.markLame(ONE, 'a', 0);
  expect([
    servers.isLame(ONE, 'a', 1),
    servers.isLame(ONE, 'b', 1),
    servers.isLame(TWO, 'a', 1),
  ]).toEqual([true, false, false]);
  expect(servers.isLame(ONE, 'a', LAME_SECONDS)).toBe(false);
});

test('EDNS is given up after several plain answers, for a time', () => {
  const servers = createServers();
  for (let i = 1; i < PLAIN_EVIDENCE; i++) servers.plainWorked(ONE, 0);
  expect(servers.speaksEdns(ONE, 0)).toBe(true);
  servers.plainWorked(ONE, 0);
  expect(servers.speaksEdns(ONE, 0)).toBe(false);
  expect(servers.speaksEdns(ONE, PLAIN_SECONDS)).toBe(true);
});

test('EDNS that worked in between disproves what came before', () => {
  const servers = createServers();
  for (let i = 0; i < 2 * PLAIN_EVIDENCE; i++) {
    servers.plainWorked(ONE, 0);
    servers.ednsWorked(ONE);
  }
  expect(servers.speaksEdns(ONE, 0)).toBe(true);
});

test('memory is bounded, the longest unused is forgotten', () => {
  const servers = createServers(10);
  for (let i = 0; i < 100; i++) servers.answered({ address: `192.0.2.${i}`, port: 53 }, 1);
  expect(servers.size).toBe(10);
  for (let i = 0; i < 100; i++) servers.markLame(TWO, `zone${i}`, 0);
  expect(servers.isLame(TWO, 'zone0', 1)).toBe(false);
  expect(servers.isLame(TWO, `zone${100 - MAX_LAME_ZONES}`, 1)).toBe(true);
});
