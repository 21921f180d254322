/**
 * Fills our resolver's cache from a server in memory and prints what that takes:
 * `node --expose-gc cache-fill.ts NAMES CACHE-BYTES` → `{entries, counted, packetBytes, heapBytes,
 * residentMegabytes, restingMegabytes}`, the last when nobody has asked for a while.
 */

import { createResolver, decodeMessage, encodeMessage, parseName, parseRecord } from '#resolver';
import { fakeNetwork, fakeRuntime, manualClock, seededRandom } from '#runtime/fake';

const NAMES = Number(process.argv[2]);
const CACHE_BYTES = Number(process.argv[3]);

/** Names asked for first: everything compiled, and the heap as large as it is going to be. */
const WARM_NAMES = 20_000;

const SERVER = '192.0.2.53';
const AAAA = 28;

const clock = manualClock();
const network = fakeNetwork(clock, seededRandom(1));
const server = network.join(SERVER);
let packetBytes = 0;
const socket = await server.udp.bind({ address: SERVER, port: 53 }, (data, from) => {
  const query = decodeMessage(data);
  const [question] = query.ok ? query.message.questions : [];
  const record = parseRecord('x. 86400 AAAA 2001:db8::1', { ttl: 0 });
  if (!query.ok || question === undefined || !record.ok) return;
  const answers = [{ ...record.record, owner: question.name }];
  const reply = encodeMessage({
    ...query.message,
    response: true,
    recursionAvailable: true,
    answers,
    // What a server says without any options.
    edns: query.message.edns && { ...query.message.edns, options: [] },
  });
  packetBytes += reply.length;
  socket.send(reply, from);
});

const runtime = fakeRuntime({ clock, network, addresses: ['192.0.2.1'] });
const resolver = createResolver(runtime, {
  listen: [],
  before: () => ({ kind: 'recurse' }),
  forward: [{ address: SERVER, port: 53 }],
  trustAnchors: [],
  validate: false,
  localZones: false,
  cacheBytes: CACHE_BYTES,
});

const ask = async (index: number) => {
  const name = parseName(`host${index}.zone${index % 100}.example.`);
  if (name === undefined) throw new Error('unreachable: a name');
  const done = resolver.resolve(name, AAAA);
  await clock.settle();
  await done;
};

/** Allocators give freed memory back to the system a little later. */
const REST_MS = 3_000;

/** What all objects and buffers take; Bun counts the buffers among the objects. */
function held(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return process.versions['bun'] === undefined ? heapUsed + arrayBuffers : heapUsed;
}

for (let index = 0; index < WARM_NAMES; index++) await ask(index);
resolver.flush();
const before = held();
packetBytes = 0;
for (let index = 0; index < NAMES; index++) await ask(index);
const heapBytes = held() - before;
const residentMegabytes = process.memoryUsage().rss / 1e6;
await new Promise((resolve) => setTimeout(resolve, REST_MS));

console.log(
  JSON.stringify({
    entries: resolver.stats().cacheEntries,
    counted: resolver.stats().cacheBytes,
    packetBytes,
    heapBytes,
    residentMegabytes,
    restingMegabytes: process.memoryUsage().rss / 1e6,
  }),
);
