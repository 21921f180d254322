import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { webdavTarget } from './webdav.ts';

const MINUTE = 60_000;

/** A server that sends a byte now and then, and how the body was left. */
function serverOf(everyMs: number, bytes: number) {
  const { clock } = fakeRuntime();
  const left = { isCancelled: false };
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) =>
      new Promise<void>((resolve) => {
        clock.after(everyMs, () => {
          if (left.isCancelled) return;
          controller.enqueue(Uint8Array.of(7));
          if (++sent === bytes) controller.close();
          resolve();
        });
      }),
    cancel() {
      left.isCancelled = true;
    },
  });
  const http = { ...fakeRuntime().http, fetch: async () => new Response(body) };
  return { target: webdavTarget({ http, clock }, 'https://nas.example/', undefined), clock, left };
}

test.each([
  { everyMs: 50_000, bytes: 3, ends: { length: 3 }, why: 'slow, but done' },
  {
    everyMs: 90_000,
    bytes: 3,
    ends: /^https:\/\/nas.example\/ stopped sending before the end$/,
    why: 'silent after its headers',
  },
  {
    everyMs: 50_000,
    bytes: 1_000,
    limit: 2_000,
    ends: /stopped sending before the end$/,
    why: 'a drop now and then, for days',
  },
  {
    everyMs: 50_000,
    bytes: 100,
    limit: 40_000_000,
    ends: { length: 100 },
    why: 'slow all the time, and much is expected',
  },
  { everyMs: 1, bytes: 5, ends: { length: 4 }, why: 'more than was listed' },
])(
  'a server that is slow does not hold us for ever: $why',
  async ({ everyMs, bytes, limit = 3, ends }) => {
    const { target, clock, left } = serverOf(everyMs, bytes);
    const reading = target.get('a.age', limit).catch((thrown: unknown) => thrown);
    for (let passed = 0; passed < 100 * MINUTE; passed += 10_000) await clock.advance(10_000);
    const result = await reading;
    if (ends instanceof RegExp) {
      expect(result).toMatchObject({ code: 'unreachable', message: expect.stringMatching(ends) });
      expect(left.isCancelled).toBe(true);
    } else {
      expect(result).toMatchObject(ends);
    }
  },
);

test('an answer is waited for as long as the question takes', async () => {
  const { clock, http } = fakeRuntime();
  const waits: (number | undefined)[] = [];
  const fetch: typeof http.fetch = async (_, options) => {
    waits.push(options?.timeoutMs);
    return new Response(null, { status: 201 });
  };
  const target = webdavTarget(
    { http: { ...http, fetch }, clock },
    'https://nas.example/',
    undefined,
  );
  await target.get('a.age', 3).catch(() => undefined);
  await target.put('a.age', new Uint8Array(8));
  await target.put('b.age', new Uint8Array(9_600_000));
  expect(waits).toEqual([MINUTE, 20 * MINUTE + 1, 40 * MINUTE]);
});
