/**
 * DoT, DoH and cookies as kdig, dig, curl and openssl see them.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCredentials } from '../suites/credentials.ts';
import { realRuntime } from '../suites/real.ts';
import { until } from '../suites/waiting.ts';
import { openSecureStand, type SecureStand } from './secure-stand.ts';

/** www.example A and large.example TXT. */
const WWW = Buffer.from('AAABAAABAAAAAAAAA3d3dwdleGFtcGxlAAABAAE', 'base64url');
const LARGE = Buffer.from('AAABAAABAAAAAAAABWxhcmdlB2V4YW1wbGUAABAAAQ', 'base64url');

let stand: SecureStand;
let authority: string;

beforeAll(async () => {
  stand = await openSecureStand({
    serverId: new TextEncoder().encode('here'),
    isLimited: () => false,
  });
  authority = join(await mkdtemp(join(tmpdir(), 'nymote-secure-')), 'certificate');
  await writeFile(authority, stand.credentials.certificate);
});

afterAll(async () => {
  await stand?.[Symbol.asyncDispose]();
  await rm(join(authority, '..'), { recursive: true });
});

const kdig = (port: number, ...args: string[]) =>
  stand.run('kdig', '@127.0.0.1', '-p', String(port), '+timeout=30', '+retry=1', ...args);
const dig = (port: number, ...args: string[]) =>
  stand.run('dig', '@127.0.0.1', '-p', String(port), '+timeout=20', '+tries=3', ...args);

describe('kdig', () => {
  test('+tls: verified by name and address, padded, kept alive', async () => {
    const said = await kdig(
      stand.dot,
      ...['+tls', `+tls-ca=${authority}`, '+tls-hostname=dns.example', '+padding', '+nsid'],
      ...['+ednsopt=11', 'www.example', 'A'],
    );
    expect(said).toContain('TLS session (TLS1.3)');
    expect(said).toContain('192.0.2.80');
    expect(said).toMatch(/Received 468 B/);
    expect(said).toMatch(/PADDING: \d+ B/);
    expect(said).toContain('NSID');
    expect(said).toMatch(/KEEPALIVE|Option \(11\): 0064/i);
  });

  test('without padding asked there is none', async () => {
    const said = await kdig(stand.dot, '+tls', '+nopadding', 'www.example', 'A');
    expect(said).toContain('192.0.2.80');
    expect(said).not.toContain('PADDING');
  });

  test('a large answer fills the next block', async () => {
    const said = await kdig(stand.dot, '+tls', '+padding', 'large.example', 'TXT');
    expect(said).toMatch(/Received 1872 B/);
  });

  test.each(['+https', '+https-get'])('%s over HTTP/2', async (flag) => {
    const said = await kdig(
      stand.doh,
      ...[flag, `+tls-ca=${authority}`, '+tls-hostname=dns.example', '+padding'],
      ...['www.example', 'A'],
    );
    expect(said).toContain('HTTP session (HTTP/2-');
    expect(said).toContain('(status: 200)');
    expect(said).toContain('192.0.2.80');
    expect(said).toMatch(/Received 468 B/);
  });

  test.each(['+https', '+https-get'])('%s at an IPv6 address', async (flag) => {
    const at = ['@::1', '-p', String(stand.dohIpv6), '+timeout=30', '+retry=1'];
    const said = await stand.run('kdig', ...at, flag, 'www.example', 'A');
    expect(said).toContain('(status: 200)');
    expect(said).toContain('192.0.2.80');
  });

  test('several questions on one connection', async () => {
    const said = await kdig(
      stand.dot,
      ...['+tls', '+keepopen', 'www.example', 'A', 'no.example', 'A', 'large.example', 'TXT'],
    );
    expect(said.match(/status: (\w+)/g)).toEqual([
      'status: NOERROR',
      'status: NXDOMAIN',
      'status: NOERROR',
    ]);
  });
});

