import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import { importInto } from './repository.ts';

const MEGABYTE = 1 << 20;

test('an address that never stops sending is left after what a list of branches may be', async () => {
  const runtime = fakeRuntime();
  let sent = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        sent += MEGABYTE;
        // Where nobody leaves, the test ends all the same.
        if (sent > 64 * MEGABYTE) controller.close();
        else controller.enqueue(new Uint8Array(MEGABYTE));
      },
    },
    { highWaterMark: 0 },
  );
  const endless = { ...runtime, http: { ...runtime.http, fetch: async () => new Response(body) } };
  await using store = await openStore(runtime, { directory: '/data/store' });
  const taken = importInto(endless, store, 'http://evil.example/config.git', () => undefined);
  await expect(taken).rejects.toMatchObject({
    code: 'damaged',
    message: 'http://evil.example/config.git/info/refs is too large',
  });
  expect(sent).toBeLessThan(8 * MEGABYTE);
});
