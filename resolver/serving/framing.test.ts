import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frame, unframe } from './framing.ts';

async function* inChunks(octets: Uint8Array, sizes: readonly number[]) {
  let at = 0;
  for (let index = 0; at < octets.length; index++) {
    const size = Math.max(1, sizes[index % sizes.length] ?? 1);
    yield octets.subarray(at, at + size);
    at += size;
  }
}

async function collect(messages: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = [];
  for await (const message of messages) collected.push(message);
  return collected;
}

test('messages come out as they went in, however the stream is cut', async () => {
  const message = fc.uint8Array({ maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 6 }),
      fc.array(fc.nat(50), { minLength: 1, maxLength: 5 }),
      async (messages, sizes) => {
        const stream = Uint8Array.from(messages.flatMap((each) => [...frame(each)]));
        const out = await collect(unframe(inChunks(stream, sizes)));
        expect(out).toEqual(messages);
      },
    ),
  );
});

test('an incomplete message at the end is none', async () => {
  const out = await collect(unframe(inChunks(new Uint8Array([0, 1, 9, 0, 5, 1, 2]), [3])));
  expect(out).toEqual([new Uint8Array([9])]);
});
