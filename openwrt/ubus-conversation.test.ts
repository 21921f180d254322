import { expect, test } from 'vitest';
import type { Connection } from '#runtime';
import { Conversation, sequenceAfter } from './ubus-conversation.ts';
import { createHandClock, settle } from './ubus-hub.fixture.ts';
import { encodeUbusMessage, UBUS_MESSAGE } from './ubus-message.ts';

/** A connection on which a test says what comes. */
function createLine() {
  let say: (bytes: Uint8Array) => void = () => undefined;
  const connection: Connection = {
    remote: { path: '/ubus.sock' },
    async *received() {
      while (true) yield await new Promise<Uint8Array>((resolve) => (say = resolve));
    },
    write: () => Promise.resolve(),
    abort: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const tell = async (type: number, sequence: number, peer: number, status?: number) => {
    const fields = status === undefined ? {} : { status };
    say(encodeUbusMessage({ type, sequence, peer, fields }) ?? new Uint8Array());
    await settle();
  };
  return { connection, tell };
}

async function converse() {
  const { connection, tell } = createLine();
  const conversation = new Conversation(createHandClock(), connection);
  const ignore = () => undefined;
  void conversation.run({ greeted: ignore, invoked: ignore, unsubscribed: ignore });
  await settle();
  await tell(UBUS_MESSAGE.hello, 0, 7);
  return { conversation, tell };
}

test.each([
  { last: 0, waiting: [], next: 1, why: 'the first' },
  { last: 65_534, waiting: [], next: 65_535, why: 'the last of 16 bits' },
  { last: 65_535, waiting: [], next: 1, why: 'around, but never 0' },
  { last: 65_534, waiting: [65_535, 1, 2], next: 3, why: 'around, past what still waits' },
])('after $last comes $next: $why', ({ last, waiting, next }) => {
  expect(sequenceAfter(last, new Map(waiting.map((number) => [number, true])))).toBe(next);
});

test.each([
  { sequence: 2, peer: 9, why: 'another number' },
  { sequence: 1, peer: 8, why: 'another object' },
])('an answer with $why is not taken', async ({ sequence, peer }) => {
  const { conversation, tell } = await converse();
  let answered = false;
  void conversation.request(UBUS_MESSAGE.invoke, 9, {}, 1_000).then(() => (answered = true));
  await tell(UBUS_MESSAGE.status, sequence, peer, 0);
  expect(answered).toBe(false);
  await tell(UBUS_MESSAGE.status, 1, 9, 0);
  expect(answered).toBe(true);
});

test('no more than 256 requests are under way at once', async () => {
  const { conversation } = await converse();
  const ask = () => conversation.request(UBUS_MESSAGE.lookup, 0, { path: 'x' }, 1_000);
  const all = Array.from({ length: 256 }, ask);
  expect(await ask()).toEqual({ ok: false, status: 'no-memory' });
  expect(all).toHaveLength(256);
});
