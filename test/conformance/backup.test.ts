/**
 * Backups from end to end: what stock git, age and ssh-keygen read of them without our software, and
 * a realm on a blank machine again, under the same signed names.
 */

import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateRecoveryPhrase, openRecoveryPhrase } from '#identity';
import type { Credentials } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { makeCredentials } from '../suites/credentials.ts';
import { git, startS3, startWebdav, succeed } from './backup-stand.ts';
import {
  delv,
  type Ended,
  findPorts,
  makeRoom,
  nymote,
  type Ports,
  runProgram,
  type Service,
  startService,
} from './service-stand.ts';

const { crypto, random } = nodeRuntime();

let room: Awaited<ReturnType<typeof makeRoom>>;
let service: Service;
let certificate: Credentials;
/** An authority of the test's own for servers under TLS. */
let env: Record<string, string>;
let ports: Ports;
/** The folder of the backup: a full one, then an increment. */
let folder = '';
let phraseFile = '';
let head = '';
let recipient = '';
let blanks = 0;

type File = { name: string; kind: string; size: number; sha256: string; commits: number };

/** Keeps a phrase, and the same as a key of age's, in files; a new one unless told. */
async function keepPhrase(
  name: string,
  known?: string,
): Promise<{ file: string; recipient: string; id: string }> {
  const phrase = known ?? (await generateRecoveryPhrase(crypto, random));
  const opened = await openRecoveryPhrase(crypto, phrase);
  if (!opened.ok) throw new Error('unreachable: a phrase that is none');
  const file = join(room.path, name);
  await writeFile(file, `${phrase}\n`, { mode: 0o600 });
  await writeFile(`${file}.age`, `${opened.keys.identity}\n`, { mode: 0o600 });
  return { file, recipient: opened.keys.recipient, id: `${file}.age` };
}

async function backUp(to: string, ...more: readonly string[]): Promise<Ended> {
  return service.run('backup', '--to', to, '--recipient', recipient, ...more);
}

async function newestHead(): Promise<string> {
  const { commits } = (await service.json('log', '--limit', '1')) as { commits: { id: string }[] };
  return commits[0]?.id ?? '';
}

async function listFiles(): Promise<File[]> {
  const listed = await service.json('backup', 'list', '--to', folder);
  return (listed['manifest'] as { files: File[] }).files;
}

/** A folder like the backup's, to be damaged. */
async function copyFolder(): Promise<string> {
  const path = blank();
  await cp(folder, path, { recursive: true });
  return path;
}

const blank = (): string => join(room.path, `blank-${++blanks}`);

function restore(from: string, data: string, ...more: readonly string[]): Promise<Ended> {
  return nymote(['restore', '--from', from, '--data', data, ...more], { env });
}

beforeAll(async () => {
  room = await makeRoom();
  folder = join(room.path, 'backup');
  ports = await findPorts();
  certificate = await makeCredentials('s3.example');
  env = { NODE_EXTRA_CA_CERTS: join(room.path, 'authority') };
  await writeFile(join(room.path, 'authority'), certificate.certificate);
  service = await startService({ data: join(room.path, 'data'), ports, env });
  // A realm that began with a phrase keeps it in this file until it is written down.
  const own = await readFile(join(room.path, 'data/recovery-phrase'), 'utf8').catch(
    () => undefined,
  );
  ({ file: phraseFile, recipient } = await keepPhrase('phrase', own?.trim()));
  for (const name of ['phone', 'tablet', 'camera']) await service.run('device', 'add', name);
  succeed(await backUp(folder), 'the first backup');
  for (const name of ['printer', 'scale']) await service.run('device', 'add', name);
  await service.run('device', 'remove', 'scale');
  succeed(await backUp(folder), 'the second backup');
  head = await newestHead();
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await room?.[Symbol.asyncDispose]();
});

