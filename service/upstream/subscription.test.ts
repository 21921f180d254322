import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSubscription, printSubscription } from './subscription.ts';

const KEY = `${'A'.repeat(43)}=`;
const SUBSCRIPTION = {
  ...{ url: 'https://hub.example/', realm: 'ab'.repeat(32), keys: [KEY], name: 'mesh' },
};
const printed = (change: object): string =>
  `nymote-upstream:${Buffer.from(JSON.stringify({ ...SUBSCRIPTION, ...change })).toString('base64url')}`;

describe('a subscription', () => {
  const text = printSubscription(SUBSCRIPTION);

  test('is one line that says it all', () => {
    expect(text).toMatch(/^nymote-upstream:[\w-]+$/);
    expect(parseSubscription(text)).toEqual(SUBSCRIPTION);
  });

  test('is read also when a mail program broke it', () => {
    expect(parseSubscription(`  ${text.slice(0, 60)}\r\n ${text.slice(60)}\n`)).toEqual(
      SUBSCRIPTION,
    );
  });

  test.each<[object, string]>([
    [{ url: 'file:///etc/passwd' }, 'no place of the web'],
    [{ url: 'hub.example' }, 'no URL'],
    [{ realm: '../../etc' }, 'no realm, and a path'],
    [{ keys: [] }, 'nothing to read with'],
    [{ keys: ['short'] }, 'no key'],
    [{ keys: new Array(65).fill(KEY) }, 'more keys than a realm has'],
    [{ name: '../x' }, 'a name that is a path'],
    [{ more: 1 }, 'what we do not know'],
  ])('with %j is none: %s', (change) => {
    expect(parseSubscription(printed(change))).toBeUndefined();
  });

  test.each([
    ['', 'nothing'],
    ['nymote-upstream:', 'nothing in it'],
    ['nymote-upstream:!!!', 'no base64'],
    [`nymote-upstream:${'A'.repeat(9_000)}`, 'too long'],
  ])('%j is none: %s', (other) => {
    expect(parseSubscription(other)).toBeUndefined();
  });

  test('any text is read without a throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), (some, bytes) => {
        parseSubscription(some);
        parseSubscription(`nymote-upstream:${Buffer.from(bytes).toString('base64url')}`);
      }),
    );
  });
});
