/**
 * The real process with its datapath: threads repeat answers, until a device is removed or a rule says
 * no; who asks an address of several gets the answer from that one.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeMessage, encodeMessage, parseName, TYPE } from '#resolver';
import { PATIENCE_MS, until } from '../suites/waiting.ts';
import { findPorts, makeRoom, type Service, startService } from './service-stand.ts';

/** How often it is asked at least before a decision, and after it. */
const OFTEN = 100;

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

type Client = AsyncDisposable & { hasAddress(name: string): Promise<boolean> };

/** Somebody who asks, one question after the other. */
async function connect(): Promise<Client> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    async hasAddress(name) {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
      socket.send(question(name), service.place.ports.dns, '127.0.0.1');
      const decoded = decodeMessage(new Uint8Array((await answer)[0]));
      return decoded.ok && decoded.message.answers.some(({ type }) => type === TYPE.AAAA);
    },
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}

/** Two clients ask as fast as they can; what was asked after the decision gets no address (I10). */
async function hammer(name: string, decide: () => Promise<void>): Promise<void> {
  const before = await hits();
  let isDecided = false;
  const late: number[] = [];
  const ask = async () => {
    await using client = await connect();
    for (let denied = 0; denied < OFTEN && late.length === 0; ) {
      const isAfter = isDecided;
      const has = await client.hasAddress(name);
      if (has && isAfter) late.push(denied);
      if (!has && isAfter) denied++;
    }
  };
  const clients = Promise.all([ask(), ask()]);
  try {
    await until('threads answer', async () => (await hits()) > before + OFTEN);
    await decide();
  } finally {
    isDecided = true;
    await clients;
  }
  expect(late).toEqual([]);
}

async function hits(): Promise<number> {
  const { stdout } = await service.run('doctor');
  const count = /datapath: \d+ threads, (\d+) answers/.exec(stdout)?.[1];
  if (count === undefined) throw new Error(`no datapath:\n${stdout}`);
  return Number(count);
}

test('a removed device has no address any more, however hard two clients ask', async () => {
  await hammer('phone.alice.nymote', async () => {
    expect(await service.run('device', 'remove', 'phone')).toMatchObject({ exitCode: 0 });
  });
});

test('a name that a rule denies is denied, while two clients ask for it', async () => {
  const rule = {
    ...{ tier: 'rule', effect: 'deny', do: ['resolve'] },
    ...{ who: { any: ['*'] }, what: { any: ['name:localhost'] } },
  };
  await hammer('localhost', async () => {
    const set = await service.run('rule', 'set', 'quiet', JSON.stringify(rule));
    expect(set).toMatchObject({ exitCode: 0, stderr: '' });
  });
  expect(await service.run('rule', 'remove', 'quiet')).toMatchObject({ exitCode: 0 });
  await using client = await connect();
  expect(await client.hasAddress('localhost')).toBe(true);
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
