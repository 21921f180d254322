import { expect, test } from 'vitest';
import type { BatchIo } from '#runtime';
import { createArena, mapArena, THREAD, threadWord } from './layout.ts';
import { ringsOf, SOUND, serveBatches } from './loop.ts';
import { encoded, queryOf } from './message.fixture.ts';
import { take } from './ring.ts';

const STRIDE = 2_048;

/** A thread that hears one question and ends; what it rang for. */
function serveOne(shared: SharedArrayBuffer): readonly number[] {
  const query = encoded(queryOf('www.example'));
  const received = new Uint8Array(STRIDE);
  received.set(query);
  const replies = new Uint8Array(STRIDE);
  const rung: number[] = [];
  let turns = 0;
  const io: BatchIo = {
    ...{ thread: 0, shared, stride: STRIDE, received, replies },
    ...{ senders: new Uint32Array(8), replyWords: new Int32Array(replies.buffer), routeBytes: 80 },
    receive: () => (turns++ === 0 ? 1 : -1),
    lengthOf: () => query.length,
    put: () => undefined,
    flush: () => undefined,
    socket: () => 0,
    copyRoute: () => undefined,
    now: () => 100,
    ring: (sound) => rung.push(sound),
  };
  serveBatches(io);
  return rung;
}

test('a question that no thread can answer is rung for', () => {
  const shared = createArena(1, 0, 1);
  expect(serveOne(shared)).toEqual([SOUND.miss]);
});

test('what a thread rang for that died before it was heard is rung for again', () => {
  const shared = createArena(1, 0, 1);
  const arena = mapArena(shared);
  serveOne(shared);
  expect(arena.words[threadWord(0, THREAD.missRung)]).toBe(1);
  expect(serveOne(shared)).toEqual([SOUND.miss]);
  const { miss } = ringsOf(arena, 0);
  expect([take(arena, miss), take(arena, miss), take(arena, miss)].map((one) => !one)).toEqual([
    ...[false, false, true],
  ]);
});
