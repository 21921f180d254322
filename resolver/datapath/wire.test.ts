import { expect, test } from 'vitest';
import { encodeMessage } from '../message/message.ts';
import type { ResourceRecord } from '../message/record.ts';
import { nameOf } from '../recursion/reply.fixture.ts';
import { answerOf, queryOf } from './message.fixture.ts';
import { readAnswer } from './wire.ts';

const NOW = 1_800_000_000.5;
const query = queryOf('www.example');

/** A signature over A that ends `seconds` from now. */
function signature(seconds: number, ttl: number): ResourceRecord {
  const rdata = new Uint8Array(60);
  rdata[1] = 1;
  new DataView(rdata.buffer).setUint32(8, Math.ceil(NOW) + seconds);
  return { owner: nameOf('www.example'), type: 46, class: 1, ttl, rdata };
}

test('all TTLs but that of OPT are found, and the least of them', () => {
  const answer = answerOf(query, 300, [192, 0, 2, 1]);
  const more = { ...answer, additionals: answerOf(queryOf('ns.other'), 60, [1, 2, 3, 4]).answers };
  const wire = encodeMessage({
    ...more,
    edns: { udpSize: 1, version: 0, dnssecOk: true, options: [] },
  });
  const kept = readAnswer(wire, NOW);
  const view = new DataView(wire.buffer, wire.byteOffset);
  expect(kept?.ttls.map((at) => view.getUint32(at))).toEqual([300, 60]);
  expect(kept).toMatchObject({ seconds: 60, questionEnd: 29 });
});

test.each([
  { seconds: 20, expected: 20, why: 'a signature that ends soon' },
  { seconds: 900, expected: 300, why: 'a signature that outlives the TTL' },
  { seconds: -5, expected: -5, why: 'one that has ended' },
])('$why', ({ seconds, expected }) => {
  const answer = answerOf(query, 300, [192, 0, 2, 1]);
  const wire = encodeMessage({ ...answer, answers: [...answer.answers, signature(seconds, 300)] });
  expect(readAnswer(wire, NOW)?.seconds).toBe(expected);
});

test.each([
  { wire: encodeMessage({ ...query, response: true }), why: 'nothing with a TTL' },
  {
    wire: encodeMessage({ ...answerOf(query, 300, [1, 2, 3, 4]), truncated: true }),
    why: 'a truncated one',
  },
  { wire: encodeMessage(answerOf(query, 300, [1, 2, 3, 4])).subarray(0, -1), why: 'one cut off' },
  { wire: new Uint8Array(5), why: 'no message' },
])('not kept: $why', ({ wire }) => {
  expect(readAnswer(wire, NOW)).toBeUndefined();
});
