import { expect, test } from 'vitest';
import { siphash } from './siphash.ts';

const KEY = Uint8Array.from({ length: 16 }, (_, index) => index);

/** From the reference implementation's vectors.h: messages 00, 00 01, 00 01 02 … under 00 … 0f. */
test.each([
  { length: 0, hash: '310e0edd47db6f72' },
  { length: 1, hash: 'fd67dc93c539f874' },
  { length: 7, hash: '37d1018bf50002ab' },
  { length: 8, hash: '6224939a79f5f593' },
  { length: 15, hash: 'e545be4961ca29a1' },
  { length: 63, hash: '724506eb4c328a95' },
])('$length octets: $hash', ({ length, hash }) => {
  const data = Uint8Array.from({ length }, (_, index) => index);
  expect(Buffer.from(siphash(KEY, data)).toString('hex')).toBe(hash);
});
