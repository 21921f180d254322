import { expect, test } from 'vitest';
import { manualClock } from '#runtime/fake';
import { BURST, createRateLimit, MAX_NETWORKS, PER_SECOND } from './rate-limit.ts';

function count(limit: ReturnType<typeof createRateLimit>, address: string, times: number) {
  const counted = { serve: 0, slip: 0, drop: 0 };
  for (let index = 0; index < times; index++) counted[limit.admit(address)]++;
  return counted;
}

test.each([
  { one: '198.51.100.1', other: '198.51.100.254', shares: true, why: 'one /24' },
  { one: '198.51.100.1', other: '198.51.101.1', shares: false, why: 'its neighbour' },
  { one: '2001:db8:0:1::1', other: '2001:db8:0:ff::2', shares: true, why: 'one /56' },
  { one: '2001:db8:0:1::1', other: '2001:db8:0:100::1', shares: false, why: 'the next /56' },
  { one: '::ffff:198.51.100.1', other: '198.51.100.1', shares: true, why: 'mapped' },
])('$one and $other: $why', ({ one, other, shares }) => {
  const limit = createRateLimit(manualClock());
  count(limit, one, BURST);
  expect(limit.admit(other) !== 'serve').toBe(shares);
});

test('a burst, then the rate; every second of the others slips', async () => {
  const clock = manualClock();
  const limit = createRateLimit(clock);
  const address = '198.51.100.1';
  expect(count(limit, address, BURST + 10)).toEqual({ serve: BURST, slip: 5, drop: 5 });
  await clock.advance(1_000);
  expect(count(limit, address, PER_SECOND + 10).serve).toBe(PER_SECOND);
  await clock.advance(3_600_000);
  expect(count(limit, address, BURST + 1).serve).toBe(BURST);
});

test('a flood of forged networks costs bounded memory, and the newest are known', () => {
  const limit = createRateLimit(manualClock());
  const addressOf = (index: number) => `${index >> 16}.${(index >> 8) & 255}.${index & 255}.1`;
  count(limit, addressOf(0), BURST);
  for (let index = 1; index < MAX_NETWORKS; index++) limit.admit(addressOf(index));
  expect(limit.admit(addressOf(0))).toBe('drop');
  limit.admit(addressOf(MAX_NETWORKS));
  expect(limit.admit(addressOf(0))).toBe('serve');
});
