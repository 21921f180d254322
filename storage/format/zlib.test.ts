import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deflateStored } from './zlib.ts';

test.each([0, 1, 5551, 5552, 5553, 65_534, 65_535, 65_536, 131_070, 200_000])(
  'zlib inflates %i bytes',
  (length) => {
    const data = new Uint8Array(length).fill(0xff);
    expect(Buffer.compare(inflateSync(deflateStored(data)), data)).toBe(0);
  },
);

test('zlib inflates anything', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (data) => {
      expect(new Uint8Array(inflateSync(deflateStored(data)))).toEqual(data);
    }),
  );
});
