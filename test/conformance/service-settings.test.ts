/**
 * What is said when a start cannot work, or not fully: wrong settings, taken ports, a directory in
 * use, missing programs, missing rights.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Ended,
  findPorts,
  makeRoom,
  nymote,
  type Place,
  type Service,
  serveWords,
  startService,
} from './service-stand.ts';

let room: Awaited<ReturnType<typeof makeRoom>>;
let rooms = 0;

beforeAll(async () => {
  room = await makeRoom();
});
afterAll(() => room?.[Symbol.asyncDispose]());

/** A directory of its own in the room, with this nymote.json in it. */
async function makePlace(settings?: string): Promise<Place> {
  rooms += 1;
  const data = join(room.path, String(rooms));
  await mkdir(data);
  if (settings !== undefined) await writeFile(join(data, 'nymote.json'), settings);
  return { data, ports: await findPorts() };
}

const serve = (place: Place): Promise<Ended> => nymote(serveWords(place), place);

describe('settings', () => {
  test('all that is wrong is said at once, with where it stands and what is accepted', async () => {
    const settings = { user: 'Alice B', prot: 53, tunnels: true };
    const place = await makePlace(JSON.stringify(settings));
    const file = join(place.data, 'nymote.json');
    const ended = await serve({
      ...place,
      flags: ['--dns', 'everywhere'],
      env: { NYMOTE_LOG_LEVEL: 'loud' },
    });
    expect(ended.stderr.split('\n')).toEqual([
      `nymote: ${file}: user: 'Alice B' is not a name of a–z, 0–9 and -`,
      expect.stringMatching(
        `^nymote: ${file}: unknown setting 'prot'; accepted: user, name, .*, dns, .*logLevel$`,
      ),
      `nymote: ${file}: tunnels: 'true' is not auto, on or off`,
      "nymote: the environment: logLevel: 'loud' is not error, warn, info or debug",
      "nymote: the command line: dns: 'everywhere' is not address:port, several with commas",
      '',
    ]);
    expect([ended.exitCode, ended.stdout]).toEqual([2, '']);
  });

  test('a data directory whose socket would have too long a path is refused', async () => {
    const data = join(room.path, 'x'.repeat(100));
    const { exitCode, stderr } = await serve({ data, ports: await findPorts() });
    expect(stderr).toBe(
      `nymote: the command line: data: '${data}' is not a path of at most 90 characters\n`,
    );
    expect(exitCode).toBe(2);
  });

  test.each([
    { settings: '{"user":', says: 'not JSON: ', why: 'cut off' },
    { settings: '["alice"]', says: 'expected an object of settings', why: 'a list' },
    { settings: '', says: 'not JSON: ', why: 'empty' },
  ])('nymote.json that is $why is named', async ({ settings, says }) => {
    const place = await makePlace(settings);
    const { exitCode, stderr } = await serve(place);
    expect(stderr).toContain(`nymote: ${join(place.data, 'nymote.json')}: ${says}`);
    expect(exitCode).toBe(2);
  });

  test('on a router no link goes into the system log', async () => {
    const place = await makePlace(JSON.stringify({ ubus: join(room.path, 'no-ubus.sock') }));
    await using service = await startService(place);
    expect(service.said()).toContain('Ask for a name:');
    expect(service.said()).not.toMatch(/sign-in|#[0-9A-Z]{5}-/);
  });

  test('what nymote.json says holds', async () => {
    const place = await makePlace(JSON.stringify({ user: 'bob', name: 'tower' }));
    await using service = await startService(place);
    expect(service.said()).toContain('this is tower.bob.nymote\n');
  });
});

describe('what is taken', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService(await makePlace());
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  test('the directory of a running nymote is refused, and that one goes on', async () => {
    const { exitCode, stderr } = await serve({ ...service.place, ports: await findPorts() });
    expect(stderr).toBe(
      `nymote: nymote is running already with its data in ${service.place.data}; stop it first, or name another directory with --data\n`,
    );
    expect(exitCode).toBe(1);
    expect((await service.run('status')).exitCode).toBe(0);
  });

  test('of two that start at once in an empty directory one runs, and it can start again', async () => {
    const [one, two] = [await makePlace(), await makePlace()];
    const started = await Promise.allSettled([
      startService(one),
      startService({ ...two, data: one.data }),
    ]);
    const running = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(running).toHaveLength(1);
    await running[0]?.stop();
    await using again = await startService(one);
    expect((await again.run('status')).exitCode).toBe(0);
  });

  test.each(['dns', 'admin'] as const)('a taken %s port is named with its holder', async (kind) => {
    const place = await makePlace();
    const port = service.place.ports[kind];
    const { exitCode, stderr } = await serve({ ...place, ports: { ...place.ports, [kind]: port } });
    expect(stderr).toContain(`127.0.0.1 port ${port} is held by nymote, process ${service.pid}\n`);
    expect(stderr).toContain('choose another port: --dns, --admin or --control-port');
    expect(exitCode).toBe(1);
  });

  test('a port of another Node program is named by its script', async () => {
    const place = await makePlace();
    const socket = createSocket('udp4').bind(place.ports.dns, '127.0.0.1');
    await once(socket, 'listening');
    const { stderr } = await serve(place);
    socket.close();
    expect(stderr).toMatch(new RegExp(`port ${place.ports.dns} is held by .+, process \\d+\n`));
    expect(stderr).not.toContain('MainThread');
  });

  test('a taken control port costs the other devices, not the names', async () => {
    const place = await makePlace();
    const { control } = service.place.ports;
    await using second = await startService({ ...place, ports: { ...place.ports, control } });
    const words = `Other devices cannot come to port ${control}: `;
    expect(second.said()).toContain(words);
    expect((await second.run('status')).stdout).toContain(`Warning  ${words}`);
    expect(await second.dig('laptop.alice.nymote', 'A', '+short')).toMatch(/^100\./);
  });
});

