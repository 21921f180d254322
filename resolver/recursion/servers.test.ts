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
