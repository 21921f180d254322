import { describe, expect, test } from 'vitest';
import { createLimits } from './limits.ts';

const MINUTE_MS = 60_000;

function limitsAt() {
  let now = 0;
  const limits = createLimits({ monotonic: () => now });
  return { limits, wait: (milliseconds: number) => (now += milliseconds) };
}

const times = (count: number, act: () => void): void => {
  for (let index = 0; index < count; index++) act();
};

describe('how often', () => {
  test('a stranger is held by its key, and comes back', () => {
    const { limits, wait } = limitsAt();
    times(30, () => limits.stranger('192.0.2.1', 'k'));
    expect(limits.proven('k')).toBeGreaterThan(0);
    expect(limits.proven('another')).toBeUndefined();
    wait(MINUTE_MS);
    expect(limits.proven('k')).toBeUndefined();
  });

  test.each([
    ['192.0.2.1', '192.0.2.1', true, 'the same'],
    ['192.0.2.1', '::ffff:192.0.2.1', true, 'the same in other words'],
    ['2001:db8::1', '2001:db8:0:0:9::2', true, 'one /64'],
    ['2001:db8::1', '2001:db8:0:1::1', false, 'another /64'],
    ['192.0.2.1', '192.0.2.2', false, 'somebody else'],
  ])('strangers at %s hold up those at %s: %s (%s)', (used, asked, isHeld) => {
    const { limits } = limitsAt();
    times(600, () => limits.stranger(used, undefined));
    expect(limits.knock(asked, 'k') !== undefined).toBe(isHeld);
  });

  test('a member is not held by what strangers do at its address', () => {
    const { limits } = limitsAt();
    limits.member('m');
    times(600, () => limits.stranger('192.0.2.1', undefined));
    expect(limits.knock('192.0.2.1', 'm')).toBeUndefined();
    expect(limits.knock('192.0.2.1', 'k')).toBeGreaterThan(0);
  });

  test('a member that was dismissed is a stranger', () => {
    const { limits } = limitsAt();
    limits.member('m');
    limits.stranger('192.0.2.1', 'm');
    times(600, () => limits.stranger('192.0.2.1', undefined));
    expect(limits.knock('192.0.2.1', 'm')).toBeGreaterThan(0);
  });

  test('a member that does nothing else is held too', () => {
    const { limits } = limitsAt();
    times(600, () => limits.member('m'));
    expect(limits.proven('m')).toBeGreaterThan(0);
  });
});
