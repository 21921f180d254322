import { expect, test } from 'vitest';
import { createLimiter, sourceOf } from './limiter.ts';

test('a source has a burst, then waits; others do not wait with it', () => {
  let now = 0;
  const limiter = createLimiter({ monotonic: () => now }, { burst: 3, perMinute: 6 });
  const take = () => limiter.take('a');
  expect([take(), take(), take(), take()]).toEqual([undefined, undefined, undefined, 10]);
  expect(limiter.take('b')).toBeUndefined();
  now = 9_500;
  expect(take()).toBe(1);
  now = 10_001;
  expect(take()).toBeUndefined();
  now = 1e9;
  expect([take(), take(), take(), take()].at(-1)).toBe(10);
});

test.each([
  { address: '192.0.2.1', source: '192.0.2.1', why: 'IPv4 is itself' },
  { address: '::ffff:192.0.2.1', source: '192.0.2.1', why: 'IPv4 on an IPv6 socket' },
  { address: '2001:db8:1:2:3:4:5:6', source: '2001:db8:1:2', why: 'the /64' },
  { address: '2001:db8::6', source: '2001:db8:0:0', why: 'zeros written out' },
  { address: 'FE80::1%eth0', source: 'fe80:0:0:0', why: 'the zone is not part of it' },
  { address: '::1', source: '0:0:0:0', why: 'loopback' },
])('$address counts as $source: $why', ({ address, source }) => {
  expect(sourceOf(address)).toBe(source);
});
