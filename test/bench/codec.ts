/** The wire codec beside dns-packet: operations per second of CPU, not of the clock. */

import {
  decodeMessage,
  encodeMessage,
  type Message,
  type Name,
  parseName,
  parseRecord,
  type ResourceRecord,
} from '#resolver';
import { peer } from '../fuzz/dns-packet.ts';
import { beside, type Row } from './row.ts';

/** CPU time spent on each line. */
const SECONDS = 0.5;

const record = (text: string): ResourceRecord => {
  const parsed = parseRecord(text);
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${text}`);
  return parsed.record;
};

const QUERY: Message = {
  id: 7,
  response: false,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
  rcode: 0,
  questions: [{ name: parseName('www.example.com') as Name, type: 1, class: 1 }],
  answers: [],
  authorities: [],
  additionals: [],
  edns: { udpSize: 1232, version: 0, dnssecOk: true, options: [] },
};

const SIGNED: Message = {
  ...QUERY,
  response: true,
  answers: [
    record('www.example.com. 300 IN A 192.0.2.1'),
    record(
      `www.example.com. 300 IN RRSIG A 13 3 300 20260101000000 20251201000000 1 example.com. ${Buffer.alloc(64, 7).toString('base64')}`,
    ),
  ],
};

const SERVERS = [...'abcdefghijklm'].map((letter) => `${letter}.gtld-servers.net.`);

const REFERRAL: Message = {
  ...QUERY,
  response: true,
  authorities: SERVERS.map((server) => record(`com. 172800 IN NS ${server}`)),
  additionals: SERVERS.flatMap((server, i) => [
    record(`${server} 172800 IN A 192.5.6.${i}`),
    record(`${server} 172800 IN AAAA 2001:503:a83e::2:${i}`),
  ]),
};

/** Runs `work` for half a second of CPU, after warming up, and returns how many thousand times per second. */
function measure(work: () => unknown): number {
  for (let i = 0; i < 5000; i++) work();
  const start = process.cpuUsage();
  let count = 0;
  for (;;) {
    for (let i = 0; i < 500; i++) work();
    count += 500;
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    if (seconds >= SECONDS) return count / seconds / 1_000;
  }
}

/** Decoding and encoding of a query, a signed answer and a referral with 13 servers. */
export function run(): Promise<readonly Row[]> {
  const rows = Object.entries({
    query: QUERY,
    'signed answer': SIGNED,
    referral: REFERRAL,
  }).flatMap(([what, message]) => {
    const bytes = encodeMessage(message);
    const forPeer = Buffer.from(bytes);
    const packet = peer.decode(forPeer);
    return [
      beside(
        `decode ${what}`,
        measure(() => decodeMessage(bytes)),
        'k/CPU s',
        {
          name: 'dns-packet',
          value: measure(() => peer.decode(forPeer)),
        },
      ),
      beside(
        `encode ${what}`,
        measure(() => encodeMessage(message)),
        'k/CPU s',
        {
          name: 'dns-packet',
          value: measure(() => peer.encode(packet)),
        },
      ),
    ];
  });
  return Promise.resolve(rows);
}
