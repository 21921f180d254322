import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocateIpv4, overlayAddress, overlayPrefix } from './address.ts';
import { isInPrefix, parseAddress } from './ip.ts';

const crypto = {
  hash: (algorithm: string, data: Uint8Array) =>
    new Uint8Array(createHash(algorithm).update(data).digest()),
};
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });
const realms = fc.stringMatching(/^[0-9a-f]{64}$/);

test('a known realm and key keep their addresses for ever', () => {
  // Changing this moves every device of every realm.
  expect(overlayPrefix(crypto, 'ab'.repeat(32))).toBe('fd27:1a41:3bd3::/48');
  expect(overlayAddress(crypto, 'ab'.repeat(32), new Uint8Array(32).fill(7))).toBe(
    'fd27:1a41:3bd3:0:4bb0:6f8e:4e3a:7715',
  );
});

test('a device lies in subnet 0 of its realm, which is unique local (RFC 4193 §3)', () => {
  fc.assert(
    fc.property(realms, keys, (realm, key) => {
      const prefix = overlayPrefix(crypto, realm);
      const address = overlayAddress(crypto, realm, key);
      expect(isInPrefix(address, prefix)).toBe(true);
      expect(isInPrefix(address, prefix.replace('/48', '/64'))).toBe(true);
      expect(isInPrefix(address, 'fd00::/8')).toBe(true);
    }),
  );
});

test('IPv4 addresses are in 100.64.0.0/10, new, and the same for the same key', () => {
  fc.assert(
    fc.property(fc.array(keys, { maxLength: 20 }), (list) => {
      const taken: string[] = [];
      for (const key of list) {
        const address = allocateIpv4(crypto, taken, key) ?? '';
        expect(isInPrefix(address, '100.64.0.0/10')).toBe(true);
        expect(taken).not.toContain(address);
        expect(allocateIpv4(crypto, taken, key)).toBe(address);
        expect([0, 255]).not.toContain(parseAddress(address)?.[3]);
        taken.push(address);
      }
    }),
  );
});

test('a taken address is stepped over', () => {
  const key = new Uint8Array(32);
  const first = allocateIpv4(crypto, [], key) ?? '';
  expect(allocateIpv4(crypto, [first], key)).not.toBe(first);
});
