/** Two devices that each made 100 changes apart: what it costs when they meet. */

import * as fs from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as Automerge from '@automerge/automerge';
import git from 'isomorphic-git';
import { deviceId } from '#identity';
import type { Runtime } from '#runtime';
import { openStore, type Store } from '#storage';
import { beside, type Row } from './row.ts';

const CHANGES = 100;
const ROUNDS = 5;
const AUTHOR = { name: 'bench', email: 'bench@example.org', timestamp: 1_795_000_000 };

/** Measures in directories below `root`. */
export async function measureMerge(runtime: Runtime, root: string): Promise<readonly Row[]> {
  const [ours, merged, theirs, gits]: number[][] = [[], [], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const { taken, joined } = await mergeOurs(runtime, join(root, `merge-${round}`));
    ours?.push(taken);
    merged?.push(joined);
    theirs?.push(mergeAutomerge());
    gits?.push(await mergeGit(join(root, `git-${round}`)));
  }
  const [taken, joined, automerge, isomorphic] = [ours, merged, theirs, gits].map((all) =>
    Math.min(...(all ?? [])),
  ) as [number, number, number, number];
  return [
    {
      name: '100 + 100 changes: the first commit on both',
      value: joined,
      unit: 'ms',
      note: 'budget 20',
    },
    beside('100 + 100 changes: verified, stored and merged', taken, 'ms', {
      name: 'Automerge (nothing signed or stored)',
      value: automerge,
    }),
    beside('100 + 100 changes: the same', taken, 'ms', {
      name: 'isomorphic-git (nothing signed)',
      value: isomorphic,
    }),
  ];
}

async function mergeOurs(
  runtime: Runtime,
  root: string,
): Promise<{ readonly taken: number; readonly joined: number }> {
  const [first, second] = await Promise.all([writer(runtime), writer(runtime)]);
  await mkdir(root);
  await using one = await openStore(runtime, { directory: join(root, 'one'), writer: first });
  const record = { role: 'owner', rank: 2, signingKey: second.signingKey };
  await commit(one, `devices/${second.deviceId}`, record);
  const there = { directory: join(root, 'two'), writer: second, realm: one.realm };
  await using two = await openStore(runtime, there);
  await two.importCommits(await one.exportMissing({}));
  for (let value = 0; value < CHANGES; value++) {
    await commit(one, `names/a${value % 10}`, { ttl: value });
    await commit(two, `names/b${value % 10}`, { ttl: value });
  }
  const page = await two.exportMissing(one.vector());
  const start = performance.now();
  const { added } = await one.importCommits(page);
  const taken = performance.now() - start;
  if (added !== CHANGES) throw new Error(`only ${added} commits were taken over`);
  const before = performance.now();
  await commit(one, 'names/c', { ttl: 1 });
  return { taken, joined: performance.now() - before };
}

async function writer({ crypto }: Runtime) {
  const { privateKey } = await crypto.generateSigningKey('ed25519');
  const signer = crypto.signer('ed25519', privateKey);
  const signingKey = Buffer.from(signer.publicKey).toString('base64');
  return { deviceId: deviceId(crypto, signer.publicKey), name: 'Bench', signer, signingKey };
}

function commit(store: Store, path: string, value: Record<string, string | number>) {
  return store.commit({ ops: [{ op: 'set', path, value }], message: `Set ${path}`, via: 'bench' });
}

type Names = Record<string, { ttl: number }>;

function mergeAutomerge(): number {
  let one = Automerge.from<{ names: Names }>({ names: {} });
  let two = Automerge.clone(one);
  for (let value = 0; value < CHANGES; value++) {
    one = Automerge.change(one, (doc) => {
      doc.names[`a${value % 10}`] = { ttl: value };
    });
    two = Automerge.change(two, (doc) => {
      doc.names[`b${value % 10}`] = { ttl: value };
    });
  }
  const changes = Automerge.getAllChanges(two);
  const start = performance.now();
  const [merged] = Automerge.applyChanges(one, changes);
  const took = performance.now() - start;
  if (Object.keys(merged.names).length !== 20) throw new Error('Automerge lost names');
  return took;
}

async function mergeGit(dir: string): Promise<number> {
  await git.init({ fs, dir, defaultBranch: 'one' });
  await mkdir(join(dir, 'names'));
  const record = async (key: string, ttl: number) => {
    const filepath = `names/${key}.json`;
    await writeFile(join(dir, filepath), `${JSON.stringify({ ttl })}\n`);
    await git.add({ fs, dir, filepath });
    await git.commit({ fs, dir, message: `Set ${key}`, author: AUTHOR });
  };
  await record('start', 0);
  await git.branch({ fs, dir, ref: 'two' });
  for (const [ref, letter] of [
    ['one', 'a'],
    ['two', 'b'],
  ] as const) {
    await git.checkout({ fs, dir, ref });
    for (let value = 0; value < CHANGES; value++) await record(`${letter}${value % 10}`, value);
  }
  const start = performance.now();
  await git.merge({ fs, dir, ours: 'one', theirs: 'two', author: AUTHOR });
  return performance.now() - start;
}
