/**
 * Asks each name once, with DO, a fixed number in flight, and tells how long each took.
 *
 * `node cold-load.ts ADDRESS PORT WINDOW ZONES NAMES PREFIX` prints `{answered, secure, failed, p50, p99}`,
 * milliseconds.
 */

import { createSocket } from 'node:dgram';
import { encodeMessage } from '#resolver';
import { queryFor } from '../conformance/validation-stand.ts';
import { percentile } from './row.ts';

/** As a stub does; what is lost is asked again. */
const RETRY_MS = 2_000;
const AD = 0x20;

const [address = '', port = '', window = '', zones = '', total = '', prefix = 'z'] =
  process.argv.slice(2);
const count = Number(total);

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
const began = new Map<number, number>();
const times: number[] = [];
let next = 0;
let secure = 0;
let failed = 0;

socket.on('message', (reply) => {
  const id = reply.readUInt16BE(0);
  const start = began.get(id);
  if (start === undefined) return;
  began.delete(id);
  times.push(performance.now() - start);
  if (((reply[3] ?? 0) & AD) !== 0) secure += 1;
  if (((reply[3] ?? 0) & 15) !== 0) failed += 1;
  if (next < count) ask(next++);
  else if (began.size === 0) finish();
});
socket.bind(0, () => {
  while (next < Math.min(count, Number(window))) ask(next++);
});
setInterval(() => {
  for (const [id, start] of began) if (performance.now() - start > RETRY_MS) send(id);
}, RETRY_MS);

function ask(id: number): void {
  began.set(id, performance.now());
  send(id);
}

function send(id: number): void {
  const zone = id % Number(zones);
  const query = queryFor(`h${Math.floor(id / Number(zones))}.${prefix}${zone}.lab.`, 'AAAA', false);
  socket.send(encodeMessage({ ...query, id }), Number(port), address);
}

function finish(): never {
  const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
  console.log(JSON.stringify({ answered: times.length, secure, failed, p50, p99 }));
  process.exit(0);
}
