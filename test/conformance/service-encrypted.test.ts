/**
 * The real process with DoT and DoH: its own certificate as others judge it, and files of somebody
 * else's.
 */

import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCredentials } from '../suites/credentials.ts';
import { takePort } from '../suites/ports.ts';
import {
  type Ended,
  findPorts,
  makeRoom,
  nymote,
  type Place,
  runProgram,
  type Service,
  serveWords,
  startService,
} from './service-stand.ts';

const NAME = 'laptop.alice.nymote';

type EncryptedPlace = Place & { readonly dot: number; readonly doh: number };

async function findPlace(data: string, ...flags: string[]): Promise<EncryptedPlace> {
  const [ports, dot, doh] = [await findPorts(), await takePort(), await takePort()];
  const listen = ['--dot', `127.0.0.1:${dot}`, '--doh', `127.0.0.1:${doh}`];
  return { data, ports, dot, doh, flags: [...listen, ...flags] };
}

const said = ({ stdout, stderr }: Ended): string => stdout + stderr;

async function kdig(port: number, ...args: string[]): Promise<string> {
  const at = ['@127.0.0.1', '-p', String(port), '+timeout=30', '+retry=1'];
  return said(await runProgram('kdig', [...at, ...args, NAME, 'AAAA']));
}

type View = {
  readonly certificate: { readonly pin: string; readonly isOwn: boolean };
  readonly designation: readonly string[];
};

let room: Awaited<ReturnType<typeof makeRoom>>;
beforeAll(async () => {
  room = await makeRoom();
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

describe('its own certificate', () => {
  let service: Service;
  let place: EncryptedPlace;
  const certificate = () => join(place.data, 'tls-certificate.pem');
  const view = async () => (await service.json('status'))['encryptedDns'] as View;

  beforeAll(async () => {
    place = await findPlace(join(room.path, 'own'));
    service = await startService(place);
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  test.each([
    { flags: ['+tls'], port: () => place.dot, why: 'DoT' },
    { flags: ['+https'], port: () => place.doh, why: 'DoH' },
    { flags: ['+https-get'], port: () => place.doh, why: 'DoH by GET' },
  ])('verifies by name and answers over $why', async ({ flags, port }) => {
    const verify = [`+tls-ca=${certificate()}`, `+tls-hostname=${NAME}`, '+padding'];
    const answer = await kdig(port(), ...flags, ...verify);
    expect(answer).toContain('status: NOERROR');
    expect(answer).toMatch(/Received 468 B/);
  });

  test('the pin that status shows is the one clients see', async () => {
    const { pin } = (await view()).certificate;
    expect(await kdig(place.dot, '+tls', `+tls-pin=${pin}`)).toContain('status: NOERROR');
    const wrong = `${pin.startsWith('A') ? 'B' : 'A'}${pin.slice(1)}`;
    expect(await kdig(place.dot, '+tls', `+tls-pin=${wrong}`)).not.toContain('status: NOERROR');
  });

  test('openssl finds nothing to complain about, and the address of plain DNS in it', async () => {
    const strict = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', certificate()];
    const checked = await runProgram('openssl', [
      ...[...strict, '-verify_hostname', NAME, '-verify_ip', '127.0.0.1', certificate()],
    ]);
    expect(said(checked)).toContain(': OK');
    // RFC 9462 §4.2: only then may a client go from one to the other.
    expect((await stat(join(place.data, 'tls-key.pem'))).mode & 0o777).toBe(0o600);
  });

  test('dig finds both by the special name, and nothing else below it', async () => {
    const found = await service.dig('_dns.resolver.arpa', 'SVCB', '+short');
    const { designation } = await view();
    expect(found.trim().split('\n')).toHaveLength(2);
    expect(found).toContain(`port=${place.dot}`);
    expect(found).toContain(`port=${place.doh}`);
    expect(designation).toHaveLength(2);
    const none = await service.dig('_dns.resolver.arpa', 'A');
    expect(none).toContain('status: NOERROR');
    expect(none).toContain('ANSWER: 0');
  });

  test('NSID names nobody', async () => {
    const answer = await service.dig('+nsid', NAME);
    const id = /NSID: [0-9a-f ]+ \("([a-z2-7]{8})"\)/.exec(answer)?.[1] ?? '';
    const { device } = (await service.json('status')) as { device: { id: string } };
    expect(device.id.slice(0, 8)).toBe(id);
  });

  test('the live log tells which way a question came', async () => {
    await kdig(place.dot, '+tls');
    await kdig(place.doh, '+https');
    const { stdout } = await runProgram('curl', [
      ...['-sS', '--unix-socket', join(place.data, 'nymote.sock')],
      'http://localhost/api/v1/questions',
    ]);
    expect(stdout).toContain('"transport":"dot"');
    expect(stdout).toContain('"transport":"doh"');
  });
});

describe('files of somebody else', () => {
  const flagsOf = (name: string) => [
    ...['--tls-certificate', join(room.path, `${name}.pem`)],
    ...['--tls-key', join(room.path, `${name}.key`)],
  ];

  async function place(name: string, daysAgo = 0): Promise<void> {
    const { certificate, key } = await makeCredentials('dns.example', daysAgo);
    await writeFile(join(room.path, `${name}.pem`), certificate);
    await writeFile(join(room.path, `${name}.key`), key);
  }

  test('are served instead', async () => {
    await place('good');
    const where = await findPlace(join(room.path, 'good'), ...flagsOf('good'));
    await using service = await startService(where);
    expect(service.said()).toMatch(/Note .*good\.pem expires on/);
    const verify = [`+tls-ca=${join(room.path, 'good.pem')}`, '+tls-hostname=dns.example'];
    expect(await kdig(where.dot, '+tls', ...verify)).toContain('status: NOERROR');
  });

  test('one that is over is said to be, at the start and in status', async () => {
    await place('old', 9);
    const where = await findPlace(join(room.path, 'old'), ...flagsOf('old'));
    await using service = await startService(where);
    expect(service.said()).toMatch(/Note .*old\.pem expired on \d{4}-\d\d-\d\d; clients refuse/);
    expect((await service.run('status')).stdout).toMatch(/Warning .*expired on/);
  });

  test.each([
    { spoil: 'missing', says: /there is no .*missing\.pem/ },
    { spoil: 'junk', says: /junk\.pem holds no certificate/ },
    { spoil: 'other', says: /other\.pem and its key do not fit/ },
    { spoil: 'half', says: /belong together: add --tls-key/ },
  ])('$spoil: a sentence, and no start', async ({ spoil, says }) => {
    if (spoil !== 'missing') await place(spoil);
    if (spoil === 'junk') await writeFile(join(room.path, 'junk.pem'), 'junk');
    if (spoil === 'other') {
      const { key } = await makeCredentials('dns.example');
      await writeFile(join(room.path, 'other.key'), key);
    }
    const flags = spoil === 'half' ? flagsOf(spoil).slice(0, 2) : flagsOf(spoil);
    const ended = await nymote(serveWords(await findPlace(join(room.path, spoil), ...flags)));
    expect(ended.exitCode).toBeGreaterThan(0);
    expect(ended.stderr).toMatch(says);
    expect(ended.stderr).not.toContain('    at ');
  });
});