describe('dig', () => {
  test.each([
    { flags: ['+tls'], port: () => stand.dot, why: 'DoT' },
    { flags: ['+https'], port: () => stand.doh, why: 'DoH by POST' },
    { flags: ['+https-get'], port: () => stand.doh, why: 'DoH by GET' },
  ])('$flags: $why', async ({ flags, port }) => {
    const said = await dig(
      port(),
      ...flags,
      ...[`+tls-ca=${authority}`, '+tls-hostname=dns.example', 'www.example', 'A'],
    );
    expect(said).toContain('192.0.2.80');
    expect(said).toContain('status: NOERROR');
  });

  test('a wrong name is noticed', async () => {
    const wrong = [`+tls-ca=${authority}`, '+tls-hostname=other.example', 'www.example', 'A'];
    expect(await dig(stand.dot, '+tls', ...wrong)).not.toContain('192.0.2.80');
  });

  test('+keepalive is answered over TCP', async () => {
    const said = await dig(stand.port, '+tcp', '+keepalive', 'www.example', 'A');
    expect(said).toContain('TCP KEEPALIVE: 10.0 secs');
  });

  test('+cookie: learns one and gets it back while it is fresh', async () => {
    const first = await dig(stand.port, '+cookie', 'www.example', 'A');
    const cookie = /COOKIE: ([0-9a-f]{48}) \(good\)/.exec(first)?.[1] ?? '';
    expect(cookie).not.toBe('');
    expect(await dig(stand.port, `+cookie=${cookie}`, 'www.example', 'A')).toContain(
      `COOKIE: ${cookie} (good)`,
    );
  });
});

test('beyond the limit dig is told BADCOOKIE, comes back with the cookie and is served', async () => {
  await using limited = await openSecureStand({ isLimited: () => true });
  const to = { address: '127.0.0.1', port: limited.port };
  await using flooding = await realRuntime().udp.bind({ ...to, port: 0 }, () => undefined);
  const flood = setInterval(() => {
    for (let index = 0; index < 10; index++) flooding.send(WWW, to);
  }, 1);
  const ask = (...args: string[]) =>
    // Half of the questions beyond the limit get silence.
    stand.run(
      'dig',
      ...['@127.0.0.1', '-p', String(to.port), '+timeout=1', '+tries=12'],
      ...[...args, 'www.example', 'A'],
    );
  // A hundred questions a second are served even so, and this may be one of them.
  const askUntil = async (sign: string, ...args: string[]) => {
    let said = '';
    const isSaid = async () => {
      said = await ask(...args);
      return said.includes(sign);
    };
    await until(`dig says ${sign}`, isSaid);
    return said;
  };
  try {
    const told = await askUntil('BADCOOKIE', '+cookie', '+nobadcookie');
    expect(told).toContain('status: BADCOOKIE');
    const served = await askUntil('BADCOOKIE, retrying', '+cookie', '+badcookie');
    expect(served).toContain('BADCOOKIE, retrying');
    expect(served).toContain('status: NOERROR');
    const slipped = await askUntil('retrying in TCP mode', '+nocookie');
    expect(slipped).toContain('retrying in TCP mode');
  } finally {
    clearInterval(flood);
  }
});

