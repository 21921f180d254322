import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isInPrefix, normalizePrefix, parseAddress, printAddress } from './ip.ts';

test.each([
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 'the first of equal runs is shortened'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', 'a single zero group is not'],
  ['::', '::', 'all zero'],
  ['::ffff:192.0.2.1', '::ffff:c000:201', 'an IPv4 tail'],
  ['1::', '1::', 'a run at the end'],
  ['192.0.2.1', '192.0.2.1', 'IPv4'],
])('%s is %s: %s (RFC 5952 §4)', (text, canonical) => {
  expect(printAddress(parseAddress(text) ?? new Uint8Array(0))).toBe(canonical);
});

test.each([
  ['192.0.2.01', 'octal or decimal?'],
  ['192.0.2', 'three parts'],
  ['256.0.0.1', 'too large'],
  ['1::2::3', 'two gaps'],
  ['1:2:3:4:5:6:7:8::', 'a gap of nothing'],
  ['fe80::1%eth0', 'a zone'],
  ['1.2.3.4::', 'IPv4 not at the end'],
  ['12345::', 'five digits'],
  [':1::', 'a lonely colon'],
  ['', 'nothing'],
  ['example.org', 'a name'],
])('%s is no address: %s', (text) => {
  expect(parseAddress(text)).toBeUndefined();
});

test('agrees with Node about addresses, and survives anything', () => {
  const texts = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.stringMatching(/^[0-9a-f:.]{0,40}$/),
    fc.string(),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const isAddress = isIP(text) !== 0 && !text.includes('%');
      expect(parseAddress(text) !== undefined).toBe(isAddress);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['fd00::1', 'fd00::/8', true, 'first byte'],
  ['fe00::1', 'fd00::/8', false, 'another byte'],
  ['172.31.255.255', '172.16.0.0/12', true, 'bits inside a byte'],
  ['172.32.0.0', '172.16.0.0/12', false, 'the next after it'],
  ['1.2.3.4', '::/0', false, 'another family'],
  ['fd00::1/128', 'fd00::/64', true, 'a prefix inside a prefix'],
])('%s in %s: %s, %s', (address, prefix, isInside) => {
  expect(isInPrefix(address, prefix)).toBe(isInside);
});

test('prefixes have one text', () => {
  expect(normalizePrefix('FD00:0::1')).toBe('fd00::1/128');
  expect(normalizePrefix('10.0.0.1')).toBe('10.0.0.1/32');
  expect(normalizePrefix('10.0.0.1/33')).toBeUndefined();
  expect(normalizePrefix('x/1')).toBeUndefined();
});
