import { expect, test } from 'vitest';
import { fakeNetwork, fakeRuntime, manualClock, seededRandom } from '#runtime/fake';
import { parseRecord } from '../authority/zone-file.ts';
import { decodeMessage, encodeMessage } from '../message/message.ts';
import { TYPE } from '../message/type.ts';
import { nameOf } from '../recursion/reply.fixture.ts';
import { createResolver } from '../resolver.ts';
import { affordable } from './worth.ts';

const MB = 2 ** 20;
const SERVER = '192.0.2.53';

test.each([
  { memory: 120, bytes: 3.75, why: 'a router with 128 MB, of which the kernel has its part' },
  { memory: 256, bytes: 8, why: 'a router with 256 MB' },
  { memory: 512, bytes: 16, why: 'from here on as much as on any machine' },
  { memory: 32_768, bytes: 16, why: 'a machine with plenty' },
  { memory: 8, bytes: 1, why: 'less than this is no cache' },
])('$bytes MB of $memory: $why', ({ memory, bytes }) => {
  expect(affordable(memory * MB)).toBe(bytes * MB);
});

test.each([
  { memory: 32, isFull: true, why: 'where there is little' },
  { memory: 1_024, isFull: false, why: 'where there is plenty' },
])('a flood of names takes its part of the memory: $why', async ({ memory, isFull }) => {
  const clock = manualClock();
  const network = fakeNetwork(clock, seededRandom(1));
  await serveLongTexts(network.join(SERVER).udp);
  const runtime = fakeRuntime({ clock, network, memoryBytes: memory * MB });
  const resolver = createResolver(runtime, {
    ...{ listen: [], before: () => ({ kind: 'recurse' }), validate: false, trustAnchors: [] },
    forward: [{ address: SERVER, port: 53 }],
  });
  for (let index = 0; index < 1_400; index++) {
    const answer = resolver.resolve(nameOf(`n${index}.example.`), TYPE.TXT);
    await clock.settle();
    expect((await answer).rcode).toBe(0);
  }
  expect(resolver.stats().cacheBytes > 0.95 * MB).toBe(true);
  expect(resolver.stats().cacheBytes <= MB).toBe(isFull);
});

/** Answers every question with a kilobyte of text. */
async function serveLongTexts(udp: ReturnType<ReturnType<typeof fakeNetwork>['join']>['udp']) {
  const text = Array.from({ length: 4 }, () => `"${'x'.repeat(250)}"`).join(' ');
  const read = parseRecord(`x. 86400 TXT ${text}`, { ttl: 0 });
  if (!read.ok) throw new Error('unreachable: a record');
  const socket = await udp.bind({ address: SERVER, port: 53 }, (data, from) => {
    const query = decodeMessage(data);
    const [question] = query.ok ? query.message.questions : [];
    if (!query.ok || question === undefined) return;
    const answers = [{ ...read.record, owner: question.name }];
    socket.send(encodeMessage({ ...query.message, response: true, answers }), from);
  });
}
