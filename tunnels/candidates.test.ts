import { expect, test } from 'vitest';
import { rankCandidates } from './candidates.ts';
import { createLimiter } from './rate.ts';

const at = (address: string, port = 1) => ({ address, port });
const OVERLAY = 'fd00:1:2::/48';
const PUBLIC = at('203.0.113.1');
const LAN = at('192.168.1.2');
const IPV6 = at('2001:db8::1');

test.each([
  {
    stored: [PUBLIC, IPV6, LAN],
    learnt: undefined,
    ranked: [LAN, IPV6, PUBLIC],
    why: 'nearer first',
  },
  { stored: [LAN], learnt: PUBLIC, ranked: [PUBLIC, LAN], why: 'heard from it there' },
  { stored: [LAN, LAN], learnt: LAN, ranked: [LAN], why: 'each once' },
  {
    stored: [
      at('fd00:1:2::9'),
      at('fe80::1'),
      at('0.0.0.0'),
      at('224.0.0.1'),
      at('::ffff:1.2.3.4'),
      at('host'),
      at('10.0.0.1', 0),
    ],
    learnt: at('fd00:1:2::9'),
    ranked: [],
    why: 'the tunnel itself, link-local, nobody, groups, mapped, names and port 0 are no places',
  },
])('$why', ({ stored, learnt, ranked }) => {
  expect(rankCandidates(stored, learnt, OVERLAY)).toEqual(ranked);
});

test('no more than 16 places', () => {
  const many = Array.from({ length: 50 }, (_, index) => at(`10.0.0.${index + 1}`));
  expect(rankCandidates(many, undefined, OVERLAY)).toHaveLength(16);
});

test('a source has a burst and a rate, and does not take from others', () => {
  const limiter = createLimiter();
  const admitted = (address: string, count: number, time: number) =>
    Array.from({ length: count }, () => limiter.admit(address, time)).filter(Boolean).length;
  expect(admitted('192.0.2.1', 100, 0)).toBe(40);
  expect(admitted('192.0.2.1', 100, 1_000)).toBe(20);
  expect(admitted('192.0.2.2', 10, 1_000)).toBe(10);
  // A customer's /64 is one source.
  expect(admitted('2001:db8::1', 30, 1_000) + admitted('2001:db8::2', 30, 1_000)).toBe(40);
});

test('a flood from everywhere is held, and forgotten', () => {
  const limiter = createLimiter();
  const admitted = Array.from({ length: 5_000 }, (_, index) =>
    limiter.admit(`10.${index >> 8}.${index & 255}.1`, 0),
  ).filter(Boolean).length;
  expect(admitted).toBe(400);
  expect(limiter.admit('192.0.2.1', 10_000)).toBe(true);
});
