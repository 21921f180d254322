/**
 * A client inside a namespace: asks for a name and sends a datagram to the address it gets.
 *
 * `node probe.ts echo PORT` sends back whatever comes. `node probe.ts ask NAME PORT COUNT` asks the
 * resolver on 127.0.0.1 COUNT times and prints `[{answer, echo}]`, milliseconds since each question;
 * both sockets are open and all code is loaded before the first.
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { decodeMessage, encodeMessage, type Message, type Name, parseName, TYPE } from '#resolver';

/** Lost datagrams are sent again after this; WireGuard keeps the last ones while it joins. */
const RESEND_MS = 50;
const PATIENCE_MS = 10_000;
const PAUSE_MS = 20;

const [mode, ...words] = process.argv.slice(2);
if (mode === 'echo') echo(Number(words[0]));
else await ask(words[0] ?? '', Number(words[1]), Number(words[2]));

function echo(port: number): void {
  const socket = createSocket('udp6');
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  socket.bind(port, '::', () => console.log('listening'));
}

async function ask(name: string, port: number, count: number): Promise<void> {
  const resolver = createSocket('udp4');
  const tunnel = createSocket('udp6');
  resolver.connect(53, '127.0.0.1');
  tunnel.bind(0, '::');
  await Promise.all([once(resolver, 'connect'), once(tunnel, 'listening')]);
  // The zone itself needs no tunnel: this loads the code on both sides.
  const parent = name.split('.').slice(1).join('.');
  for (let round = 0; round < 20; round++) await exchange(resolver, question(parent, TYPE.SOA));
  const asked = question(name, TYPE.AAAA);
  const found: { readonly answer: number; readonly echo: number }[] = [];
  for (let round = 0; round < count; round++) {
    const began = performance.now();
    const address = addressIn(await exchange(resolver, asked));
    const answer = performance.now() - began;
    await exchange(tunnel, Uint8Array.of(round), { port, address });
    found.push({ answer, echo: performance.now() - began });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  console.log(JSON.stringify(found));
  process.exit(0);
}

/** Sends until something comes back. */
async function exchange(
  socket: Socket,
  data: Uint8Array,
  to?: { readonly port: number; readonly address: string },
): Promise<Uint8Array> {
  const send = () => (to ? socket.send(data, to.port, to.address) : socket.send(data));
  const again = setInterval(send, to ? RESEND_MS : PATIENCE_MS);
  const reply = once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
  send();
  try {
    const [bytes] = await reply;
    return bytes;
  } finally {
    clearInterval(again);
  }
}

function addressIn(reply: Uint8Array): string {
  const decoded = decodeMessage(reply);
  const record = decoded.ok
    ? decoded.message.answers.find(({ type }) => type === TYPE.AAAA)
    : undefined;
  if (record === undefined) throw new Error('the name has no address');
  return (Buffer.from(record.rdata).toString('hex').match(/.{4}/g) ?? []).join(':');
}

function question(name: string, type: number): Uint8Array {
  const message: Message = {
    ...{ id: 7, response: false, opcode: 0, authoritative: false, truncated: false },
    ...{ recursionDesired: true, recursionAvailable: false, authenticData: false },
    ...{ checkingDisabled: false, rcode: 0, answers: [], authorities: [], additionals: [] },
    questions: [{ name: parseName(name) as Name, type, class: 1 }],
    edns: { udpSize: 1_232, version: 0, dnssecOk: true, options: [] },
  };
  return encodeMessage(message);
}
