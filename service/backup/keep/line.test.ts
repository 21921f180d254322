import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BackupError } from '../error.ts';
import { isSameDigest, readQuota } from './guests.ts';
import { parseLine, printLine } from './line.ts';

const TOKEN = 'eWzhAV79owrwIdwatvo0SHmPB_aby4KBGcJZscZfnWg';
const PIN = 'AQaiHKv95JDDI7kDutjQMy0mlKiak/lls0uaI+3GCL8=';
const GOOD = printLine({ host: 'home.example:51822', guest: 'alice', token: TOKEN, pin: PIN });

test('a line says where, as whom, and who should be there', () => {
  expect(parseLine(GOOD)).toEqual({
    place: `https://home.example:51822/kept/alice/#sha256=${PIN}`,
    credentials: { user: 'alice', secret: TOKEN },
  });
});

test.each([
  { text: `${GOOD.slice(0, 60)}\r\n ${GOOD.slice(60)}\n`, why: 'a mail program broke it' },
  { text: GOOD.replace(/#.*$/, ''), why: 'an authority vouches for the name' },
  { text: GOOD.replace('home.example', '[2001:db8::1]'), why: 'an IPv6 address' },
  { text: GOOD.replace(':51822', ''), why: 'the port of HTTPS' },
])('is read: $why', ({ text }) => {
  expect(parseLine(text)?.credentials).toEqual({ user: 'alice', secret: TOKEN });
});

test.each([
  { text: '', why: 'nothing' },
  { text: GOOD.slice('nymote-backup:'.length), why: 'an address alone, which programs follow' },
  { text: GOOD.replace('https:', 'http:'), why: 'the token would go in the clear' },
  { text: GOOD.slice(0, -1), why: 'the pin is cut short' },
  { text: GOOD.replace('#sha256=', '#sha1='), why: 'another digest' },
  { text: GOOD.replace('/kept/alice/', '/kept/bob/'), why: "somebody else's place" },
  { text: GOOD.replace('/kept/alice/', '/kept/alice/../bob/'), why: 'a way out' },
  { text: GOOD.replace('/#', '/?x=1#'), why: 'more than there is to say' },
  { text: GOOD.replace(TOKEN, TOKEN.slice(1)), why: 'half a token' },
  { text: GOOD.replaceAll('alice', '..'), why: 'no name' },
  { text: GOOD.replace('home.example:51822', ''), why: 'nowhere' },
  { text: `${GOOD}${'A'.repeat(2_000)}`, why: 'too long' },
])('is none: $why', ({ text }) => {
  expect(parseLine(text)).toBeUndefined();
});

test('whatever is printed is read, and whatever is read is no other', () => {
  const guests = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
  const tokens = fc.stringMatching(/^[A-Za-z0-9_-]{43}$/);
  fc.assert(
    fc.property(guests, tokens, fc.domain(), fc.boolean(), (guest, token, host, isPinned) => {
      const pin = isPinned ? PIN : undefined;
      const read = parseLine(printLine({ host, guest, token, pin }));
      expect(read?.credentials).toEqual({ user: guest, secret: token });
      expect(new URL(read?.place ?? '').pathname).toBe(`/kept/${guest}/`);
    }),
  );
});

test('no text is more than refused', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }).map((rest) => `nymote-backup:${rest}`),
    fc
      .tuple(fc.nat(GOOD.length), fc.string())
      .map(([at, more]) => GOOD.slice(0, at) + more + GOOD.slice(at + more.length)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const { secret = TOKEN } = parseLine(text)?.credentials ?? {};
      expect(secret).toMatch(/^[\w-]{43}$/);
    }),
  );
});

describe('a quota', () => {
  test.each([
    { text: '1G', bytes: 2 ** 30 },
    { text: '500m', bytes: 500 * 2 ** 20 },
    { text: '2GiB', bytes: 2 ** 31 },
    { text: '1048576', bytes: 2 ** 20 },
  ])('$text', ({ text, bytes }) => {
    expect(readQuota(text)).toBe(bytes);
  });

  test.each([
    { text: '', why: 'nothing' },
    { text: 'G', why: 'no number' },
    { text: '1', why: 'too little for any backup' },
    { text: '-1G', why: 'less than nothing' },
    { text: '1.5G', why: 'not whole' },
    { text: '999999999999T', why: 'more than can be counted' },
  ])('$text is none: $why', ({ text }) => {
    expect(() => readQuota(text)).toThrow(BackupError);
  });
});

test('digests are the same or are not', () => {
  const hex = fc.stringMatching(/^[0-9a-f]{8}$/);
  fc.assert(
    fc.property(hex, hex, (one, other) => {
      expect(isSameDigest(one, other)).toBe(one === other);
      expect(isSameDigest(one, one)).toBe(true);
      expect(isSameDigest(one, one.slice(1))).toBe(false);
    }),
  );
});
