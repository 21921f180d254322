import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { createSessions } from './sessions.ts';

const { crypto, random } = fakeRuntime();
const NOW = 1_800_000_000;
const MINUTE = 60;
const HOUR = 3600;
const touch = { touch: true };
const look = { touch: false };

function start() {
  const sessions = createSessions(crypto, random);
  return { sessions, secret: sessions.create('alice', NOW).secret };
}

test('the secret is 256 bits of base64url, and another each time', () => {
  const { sessions, secret } = start();
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(sessions.create('alice', NOW).secret).not.toBe(secret);
});

test.each([
  { after: 0, runs: true, why: 'just signed in' },
  { after: 30 * MINUTE - 1, runs: true, why: 'the last idle second' },
  { after: 30 * MINUTE, runs: false, why: 'idle for half an hour' },
  { after: -30, runs: true, why: 'NTP set the clock back a little' },
  { after: -HOUR, runs: false, why: 'the clock was set back' },
])('after $after s the session runs: $runs ($why)', ({ after, runs }) => {
  const { sessions, secret } = start();
  expect(sessions.check(secret, NOW + after, touch) !== undefined).toBe(runs);
});

test('use keeps a session alive, for 12 hours in all', () => {
  const { sessions, secret } = start();
  for (let now = NOW; now < NOW + 12 * HOUR; now += 20 * MINUTE) {
    expect(sessions.check(secret, now, touch)?.name).toBe('alice');
  }
  expect(sessions.check(secret, NOW + 12 * HOUR - 1, touch)?.expiresAt).toBe(NOW + 12 * HOUR);
  expect(sessions.check(secret, NOW + 12 * HOUR, touch)).toBeUndefined();
});

test('looking without touching does not keep a session alive', () => {
  const { sessions, secret } = start();
  expect(sessions.check(secret, NOW + 29 * MINUTE, look)?.expiresAt).toBe(NOW + 30 * MINUTE);
  expect(sessions.check(secret, NOW + 31 * MINUTE, look)).toBeUndefined();
});

test('an ended session stays ended, and ending nothing is fine', () => {
  const { sessions, secret } = start();
  sessions.end(secret);
  sessions.end(secret);
  sessions.end('');
  expect(sessions.check(secret, NOW, touch)).toBeUndefined();
});

test('there are never more than 256 sessions; the one used longest ago gives way', () => {
  const { sessions, secret } = start();
  const unused = sessions.create('bob', NOW).secret;
  sessions.check(secret, NOW, touch);
  for (let count = 0; count < 255; count += 1) sessions.create('carol', NOW);
  expect(sessions.check(unused, NOW, touch)).toBeUndefined();
  expect(sessions.check(secret, NOW, touch)?.name).toBe('alice');
});

test('no other text is a session', () => {
  const { sessions } = start();
  fc.assert(
    fc.property(fc.string({ maxLength: 50 }), (text) => {
      expect(sessions.check(text, NOW, touch)).toBeUndefined();
    }),
  );
});
