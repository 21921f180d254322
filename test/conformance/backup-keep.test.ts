/**
 * Two real services of two households: one keeps the other's backup, sees nothing of it, and gives
 * it back to a blank machine. What it lies about is noticed; curl speaks with it as well.
 */

import { cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takePort } from '../suites/ports.ts';
import { succeed } from './backup-stand.ts';
import {
  type Ended,
  findPorts,
  makeRoom,
  nymote,
  runProgram,
  type Service,
  startService,
} from './service-stand.ts';

let room: Awaited<ReturnType<typeof makeRoom>>;
let keeper: Service;
let home: Service;
let port = 0;
/** Where the keeper has Alice's files. */
let kept = '';
/** The line, and the file that it is in. */
let line = '';
let lineFile = '';
let phraseFile = '';
let blanks = 0;

const blank = (): string => join(room.path, `blank-${++blanks}`);

async function startKeeper(): Promise<Service> {
  const flags = ['--user', 'bob', '--name', 'shed', '--keep-port', String(port)];
  return startService({ data: join(room.path, 'keeper'), ports: await findPorts(), flags });
}

/** Runs `nymote backup keep`; the first line of what it prints is the line. */
async function keep(name: string, ...more: readonly string[]): Promise<string> {
  const said = await keeper.run('backup', 'keep', name, '--at', '127.0.0.1', ...more);
  return succeed(said, 'backup keep').split('\n')[0] ?? '';
}

const headOf = async (service: Service): Promise<string> => {
  const { commits } = (await service.json('log', '--limit', '1')) as { commits: { id: string }[] };
  return commits[0]?.id ?? '';
};

function restore(data: string): Promise<Ended> {
  const words = ['--line-file', lineFile, '--phrase-file', phraseFile];
  return nymote(['restore', ...words, '--data', data]);
}

const partsOf = (text: string) => ({
  token: /alice:([^@]+)@/.exec(text)?.[1] ?? '',
  pin: /#sha256=(.+)$/.exec(text)?.[1] ?? '',
});

/** Asks the keeper as a stock program does; prints the status after the body. */
async function curl(path: string, ...words: readonly string[]): Promise<string> {
  const { pin, token } = partsOf(line);
  const known = ['--insecure', '--pinnedpubkey', `sha256//${pin}`, '--noproxy', '*'];
  const url = `https://127.0.0.1:${port}/kept/alice/${path}`;
  const asked = ['-sS', ...known, '-u', `alice:${token}`, '-w', '%{http_code}', ...words, url];
  return succeed(await runProgram('curl', asked), 'curl');
}

beforeAll(async () => {
  room = await makeRoom();
  port = await takePort();
  keeper = await startKeeper();
  home = await startService({ data: join(room.path, 'home'), ports: await findPorts() });
  kept = join(room.path, 'keeper/kept/alice');
  phraseFile = join(room.path, 'home/recovery-phrase');
  lineFile = join(room.path, 'line');
  line = await keep('alice');
  await writeFile(lineFile, `${line}\n`, { mode: 0o600 });
  for (const name of ['phone', 'camera']) await home.run('device', 'add', name);
  succeed(await home.run('backup', 'to', '--line-file', lineFile), 'backup to');
  await home.run('device', 'add', 'printer');
  succeed(await home.run('backup'), 'backup');
});
afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
  await keeper?.[Symbol.asyncDispose]();
  await room?.[Symbol.asyncDispose]();
});

