/**
 * Asks at a fixed rate and tells how much was answered within two seconds:
 * `node attack-client.ts ADDRESS PORT RATE SECONDS TYPE SUFFIX LABELS FIRST SOURCE` prints
 * `{asked, answered, p50, p99}`. Names are fresh: `h<n>.SUFFIX` from FIRST
 * on, or LABELS deep.
 */

import { createSocket } from 'node:dgram';
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
] = process.argv.slice(2);

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
const began = new Map<number, number>();
const times: number[] = [];
const total = Number(rate) * Number(seconds);
const start = performance.now();
let asked = 0;

socket.on('message', (reply) => {
  const id = reply.readUInt16BE(0);
  const sent = began.get(id);
  began.delete(id);
  const took = performance.now() - (sent ?? Number.NEGATIVE_INFINITY);
  if (took <= PATIENCE_MS) times.push(took);
});
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
  socket.send(encodeMessage({ ...queryFor(name, type, false), id }), Number(port), address);
}

function finish(): never {
  const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
  console.log(JSON.stringify({ asked, answered: times.length, p50, p99 }));
  process.exit(0);
}