describe('without WireGuard', () => {
  /** `ip` is there, `wg` and wireguard-go are not. */
  async function makePath(): Promise<string> {
    const path = join(room.path, 'bin');
    await mkdir(path, { recursive: true });
    for (const directory of ['/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
      const program = join(directory, 'ip');
      if (existsSync(program) && !existsSync(join(path, 'ip'))) {
        await symlink(program, join(path, 'ip'));
      }
    }
    return path;
  }

  test('--tunnels on says what to install', async () => {
    const place = await makePlace();
    const env = { PATH: await makePath() };
    const { exitCode, stderr } = await serve({ ...place, flags: ['--tunnels', 'on'], env });
    expect(stderr).toMatch(/^nymote: tunnels cannot be made: .+; (install|run) .+$/m);
    expect([1, 3]).toContain(exitCode);
  });

  test('--tunnels auto runs, and says why there are none', async () => {
    const place = await makePlace();
    const env = { PATH: await makePath() };
    await using service = await startService({ ...place, flags: ['--tunnels', 'auto'], env });
    expect(service.said()).toMatch(/^ {2}Tunnels {2}off: .+/m);
    expect((await service.run('status')).stdout).toMatch(/^Tunnels {2}off: .+/m);
    const { stdout } = await service.run('doctor');
    expect(stdout).toMatch(/^FAIL {2}wg: not found\n {6}→ install the package wireguard-tools$/m);
    expect(stdout).toMatch(/^FAIL {2}tunnels: .+\n {6}→ .+$/m);
    expect(await service.dig('laptop.alice.nymote', 'A', '+short')).toMatch(/^100\./);
  });
});

describe('as another user than root', () => {
  const nobody = 65_534;
  const program = [
    ...['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'],
    process.execPath,
  ];
  const isRoot = process.getuid?.() === 0;
  /** Where tests are not root they are another user already. */
  const asNobody = isRoot ? program : [process.execPath];

  async function makeNobodysPlace(): Promise<Place> {
    const place = await makePlace();
    if (isRoot) {
      await chown(place.data, nobody, nobody);
      await chown(dirname(place.data), nobody, nobody);
    }
    return { ...place, program: asNobody };
  }

  test('names resolve, tunnels say that they need root', async () => {
    const place = await makeNobodysPlace();
    await using service = await startService({ ...place, flags: ['--tunnels', 'auto'] });
    expect((await service.run('status')).stdout).toMatch(/^Tunnels {2}off: tunnels need root/m);
    expect(await service.dig('laptop.alice.nymote', 'A', '+short')).toMatch(/^100\./);
  });

  test('--tunnels on ends with 3', async () => {
    const place = await makeNobodysPlace();
    const { exitCode, stderr } = await serve({ ...place, flags: ['--tunnels', 'on'] });
    expect(stderr).toMatch(
      /^nymote: tunnels cannot be made: tunnels need root.*; run nymote as root/m,
    );
    expect(exitCode).toBe(3);
  });

  test('data of somebody else is not touched, and the sentence says so', async () => {
    const place = await makePlace('{}');
    await writeFile(join(place.data, 'nymote.json'), '{}', { mode: 0o600 });
    const { exitCode, stderr } = await serve({
      ...place,
      data: isRoot ? place.data : '/root/nymote',
      program: asNobody,
    });
    expect(stderr).toMatch(/^nymote: cannot .+EACCES: permission denied/);
    expect(stderr).toContain('Run it as the user whose data this is.');
    expect(exitCode).toBe(3);
  });
});
