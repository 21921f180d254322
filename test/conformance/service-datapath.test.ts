/**
 * The real process with its datapath: threads repeat answers, until a device is removed or a rule says
 * no; who asks an address of several gets the answer from that one.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeMessage, encodeMessage, parseName, TYPE } from '#resolver';
import { findPorts, makeRoom, type Service, startService } from './service-stand.ts';

/** What the house promises: denied within a second of the decision (I10). */
const GRACE_MS = 1_000;
const HAMMER_MS = 2_500;

let room: Awaited<ReturnType<typeof makeRoom>>;
let service: Service;

beforeAll(async () => {
  room = await makeRoom();
  const ports = await findPorts();
  service = await startService({
    data: join(room.path, 'data'),
    ports,
    flags: ['--datapath', 'on', '--dns', `0.0.0.0:${ports.dns}`],
  });
  await service.run('device', 'add', 'phone');
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await room?.[Symbol.asyncDispose]();
});

function question(name: string): Uint8Array {
  const parsed = parseName(name);
  if (parsed === undefined) throw new Error(`${name} is no name`);
  return encodeMessage({
    ...{ id: 7, response: false, opcode: 0, authoritative: false, truncated: false },
    ...{ recursionDesired: true, recursionAvailable: false, authenticData: false },
    ...{ checkingDisabled: false, rcode: 0, answers: [], authorities: [], additionals: [] },
    questions: [{ name: parsed, type: TYPE.AAAA, class: 1 }],
    edns: { udpSize: 1_232, version: 0, dnssecOk: true, options: [] },
  });
}

/** Asks again and again for a while; the moments at which an address came back. */
async function hammer(name: string): Promise<{ asked: number; answeredAt: readonly number[] }> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const bytes = question(name);
  const answeredAt: number[] = [];
  let asked = 0;
  for (const end = performance.now() + HAMMER_MS; performance.now() < end; asked++) {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(5_000) });
    socket.send(bytes, service.place.ports.dns, '127.0.0.1');
    const decoded = decodeMessage(new Uint8Array((await answer)[0]));
    if (decoded.ok && decoded.message.answers.some(({ type }) => type === TYPE.AAAA)) {
      answeredAt.push(performance.now());
    }
  }
  socket.close();
  return { asked, answeredAt };
}

async function hits(): Promise<number> {
  const { stdout } = await service.run('doctor');
  const count = /datapath: \d+ threads, (\d+) answers/.exec(stdout)?.[1];
  if (count === undefined) throw new Error(`no datapath:\n${stdout}`);
  return Number(count);
}

test('a removed device has no address any more, however hard two clients ask', async () => {
  const before = await hits();
  const clients = [hammer('phone.alice.nymote'), hammer('phone.alice.nymote')];
  await new Promise((resolve) => setTimeout(resolve, HAMMER_MS / 5));
  const { exitCode } = await service.run('device', 'remove', 'phone');
  const removed = performance.now();
  expect(exitCode).toBe(0);
  for (const { asked, answeredAt } of await Promise.all(clients)) {
    expect(answeredAt.length).toBeGreaterThan(100);
    expect(asked).toBeGreaterThan(answeredAt.length + 100);
    expect((answeredAt.at(-1) ?? 0) - removed).toBeLessThan(GRACE_MS);
  }
  expect(await hits()).toBeGreaterThan(before + 100);
});

test('a name that a rule denies is denied, while two clients ask for it', async () => {
  const before = await hits();
  const rule = {
    ...{ tier: 'rule', effect: 'deny', do: ['resolve'] },
    ...{ who: { any: ['*'] }, what: { any: ['name:localhost'] } },
  };
  const clients = [hammer('localhost'), hammer('localhost')];
  await new Promise((resolve) => setTimeout(resolve, HAMMER_MS / 5));
  const { exitCode, stderr } = await service.run('rule', 'set', 'quiet', JSON.stringify(rule));
  const decided = performance.now();
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  for (const { asked, answeredAt } of await Promise.all(clients)) {
    expect(answeredAt.length).toBeGreaterThan(100);
    expect(asked).toBeGreaterThan(answeredAt.length + 100);
    expect((answeredAt.at(-1) ?? 0) - decided).toBeLessThan(GRACE_MS);
  }
  expect(await hits()).toBeGreaterThan(before + 100);
  expect(await service.run('rule', 'remove', 'quiet')).toMatchObject({ exitCode: 0 });
  expect((await hammer('localhost')).answeredAt.length).toBeGreaterThan(100);
});

test.each(['127.0.0.1', '127.0.0.7'])('who asks %s is answered from there', async (address) => {
  const { dns } = service.place.ports;
  for (let turn = 0; turn < 3; turn++) {
    // dig takes answers only from whom it asked.
    const answer = await service.dig(
      `@${address}`,
      '-p',
      String(dns),
      'laptop.alice.nymote',
      'AAAA',
    );
    expect(answer).toMatch(/status: NOERROR/);
  }
});
