import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Message } from '../message/message.ts';
import { decodeMessage } from '../message/message.ts';
import { createArena, DATAPATH_BYTES, mapArena } from './layout.ts';
import { answerOf, encoded, queryOf } from './message.fixture.ts';
import { createAsked, readAsked } from './question.ts';
import { createTableReader } from './reader.ts';
import { createTableWriter } from './table.ts';
import { readAnswer } from './wire.ts';

const NOW = 1_000;
const VIEW = 3;

function openTable(bytes = 64 * 1024) {
  const arena = mapArena(createArena(1, bytes, 99));
  const received = new Uint8Array(4_096);
  const replies = new Uint8Array(4_096);
  const replyWords = new Int32Array(replies.buffer);
  const reader = createTableReader(arena, 0, { received, replies, replyWords });
  const writer = createTableWriter(arena);

  function put(query: Message, address: number[], options: Record<string, unknown> = {}) {
    const bytes = encoded(query);
    const asked = createAsked();
    if (!readAsked(bytes, 0, bytes.length, 1, asked)) throw new Error('not for the datapath');
    const wire = encoded(answerOf(query, 300, address));
    const kept = readAnswer(wire, 0);
    if (kept === undefined) throw new Error('not to be kept');
    const rest = { view: VIEW, epoch: 0, now: NOW, seconds: 300 };
    const flags = { isFromZone: false, isSteady: false };
    writer.put({ wire, asked, kept, ...rest, ...flags, ...options });
  }

  function get(query: Message, options: { view?: number; epoch?: number; now?: number } = {}) {
    const { view = VIEW, epoch = 0, now = NOW } = options;
    const bytes = encoded(query);
    received.set(bytes, 2_048);
    const asked = createAsked();
    if (!readAsked(received, 2_048, bytes.length, 1, asked)) throw new Error('not for it');
    const place = reader.find(asked, view);
    if (place < 0) return undefined;
    reader.touch(place);
    const length = reader.answer(place, asked, 2_048, view, epoch, now, 2_048);
    if (length === 0) return undefined;
    const decoded = decodeMessage(replies.slice(2_048, 2_048 + length));
    if (!decoded.ok) throw new Error(decoded.reason);
    return decoded.message;
  }
  return { arena, writer, put, get };
}

const query = queryOf('www.example');
const EDNS = { udpSize: 1232, version: 0, dnssecOk: false, options: [] };

test('an answer comes back with the id and the letters of who asks', () => {
  const { put, get } = openTable();
  put(queryOf('wWw.example'), [192, 0, 2, 1]);
  const found = get(queryOf('WWW.eXAMPLe', { id: 77 }));
  expect(found).toMatchObject({ id: 77, response: true });
  const wire = [...(found?.questions[0]?.name.wire ?? [])];
  expect(String.fromCharCode(...wire.slice(1, 4), ...wire.slice(5, 12))).toBe('WWWeXAMPLe');
  expect(found?.answers[0]).toMatchObject({ ttl: 300, rdata: Uint8Array.of(192, 0, 2, 1) });
});

test.each([
  { options: { view: 4 }, why: 'another view' },
  { options: { epoch: 2 }, why: 'another epoch' },
  { options: { now: NOW + 300 }, why: 'its end' },
  { asked: queryOf('www.example', { edns: EDNS }), why: 'a question with EDNS' },
  { asked: queryOf('www.example', { checkingDisabled: true }), why: 'CD' },
  { asked: queryOf('www.example', { recursionDesired: false }), why: 'no RD' },
  { asked: queryOf('ww.wexample'), why: 'other labels' },
])('an answer is not for $why', ({ asked, options }) => {
  const { put, get } = openTable();
  put(query, [192, 0, 2, 1]);
  expect(get(query)).toBeDefined();
  expect(get(asked ?? query, options)).toBeUndefined();
});

test.each([
  { isSteady: false, ttl: 260, why: 'count down' },
  { isSteady: true, ttl: 300, why: 'stay, of an own zone' },
])('TTLs $why', ({ isSteady, ttl }) => {
  const { put, get } = openTable();
  put(query, [192, 0, 2, 1], { isSteady });
  expect(get(query, { now: NOW + 40 })?.answers[0]?.ttl).toBe(ttl);
});