describe('without our software', () => {
  let clone = '';
  let files: File[] = [];

  async function unsealed(file: File | undefined): Promise<string> {
    const path = join(room.path, `${file?.name}.plain`);
    const sealed = join(folder, file?.name ?? '');
    const opened = await runProgram('age', ['-d', '-i', `${phraseFile}.age`, '-o', path, sealed]);
    succeed(opened, 'age');
    return path;
  }

  beforeAll(async () => {
    files = await listFiles();
    clone = join(room.path, 'clone');
    await git('clone', '-q', await unsealed(files[0]), clone);
  });

  test('age opens it, git clones it and fetches what came later', async () => {
    expect(files.map(({ kind }) => kind)).toEqual(['full', 'increment', 'keys']);
    const later = await unsealed(files[1]);
    await git('-C', clone, 'bundle', 'verify', '-q', later);
    await git('-C', clone, 'pull', '-q', '--ff-only', later, 'main');
    expect((await git('-C', clone, 'rev-parse', 'HEAD')).trim()).toBe(head);
    expect(await git('-C', clone, 'fsck', '--strict', '--full')).toBe('');
    const count = await git('-C', clone, 'rev-list', '--count', 'HEAD');
    expect(Number(count)).toBe(files.reduce((sum, { commits }) => sum + commits, 0));
  });

  test('git calls every signature good', async () => {
    const signers = join(room.path, 'signers');
    await writeFile(signers, (await service.run('signers')).stdout);
    const settings = ['-c', 'gpg.format=ssh', '-c', `gpg.ssh.allowedSignersFile=${signers}`];
    const marks = await git('-C', clone, ...settings, 'log', '--format=%G?');
    expect(new Set(marks.trim().split('\n'))).toEqual(new Set(['G']));
  });

  test('ssh-keygen checks the list, and sha256sum what it lists', async () => {
    const signers = join(room.path, 'signers');
    await writeFile(signers, (await service.run('signers')).stdout);
    const list = await readFile(join(folder, '00000002.json'), 'utf8');
    const { device } = JSON.parse(list) as { device: string };
    const sig = join(folder, '00000002.json.sig');
    const words = ['-Y', 'verify', '-f', signers, '-I', device, '-n', 'nymote-backup', '-s', sig];
    const said = await runProgram('ssh-keygen', words, { input: list });
    expect(succeed(said, 'ssh-keygen')).toContain('Good "nymote-backup" signature');
    const sums = files.map(({ name, sha256 }) => `${sha256}  ${join(folder, name)}\n`).join('');
    succeed(await runProgram('sha256sum', ['-c', '--strict'], { input: sums }), 'sha256sum');
  });

  test('the keys are one file of JSON', async () => {
    const keys = JSON.parse(await readFile(await unsealed(files[2]), 'utf8')) as {
      files: Record<string, string>;
    };
    const zone = await readFile(join(room.path, 'data/zone.json'), 'utf8');
    expect(keys.files['zone.json']).toBe(zone);
  });

  test('nothing of it is readable in the folder', async () => {
    for (const name of await readdir(folder)) {
      expect(await readFile(join(folder, name), 'latin1')).not.toMatch(/alice|phone|privateKey/);
    }
  });
});