describe('a friend', () => {
  test('gives it back to a blank machine: the same head, names and keys', async () => {
    const data = blank();
    expect(succeed(await restore(data), 'restore')).toContain(`Head ${await headOf(home)}`);
    for (const name of ['device.json', 'zone.json']) {
      const [there, here] = [join(data, name), join(room.path, 'home', name)];
      expect(await readFile(there, 'utf8')).toBe(await readFile(here, 'utf8'));
    }
    await using restored = await startService({ data, ports: await findPorts() });
    for (const name of ['phone', 'camera', 'printer']) {
      const address = await home.dig('+short', `${name}.alice.nymote`, 'AAAA');
      expect(address).not.toBe('');
      expect(await restored.dig('+short', `${name}.alice.nymote`, 'AAAA')).toBe(address);
    }
  });

  test('has nothing that can be read, and no token', async () => {
    const { token } = partsOf(line);
    expect(token).toHaveLength(43);
    const names = await readdir(kept);
    expect(names.filter((name) => name.endsWith('.age'))).toHaveLength(4);
    for (const name of names) {
      const text = await readFile(join(kept, name), 'latin1');
      expect(text).not.toMatch(/phone|camera|printer|alice|privateKey/);
      if (name.endsWith('.age')) expect(text).toMatch(/^age-encryption\.org\/v1\n/);
    }
    expect(await readFile(join(room.path, 'keeper/kept.json'), 'utf8')).not.toContain(token);
    expect(keeper.said() + home.said()).not.toContain(token);
  });

  test('says how much it is, since when, and how new', async () => {
    const { guests } = await keeper.json('backup', 'kept');
    expect(guests).toMatchObject([{ name: 'alice', newest: { number: 2 }, quota: 2 ** 30 }]);
    expect((await keeper.run('backup', 'kept')).stdout).toMatch(/^alice .* number 2 of \d{4}-/m);
    const schedule = (await home.run('backup', 'schedule')).stdout;
    expect(schedule).toContain(`Every day to https://127.0.0.1:${port}/kept/alice/.`);
    expect(schedule).not.toContain(partsOf(line).token);
    expect((await home.run('backup', 'drill')).stdout).toContain('can be restored');
  });

  test('goes on after the plug was pulled', async () => {
    await keeper.stop('SIGKILL');
    const said = await home.run('backup', 'drill');
    expect(said.stdout).toContain('The drill failed');
    keeper = await startKeeper();
    await home.run('device', 'add', 'kettle');
    succeed(await home.run('backup'), 'backup');
    expect((await home.run('backup', 'drill')).stdout).toContain('can be restored');
  });
});

describe('stock programs', () => {
  const name = `${'0'.repeat(26)}.age`;

  test.each(['--http1.1', '--http2'])('curl %s puts, gets and deletes', async (version) => {
    const file = join(room.path, 'large');
    // More than one session of HTTP/2 may make a server hold.
    await writeFile(file, Buffer.alloc(5_000_000, 7));
    const back = join(room.path, 'back');
    expect(await curl(name, version, '-T', file)).toBe('201');
    expect(await curl(name, version, '-T', file)).toBe('204');
    expect(await curl(name, version, '-o', back)).toBe('200');
    expect((await readFile(back)).equals(await readFile(file))).toBe(true);
    await writeFile(file, 'another');
    expect(await curl(name, version, '-T', file)).toBe('403');
    expect(await curl('', version, '-X', 'PROPFIND')).toMatch(
      new RegExp(`${name}[^]*<d:getcontentlength>5000000<[^]*207$`),
    );
    expect(await curl(name, version, '-X', 'DELETE')).toBe('204');
    expect(await curl(name, version)).toBe('404');
  });

  test.each([
    { path: '../../device.json', why: 'a way out' },
    { path: '..%2f..%2fdevice.json', why: 'a way out that is written otherwise' },
    { path: '../tls-key.pem', why: "the keeper's key" },
    { path: '../bob/', why: "somebody else's" },
    { path: 'passwd', why: 'no file of a backup' },
  ])('reach nothing else: $why', async ({ path }) => {
    expect(await curl(path, '--path-as-is')).toBe('404');
    expect(await curl(path, '--path-as-is', '-T', phraseFile)).toBe('404');
  });

  test.each([
    { user: 'alice:wrong', why: 'a wrong token' },
    { user: 'bob:wrong', why: 'nobody' },
  ])('are turned away with $why', async ({ user }) => {
    const anybody = ['-u', user, '-X', 'PROPFIND'];
    expect(await curl('', ...anybody)).toBe('401');
  });
});