test('an answer that is too long for this asker is not given', () => {
  const { put, get } = openTable();
  const long = queryOf('www.example', { edns: EDNS });
  const bytes = encoded(long);
  const asked = createAsked();
  readAsked(bytes, 0, bytes.length, 1, asked);
  put(long, [1, 2, 3, 4], { asked: { ...asked } });
  const small = { ...EDNS, udpSize: 512 };
  expect(get(queryOf('www.example', { edns: small }))).toBeDefined();
  const records = Array.from({ length: 60 }, (_, index) => [10, 0, 0, index]);
  const message = answerOf(long, 300, [1, 2, 3, 4]);
  const answers = records.map((rdata) => ({
    ...(message.answers[0] as Message['answers'][number]),
    rdata: Uint8Array.from(rdata),
  }));
  const wire = encoded({ ...message, answers });
  const kept = readAnswer(wire, 0);
  put(long, [0, 0, 0, 0], { wire, kept });
  expect(get(long)?.answers).toHaveLength(60);
  expect(get(queryOf('www.example', { edns: small }))).toBeUndefined();
});

test('a newer answer takes the place of an older one', () => {
  const { put, get, writer } = openTable();
  put(query, [192, 0, 2, 1]);
  put(query, [192, 0, 2, 2]);
  expect(get(query)?.answers[0]?.rdata).toEqual(Uint8Array.of(192, 0, 2, 2));
  expect(writer.entries).toBe(1);
});

test('memory is bounded, and what is used stays through a flood of names asked once', () => {
  const { put, get, writer, arena } = openTable();
  put(query, [192, 0, 2, 1]);
  for (let index = 0; index < 20_000; index++) {
    put(queryOf(`once${index}.example`), [10, 0, 0, 1]);
    if (index % 100 === 0) expect(get(query)).toBeDefined();
  }
  expect(writer.bytes).toBeLessThanOrEqual(64 * 1024);
  expect(arena.words.buffer.byteLength).toBeLessThan(1024 * 1024);
  expect(get(queryOf('once19999.example'))).toBeDefined();
  expect(get(queryOf('once1.example'))).toBeUndefined();
});

test('100,000 names fit beside each other, with at most 60 octets each beside the packet', () => {
  const { put, writer, arena } = openTable(DATAPATH_BYTES);
  let packets = 0;
  for (let index = 0; index < 100_000; index++) {
    const asked = queryOf(`host${index}.example`);
    packets += encoded(asked).length + 16;
    put(asked, [10, 0, 0, 1]);
  }
  // A bucket of the index may be full by chance.
  expect(writer.entries).toBeGreaterThan(97_000);
  const index = arena.places * 9 * (writer.bytes / DATAPATH_BYTES);
  const overhead = (writer.bytes + index - packets) / 100_000;
  expect(overhead).toBeLessThan(60);
});

test('it never finds anything but the last answer that was filed for the question', () => {
  const step = fc.record({
    name: fc.nat(40),
    view: fc.integer({ min: 1, max: 3 }),
    octet: fc.nat(255),
    doesPut: fc.boolean(),
    capitals: fc.boolean(),
    later: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const { put, get } = openTable(1_024);
      const model = new Map<string, { octet: number; at: number }>();
      let now = NOW;
      for (const { name, view, octet, doesPut, capitals, later } of steps) {
        now += later;
        const text = `n${name}.${'filler'.repeat(8)}.example`;
        const asked = queryOf(capitals ? text.toUpperCase() : text);
        const key = `${name} ${view}`;
        if (doesPut) {
          put(asked, [10, 0, 0, octet], { view, now, seconds: 50 });
          model.set(key, { octet, at: now });
          continue;
        }
        const found = get(asked, { view, now });
        if (found === undefined) continue;
        const known = model.get(key);
        expect(found.answers[0]?.rdata[3]).toBe(known?.octet);
        expect(found.answers[0]?.ttl).toBe(300 - (now - (known?.at ?? 0)));
        expect(now - (known?.at ?? 0)).toBeLessThan(50);
      }
    }),
  );
});
