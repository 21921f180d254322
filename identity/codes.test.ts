import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { type Codes, codeSecrets, createCodes } from './codes.ts';

const { crypto, random } = fakeRuntime();
const NOW = 1_800_000_000;
const signIn = { purpose: 'sign-in', ttlSeconds: 300, data: 'alice' };

function open(): { codes: Codes<string>; code: string } {
  const codes = createCodes<string>(crypto, random);
  return { codes, code: codes.issue(signIn, NOW).code };
}

test('a code is six groups of five, and says until when it is good', () => {
  const codes = createCodes<string>(crypto, random);
  const { code, expiresAt } = codes.issue(signIn, NOW);
  expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]{5}$/);
  expect(expiresAt).toBe(NOW + 300);
  expect(codes.issue({ ...signIn, ttlSeconds: 1e9 }, NOW).expiresAt).toBe(NOW + 7 * 86_400);
});

test('a code works once', () => {
  const { codes, code } = open();
  expect(codes.redeem({ code, purpose: 'sign-in' }, NOW)).toEqual({ ok: true, data: 'alice' });
  expect(codes.redeem({ code, purpose: 'sign-in' }, NOW)).toEqual({ ok: false, reason: 'used' });
});

test.each([
  { purpose: 'sign-in', after: 299, reason: undefined, why: 'its last second' },
  { purpose: 'sign-in', after: 300, reason: 'expired', why: 'its time is over' },
  {
    purpose: 'sign-in',
    after: 8 * 86_400,
    reason: 'expired',
    why: 'long over, nothing issued since',
  },
  { purpose: 'sign-in', after: -60, reason: undefined, why: 'NTP set the clock back a little' },
  { purpose: 'sign-in', after: -86_400, reason: 'expired', why: 'a clock set back adds no time' },
  { purpose: 'enrolment', after: 0, reason: 'unknown', why: 'made for something else' },
])('a code for signing in, after $after s, for $purpose: $reason ($why)', (row) => {
  const { codes, code } = open();
  const answer = codes.redeem({ code, purpose: row.purpose }, NOW + row.after);
  expect(answer.ok ? undefined : answer.reason).toBe(row.reason);
});

test.each([
  { typed: (code: string) => code.toLowerCase(), works: true, why: 'lower case' },
  { typed: (code: string) => code.replaceAll('-', ''), works: true, why: 'no dashes' },
  { typed: (code: string) => ` ${code.replaceAll('-', ' ')}\n`, works: true, why: 'spaces' },
  {
    typed: (code: string) => code.replaceAll('0', 'o').replaceAll('1', 'l'),
    works: true,
    why: 'O for 0, L for 1',
  },
  { typed: (code: string) => code.slice(1), works: false, why: 'a digit too few' },
  { typed: (code: string) => `${code}0`, works: false, why: 'a digit too many' },
  { typed: (code: string) => code.replace(/.$/, 'U'), works: false, why: 'no digit' },
  { typed: () => '', works: false, why: 'nothing' },
  { typed: () => '0'.repeat(100_000), works: false, why: 'far too long' },
])('typed with $why: $works', ({ typed, works }) => {
  const { codes, code } = open();
  const answer = codes.redeem({ code: typed(code), purpose: 'sign-in' }, NOW);
  expect(answer).toEqual(works ? { ok: true, data: 'alice' } : { ok: false, reason: 'mistyped' });
});

test('a slip of the finger is nearly always told from an unknown code', () => {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  const { code } = open();
  fc.assert(
    fc.property(fc.nat(29), fc.nat(31), (position, value) => {
      const plain = [...code.replaceAll('-', '')];
      fc.pre(plain[position] !== digits[value]);
      plain[position] = digits[value] ?? '';
      expect(codeSecrets(crypto, plain.join(''))).toBeUndefined();
    }),
  );
});

test('no text makes reading a code throw, and none is one by chance', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), (text) => {
      expect(codeSecrets(crypto, text)).toBeUndefined();
    }),
  );
});

test('who fails ten times in a minute waits, others do not', () => {
  const { codes, code } = open();
  for (let attempt = 0; attempt < 10; attempt += 1) {
    codes.redeem({ code: 'nonsense', purpose: 'sign-in', from: 'mallory' }, NOW + attempt);
  }
  const by = (from: string) => ({ code, purpose: 'sign-in', from });
  const refused = { ok: false, reason: 'too-many-attempts' };
  expect(codes.redeem(by('mallory'), NOW + 10)).toEqual(refused);
  expect(codes.redeem(by('mallory'), NOW + 59)).toEqual(refused);
  expect(codes.redeem(by('alice'), NOW + 59)).toEqual({ ok: true, data: 'alice' });
  expect(codes.redeem(by('mallory'), NOW + 60)).toEqual({ ok: false, reason: 'used' });
});

test('who waits is not kept out for years by a clock that was set back', () => {
  const { codes } = open();
  const bad = { code: 'nonsense', purpose: 'sign-in', from: 'mallory' };
  for (let attempt = 0; attempt < 11; attempt += 1) codes.redeem(bad, NOW);
  expect(codes.redeem(bad, NOW)).toMatchObject({ reason: 'too-many-attempts' });
  expect(codes.redeem(bad, NOW - 86_400)).toMatchObject({ reason: 'mistyped' });
});

test('there are never more than 256 codes; the oldest gives way', () => {
  const { codes, code } = open();
  const later = Array.from({ length: 256 }, () => codes.issue(signIn, NOW).code);
  const redeem = (each: string) => codes.redeem({ code: each, purpose: 'sign-in' }, NOW).ok;
  expect(redeem(code)).toBe(false);
  expect(later.every(redeem)).toBe(true);
});
