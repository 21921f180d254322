/**
 * The history as seen by stock git and OpenSSH: it clones, it is well-formed, every commit's
 * signature is good, and anybody can check who changed what without our software.
 */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deviceId } from '#identity';
import type { Listener } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { type Json, openStore, type Store } from '#storage';

const run = promisify(execFile);
const runtime = nodeRuntime({ log: () => undefined });
const COMMITS = 40;

let root = '';
let store: Store;
let server: Listener;
let clone = '';
let signers = '';

/** Runs a program of Debian's; a missing one is a failure that says what to install. */
async function tool(file: string, args: readonly string[], stdin?: Uint8Array): Promise<string> {
  const environment = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
  };
  const running = run(file, args, {
    encoding: 'utf8',
    // Outside any repository: in a checkout, git would read its SHA-1 packs as SHA-256 ones.
    cwd: root,
    env: { ...environment, LC_ALL: 'C' },
  });
  running.child.stdin?.end(stdin);
  try {
    return (await running).stdout;
  } catch (thrown) {
    const { code, stderr = '' } = thrown as { readonly code?: unknown; readonly stderr?: string };
    if (code !== 'ENOENT') {
      throw new Error(`${file} ${args.join(' ')}: ${code}\n${stderr.slice(0, 2000)}`);
    }
    const packages: Record<string, string> = { git: 'git', 'ssh-keygen': 'openssh-client' };
    throw new Error(`${file} is missing: apt install ${packages[file]}`);
  }
}

const git = (...args: string[]) => tool('git', ['-C', clone, ...args]);

const verified = (...args: string[]) =>
  git('-c', 'gpg.format=ssh', '-c', `gpg.ssh.allowedSignersFile=${signers}`, ...args);

function set(path: string, value: Json) {
  return { op: 'set', path, value } as const;
}

