/** Messages beside dig: it reads from our octets what we meant, and we read what it sends. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  parseRecord,
  type ResourceRecord,
} from '#resolver';
import { RuntimeError, type UdpSocket } from '#runtime';
import { nodeRuntime } from '#runtime/node';

const runtime = nodeRuntime({ log: () => undefined });

const recordFrom = (text: string): ResourceRecord => {
  const parsed = parseRecord(text, { ttl: 60 });
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${text}`);
  return parsed.record;
};

/** Names that share suffixes, in two cases, in RDATA that may be compressed and in such that may not. */
const ANSWERS = [
  'Host.Example.com A 192.0.2.1',
  'host.example.COM AAAA 2001:db8::1',
  'example.com NS ns.example.com.',
  'example.com NS host.Example.com.',
  'example.com SOA ns.example.com. hostmaster.example.com. 1 2 3 4 5',
  'www.example.com CNAME host.example.com.',
  'example.com MX 10 host.example.com.',
  'example.com MINFO a.example.com. b.example.com.',
  '_x._tcp.example.com SRV 1 2 3 host.example.com.',
  'example.com RP host.example.com. txt.host.example.com.',
  'example.com NAPTR 1 2 "u" "x" "" host.example.com.',
  'example.com PX 1 host.example.com. example.com.',
  'example.com KX 1 host.example.com.',
  'd.example.com DNAME host.example.com.',
  'example.com RRSIG A 13 2 60 20260101000000 20251201000000 1 example.com. AAECAw==',
  'example.com NSEC \\000.example.com. A MX RRSIG NSEC TYPE65280',
  'svc.example.com HTTPS 1 host.example.com. alpn=h2,h3 port=443',
  'hip.example.com HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs.example.com.',
  'a\\.b.example.com TXT "a\\"b\\\\\\000\\233;()" ""',
  'example.com LOC 42 21 54 N 71 06 18 W -24m 30m',
  'example.com TYPE65280 \\# 4 C00CC00C',
].map(recordFrom);

let socket: UdpSocket;
let asked: Message | undefined;

beforeAll(async () => {
  socket = await runtime.udp.bind({ address: '127.0.0.1', port: 0 }, (data, from) => {
    const result = decodeMessage(data);
    if (!result.ok) return;
    asked = result.message;
    const edns = { udpSize: 4096, version: 0, dnssecOk: true, options: [] };
    socket.send(
      encodeMessage({ ...asked, response: true, recursionAvailable: true, answers: ANSWERS, edns }),
      from,
    );
  });
});

afterAll(() => socket[Symbol.asyncDispose]());

async function dig(...args: string[]): Promise<string> {
  const at = ['@127.0.0.1', '-p', String(socket.local.port), '+tries=3', '+time=20', '+notcp'];
  try {
    return (await runtime.exec('dig', [...at, '+ignore', ...args], { timeoutMs: 180_000 })).stdout;
  } catch (thrown) {
    if (!(thrown instanceof RuntimeError) || thrown.code !== 'not-found') throw thrown;
    throw new Error('dig is missing: install the Debian package bind9-dnsutils');
  }
}

test('dig reads every record as we wrote it, case and all', async () => {
  const text = await dig('+noall', '+answer', '+nosplit', '+bufsize=4096', 'example.com', 'ANY');
  const read = text.trim().split('\n').map(recordFrom);
  expect(read).toEqual(ANSWERS);
});

test('dig finds nothing to complain of', async () => {
  const text = await dig('example.com', 'ANY', '+bufsize=4096');
  expect(text).toContain('status: NOERROR');
  expect(text).not.toMatch(/WARNING|malformed|extra|bad/i);
});

test.each([
  { flag: '+nsid', code: 3, data: '' },
  { flag: '+subnet=192.0.2.0/20', code: 8, data: '00011400c00000' },
  { flag: '+subnet=2001:db8::/33', code: 8, data: '0002210020010db800' },
  { flag: '+expire', code: 9, data: '' },
  { flag: '+cookie=0102030405060708', code: 10, data: '0102030405060708' },
  { flag: '+keepalive', code: 11, data: '' },
  { flag: '+ednsopt=15:0006', code: 15, data: '0006' },
])('dig $flag arrives as option $code', async ({ flag, code, data }) => {
  await dig('+nocookie', flag, 'example.com', 'A');
  expect(asked?.edns?.options).toContainEqual({
    code,
    data: Uint8Array.from(Buffer.from(data, 'hex')),
  });
});

test.each([
  { flag: '+dnssec', has: { edns: expect.objectContaining({ dnssecOk: true }) } },
  { flag: '+noedns', has: { edns: undefined } },
  { flag: '+edns=1', has: { edns: expect.objectContaining({ version: 1 }) } },
  { flag: '+bufsize=1400', has: { edns: expect.objectContaining({ udpSize: 1400 }) } },
  { flag: '+cdflag', has: { checkingDisabled: true } },
  { flag: '+adflag', has: { authenticData: true } },
  { flag: '+norecurse', has: { recursionDesired: false } },
  { flag: '+opcode=NOTIFY', has: { opcode: 4 } },
])('dig $flag is seen', async ({ flag, has }) => {
  await dig('+nocookie', '+noednsnegotiation', flag, 'example.com', 'A');
  expect(asked).toMatchObject(has);
});
