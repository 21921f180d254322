/**
 * Mutated packets into codec, cache, recursor and validator: nothing throws, nothing grows, and no
 * question costs more than its budget (I6).
 *
 * The packets are what NSD and Knot said about signed zones. `NYMOTE_PACKETS=1000000` for more,
 * `NYMOTE_SEED` for others.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, expect, test } from 'vitest';
import { decodeMessage, decodeRdata, encodeMessage, type Message, printRecord } from '#resolver';
import { type Asking, type Draw, drawsFrom } from '../conformance/side-by-side-questions.ts';
import { describe, type Said } from '../conformance/side-by-side-stand.ts';
import { queryFor } from '../conformance/validation-stand.ts';
import { mutate } from './mutate.ts';
import { type Recording, type Replay, record, replay } from './replies.ts';

const PACKETS = Number(process.env['NYMOTE_PACKETS'] ?? 50_000);
const SEED = Number(process.env['NYMOTE_SEED'] ?? 1);

/** Of all packets, those that the whole resolver gets; the codec gets all. */
const RESOLVED_SHARE = 0.04;
const REAL_QUESTIONS = 600;

const CACHE_BYTES = 512 * 1024;
/** An entry of the cache is never less, so there are never more of them. */
const LEAST_ENTRY_BYTES = 100;
/** Megabytes, buffers included, that may be held afterwards more than after a tenth of the way. */
const SLACK = 24;
/** Sends of one question, chain of trust included (resolver/recursion/budget.ts, MAX_SENDS). */
const MAX_SENDS = 200;
/** Seconds of one question (MAX_MILLISECONDS), and those of a ruling's end. */
const MAX_SECONDS = 11;

const ASKER = { address: '203.0.113.9', port: 5353 };

let recording: Recording;

beforeAll(async () => {
  recording = await record(SEED, REAL_QUESTIONS);
});

test(`${PACKETS} mutated packets into the codec`, () => {
  const draw = drawsFrom(SEED);
  let understood = 0;
  let held: number | undefined;
  for (let packet = 0; packet < PACKETS; packet++) {
    if (packet > PACKETS / 10) held ??= heldMegabytes();
    const decoded = decodeMessage(mutate(pickFrom(recording.corpus, draw), draw, recording.corpus));
    if (!decoded.ok) continue;
    understood++;
    useAll(decoded.message);
  }
  const grown = heldMegabytes() - (held ?? 0);
  console.log(
    `codec: ${PACKETS} packets, ${understood} understood, seed ${SEED}, grew by ${grown.toFixed(1)} MB`,
  );
  expect(grown).toBeLessThan(SLACK);
  // A fuzzer whose every packet is refused at the door tests the door only.
  expect(understood).toBeGreaterThan(PACKETS / 10);
}, 600_000);

test('mutated packets into recursor, cache and validator', async () => {
  const draw = drawsFrom(SEED + 1);
  let packets = 0;
  const spoil = (reply: Uint8Array) => {
    // Most are right, so that questions get far.
    if (draw(5) !== 0) return reply;
    packets++;
    return mutate(reply, draw, recording.corpus);
  };
  await using stage = await replay(recording, draw, spoil, CACHE_BYTES);
  const wanted = PACKETS * RESOLVED_SHARE;
  const statuses = new Map<string, number>();
  let held: number | undefined;
  let questions = 0;
  let most = 0;
  let entries = 0;
  while (packets < wanted) {
    const asked = pickFrom(recording.questions, draw);
    const { said, sends } = await askOne(stage, asked);
    // Whoever spoils packets has no keys (I1).
    if (said.status.endsWith('AD')) expect(said).toEqual(asked.right);
    statuses.set(said.status, (statuses.get(said.status) ?? 0) + 1);
    most = Math.max(most, sends);
    entries = Math.max(entries, stage.resolver.stats().cacheEntries);
    questions++;
    if (questions % 50 === 0) stage.resolver.flush();
    else if (questions % 7 === 0) await stage.clock.advance(draw(400) * 1000);
    if (packets > wanted / 10) held ??= heldMegabytes();
  }
  const grown = heldMegabytes() - (held ?? 0);
  console.log(
    `resolver: ${questions} questions, ${packets} replies, ${JSON.stringify([...statuses])}, ` +
      `at most ${most} sends, ${entries} entries, grew by ${grown.toFixed(1)} MB`,
  );
  expect(stage.errors).toEqual([]);
  expect(most).toBeLessThanOrEqual(MAX_SENDS);
  expect(grown).toBeLessThan(SLACK);
  expect(stage.resolver.stats()).toMatchObject({ inFlight: 0 });
  expect(stage.resolver.stats().cacheBytes).toBeLessThanOrEqual(CACHE_BYTES);
  expect(entries).toBeLessThan(CACHE_BYTES / LEAST_ENTRY_BYTES);
  expect(statuses.get('NOERROR AD')).toBeGreaterThan(questions / 20);
}, 900_000);

function pickFrom<Item>(items: readonly Item[], draw: Draw): Item {
  const item = items[draw(items.length)];
  if (item === undefined) throw new Error('nothing was recorded');
  return item;
}

/** What is done with a message that was understood. */
function useAll(message: Message): void {
  const again = decodeMessage(encodeMessage(message));
  if (!again.ok) throw new Error(`encodes to what it does not decode: ${again.reason}`);
  for (const records of [message.answers, message.authorities, message.additionals]) {
    for (const each of records) {
      decodeRdata(each.type, each.rdata);
      printRecord(each);
    }
  }
}

/** Asks one question and lets as much time pass as it takes. */
async function askOne(
  { resolver, clock }: Replay,
  { name, type }: Asking,
): Promise<{ said: Said; sends: number }> {
  const before = resolver.stats().upstreamSends;
  const began = clock.monotonic();
  let reply: Message | undefined;
  void resolver.handle(queryFor(name, type, false), ASKER, 'tcp').then((message) => {
    reply = message;
  });
  while (reply === undefined) {
    await clock.settle();
    if (reply === undefined) await clock.advance(100);
    const seconds = (clock.monotonic() - began) / 1000;
    if (seconds > MAX_SECONDS) throw new Error(`${name} ${type} takes more than ${seconds} s`);
  }
  return { said: describe(reply), sends: resolver.stats().upstreamSends - before };
}

/** After collection, so that only what is held counts, in buffers too. */
function heldMegabytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}
