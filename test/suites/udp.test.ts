import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { fakeNetwork, fakeRuntime, manualClock, seededRandom } from '#runtime/fake';
import { takePort } from './ports.ts';
import { REAL, realRuntime } from './real.ts';
import { udpSuite } from './udp.ts';
import { until } from './waiting.ts';

udpSuite(REAL, () => {
  const { udp, clock } = realRuntime();
  const pass = async (isHere?: () => boolean) => {
    if (isHere !== undefined) await until('datagrams arrive', isHere);
    // Whatever else there might be.
    await clock.sleep(20);
  };
  return { udp, pass };
});

udpSuite('fake', () => {
  const { udp, clock } = fakeRuntime();
  return { udp, pass: () => clock.advance(60) };
});

test('a taken port names its holder', async () => {
  const { udp } = realRuntime();
  await using socket = await udp.bind({ address: '127.0.0.1', port: 0 }, () => undefined);
  const again = udp.bind(socket.local, () => undefined);
  await expect(again).rejects.toThrow(new RegExp(`is held by .+, process ${process.pid}`));
});

test.each([
  { beside: '127.0.0.2', at: '127.0.0.1', why: 'another address' },
  { beside: '0.0.0.0', at: '::1', why: 'all addresses of the other family' },
])('of two programs at one port the one in the way is named: beside $why', async (each) => {
  const { udp } = realRuntime();
  const port = await takePort();
  await using _ours = await udp.bind({ address: each.beside, port }, () => undefined);
  const words = ['-e', HOLD, String(port), each.at];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    const again = udp.bind({ address: each.at, port }, () => undefined);
    await expect(again).rejects.toThrow(new RegExp(`is held by .+, process ${child.pid}`));
  } finally {
    child.kill();
    await once(child, 'close');
  }
});

const HOLD = `const [port, address] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
socket.bind(Number(port), address, () => console.log('bound'));`;

/** Two hosts on one network, and what the second one heard and when. */
async function twoHosts(seed: number) {
  const clock = manualClock();
  const network = fakeNetwork(clock, seededRandom(seed));
  const [one, other] = ['192.0.2.1', '192.0.2.2'];
  const heard: [number | undefined, number][] = [];
  const socket = await network
    .join(one)
    .udp.bind({ address: '0.0.0.0', port: 5000 }, () => undefined);
  await network.join(other).udp.bind({ address: other, port: 5000 }, (data) => {
    heard.push([data[0], clock.monotonic()]);
  });
  const send = (value: number) => socket.send(Uint8Array.of(value), { address: other, port: 5000 });
  return { clock, network, one, other, heard, send };
}

test('a delay is kept to the millisecond', async () => {
  const { clock, network, one, other, heard, send } = await twoHosts(1);
  network.setPath(one, other, { delayMs: 25 });
  send(1);
  await clock.advance(10);
  send(2);
  await clock.advance(100);
  expect(heard).toEqual([
    [1, 25],
    [2, 35],
  ]);
});

test('loss is the same with the same seed', async () => {
  const run = async (seed: number) => {
    const { clock, network, heard, send } = await twoHosts(seed);
    network.setPath('*', '*', { loss: 0.5 });
    for (let value = 0; value < 100; value += 1) send(value);
    await clock.settle();
    return heard.map(([value]) => value);
  };
  const first = await run(3);
  expect(first.length).toBeGreaterThan(25);
  expect(first.length).toBeLessThan(75);
  expect(await run(3)).toEqual(first);
  expect(await run(4)).not.toEqual(first);
});

test('nothing crosses a cut path until it is mended', async () => {
  const { clock, network, one, other, heard, send } = await twoHosts(1);
  network.setPath(one, other, { isCut: true });
  send(1);
  network.setPath(one, other, { isCut: false });
  send(2);
  await clock.settle();
  expect(heard.map(([value]) => value)).toEqual([2]);
});
