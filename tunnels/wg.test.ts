import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Endpoint } from '#runtime';
import {
  isKey,
  type PlainConfig,
  parseDump,
  parseEndpoint,
  parseHandshakes,
  peerArguments,
  plainConfig,
  printKey,
} from './wg.ts';

const KEY = printKey(new Uint8Array(32).fill(1));
const SECRET = printKey(new Uint8Array(32).fill(2));
const DUMP = [
  [SECRET, KEY, '51820', 'off'].join('\t'),
  [
    KEY,
    SECRET,
    '[2001:db8::1]:51820',
    'fd00::2/128,100.64.0.2/32',
    '1700000000',
    '10',
    '20',
    '25',
  ].join('\t'),
  [KEY, '(none)', '(none)', '(none)', '0', '0', '0', 'off'].join('\t'),
  '',
].join('\n');

test('a dump without its secrets (I2)', () => {
  const dump = parseDump(DUMP);
  expect(JSON.stringify(dump)).not.toContain(SECRET);
  expect(dump).toEqual({
    publicKey: KEY,
    listenPort: 51_820,
    peers: [
      {
        publicKey: KEY,
        endpoint: { address: '2001:db8::1', port: 51_820 },
        allowedIps: ['100.64.0.2/32', 'fd00::2/128'],
        latestHandshake: 1_700_000_000,
        received: 10,
        sent: 20,
      },
      { publicKey: KEY, allowedIps: [], latestHandshake: 0, received: 0, sent: 0 },
    ],
  });
});

test.each([
  ['', 'nothing'],
  ['(none)\t(none)\tx\toff\n', 'a port that is none'],
  [`${DUMP}garbage\n`, 'a line that is no peer'],
])('no dump: %j, %s', (text) => {
  expect(parseDump(text)).toBeUndefined();
});

test('whatever is printed, reading it does not throw', () => {
  const field = fc.oneof(fc.constantFrom(KEY, '(none)', '0', 'off'), fc.string());
  const lines = fc.array(fc.array(field, { maxLength: 9 }).map((fields) => fields.join('\t')));
  fc.assert(
    fc.property(lines, (text) => {
      parseDump(text.join('\n'));
      parseHandshakes(text.join('\n'));
    }),
  );
});

test('handshakes', () => {
  expect([...parseHandshakes(`${KEY}\t1700000000\nnonsense\n`)]).toEqual([[KEY, 1_700_000_000]]);
});

test.each([
  [KEY, true, 'base64 of 32 bytes'],
  [KEY.replace('=', ''), false, 'without padding'],
  [`${KEY.slice(0, 42)}B=`, false, 'stray bits at the end'],
  [`${KEY}\n`, false, 'a line end'],
])('%j is a key: %s, %s', (text, isOne) => {
  expect(isKey(text)).toBe(isOne);
});

test.each<[string, Endpoint | undefined, string]>([
  ['192.0.2.1:1', { address: '192.0.2.1', port: 1 }, 'IPv4'],
  ['[::1]:65535', { address: '::1', port: 65_535 }, 'IPv6'],
  ['example.org:1', undefined, 'a name would be looked up for a minute'],
  ['192.0.2.1:0', undefined, 'port 0'],
  ['192.0.2.1:65536', undefined, 'no port'],
  ['0.0.0.0:1', undefined, 'no host'],
  ['::1:1', undefined, 'IPv6 without brackets'],
])('endpoint %s: %o, %s', (text, endpoint) => {
  expect(parseEndpoint(text)).toEqual(endpoint);
});

test('the arguments for a peer', () => {
  expect(
    peerArguments({
      publicKey: KEY,
      allowedIps: ['fd00::2/128', '100.64.0.2/32'],
      endpoint: { address: '2001:db8::1', port: 5 },
      keepalive: 25,
    }),
  ).toEqual([
    'peer',
    KEY,
    'allowed-ips',
    'fd00::2/128,100.64.0.2/32',
    'endpoint',
    '[2001:db8::1]:5',
    'persistent-keepalive',
    '25',
  ]);
});

const config = {
  privateKey: new Uint8Array(32).fill(2),
  addresses: ['fd00::2', '100.64.0.2'],
  dns: ['fd00::1'],
  peer: {
    publicKey: new Uint8Array(32).fill(1),
    endpoint: { host: 'home.example.org', port: 51_820 },
    allowedIps: ['fd00::/64'],
  },
};

test("a phone's file", () => {
  expect(plainConfig(config)).toBe(
    [
      '[Interface]',
      `PrivateKey = ${SECRET}`,
      'Address = fd00::2/128, 100.64.0.2/32',
      'DNS = fd00::1',
      '',
      '[Peer]',
      `PublicKey = ${KEY}`,
      'AllowedIPs = fd00::/64',
      'Endpoint = home.example.org:51820',
      'PersistentKeepalive = 25',
      '',
    ].join('\n'),
  );
});

test.each<[Partial<PlainConfig>, string]>([
  [{ dns: ['fd00::1\nPostUp = reboot'] }, 'a line more'],
  [{ addresses: [] }, 'no address'],
  [{ privateKey: new Uint8Array(31) }, 'a short key'],
  [{ peer: { ...config.peer, endpoint: { host: 'a b', port: 1 } } }, 'no host'],
  [{ peer: { ...config.peer, allowedIps: ['everything'] } }, 'no prefix'],
])('no file from %o: %s', (change) => {
  expect(plainConfig({ ...config, ...change })).toBeUndefined();
});