async function fill(): Promise<void> {
  const commit = (...ops: Parameters<Store['commit']>[0]['ops']) =>
    store.commit({ ops, message: 'Change\n\nNot "ASCII": ü€😀\n# no comment', via: 'web: alice' });
  // Names whose order in a tree is not the order of their letters.
  await commit(set('a/x', {}), set('a-b/x', {}), set('a0/x', {}), set('names/a.b', {}));
  await commit(set('names/@', { text: 'ü€😀' }), set('names/*.home', {}), set('names/a', {}));
  await commit({ op: 'del', path: 'a-b/x' }, { op: 'add', path: 'a/x/set', value: 'member' });
  while (store.seq < COMMITS) await commit(set(`names/n${store.seq % 9}`, { seq: store.seq }));
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nymote-git-'));
  clone = join(root, 'clone');
  signers = join(root, 'allowed-signers');
  const { privateKey } = await runtime.crypto.generateSigningKey('ed25519');
  const signer = runtime.crypto.signer('ed25519', privateKey);
  const writer = { deviceId: 'router', name: "Alice's Küche", signer };
  store = await openStore(runtime, { directory: join(root, 'store'), writer });
  await fill();
  await writeFile(signers, store.allowedSigners());
  server = await serve(store);
  await tool('git', ['clone', '-q', url(server), clone]);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** The store as a plain HTTP server shows it. */
function serve(shown: Store): Promise<Listener> {
  return runtime.http.listen({ address: '127.0.0.1', port: 0 }, async (request) => {
    const file = await shown.git(new URL(request.url).pathname.replace('/git/config.git/', ''));
    if (file === undefined) return new Response('not found', { status: 404 });
    return new Response(new Blob([Uint8Array.from(file.body)]), {
      headers: { 'content-type': file.type },
    });
  });
}

function url(server: Listener): string {
  if (!('port' in server.local)) throw new Error('unreachable: not on TCP');
  return `http://127.0.0.1:${server.local.port}/git/config.git`;
}

describe('git', () => {
  test('clones over plain HTTP and arrives at the same commit', async () => {
    expect((await git('rev-parse', 'HEAD')).trim()).toBe(store.head);
    expect((await git('rev-parse', '--show-object-format')).trim()).toBe('sha256');
    expect((await git('rev-list', '--count', 'HEAD')).trim()).toBe(String(COMMITS));
  });

  test('finds nothing to complain about', async () => {
    expect(await git('fsck', '--strict', '--full')).toBe('');
  });

  test('calls every signature good', async () => {
    const marks = (await verified('log', '--format=%G? %GS %ae')).trim().split('\n');
    expect(marks).toEqual(Array(COMMITS).fill('G router router'));
    await verified('verify-commit', 'HEAD');
  });

  test('shows the records as files, and what a commit did', async () => {
    expect(await git('show', 'HEAD:names/@.json')).toBe('{"text":"ü€😀"}\n');
    expect(await git('show', 'HEAD:names/%2a.home.json')).toBe('{}\n');
    expect(await git('show', 'HEAD:.nymote/ops.json')).toMatch(/^\[\{"op":"set",/);
    expect(await git('ls-tree', '--name-only', 'HEAD')).toBe(
      '.nymote\na\na0\ndevices\nnames\nrealm\n',
    );
    const trailers = await git('log', '-1', '--format=%(trailers:key=Nymote-Seq,valueonly)');
    expect(trailers.trim()).toBe(String(COMMITS));
    const body = await git('log', '-1', '--format=%B');
    expect(body).toContain('Not "ASCII": ü€😀\n# no comment');
    expect(body).toContain(`Nymote-Realm: ${store.realm}\nNymote-Via: web: alice`);
  });

  test('fetches what came since', async () => {
    await store.commit({ ops: [set('names/late', {})], message: 'Later', via: 'web' });
    await git('fetch', '-q');
    expect((await git('rev-parse', 'origin/main')).trim()).toBe(store.head);
    expect(await git('fsck', '--strict')).toBe('');
  });

  test('is refused what is not there', async () => {
    const paths = ['../store/format', 'objects/00/', `objects/00/${'0'.repeat(62)}`, 'config', ''];
    for (const path of paths) expect(await store.git(path), path).toBeUndefined();
  });
});

describe('a long history', () => {
  test('is cloned in a few requests, and fetched from', async () => {
    const long = await mkdtemp(join(root, 'long-'));
    const { privateKey } = await runtime.crypto.generateSigningKey('ed25519');
    const signer = runtime.crypto.signer('ed25519', privateKey);
    const writer = { deviceId: 'router', name: 'Router', signer };
    await using own = await openStore(runtime, { directory: join(long, 'store'), writer });
    const commit = (seq: number) =>
      own.commit({ ops: [set(`names/n${seq % 50}`, { seq })], message: 'Change', via: 'web' });
    while (own.seq < 1030) await commit(own.seq);
    let requests = 0;
    await using listener = await runtime.http.listen(
      { address: '127.0.0.1', port: 0 },
      async (request) => {
        requests += 1;
        const file = await own.git(new URL(request.url).pathname.slice(1));
        const body = file && new Blob([Uint8Array.from(file.body)]);
        return new Response(body ?? null, { status: file === undefined ? 404 : 200 });
      },
    );
    if (!('port' in listener.local)) throw new Error('unreachable: not on TCP');
    const target = join(long, 'clone');
    await tool('git', ['clone', '-q', `http://127.0.0.1:${listener.local.port}`, target]);
    // A pack and its index, and what came after it object by object.
    expect(requests).toBeLessThan(100);
    const head = async () => (await tool('git', ['-C', target, 'rev-parse', 'origin/main'])).trim();
    expect(await head()).toBe(own.head);
    expect(await tool('git', ['-C', target, 'fsck', '--strict', '--full'])).toBe('');
    expect(await tool('git', ['-C', target, 'count-objects', '-v'])).toMatch(/^garbage: 0$/m);
    await commit(own.seq);
    await tool('git', ['-C', target, 'fetch', '-q']);
    expect(await head()).toBe(own.head);
    const [, name = ''] = /^P (pack-\S+)\.pack$/m.exec(await filed(own, 'info/packs')) ?? [];
    await writeFile(join(long, 'a.pack'), (await own.git(`objects/pack/${name}.pack`))?.body ?? '');
    const words = ['index-pack', '--object-format=sha256', '-o', join(long, 'a.idx')];
    await tool('git', [...words, join(long, 'a.pack')]);
    const index = await own.git(`objects/pack/${name}.idx`);
    expect(Buffer.from(index?.body ?? []).equals(await readFile(join(long, 'a.idx')))).toBe(true);
  });

  async function filed(own: Store, name: string): Promise<string> {
    return new TextDecoder().decode((await own.git(`objects/${name}`))?.body);
  }
});

describe('a history that was pruned', () => {
  test('is cloned with the file that says where it begins; all signatures are good', async () => {
    const { writer: only } = await writer();
    await using own = await openStore(runtime, { directory: join(root, 'pruned'), writer: only });
    const commit = (seq: number) =>
      own.commit({ ops: [set(`names/n${seq % 7}`, { seq })], message: 'Change', via: 'web' });
    while (own.seq < 30) await commit(own.seq);
    expect((await own.prune('cli', { days: 0, commits: 10 })).dropped).toBe(20);
    await commit(31);
    await using shown = await serve(own);
    const template = join(root, 'template');
    await mkdir(template);
    await writeFile(join(template, 'shallow'), (await own.git('shallow'))?.body ?? '');
    const target = join(root, 'kept');
    await tool('git', ['clone', '-q', `--template=${template}`, url(shown), target]);
    const known = join(root, 'signers-of-pruned');
    await writeFile(known, own.allowedSigners());
    const inside = (...args: string[]) =>
      tool('git', ['-C', target, '-c', `gpg.ssh.allowedSignersFile=${known}`, ...args]);
    expect(await inside('fsck', '--strict', '--full')).toBe('');
    const marks = (await inside('log', '--format=%G?')).trim().split('\n');
    expect(marks).toEqual(Array(12).fill('G'));
    await commit(32);
    await inside('pull', '-q');
    expect((await inside('rev-parse', 'HEAD')).trim()).toBe(own.head);
  });
});

describe('ssh-keygen', () => {
  test('verifies a commit that git hands out', async () => {
    const { payload, signature } = splitSigned(await git('cat-file', 'commit', 'HEAD'));
    await writeFile(join(root, 'signature'), signature);
    const said = await tool(
      'ssh-keygen',
      ['-Y', 'verify', '-f', signers, '-I', 'router', '-n', 'git', '-s', join(root, 'signature')],
      Buffer.from(payload),
    );
    expect(said).toContain('Good "git" signature for router');
  });

  test('refuses it when a letter is another', async () => {
    const { payload, signature } = splitSigned(await git('cat-file', 'commit', 'HEAD'));
    await writeFile(join(root, 'signature'), signature);
    const said = tool(
      'ssh-keygen',
      ['-Y', 'verify', '-f', signers, '-I', 'router', '-n', 'git', '-s', join(root, 'signature')],
      Buffer.from(payload.replace('Change', 'Chance')),
    );
    await expect(said).rejects.toThrow();
  });
});

describe('a history of two devices', () => {
  test('is branches while nothing joins them, and one afterwards; all signatures are good', async () => {
    const [{ device: other, writer: second }, { writer: first }] = [await writer(), await writer()];
    const add: Parameters<Store['commit']>[0] = {
      ops: [
        set(`devices/${other.id}`, { role: 'owner', rank: 2, signingKey: other.signingKey }),
        set('names/p', { ttl: 60 }),
      ],
      message: 'Add a second owner',
      via: 'web',
    };
    await using one = await openStore(runtime, { directory: join(root, 'one'), writer: first });
    await one.commit(add);
    const there = { directory: join(root, 'two'), writer: second, realm: one.realm };
    await using two = await openStore(runtime, there);
    await send(one, two);
    for (const value of [1, 2]) {
      await one.commit({ ops: [set('names/p/ttl', value)], message: 'Change', via: 'web' });
      await two.commit({ ops: [set('names/p/ttl', -value)], message: 'Change', via: 'web' });
    }
    await send(two, one);
    await using shown = await serve(one);
    const forked = join(root, 'forked');
    await tool('git', ['clone', '-q', url(shown), forked]);
    await writeFile(signers, one.allowedSigners());
    const inFork = (...args: string[]) =>
      tool('git', ['-C', forked, '-c', `gpg.ssh.allowedSignersFile=${signers}`, ...args]);
    const heads = (await inFork('for-each-ref', '--format=%(objectname)', 'refs/remotes')).trim();
    expect([...new Set(heads.split('\n'))].sort((a, b) => (a < b ? -1 : 1))).toEqual(one.heads);
    await one.commit({ ops: [set('names/q', {})], message: 'Go on', via: 'web' });
    await inFork('pull', '-q');
    expect((await inFork('rev-parse', 'HEAD')).trim()).toBe(one.head);
    expect(await inFork('fsck', '--strict', '--full')).toBe('');
    const marks = await inFork('log', '--format=%G? %P', 'HEAD');
    const lines = marks.trim().split('\n');
    expect(lines.map((line) => line.slice(0, 1))).toEqual(Array(7).fill('G'));
    expect(lines[0]?.split(' ')).toHaveLength(3);
    const conflict = await inFork('show', 'HEAD:.nymote/conflicts/names/p.json');
    expect(JSON.parse(conflict).ttl).toHaveLength(2);
    await one.resolve('names/p/ttl', 3, 'web');
    await inFork('pull', '-q');
    expect(await inFork('ls-tree', '--name-only', 'HEAD:.nymote')).toBe('ops.json\n');
  });
});

async function send(from: Store, to: Store): Promise<void> {
  const { refused } = await to.importCommits(await from.exportMissing(to.vector()));
  expect(refused).toEqual([]);
}

async function writer() {
  const { privateKey } = await runtime.crypto.generateSigningKey('ed25519');
  const signer = runtime.crypto.signer('ed25519', privateKey);
  const id = deviceId(runtime.crypto, signer.publicKey);
  const signingKey = Buffer.from(signer.publicKey).toString('base64');
  return { device: { id, signingKey }, writer: { deviceId: id, name: 'Device', signer } };
}

/** What of a commit is signed, and the signature (gitformat-signature(5)). */
function splitSigned(text: string): { payload: string; signature: string } {
  const match = /gpgsig-sha256 ((?:[^\n]+\n)(?: [^\n]+\n)+)/.exec(text);
  if (match?.[1] === undefined) throw new Error('no signature');
  return { payload: text.replace(match[0], ''), signature: match[1].replaceAll('\n ', '\n') };
}