describe('a blank machine', () => {
  test('has the same head, the same keys and the same signed names', async () => {
    const data = blank();
    const names = ['phone', 'laptop', 'camera'].map((name) => `${name}.alice.nymote`);
    const ask = async (from: Service): Promise<string[]> => {
      const answers = [await from.dig('+short', 'alice.nymote', 'DNSKEY')];
      for (const name of names) answers.push(await from.dig('+short', name, 'AAAA'));
      return answers;
    };
    const before = await ask(service);
    expect(before.every((text) => text !== '')).toBe(true);
    const anchor = join(room.path, 'anchor');
    await writeFile(anchor, (await service.run('zone', 'anchor')).stdout);
    const said = await restore(folder, data, '--phrase-file', phraseFile);
    expect(succeed(said, 'restore')).toContain(`Head ${head}`);
    await using restored = await startService({ data, ports: await findPorts() });
    expect(await ask(restored)).toEqual(before);
    const at = ['@127.0.0.1', '-p', String(restored.place.ports.dns), '-a', anchor];
    const checked = await delv(...at, '+root=alice.nymote', ...names, 'AAAA');
    expect(checked).toContain('fully validated');
    // It has another address and says so; everything before that is the history that was saved.
    const { commits } = (await restored.json('log', '--limit', '100')) as {
      commits: { id: string }[];
    };
    const saved = (await listFiles()).reduce((sum, { commits: count }) => sum + count, 0);
    expect(commits[commits.length - saved]?.id).toBe(head);
  });

  test('takes the phrase from standard input', async () => {
    const data = blank();
    const words = ['service/main.ts', 'restore', '--from', folder, '--data', data];
    const input = await readFile(phraseFile, 'utf8');
    const said = await runProgram(process.execPath, words, { input });
    expect(succeed(said, 'restore')).toContain(head);
  });

  test('goes on where a restore was cut short, and is no realm until then', async () => {
    const data = blank();
    const damaged = await copyFolder();
    const [, increment, keys] = await listFiles();
    await rm(join(damaged, keys?.name ?? ''));
    await rm(join(damaged, '00000001.json'));
    const first = await restore(damaged, data, '--phrase-file', phraseFile);
    expect(first.stderr).toContain(`does not have ${keys?.name}`);
    expect(increment?.kind).toBe('increment');
    const started = await nymote(['serve', '--data', data, '--dns', '127.0.0.1:1']);
    expect(started.stderr).toContain('restoring was cut short');
    succeed(await restore(folder, data, '--phrase-file', phraseFile), 'restore');
    expect(await readdir(data)).not.toContain('restoring');
  });
});

describe('a restore that is refused says why', () => {
  test('a realm is there already', async () => {
    const data = blank();
    succeed(await restore(folder, data, '--phrase-file', phraseFile), 'restore');
    const again = await restore(folder, data, '--phrase-file', phraseFile);
    expect(again).toMatchObject({ exitCode: 4, stdout: '' });
    expect(again.stderr).toContain('there is a realm');
  });

  test('the service runs there', async () => {
    const said = await restore(folder, join(room.path, 'data'), '--phrase-file', phraseFile);
    expect(said.stderr).toContain('running already');
  });

  test('the phrase is of another realm', async () => {
    const { file } = await keepPhrase('other');
    const said = await restore(folder, blank(), '--phrase-file', file);
    expect(said).toMatchObject({ exitCode: 3, stdout: '' });
    expect(said.stderr).toContain('of another realm');
  });

  test('a word is none, and the word is not repeated', async () => {
    const file = join(room.path, 'mistyped');
    const words = (await readFile(phraseFile, 'utf8')).trim().split(' ');
    await writeFile(file, words.with(4, 'hunter').join(' '));
    const said = await restore(folder, blank(), '--phrase-file', file);
    expect(said).toMatchObject({ exitCode: 3 });
    expect(said.stderr).toContain('number 5');
    expect(said.stderr).not.toContain('hunter');
  });

  test('a file is cut short', async () => {
    const damaged = await copyFolder();
    const [full] = await listFiles();
    await truncate(join(damaged, full?.name ?? ''), 1000);
    const said = await restore(damaged, blank(), '--phrase-file', phraseFile);
    expect(said.exitCode).toBe(1);
    expect(said.stderr).toContain(`${full?.name} is cut short: 1000 of ${full?.size} bytes`);
  });

  test('a file was swapped for another', async () => {
    const damaged = await copyFolder();
    const [full, increment] = await listFiles();
    await cp(join(damaged, increment?.name ?? ''), join(damaged, full?.name ?? ''));
    await truncate(join(damaged, full?.name ?? ''), full?.size ?? 0);
    const said = await restore(damaged, blank(), '--phrase-file', phraseFile);
    expect(said.exitCode).toBe(1);
    expect(said.stderr).toMatch(/gives another|is cut short/);
  });

  test('there is nothing', async () => {
    const said = await restore(blank(), blank(), '--phrase-file', phraseFile);
    expect(said.stderr).toContain('holds no backup');
  });
});

