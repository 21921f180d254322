/**
 * `nymote serve` as its owner meets it: what it prints, what it answers, how it ends, and that
 * other people's validators agree with it.
 */

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFree } from '../suites/ports.ts';
import { fetchBun } from './bun.ts';
import {
  DIG_PATIENTLY,
  delv,
  findPorts,
  makeRoom,
  nymote,
  runProgram,
  type Service,
  startService,
  startUnbound,
} from './service-stand.ts';

const FQDN = 'laptop.alice.nymote';
const NOBODY = 'nobody-is-called-so.alice.nymote';

/** Whoever runs it: everything below holds for each. */
const RUNNERS = [
  { name: 'Node', program: () => [process.execPath] },
  { name: 'Bun', program: () => [fetchBun()] },
];

describe.each(RUNNERS)('on $name', ({ program }) => {
  let room: Awaited<ReturnType<typeof makeRoom>>;
  let service: Service;
  let anchors = '';

  beforeAll(async () => {
    room = await makeRoom();
    const place = { data: join(room.path, 'data'), ports: await findPorts(), program: program() };
    service = await startService(place);
    anchors = join(room.path, 'anchors');
    await writeFile(anchors, (await service.run('zone', 'anchor')).stdout);
  });

  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await room?.[Symbol.asyncDispose]();
  });

  test('the greeting says who it is, where it listens and what to do next', () => {
    const { ports, data } = service.place;
    expect(service.said().split('\n')).toEqual([
      expect.stringMatching(/^nymote \d+\.\d+\.\d+: this is laptop\.alice\.nymote$/),
      '',
      `  DNS      127.0.0.1:${ports.dns} (UDP and TCP)`,
      `  Admin    http://127.0.0.1:${ports.admin}`,
      `  Data     ${data}`,
      expect.stringMatching(/^ {2}Tunnels {2}off: .+/),
      expect.stringMatching(
        /^ {2}Note {5}Write your recovery phrase on paper: nymote recovery show/,
      ),
      '',
      'Sign in (the link works once, for ten minutes):',
      expect.stringMatching(`^  http://127\\.0\\.0\\.1:${ports.admin}/sign-in#[0-9A-Z-]{20,}$`),
      'Ask for a name:',
      `  dig @127.0.0.1 -p ${ports.dns} ${FQDN} AAAA +dnssec`,
      expect.stringContaining('npm start -- --user you'),
      expect.stringContaining('npx nymote'),
      '',
      'Ready. Ctrl-C stops it.',
      '',
    ]);
  });

  test.each([
    { over: 'UDP', flags: [] },
    { over: 'TCP', flags: ['+tcp'] },
  ])('the printed dig line gets a signed answer over $over', async ({ flags }) => {
    const line = /^ {2}dig (.+)$/m.exec(service.said())?.[1] ?? '';
    const { stdout } = await runProgram('dig', [...line.split(' '), ...DIG_PATIENTLY, ...flags]);
    expect(stdout).toContain('status: NOERROR');
    expect(stdout).toMatch(/^laptop\.alice\.nymote\.\s+30\s+IN\s+AAAA\s+fd/m);
    expect(stdout).toMatch(/^laptop\.alice\.nymote\.\s+30\s+IN\s+RRSIG\s+AAAA 13 3 30 /m);
    expect(stdout).toContain(flags.length === 0 ? '(UDP)' : '(TCP)');
  });

  test.each([
    { name: FQDN, type: 'AAAA', says: '; fully validated', why: 'a name' },
    { name: FQDN, type: 'MX', says: '; negative response, fully validated', why: 'no such type' },
    { name: NOBODY, type: 'A', says: '; negative response, fully validated', why: 'no such name' },
  ])('delv validates $type of $name: $why', async ({ name, type, says }) => {
    const at = ['@127.0.0.1', '-p', String(service.place.ports.dns)];
    const args = ['-a', anchors, '+root=alice.nymote', ...at, name, type];
    expect((await delv(...args)).split('\n')).toContain(says);
  });

  test('the command line talks to it', async () => {
    const { exitCode, stdout } = await service.run('status');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`This is ${FQDN} (signpost)`);
  });

  test('its control port is had on IPv4 and IPv6', () => {
    expect(service.said()).not.toContain('Other devices cannot come');
  });

  test('a reader of its log that leaves does not end it', async () => {
    service.stopListening();
    for (const name of ['phone', 'tablet']) await service.run('device', 'add', name);
    expect((await service.run('device', 'list')).stdout).toContain('tablet.alice.nymote');
  });

  test('SIGTERM ends it with 0, and leaves nothing behind; a restart finds the same realm', async () => {
    const before = (await service.run('zone', 'anchor')).stdout;
    expect(await service.stop('SIGTERM')).toBe(0);
    const { data, ports } = service.place;
    expect(existsSync(join(data, 'nymote.sock'))).toBe(false);
    for (const port of Object.values(ports)) expect(await isFree(port), `port ${port}`).toBe(true);
    expect((await nymote(['status', '--data', data])).exitCode).toBe(5);
    service = await startService(service.place);
    expect((await service.run('zone', 'anchor')).stdout).toBe(before);
    // Twice, as a terminal and launch.mjs say it.
    process.kill(service.pid, 'SIGINT');
    expect(await service.stop('SIGINT')).toBe(0);
  });
});

test('Unbound, pointed at it with its anchor, calls the answers authentic', async () => {
  await using room = await makeRoom();
  await using service = await startService({
    data: join(room.path, 'data'),
    ports: await findPorts(),
  });
  await using unbound = await startUnbound(service, room.path);
  expect(await unbound.dig(FQDN, 'AAAA')).toMatch(/status: NOERROR[\s\S]+flags:[^;]* ad[ ;]/);
  expect(await unbound.dig(NOBODY, 'AAAA')).toMatch(/status: NXDOMAIN[\s\S]+flags:[^;]* ad[ ;]/);
});
