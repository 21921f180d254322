/**
 * Asks at a fixed rate and tells how much was answered within two seconds:
 * `node attack-client.ts ADDRESS PORT RATE SECONDS TYPE SUFFIX LABELS FIRST SOURCE udp|tcp` prints
 * `{asked, answered, p50, p99}`. Names are fresh: `h<n>.SUFFIX` from FIRST on, or LABELS deep. Over
 * TCP each question has a connection of its own.
 */

import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { encodeMessage } from '#resolver';
import { queryFor } from '../conformance/validation-stand.ts';
import { percentile } from './row.ts';

/** Longer than people wait. */
const PATIENCE_MS = 2_000;
const TICK_MS = 10;

const [
  address = '',
  port = '',
  rate = '',
  seconds = '',
  type = '',
  suffix = '',
  depth = '1',
  first = '0',
  source = '',
  transport = 'udp',
] = process.argv.slice(2);

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
const began = new Map<number, number>();
const times: number[] = [];
const total = Number(rate) * Number(seconds);
const start = performance.now();
let asked = 0;

socket.on('message', hear);

function hear(reply: Buffer): void {
  const id = reply.readUInt16BE(0);
  const sent = began.get(id);
  began.delete(id);
  const took = performance.now() - (sent ?? Number.NEGATIVE_INFINITY);
  if (took <= PATIENCE_MS) times.push(took);
}

socket.bind(0, source);
const timer = setInterval(() => {
  const due = Math.min(total, ((performance.now() - start) / 1000) * Number(rate));
  while (asked < due) ask(asked++);
  if (asked < total) return;
  clearInterval(timer);
  setTimeout(finish, PATIENCE_MS);
}, TICK_MS);

function ask(number: number): void {
  const above = Array.from({ length: Number(depth) - 1 }, (_, level) => `${level}`);
  const name = [`h${Number(first) + number}`, ...above, suffix].join('.');
  const id = number & 0xffff;
  began.set(id, performance.now());
  const query = encodeMessage({ ...queryFor(name, type, false), id });
  if (transport === 'tcp') askOverTcp(query);
  else socket.send(query, Number(port), address);
}

function askOverTcp(query: Uint8Array): void {
  const connection = connect({ port: Number(port), host: address, localAddress: source });
  // Nobody answers then.
  connection.on('error', () => undefined);
  connection.once('data', (reply) => {
    hear(reply.subarray(2));
    connection.destroy();
  });
  connection.write(Uint8Array.of(query.length >> 8, query.length & 255, ...query));
}

function finish(): never {
  const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
  console.log(JSON.stringify({ asked, answered: times.length, p50, p99 }));
  process.exit(0);
}
