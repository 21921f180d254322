import { expect, test } from 'vitest';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import { nameOf } from '../recursion/reply.fixture.ts';
import { createCache } from './cache.ts';
import { MAX_SHARE, shareStart } from './share.ts';
import { TRUST } from './worth.ts';

test.each([
  { name: '.', of: undefined, why: 'the root' },
  { name: 'com.', of: undefined, why: "a registry's" },
  { name: 'example.com.', of: 'example.com.', why: 'a domain' },
  { name: 'a.b.example.com.', of: 'example.com.', why: 'below it' },
  { name: 'co.uk.', of: undefined, why: "a registry's second level" },
  { name: 'example.co.uk.', of: 'example.co.uk.', why: 'a domain below that' },
  { name: 'www.example.co.uk.', of: 'example.co.uk.', why: 'and below it' },
  { name: 'www.co.example.', of: 'co.example.', why: 'no country: a domain called co' },
  { name: 'www.example.de.', of: 'example.de.', why: 'a country without second level' },
])('$name belongs to $of: $why', ({ name, of }) => {
  const { key } = nameOf(name);
  const start = shareStart(key);
  expect(start < 0 ? undefined : key.slice(start)).toBe(of && nameOf(of).key);
});

test('a flood of one domain leaves the rest of the cache to others', () => {
  const limit = 400_000;
  const cache = createCache(limit);
  const put = (owner: string) => {
    const rrset: RRset = {
      owner: nameOf(owner),
      type: TYPE.A,
      ttl: 3600,
      rdatas: [new Uint8Array(4)],
      signatures: [],
    };
    cache.putRecords(rrset, TRUST.authoritative, 0);
  };
  for (let i = 0; i < 150; i++) put(`www.home${i}.example.`);
  const before = cache.bytes;
  for (let i = 0; i < 2000; i++) put(`n${i}.attack.example.`);
  expect(cache.bytes).toBeLessThanOrEqual(limit);
  expect(before).toBeLessThan(limit * (1 - MAX_SHARE));
  const left = Array.from({ length: 150 }, (_, i) =>
    cache.find(nameOf(`www.home${i}.example.`), TYPE.A, 1),
  ).filter(Boolean);
  expect(left).toHaveLength(150);
});
