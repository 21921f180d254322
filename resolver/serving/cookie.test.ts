import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { createCookies, examineCookie, SECRET_MILLISECONDS } from './cookie.ts';

const octets = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

const SECRET = 'e5e973e5a6b2a43f48e7dc849e37bfcf';
const OTHER = 'dd3bdf9344b678b185a6f5cb60fca715';
const NEXT = '445536bcd2513298075a5d379663c962';
const ALICE = { address: '198.51.100.100', client: '2464c4abcf10c957' };
const BOB = { address: '203.0.113.203', client: 'fc93fc62807ddb86' };
const CAROL = { address: '2001:db8:220:1:59de:d0f4:8769:82b8', client: '22681ab97d52c298' };

describe('RFC 9018 appendix A', () => {
  test.each([
    {
      ...ALICE,
      secrets: [SECRET],
      server: '',
      now: 1_559_731_985,
      isProven: false,
      reply: '010000005cf79f111f8130c3eee29480',
      why: 'A.1: the first cookie',
    },
    {
      ...ALICE,
      secrets: [SECRET],
      server: '010000005cf79f111f8130c3eee29480',
      now: 1_559_734_385,
      isProven: true,
      reply: '010000005cf7a871d4a564a1442aca77',
      why: 'A.2: the same one later, renewed',
    },
    {
      ...BOB,
      secrets: [SECRET],
      server: '01abcdef5cf78f71a314227b6679ebf5',
      now: 1_559_734_700,
      isProven: false,
      reply: '010000005cf7a9acf73a7810aca2381e',
      why: 'A.3: made by others with reserved bits, and too old by now',
    },
    {
      ...CAROL,
      secrets: [NEXT, OTHER],
      server: '010000005cf7c57926556bd0934c72f8',
      now: 1_559_741_961,
      isProven: true,
      reply: '010000005cf7c609a6bb79d16625507a',
      why: 'A.4: of the secret before this one',
    },
  ])('$why', ({ address, client, secrets, server, now, isProven, reply }) => {
    const examined = examineCookie(
      secrets.map(octets),
      octets(client),
      octets(server),
      address,
      now,
    );
    expect({ ...examined, reply: hex(examined.reply) }).toEqual({
      isProven,
      reply: client + reply,
    });
  });
});

const AT = 1_559_731_985;
const COOKIE = '010000005cf79f111f8130c3eee29480';

test.each([
  { server: COOKIE, after: 0, isProven: true, isSame: true, why: 'fresh' },
  { server: COOKIE, after: 1_800, isProven: true, isSame: true, why: 'half an hour old' },
  { server: COOKIE, after: 1_801, isProven: true, isSame: false, why: 'good, but to be renewed' },
  { server: COOKIE, after: 3_600, isProven: true, isSame: false, why: 'an hour old' },
  { server: COOKIE, after: 3_601, isProven: false, isSame: false, why: 'too old' },
  { server: COOKIE, after: -300, isProven: true, isSame: true, why: 'clocks differ' },
  { server: COOKIE, after: -301, isProven: false, isSame: false, why: 'from the future' },
  {
    server: `02${COOKIE.slice(2)}`,
    after: 0,
    isProven: false,
    isSame: false,
    why: 'another version',
  },
  { server: COOKIE.slice(0, -2), after: 0, isProven: false, isSame: false, why: 'too short' },
  { server: `${COOKIE}00`, after: 0, isProven: false, isSame: false, why: 'too long' },
  {
    server: `${COOKIE.slice(0, -2)}81`,
    after: 0,
    isProven: false,
    isSame: false,
    why: 'one bit is wrong',
  },
])('$why', ({ server, after, isProven, isSame }) => {
  const examined = examineCookie(
    [octets(SECRET)],
    octets(ALICE.client),
    octets(server),
    ALICE.address,
    AT + after,
  );
  expect(examined.isProven).toBe(isProven);
  expect(hex(examined.reply) === ALICE.client + server).toBe(isSame);
});

test('another address does not get through with it, a mapped one is the same', () => {
  const ask = (address: string) =>
    examineCookie([octets(SECRET)], octets(ALICE.client), octets(COOKIE), address, AT).isProven;
  expect(['198.51.100.101', '::ffff:198.51.100.100', 'nonsense'].map(ask)).toEqual([
    false,
    true,
    false,
  ]);
});

test('secrets change daily, and yesterday’s still hold', async () => {
  const { clock, random } = fakeRuntime();
  // The wall clock stands still for the cookie's own age not to matter.
  const stopped = { ...clock, monotonic: () => clock.monotonic(), now: () => AT };
  const cookies = createCookies(stopped, random);
  const client = octets(ALICE.client);
  const first = cookies.examine(client, new Uint8Array(0), ALICE.address).reply;
  const proven = (cookie: Uint8Array) =>
    cookies.examine(client, cookie.subarray(8), ALICE.address).isProven;
  expect(proven(first)).toBe(true);
  await clock.advance(SECRET_MILLISECONDS);
  expect(proven(first)).toBe(true);
  const second = cookies.examine(client, new Uint8Array(0), ALICE.address).reply;
  expect(hex(second)).not.toBe(hex(first));
  await clock.advance(SECRET_MILLISECONDS);
  expect([first, second].map(proven)).toEqual([false, true]);
  await clock.advance(2 * SECRET_MILLISECONDS);
  expect(proven(second)).toBe(false);
});
