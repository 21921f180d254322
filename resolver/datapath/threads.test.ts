/**
 * Threads that read while one writes, over a log so small that everything is written over all the
 * time: no answer is ever torn, another's, or from before the last change.
 */

import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { encodeMessage } from '../message/message.ts';
import { type Askers, publishAskers } from './askers.ts';
import { createArena, HEAD, headWord, mapArena } from './layout.ts';
import { answerOf, encoded, queryOf } from './message.fixture.ts';
import { createAsked, readAsked } from './question.ts';
import { createTableWriter } from './table.ts';
import { readAnswer } from './wire.ts';

const NAMES = 200;
const RECORDS = 20;
const RUN_MS = 700;
const SEED = 1;
/** Answers of each thread, however late a busy machine starts it. */
const ENOUGH = 1_000;

/** A thread that asks as fast as it can; its sockets are arrays. */
const READER = `
const { workerData, parentPort } = require('node:worker_threads');
const { url, shared, floor, queries, thread } = workerData;
const floors = new Int32Array(floor);
const stride = 2048, batch = 64;
const received = new Uint8Array(stride * batch), replies = new Uint8Array(stride * batch);
const senders = new Uint32Array(batch * 8);
const lengths = new Uint32Array(batch), wanted = new Uint32Array(batch), asked = new Uint32Array(batch);
let turn = thread * 7, hits = 0, least = 0;
const wrong = [];
const io = {
  thread, shared, stride, received, senders, replies, replyWords: new Int32Array(replies.buffer),
  receive() {
    if (Atomics.load(floors, 1) !== 0) return -1;
    least = Atomics.load(floors, 0);
    for (let i = 0; i < batch; i++) {
      turn = (turn * 1103515245 + 12345) & 0x7fffffff;
      asked[i] = (turn >> 8) % queries.length;
      received.set(queries[asked[i]], i * stride);
      lengths[i] = queries[asked[i]].length;
      senders[i * 8] = 2; senders[i * 8 + 1] = 0x0100007f;
    }
    return batch;
  },
  lengthOf: (i) => lengths[i],
  put(reply, i, length) {
    const end = lengths[i];
    const view = new DataView(replies.buffer, reply * stride, length);
    const first = view.getUint32(end + 12);
    const name = first >>> 20, generation = first & 0xfffff;
    let torn = length !== end + ${RECORDS} * 16;
    for (let r = 0; r < ${RECORDS} && !torn; r++) torn = view.getUint32(end + r * 16 + 12) !== first;
    if (torn || name !== asked[i] || generation < least) wrong.push([torn, name, asked[i], generation, least]);
    Atomics.store(floors, 2 + thread, ++hits);
  },
  flush() {}, socket: () => 0, routeBytes: 80, copyRoute() {}, now: () => 100, ring() {},
};
import(url).then(({ serveBatches }) => {
  serveBatches(io);
  parentPort.postMessage({ hits, wrong: wrong.slice(0, 5) });
});
`;

const ASKERS: Askers = {
  exact: [],
  networks: [{ address: '127.0.0.0', bits: 8, view: 'self' }],
};

test('no torn, mixed up or outdated answer, however the threads run', async () => {
  const shared = createArena(2, 0, SEED);
  const arena = mapArena(shared);
  const floor = new SharedArrayBuffer(16);
  const floors = new Int32Array(floor);
  const queries = Array.from({ length: NAMES }, (_, index) => queryOf(`host${index}.example`));
  const url = new URL('./loop.ts', import.meta.url).href;
  const workers = [0, 1].map((thread) => {
    const workerData = { url, shared, floor, queries: queries.map(encoded), thread };
    const worker = new Worker(READER, { eval: true, workerData, execArgv: [] });
    return new Promise<{ hits: number; wrong: unknown[] }>((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  });

  const writer = createTableWriter(arena);
  const asked = createAsked();
  const end = performance.now() + RUN_MS;
  let generation = 0;
  let view = 0;
  const isEnough = () => [2, 3].every((at) => Atomics.load(floors, at) > ENOUGH);
  for (let step = 0; performance.now() < end || !isEnough(); step++) {
    if (step % 500 === 0) {
      view = publishAskers(arena, ASKERS).get('self') ?? 0;
      generation++;
      // From here on nobody may see anything older.
      Atomics.store(floors, 0, generation);
      // The readers need their turns on a machine with one processor.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const name = (step * 7) % NAMES;
    const query = queries[name] as (typeof queries)[number];
    const bytes = encoded(query);
    readAsked(bytes, 0, bytes.length, SEED, asked);
    const value = ((name << 20) | generation) >>> 0;
    const address = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
    const [record] = answerOf(query, 300, address).answers;
    const answers = Array.from({ length: RECORDS }, () => record as NonNullable<typeof record>);
    const wire = encodeMessage({ ...answerOf(query, 300, address), answers });
    const kept = readAnswer(wire, 0);
    if (kept === undefined) throw new Error('not to be kept');
    const epoch = Atomics.load(arena.words, headWord(HEAD.epoch));
    const flags = { isFromZone: false, isSteady: false };
    writer.put({ wire, asked, view, epoch, kept, now: 100, seconds: 50, ...flags });
  }
  Atomics.store(floors, 1, 1);
  const results = await Promise.all(workers);
  expect(results.flatMap(({ wrong }) => wrong)).toEqual([]);
  for (const { hits } of results) expect(hits).toBeGreaterThan(ENOUGH);
});
