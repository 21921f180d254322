/**
 * Fills our resolver's cache from a server in memory and prints what that takes:
 * `node --expose-gc cache-fill.ts NAMES` → `{entries, packetBytes, heapBytes, residentMegabytes}`.
 */

import { createResolver, decodeMessage, encodeMessage, parseName, parseRecord } from '#resolver';
import { fakeNetwork, fakeRuntime, manualClock, seededRandom } from '#runtime/fake';

const NAMES = Number(process.argv[2]);
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
  cacheBytes: 1024 * 1024 * 1024,
});

const ask = async (index: number) => {
  const name = parseName(`host${index}.zone${index % 100}.example.`);
  if (name === undefined) throw new Error('unreachable: a name');
  const done = resolver.resolve(name, AAAA);
  await clock.settle();
  await done;
};

// Everything compiled, and what is made once made.
for (let index = 0; index < 2_000; index++) await ask(index);
resolver.flush();
globalThis.gc?.();
const before = process.memoryUsage();
packetBytes = 0;
for (let index = 0; index < NAMES; index++) await ask(index);
globalThis.gc?.();
globalThis.gc?.();
const after = process.memoryUsage();

console.log(
  JSON.stringify({
    entries: resolver.stats().cacheEntries,
    counted: resolver.stats().cacheBytes,
    packetBytes,
    heapBytes: after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers,
    residentMegabytes: after.rss / 1e6,
  }),
);