describe('curl', () => {
  const query = WWW.toString('base64url');
  const curl = (...args: string[]) =>
    stand.run('curl', '-sS', '-m', '60', '--cacert', authority, '-i', ...args);
  const url = (path = `/dns-query?dns=${query}`) => `https://127.0.0.1:${stand.doh}${path}`;

  test.each([
    { args: () => ['--http2', url()], has: 'HTTP/2 200', why: 'HTTP/2' },
    { args: () => ['--http1.1', url()], has: 'HTTP/1.1 200', why: 'HTTP/1.1' },
    { args: () => [url()], has: 'cache-control: private, max-age=300', why: 'its TTL' },
    { args: () => [url()], has: 'content-type: application/dns-message', why: 'its type' },
    { args: () => [url('/dns-query')], has: 'HTTP/2 400', why: 'no question' },
    { args: () => [url('/')], has: 'HTTP/2 404', why: 'another path' },
    { args: () => ['-X', 'DELETE', url()], has: 'HTTP/2 405', why: 'another method' },
    { args: () => ['-d', 'x', url('/dns-query')], has: 'HTTP/2 415', why: 'another type' },
    { args: () => [url(`/dns-query?dns=${'A'.repeat(8_000)}`)], has: 'HTTP/2 414', why: 'long' },
  ])('$has: $why', async ({ args, has }) => {
    expect(await curl(...args())).toContain(has);
  });

  test('--doh-url resolves a name for curl itself', async () => {
    // Nobody is at that address: it is enough that curl goes there.
    const words = ['-sSv', '--doh-insecure', 'http://www.example/'];
    const doh = ['--doh-url', `https://127.0.0.1:${stand.doh}/dns-query`];
    const child = spawn('curl', [...words, ...doh], { stdio: ['ignore', 'ignore', 'pipe'] });
    const exited = once(child, 'exit');
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said += String(data);
    });
    const isThere = () => /(?:Trying|DOH A:) 192\.0\.2\.80/.test(said);
    await until('curl finds the address', () => isThere() || child.exitCode !== null);
    child.kill('SIGKILL');
    await exited;
    expect(isThere(), said).toBe(true);
  });
});

describe('openssl s_client', () => {
  const handshake = (...args: string[]) =>
    stand.run(
      'openssl',
      's_client',
      '-connect',
      `127.0.0.1:${stand.dot}`,
      '-CAfile',
      authority,
      ...args,
    );

  test('agrees on the protocol and verifies', async () => {
    const said = await handshake('-alpn', 'dot', '-verify_hostname', 'dns.example');
    expect(said).toContain('ALPN protocol: dot');
    expect(said).toContain('Verify return code: 0 (ok)');
  });

  test.each([
    { args: ['-alpn', 'http/1.1'], why: 'another protocol' },
    { args: ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], why: 'TLS 1.1' },
  ])('$why is turned away', async ({ args }) => {
    expect(await handshake(...args)).toMatch(/alert|no peer certificate/);
  });

  test('a new certificate holds from the next handshake on, the open connection still serves', async () => {
    const open = connect({ host: '127.0.0.1', port: stand.dot, rejectUnauthorized: false });
    await once(open, 'secureConnect');
    stand.listeners.replaceCredentials(await makeCredentials('next.example'));
    expect(await handshake('-alpn', 'dot')).toContain('CN = next.example');
    expect(await stand.run('curl', '-skv', `https://127.0.0.1:${stand.doh}/`)).toContain(
      'CN=next.example',
    );
    expect(await askOver(open)).toContain(192);
    stand.listeners.replaceCredentials(stand.credentials);
  });
});

/** Asks for www.example A on a DoT connection; the octets of the answer. */
async function askOver(socket: TLSSocket): Promise<number[]> {
  const answered = once(socket, 'data') as Promise<[Buffer]>;
  socket.write(frame(WWW));
  const [answer] = await answered;
  socket.destroy();
  return [...answer];
}

const frame = (message: Uint8Array) => Buffer.concat([Buffer.of(0, message.length), message]);

test('who asks over DoT and never reads is cut off', async () => {
  const socket = connect({ host: '127.0.0.1', port: stand.dot, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.pause();
  socket.on('error', () => undefined);
  const some = Buffer.concat(Array.from({ length: 20 }, () => frame(LARGE)));
  const rounds = 800;
  for (let round = 0; round < rounds && !socket.destroyed; round++) {
    socket.write(some);
    await realRuntime().clock.sleep(1);
  }
  // What the kernel held until then, some megabytes, is still there to be read.
  let heard = 0;
  socket.on('data', (chunk) => {
    heard += chunk.length;
  });
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
  expect(heard).toBeLessThan((rounds * 20 * 1_872) / 2);
  expect(await kdig(stand.dot, '+tls', 'www.example', 'A')).toContain('192.0.2.80');
});
