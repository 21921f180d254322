/**
 * A closed-loop DNS load: a fixed number of questions in flight, from one socket.
 *
 * Runs as its own process, so that its CPU is nobody else's:
 * `node load.ts ADDRESS PORT COUNT WINDOW DO NAME…` prints `{answered, lost, seconds}`.
 */

import { createSocket } from 'node:dgram';

const TYPE_AAAA = 28;
const LOSS_TIMEOUT_MS = 1_000;

const [address = '', port = '', count = '', window = '', wantsDnssec = '', ...names] =
  process.argv.slice(2);
const questions = names.map((name) => question(name, wantsDnssec === '1'));
const total = Number(count);

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
let sent = 0;
let answered = 0;
let last = performance.now();
const started = last;

socket.on('message', () => {
  answered += 1;
  last = performance.now();
  if (answered >= total) finish();
  else if (sent < total) send();
});
socket.bind(0, () => {
  for (let index = 0; index < Number(window); index++) send();
});
setInterval(() => {
  if (performance.now() - last < LOSS_TIMEOUT_MS) return;
  if (sent >= total) finish();
  // All that was in flight is lost; fill the window again.
  last = performance.now();
  for (let index = 0; index < Number(window) && sent < total; index++) send();
}, 100);

function send(): void {
  const bytes = questions[sent % questions.length] as Buffer;
  bytes.writeUInt16BE(sent & 0xffff, 0);
  sent += 1;
  socket.send(bytes, Number(port), address);
}

function finish(): never {
  const seconds = (last - started) / 1_000;
  console.log(JSON.stringify({ answered, lost: sent - answered, seconds }));
  process.exit(0);
}

/** A question as bytes: id to be filled in, RD, one question, an OPT. */
function question(name: string, dnssecOk: boolean): Buffer {
  const labels = name.split('.').filter(Boolean);
  const qname = labels.flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Buffer.from([
    ...[0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1],
    ...qname,
    ...[0, 0, TYPE_AAAA, 0, 1],
    ...[0, 0, 41, 4, 208, 0, 0, dnssecOk ? 0x80 : 0, 0, 0, 0],
  ]);
}
