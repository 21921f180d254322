/**
 * Packets that no honest program sends, at the real process: it answers FORMERR to the right id or
 * is silent, and answers the next question as if nothing had been.
 */

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../suites/waiting.ts';
import { findPorts, makeRoom, type Service, startService } from './service-stand.ts';

let room: Awaited<ReturnType<typeof makeRoom>>;
let service: Service;

beforeAll(async () => {
  room = await makeRoom();
  service = await startService({ data: join(room.path, 'data'), ports: await findPorts() });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await room?.[Symbol.asyncDispose]();
});

const ID = [0x12, 0x34];
const QUERY = [...ID, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
/** `nymote`, type A, class IN. */
const QUESTION = [6, 110, 121, 109, 111, 116, 101, 0, 0, 1, 0, 1];

/** The id of good questions, which tell when the service was through with what came before. */
const GOOD_ID = [0x43, 0x21];
let questions = 0;

/** `<number>.nymote`: no thread has been told the answer yet. */
function goodQuestion(): Uint8Array {
  const label = Buffer.from(String(++questions));
  return Uint8Array.from([...GOOD_ID, ...QUERY.slice(2), label.length, ...label, ...QUESTION]);
}

const FORMERR = 1;
const NOTIMP = 4;
const BADVERS = 16;

/** What is sent; `rcode` undefined where silence is right. */
const PACKETS = [
  { bytes: [], rcode: undefined, why: 'nothing' },
  { bytes: ID, rcode: undefined, why: 'an id alone' },
  { bytes: QUERY.slice(0, 11), rcode: undefined, why: 'a header cut short' },
  { bytes: [...ID, 0x81, ...QUERY.slice(3), ...QUESTION], rcode: undefined, why: 'an answer' },
  { bytes: QUERY, rcode: FORMERR, why: 'a question that is not there' },
  { bytes: [...QUERY, ...QUESTION.slice(0, 9)], rcode: FORMERR, why: 'a question cut short' },
  { bytes: [...QUERY, 0xc0, 12, 0, 1, 0, 1], rcode: FORMERR, why: 'a name that points at itself' },
  { bytes: [...QUERY, 0xc0, 0xff, 0, 1, 0, 1], rcode: FORMERR, why: 'a name that points outside' },
  { bytes: [...QUERY, 0x80, 1, 0, 0, 1, 0, 1], rcode: FORMERR, why: 'a label of a type unknown' },
  { bytes: [...QUERY, ...longName(), 0, 1, 0, 1], rcode: FORMERR, why: 'a name of 300 octets' },
  {
    bytes: [...ID, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, ...QUESTION, ...QUESTION],
    rcode: FORMERR,
    why: 'two questions (RFC 9619)',
  },
  {
    bytes: [...ID, 1, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...QUESTION],
    rcode: FORMERR,
    why: 'counts of 65535',
  },
  {
    bytes: [...ID, 1, 0, 0, 1, 0, 0, 0, 0, 0, 2, ...QUESTION, ...opt(0), ...opt(0)],
    rcode: FORMERR,
    why: 'two OPT records (RFC 6891 §6.1.1)',
  },
  {
    bytes: [...ID, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, ...QUESTION, ...opt(9)],
    rcode: BADVERS,
    why: 'EDNS of version 9',
  },
  { bytes: [...ID, 0x79, ...QUERY.slice(3), ...QUESTION], rcode: NOTIMP, why: 'opcode 15' },
] as const;

function longName(): number[] {
  return [...Array(5).fill([60, ...Array(60).fill(97)]), 0].flat();
}

function opt(version: number): number[] {
  return [0, 0, 41, 4, 0xd0, 0, version, 0, 0, 0, 0];
}

/** The replies to a datagram: so many, and all that come until a good question after it has its own. */
async function send(bytes: Uint8Array, expected: number): Promise<Buffer[]> {
  const socket = createSocket('udp4');
  const replies: Buffer[] = [];
  let isThrough = false;
  socket.on('message', (reply) => {
    if (reply.subarray(0, 2).equals(Buffer.from(GOOD_ID))) isThrough = true;
    else replies.push(reply);
  });
  const { dns } = service.place.ports;
  socket.send(bytes, dns, '127.0.0.1');
  const ask = () => socket.send(goodQuestion(), dns, '127.0.0.1');
  ask();
  const again = setInterval(ask, 5_000);
  try {
    await until('the service answers', () => isThrough && replies.length >= expected, 5);
    return replies;
  } finally {
    clearInterval(again);
    socket.close();
  }
}

/** The low four bits are in the header, the others in an OPT record at the end (RFC 6891 §6.1.3). */
function rcodeOf(reply: Buffer): number {
  const low = reply.readUInt8(3) & 0x0f;
  const extended = reply.subarray(-11);
  return reply.readUInt16BE(10) === 0 ? low : low | (extended.readUInt8(5) << 4);
}

async function expectAlive(): Promise<void> {
  expect(await service.dig('laptop.alice.nymote', 'A', '+short')).toMatch(/^100\./);
}

describe('over UDP', () => {
  test.each(PACKETS)('$why: $rcode', async ({ bytes, rcode }) => {
    const [reply, ...more] = await send(Uint8Array.from(bytes), rcode === undefined ? 0 : 1);
    expect(more).toEqual([]);
    if (rcode === undefined) {
      expect(reply).toBeUndefined();
    } else {
      if (reply === undefined) throw new Error('no reply');
      expect([...reply.subarray(0, 2)]).toEqual(ID);
      expect(reply.readUInt8(2) & 0x80).toBe(0x80);
      expect(rcodeOf(reply)).toBe(rcode);
    }
    await expectAlive();
  });

  test('a thousand packets of nonsense change nothing', async () => {
    const socket = createSocket('udp4');
    for (let count = 0; count < 1_000; count++) {
      const bytes = randomBytes(count % 600);
      await new Promise((resolve) =>
        socket.send(bytes, service.place.ports.dns, '127.0.0.1', resolve),
      );
    }
    socket.close();
    await expectAlive();
  });
});

describe('over TCP', () => {
  test.each([
    { bytes: [0, 0], why: 'a message of no length' },
    { bytes: [0, 4, 1, 2, 3, 4], why: 'a message too short for a header' },
    { bytes: [0xff, 0xff, ...QUERY], why: 'a length that is never reached' },
    { bytes: [0, 12, ...QUERY, 0, 12, ...QUERY], why: 'two without questions' },
    { bytes: [...randomBytes(4_096)], why: 'nonsense' },
  ])('$why: the connection suffers, nobody else', async ({ bytes }) => {
    const socket = createConnection({ host: '127.0.0.1', port: service.place.ports.dns });
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.write(Uint8Array.from(bytes), resolve));
    await expectAlive();
    expect(await service.dig('+tcp', 'laptop.alice.nymote', 'A', '+short')).toMatch(/^100\./);
    socket.destroy();
  });
});

test('the other ports survive nonsense, too', async () => {
  const { admin, control } = service.place.ports;
  for (const port of [admin, control]) {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.end(randomBytes(4_096), () => resolve(undefined)));
    socket.destroy();
  }
  expect((await service.run('status')).exitCode).toBe(0);
  expect(service.said()).not.toContain('    at ');
});
