/**
 * What a backup costs, on the real disk: packing, sealing, and bringing a history back verified;
 * beside stock git, which unpacks without asking who signed.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { nodeRuntime } from '#runtime/node';
import { gather, openStore, type Store, takeBundle } from '#storage';
import { beside, type Row } from './row.ts';

const RECORDS = 500;
const BEGINNING = { vector: {}, heads: [] };

const execute = promisify(execFile);
const runtime = nodeRuntime({ log: () => undefined });

/** Measures histories of 1,000 and of 10,000 commits to 500 records. */
export async function run(): Promise<readonly Row[]> {
  return [...(await measure(1000, 'budget 2000')), ...(await measure(10_000))];
}

async function measure(commits: number, note?: string): Promise<Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  try {
    await using store = await fill(join(root, 'store'), commits);
    const identity = await generateX25519Identity();
    const began = performance.now();
    const parts = await pack(store);
    const packed = performance.now();
    const sealed = await Promise.all(parts.map(async (part) => seal(identity, part)));
    const done = performance.now();
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    const restoring = performance.now();
    const cpu = process.cpuUsage();
    await restore(join(root, 'new'), store, identity, sealed);
    const restored = performance.now() - restoring;
    const { user, system } = process.cpuUsage(cpu);
    const name = `${commits} commits`;
    return [
      { name: `back up ${name}: pack`, value: packed - began, unit: 'ms' },
      { name: `back up ${name}: seal`, value: done - packed, unit: 'ms' },
      await besideGit(root, `back up ${name}: size`, parts, size),
      { name: `restore ${name}, CPU`, value: (user + system) / 1000, unit: 'ms' },
      {
        ...beside(`restore ${name}`, restored, 'ms', await cloneTime(root)),
        ...(note === undefined ? {} : { note }),
      },
    ];
  } finally {
    await rm(root, { recursive: true });
  }
}

async function fill(directory: string, commits: number): Promise<Store> {
  const { privateKey } = await runtime.crypto.generateSigningKey('ed25519');
  const signer = runtime.crypto.signer('ed25519', privateKey);
  const writer = { deviceId: 'router', name: 'Router', signer };
  const store = await openStore(runtime, { directory, writer });
  while (store.seq < commits) {
    const records = [{ data: '192.0.2.1', ttl: store.seq, type: 'A' }];
    const path = `names/n${store.seq % RECORDS}`;
    const ops = [{ op: 'set', path, value: { records } }] as const;
    await store.commit({ ops, message: `Set ${path}`, via: 'web' });
  }
  return store;
}

async function pack(store: Store): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  let reach: Parameters<typeof gather>[2] = BEGINNING;
  for (;;) {
    const stretch = await gather(runtime.crypto, store, reach);
    if (stretch === undefined) return parts;
    parts.push(stretch.bundle);
    reach = stretch.reach;
  }
}

async function seal(identity: string, plain: Uint8Array): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity));
  return encrypter.encrypt(plain);
}

async function restore(
  directory: string,
  { realm, head }: Store,
  identity: string,
  sealed: readonly Uint8Array[],
): Promise<void> {
  await using store = await openStore(runtime, { directory, realm });
  for (const part of sealed) {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    await takeBundle(runtime.crypto, store, await decrypter.decrypt(part));
  }
  if (store.head !== head) throw new Error('the restore lost commits');
}

/** What git makes of the same history, compressed as it compresses. */
async function besideGit(
  root: string,
  name: string,
  parts: readonly Uint8Array[],
  size: number,
): Promise<Row> {
  const bare = join(root, 'bare.git');
  await execute('git', ['init', '-q', '--bare', '--object-format=sha256', bare]);
  for (const [index, part] of parts.entries()) {
    const file = join(root, `part-${index}.bundle`);
    await writeFile(file, part);
    await execute('git', ['-C', bare, 'fetch', '-q', file, '+refs/heads/*:refs/heads/*']);
  }
  await execute('git', ['-C', bare, 'symbolic-ref', 'HEAD', 'refs/heads/main']);
  await execute('git', ['-C', bare, 'repack', '-adfq']);
  const theirs = join(root, 'theirs.bundle');
  const words = ['bundle', 'create', '-q', '--version=3', theirs, '--all'];
  await execute('git', ['-C', bare, ...words]);
  const peer = { name: 'git repack', value: (await stat(theirs)).size / 1e6 };
  return beside(name, size / 1e6, 'MB', peer);
}

async function cloneTime(root: string): Promise<{ name: string; value: number }> {
  const began = performance.now();
  await execute('git', ['clone', '-q', '--bare', join(root, 'theirs.bundle'), join(root, 'a.git')]);
  return { name: 'git clone, unverified', value: performance.now() - began };
}