describe('a keeper who lies', () => {
  /** Changes the keeper's disk, sees what a restore says, and puts it back. */
  async function lie(change: (names: readonly string[]) => Promise<void>): Promise<Ended> {
    const honest = `${kept}-honest`;
    await cp(kept, honest, { recursive: true });
    await change((await readdir(kept)).toSorted((a, b) => (a < b ? -1 : 1)));
    const said = await restore(blank());
    await rm(kept, { recursive: true });
    await rename(honest, kept);
    return said;
  }
  const inKept = (name = '') => join(kept, name);
  const sealed = (names: readonly string[]) => names.filter((name) => name.endsWith('.age'));

  test.each<{
    readonly why: string;
    readonly change: (names: readonly string[]) => Promise<void>;
    readonly says: RegExp;
  }>([
    {
      why: 'flips a bit of each file',
      async change(names) {
        for (const name of sealed(names)) {
          const bytes = await readFile(inKept(name));
          bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
          await writeFile(inKept(name), bytes);
        }
      },
      says: /gives another \S+\.age than was written/,
    },
    {
      why: 'cuts them short',
      change: async (names) => {
        for (const name of sealed(names)) await truncate(inKept(name), 1_000);
      },
      says: /is cut short: 1000 of/,
    },
    {
      why: 'lost them',
      change: async (names) => {
        for (const name of sealed(names)) await rm(inKept(name));
      },
      says: /does not have \S+\.age, which the list names/,
    },
    {
      why: 'changes the lists',
      async change(names) {
        for (const name of names.filter((each) => each.endsWith('.json'))) {
          const text = await readFile(inKept(name), 'utf8');
          await writeFile(inKept(name), text.replace('"number":', '"number": '));
        }
      },
      says: /the list \S+\.json or its signature is damaged/,
    },
    {
      why: 'lost everything',
      change: async (names) => {
        for (const name of names) await rm(inKept(name));
      },
      says: /holds no backup/,
    },
  ])('$why: a restore says so and makes no realm', async ({ change, says }) => {
    const said = await lie(change);
    expect(said.exitCode).toBe(1);
    expect(said.stderr).toMatch(says);
  });

  test('who shows an old list is found out by who wrote a newer one', async () => {
    const honest = `${kept}-old`;
    await cp(kept, honest, { recursive: true });
    await home.run('device', 'add', 'scale');
    succeed(await home.run('backup'), 'backup');
    await rm(kept, { recursive: true });
    await rename(honest, kept);
    expect((await home.run('backup', 'drill')).stdout).toMatch(/shows the old list \d+, though/);
    // It says so, writes everything again, and holds from then on.
    expect((await home.run('backup')).stdout).toContain('A full backup was made');
    expect((await home.run('backup', 'drill')).stdout).toContain('can be restored');
  });

  test('another machine at its address gets no token', async () => {
    const { token, pin } = partsOf(line);
    const other = join(room.path, 'other-line');
    const wrongPin = line.replace(pin, Buffer.alloc(32, 7).toString('base64'));
    await writeFile(other, wrongPin);
    const words = ['restore', '--line-file', other, '--phrase-file', phraseFile];
    const said = await nymote([...words, '--data', blank()]);
    expect(said).toMatchObject({ exitCode: 3 });
    expect(said.stderr).toContain('its key is none of those pinned');
    expect(said.stderr).not.toContain(token);
  });
});

describe('the keeper decides', () => {
  test('how much: a full place is said to be full, and the last backup holds', async () => {
    const large = join(room.path, 'megabyte');
    await writeFile(large, Buffer.alloc(1 << 20));
    const name = `${'f'.repeat(26)}.age`;
    expect(await curl(name, '-T', large)).toBe('201');
    await keeper.run('backup', 'keep', 'alice', '--quota', '1M');
    await home.run('device', 'add', 'lamp');
    const said = await home.run('backup');
    expect(said).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is full') });
    expect((await home.run('backup', 'schedule')).stdout).toContain('is full');
    expect((await home.run('backup', 'drill')).stdout).toContain('can be restored');
    expect(await curl(name, '-X', 'DELETE')).toBe('204');
    succeed(await home.run('backup'), 'backup');
  });

  test('by which line: an old one is worthless', async () => {
    line = await keep('alice', '--renew');
    const refused = await home.run('backup', 'drill');
    expect(refused.stdout).toContain('wants other credentials');
    const wrong = await home.run('backup', 'to', '--line-file', lineFile);
    expect(wrong).toMatchObject({ exitCode: 3 });
    await writeFile(lineFile, line);
    succeed(await home.run('backup', 'to', '--line-file', lineFile), 'backup to');
  });

  test('until when: then nothing is there, and nobody is listened to', async () => {
    succeed(await keeper.run('backup', 'forget', 'alice'), 'backup forget');
    expect(await readdir(kept)).toEqual([]);
    const said = await home.run('backup', 'list');
    expect(said.exitCode).toBe(5);
    expect((await keeper.run('backup', 'kept')).stdout).toContain('Nothing is kept');
    expect((await home.run('backup', 'to', '--off')).stdout).toContain('No more backups');
    expect((await home.run('backup', 'schedule')).stdout).toContain('Nothing is planned');
  });
});

test('a line is read from standard input, where no list of processes shows it', async () => {
  // The system finds a host's name.
  const own = await keep('carol', '--at', 'localhost');
  const data = join(room.path, 'home');
  const words = ['service/main.ts', 'backup', 'to', '--data', data];
  const said = await runProgram(process.execPath, words, { input: `${own}\n` });
  expect(succeed(said, 'backup to')).toContain('From now on one is made there every day');
  const none = await runProgram(process.execPath, words, { input: 'hunter2\n' });
  expect(none).toMatchObject({ exitCode: 2 });
  expect(none.stderr).not.toContain('hunter2');
});