describe('a place', () => {
  test.each([
    { name: 'WebDAV (lighttpd)', start: startWebdav },
    { name: 'S3 (over TLS)', start: startS3 },
  ])('on $name takes a backup, gives it back, and wants the right password', async ({ start }) => {
    const own = join(room.path, `place-${start.name}`);
    await mkdir(own);
    await using server = await start(own, certificate);
    const { url, credentials } = server;
    succeed(await backUp(url, '--credentials', credentials), 'backup');
    await service.run('device', 'add', `via-${start.name.toLowerCase().slice(5)}`);
    succeed(await backUp(url, '--credentials', credentials), 'backup');
    const drill = await service.run('backup', 'drill', '--to', url, '--credentials', credentials);
    expect(succeed(drill, 'drill')).toContain('can be restored');
    const data = blank();
    const words = ['--phrase-file', phraseFile, '--credentials', credentials];
    expect(succeed(await restore(url, data, ...words), 'restore')).toContain(await newestHead());
    await writeFile(credentials, JSON.stringify({ user: 'alice', secret: 'hunter2' }));
    const refused = await backUp(url, '--credentials', credentials);
    expect(refused.exitCode).toBe(3);
    expect(refused.stderr).not.toContain('hunter2');
  });

  test('that nobody has is said to be so', async () => {
    const said = await backUp('http://127.0.0.1:1/dav/');
    expect(said.exitCode).toBe(5);
  });
});

describe('import', () => {
  let clone = '';
  beforeAll(async () => {
    clone = join(room.path, 'git/config');
    const token = succeed(await service.run('token', 'add', 'git'), 'token').split('\n')[0] ?? '';
    const url = `http://me:${token}@127.0.0.1:${ports.admin}/git/config.git`;
    await git('clone', '-q', url, clone);
  });

  const imported = async (source: string, data: string): Promise<unknown> =>
    JSON.parse(succeed(await nymote(['import', source, '--data', data, '--json']), 'import'));

  test('takes over a clone, with loose objects and with what git made of them', async () => {
    const now = await newestHead();
    expect(await imported(clone, blank())).toMatchObject({ head: now });
    await git('-C', clone, 'gc', '-q', '--aggressive', '--prune=now');
    const packs = await readdir(join(clone, '.git/objects/pack'));
    expect(packs.some((name) => name.endsWith('.pack'))).toBe(true);
    expect(await imported(clone, blank())).toMatchObject({ head: now });
  });

  test('takes over bundles of stock git, and a thin one after another', async () => {
    const data = blank();
    const bundles = [join(room.path, 'old.bundle'), join(room.path, 'new.bundle')];
    const [old = '', young = ''] = bundles;
    const early = (await git('-C', clone, 'rev-parse', 'main~3')).trim();
    await git('-C', clone, 'branch', 'early', early);
    await git('-C', clone, 'bundle', 'create', '-q', '--version=3', old, 'early');
    await git('-C', clone, 'bundle', 'create', '-q', '--version=3', young, 'early..main');
    expect(await imported(old, data)).toMatchObject({ head: early });
    expect(await imported(young, data)).toMatchObject({ added: 3, head: await newestHead() });
    expect(await imported(young, data)).toMatchObject({ added: 0 });
  });

  test('takes over what a web server has of it', async () => {
    const token = succeed(await service.run('token', 'add', 'web'), 'token').split('\n')[0] ?? '';
    const credentials = join(room.path, 'token.json');
    await writeFile(credentials, JSON.stringify({ user: 'me', secret: token }));
    const url = `http://127.0.0.1:${ports.admin}/git/config.git`;
    const words = ['import', url, '--credentials', credentials, '--data', blank()];
    expect(succeed(await nymote(words), 'import')).toContain(await newestHead());
  });

  test('takes over nothing else', async () => {
    const other = join(room.path, 'git/other');
    await git('init', '-q', '--object-format=sha256', other);
    await writeFile(join(other, 'a'), 'a');
    await git('-C', other, 'add', 'a');
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
    await git('-C', other, ...who, 'commit', '-q', '-m', 'a');
    const said = await nymote(['import', other, '--data', blank()]);
    expect(said.exitCode).toBe(1);
    expect(said.stderr).toContain('says not what it did');
    const nothing = await nymote(['import', room.path, '--data', blank()]);
    expect(nothing.stderr).toContain('no clone');
  });
});
